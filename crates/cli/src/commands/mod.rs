//! One module a command.

#[cfg(feature = "bridge")]
pub(crate) mod bridge;
pub(crate) mod call;
#[cfg(feature = "cloud")]
pub(crate) mod cloud;
pub(crate) mod config;
#[cfg(all(feature = "device", feature = "cloud"))]
pub(crate) mod demo;
#[cfg(feature = "device")]
pub(crate) mod device;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod enroll;
#[cfg(feature = "device")]
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod forward;
#[cfg(feature = "device")]
pub(crate) mod swarm;
pub(crate) mod trace;
pub(crate) mod uplink;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How many threads a command is worth. A camera has few cores and less memory.
#[derive(Clone, Copy)]
pub(crate) enum Threads {
    One,
    All,
}

/// Runs a command to its end.
pub(crate) fn block_on<T>(threads: Threads, future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut builder = match threads {
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::All => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    let ended = runtime.block_on(future);
    if ended.is_err() {
        // Whoever is told of a failure does not wait for the rest; after a proper end there is none.
        runtime.shutdown_background();
    }
    ended
}

/// SIGINT and SIGTERM, by which the operator or the service manager wants us to end. From its making on they no longer kill: it is made before anything
/// says that we are ready, so that a signal right after is a proper end already.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let install = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: install(SignalKind::interrupt())?, terminate: install(SignalKind::terminate())? })
    }

    /// Waits until somebody wants us to end.
    pub(crate) async fn asked_to_end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Runs what is to be done before the end, which a further signal cuts short.
    ///
    /// # Errors
    /// It was cut short.
    pub(crate) async fn unless_hurried<T>(&mut self, last: impl Future<Output = T>) -> anyhow::Result<T> {
        tokio::select! {
            done = last => Ok(done),
            () = self.asked_to_end() => bail!("asked a second time to end: what was still going on was cut off"),
        }
    }
}

/// Raises the limit of open files to what the system lets us have: each connection is one, and the usual 1,024 are few for a cloud.
#[cfg(any(feature = "device", feature = "cloud"))]
pub(crate) fn raise_open_files() {
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(limit) => tracing::info!(limit, "open files, connections included"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}
