//! A PostgreSQL of the bench's own: a cluster in a temporary folder with its usual settings, on the servers' core.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::child::{Child, Core, free_address, installed, listening};

/// A running server; it ends with this.
pub(super) struct Postgres {
    folder: tempfile::TempDir,
    tools: PathBuf,
    port: u16,
    pub(super) server: Child,
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub(super) fn start() -> anyhow::Result<Self> {
        let tools = tools().context("PostgreSQL is not installed (apt install postgresql)")?;
        let folder = tempfile::tempdir()?;
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(folder.path()).status()?;
            ensure!(owned.success(), "chown postgres");
        }
        let data = folder.path().join("cluster").display().to_string();
        let arguments = ["--auth=trust", "--username=oriel", "--no-sync", "--pgdata", &data];
        let made = lowered(&tools.join("initdb")).args(arguments).stdout(Stdio::null()).status()?;
        ensure!(made.success(), "initdb");
        let address = free_address()?;
        let port = address.port().to_string();
        let program = tools.join("postgres").display().to_string();
        let log = folder.path().with_extension("log");
        let mut arguments = vec!["-D", &data, "-p", &port, "-c", "listen_addresses=127.0.0.1"];
        arguments.extend(["-c", "unix_socket_directories="]);
        // PostgreSQL refuses to run as root.
        let mut server = if is_root() {
            let lowered = [&LOWER[..], &[&program], &arguments].concat();
            Child::program(Core::Servers, &setpriv()?, &lowered, &log)?
        } else {
            Child::program(Core::Servers, Path::new(&program), &arguments, &log)?
        };
        let up = listening(address, &mut server, &log);
        let _gone = std::fs::remove_file(&log);
        up?;
        Ok(Self { folder, tools, port: address.port(), server })
    }

    /// Another database in it, empty.
    pub(super) fn database(&self, name: &str) -> anyhow::Result<String> {
        let port = self.port.to_string();
        let arguments = ["--host=127.0.0.1", "--username=oriel", "--port", &port, name];
        let made = lowered(&self.tools.join("createdb")).args(arguments).output()?;
        ensure!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        Ok(format!("postgres://oriel@127.0.0.1:{port}/{name}?sslmode=disable"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.path().join("cluster");
        let stop = ["stop", "--mode=immediate", "--silent", "--pgdata"];
        let _gone = lowered(&self.tools.join("pg_ctl")).args(stop).arg(data).status();
    }
}

const LOWER: [&str; 3] = ["--reuid=postgres", "--regid=postgres", "--init-groups"];

fn setpriv() -> anyhow::Result<PathBuf> {
    installed("setpriv").context("setpriv is not installed")
}

/// A tool, under a user that PostgreSQL accepts.
fn lowered(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(LOWER).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn tools() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    folders.sort();
    folders.into_iter().rfind(|folder| folder.join("initdb").exists())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}
