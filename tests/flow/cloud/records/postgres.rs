//! A PostgreSQL of the test's own: a cluster in a temporary folder, on a port that the system chose.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server; it ends with this.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    tools: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts it; `None` where PostgreSQL is not installed and need not be.
    pub(crate) fn start() -> Option<Self> {
        let Some(tools) = tools() else {
            let allowed = std::env::var_os("ORIEL_WITHOUT_POSTGRES").is_some();
            assert!(
                allowed,
                "install PostgreSQL (`apt-get install postgresql`), or set ORIEL_WITHOUT_POSTGRES to test without"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let postgres = Self { folder, port, tools };
        if is_root() {
            // PostgreSQL refuses to run as root.
            assert!(Command::new("chown").arg("postgres").arg(postgres.folder.path()).status().unwrap().success());
        }
        postgres.run("initdb", &["--auth=trust", "--username=oriel", "--no-sync", "--pgdata"]);
        postgres.resume();
        Some(postgres)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://oriel@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Stops the server at once, as a crash does.
    pub(crate) fn kill(&self) {
        self.run("pg_ctl", &["stop", "--mode=immediate", "--pgdata"]);
    }

    /// Starts the server, and returns when it takes connections.
    pub(crate) fn resume(&self) {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", self.port);
        let log = self.data().with_extension("log").display().to_string();
        self.run("pg_ctl", &["start", "--wait", "--timeout=60", "--options", &options, "--log", &log, "--pgdata"]);
        let end = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                Instant::now() < end,
                "PostgreSQL did not start: {}",
                std::fs::read_to_string(&log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    /// Runs a tool on the data folder, which is its last argument.
    fn run(&self, tool: &str, arguments: &[&str]) {
        let program = self.tools.join(tool);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let quiet =
            command.args(arguments).arg(self.data()).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        assert!(quiet.status().unwrap().success(), "{tool}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn tools() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    folders.sort();
    folders.into_iter().rfind(|folder| folder.join("initdb").exists())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|meta| meta.uid() == 0)
}
