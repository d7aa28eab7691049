//! Children of the bench: started on a core, asked by lines of JSON, ended by their number.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::process;

/// How long a role may take to answer, the longest wait of a swarm included.
const ANSWER: Duration = Duration::from_secs(240);
/// How long a program may take to listen.
const START: Duration = Duration::from_secs(10);

/// Where a child may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    /// The load generator's core.
    Load,
    /// The core of everything under test.
    Servers,
    /// Anywhere.
    Any,
}

impl Core {
    fn command(self, program: &Path) -> Command {
        let core = match self {
            Self::Load => "0",
            Self::Servers => "1",
            Self::Any => return Command::new(program),
        };
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        command
    }
}

/// A child, ended when it is dropped, and what it started with it.
pub(crate) struct Child {
    name: String,
    process: Process,
    /// For roles.
    talk: Option<Talk>,
}

struct Talk {
    stdin: ChildStdin,
    lines: Receiver<String>,
    ready: Value,
}

impl Child {
    /// Starts a role of this program and waits until it says that it is ready.
    pub(crate) fn role(core: Core, arguments: &[&str]) -> anyhow::Result<Self> {
        let name = arguments.first().copied().unwrap_or_default().to_owned();
        let mut process = core
            .command(&std::env::current_exe()?)
            .arg("role")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start role {name}"))?;
        let stdin = process.stdin.take().context("stdin was asked for")?;
        let stdout = process.stdout.take().context("stdout was asked for")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut child = Self { name, process, talk: Some(Talk { stdin, lines, ready: Value::Null }) };
        let ready = child.answer()?;
        if let Some(talk) = &mut child.talk {
            talk.ready = ready;
        }
        Ok(child)
    }

    /// Starts another program; what it says goes to the file `log`.
    pub(crate) fn program(core: Core, program: &Path, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let process = core
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { name: program.display().to_string(), process, talk: None })
    }

    /// What the role said when it was ready.
    pub(crate) fn ready(&self, key: &str) -> anyhow::Result<String> {
        let value = self.talk.as_ref().and_then(|talk| talk.ready[key].as_str());
        Ok(value.with_context(|| format!("role {} did not say its {key}", self.name))?.to_owned())
    }

    /// Sends a line of JSON and returns the line that answers it.
    pub(crate) fn ask(&mut self, question: &Value) -> anyhow::Result<Value> {
        let talk = self.talk.as_mut().context("only roles are asked")?;
        writeln!(talk.stdin, "{question}").with_context(|| format!("role {} is gone", self.name))?;
        self.answer()
    }

    /// The next line that the role says without being asked.
    pub(crate) fn next(&self) -> anyhow::Result<Value> {
        self.answer()
    }

    fn answer(&self) -> anyhow::Result<Value> {
        let talk = self.talk.as_ref().context("only roles answer")?;
        let line = talk.lines.recv_timeout(ANSWER).with_context(|| format!("role {} says nothing", self.name))?;
        let value: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        if let Some(error) = value["error"].as_str() {
            bail!("role {}: {error}", self.name);
        }
        Ok(value)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// CPU time of the child and all that it started, µs.
    pub(crate) fn cpu_us(&self) -> f64 {
        process::family(self.pid()).into_iter().map(process::cpu_us).sum()
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // What it started first: a program may leave its workers behind.
        for pid in process::family(self.pid()).into_iter().skip(1) {
            let _gone = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
        }
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// A loopback address for a program that cannot be given port 0.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until something listens.
pub(crate) fn listening(address: SocketAddr, child: &mut Child, log: &Path) -> anyhow::Result<()> {
    let end = Instant::now() + START;
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        if child.ended() || Instant::now() > end {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            bail!("{} does not listen on {address}: {}", child.name, said.trim());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The program's file, if it is installed; services are often outside of a user's PATH.
pub(crate) fn installed(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin", "/sbin"]);
    folders.map(|folder| Path::new(folder).join(name)).find(|file| file.is_file())
}
