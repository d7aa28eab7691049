//! One module a command.

pub(crate) mod call;
#[cfg(feature = "cloud")]
pub(crate) mod cloud;
pub(crate) mod config;
#[cfg(all(feature = "device", feature = "cloud"))]
pub(crate) mod demo;
#[cfg(feature = "device")]
pub(crate) mod device;
#[cfg(feature = "device")]
pub(crate) mod swarm;
pub(crate) mod uplink;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

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
    builder.enable_all().build().context("cannot start the runtime")?.block_on(future)
}

/// Waits until the operator or the service manager wants us to end.
pub(crate) async fn asked_to_end() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
