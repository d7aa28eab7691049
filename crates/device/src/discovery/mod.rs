//! The device as it is found by WS-Discovery (Core chapter 7; WS-Discovery of April 2005): Hello, Probe and Resolve with their answers, Bye, by IPv4 and IPv6,
//! on each interface that it listens on.
//!
//! Nobody is authenticated here, and whoever asks may have written another's address. So answers go only to addresses of the network that the
//! question came by, and only so many of them: see [`machine`].
//!
//! ```text
//! store ── scopes, mode ──► task ─► Machine (pure: what to say when, to whom, and to whom nothing)
//!                           │ ▲ │
//!  interfaces ── looked at ─┘ │ └─► store: MetadataVersion, InstanceId
//!                             └─► ports: for each address one that speaks and is asked, for each interface and family one that hears the group
//! ```

mod links;
mod machine;
mod task;
#[cfg(test)]
mod tests;

use crate::services::Shared;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use task::Task;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The longest that saying Bye takes: four times, with the longest gaps.
const FAREWELL: Duration = Duration::from_secs(3);

/// What makes the device be found. Dropping it ends that at once, without a Bye.
pub(crate) struct Announcer {
    leave: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Speaks for the device that `listeners` lead to, within a runtime of tokio. What the network refuses is logged, and tried again.
    pub(crate) fn start(shared: Arc<Shared>, listeners: Vec<SocketAddr>) -> Self {
        let (leave, left) = oneshot::channel();
        Self { leave: Some(leave), task: tokio::spawn(Task::new(shared, listeners, left).run()) }
    }

    /// Says Bye.
    pub(crate) async fn stop(mut self) {
        // It is gone already when nobody takes this.
        let _ = self.leave.take().map(|leave| leave.send(()));
        let _late = tokio::time::timeout(FAREWELL, &mut self.task).await;
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
