//! Finding cameras on the networks of this machine (Core chapter 7; WS-Discovery of April 2005): Probe, Resolve, and hearing Hello and Bye, by IPv4 and
//! IPv6, on each interface.
//!
//! Nothing here is authenticated: whoever is on the network can answer, for any endpoint reference. So an address counts only when it came from
//! that address itself ([`Found::candidates`]), and who is really there its device service has to say.
//!
//! ```text
//! Discovery ── question ──► task ─► Machine (pure: what to send when, whose answer this is, what was found)
//!     ▲                      │ ▲
//!     └──── found, heard ────┘ └─► ports: one asking socket an address, one hearing socket an interface and family
//! ```

mod found;
mod machine;
mod task;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

pub use found::{Found, Sighting};
use machine::Question;
use oriel_onvif::discovery::{DEVICE, NETWORK_VIDEO_TRANSMITTER, PORT};
use oriel_soap::xml::QName;
use task::{Command, Task};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Questions that wait for a place among those under way.
const WAITING: usize = 16;
/// What was heard and not yet asked for.
const HEARD: usize = 256;
/// The longest that a question may take.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Where to look.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Names of interfaces; none: every one that is up and can multicast, but for loopback.
    pub interfaces: Vec<String>,
    /// By IPv4.
    pub ipv4: bool,
    /// By IPv6.
    pub ipv6: bool,
    /// Hear Hello and Bye. Without it only answers to our own questions are heard.
    pub listen: bool,
    /// The port of the groups; another than 3702 is for tests.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { interfaces: Vec::new(), ipv4: true, ipv6: true, listen: true, port: PORT }
    }
}

/// Whom to look for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Probe {
    /// Types that are asked for one by one, since old cameras have one and not the other; none: whatever answers, printers too.
    pub types: Vec<QName>,
    /// Scopes that a camera has to have all of.
    pub scopes: Vec<String>,
    /// How long to wait for answers; at most a minute.
    pub wait: Duration,
}

impl Default for Probe {
    fn default() -> Self {
        Self { types: vec![NETWORK_VIDEO_TRANSMITTER, DEVICE], scopes: Vec::new(), wait: Duration::from_secs(3) }
    }
}

/// What a device said to everybody. Anybody can say it in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// It is there, or has changed.
    Hello(Found),
    /// The device of this endpoint reference leaves.
    Bye(String),
}

/// Sockets on the interfaces and the task that owns them; dropping this ends all. Interfaces that come and go are followed.
#[derive(Debug)]
pub struct Discovery {
    commands: mpsc::Sender<Command>,
    heard: broadcast::Sender<Heard>,
    interfaces: watch::Receiver<Vec<String>>,
    task: JoinHandle<()>,
}

impl Discovery {
    /// Opens the sockets, within a runtime of tokio. An interface that is not there is no error, since it may come: see [`Self::interfaces`].
    ///
    /// # Errors
    /// The system does not tell its interfaces, or opens a socket on none of them.
    pub fn open(options: &Options) -> io::Result<Self> {
        let (commands, questions) = mpsc::channel(WAITING);
        let heard = broadcast::Sender::new(HEARD);
        let (shown, interfaces) = watch::channel(Vec::new());
        let task = Task::open(options.clone(), questions, heard.clone(), shown)?;
        Ok(Self { commands, heard, interfaces, task: tokio::spawn(task.run()) })
    }

    /// Asks and collects the answers until the time is over, several of one endpoint as one.
    pub async fn probe(&self, probe: &Probe) -> Vec<Found> {
        let question = Question::Probe { types: probe.types.clone(), scopes: probe.scopes.clone() };
        self.ask(question, probe.wait).await
    }

    /// Where the camera of this endpoint reference is now: by Resolve, and by a probe beside it, since many cameras answer no Resolve. Ends soon after the first
    /// answer, so that others who claim to be it are heard too.
    pub async fn resolve(&self, endpoint: &str, wait: Duration) -> Option<Found> {
        self.ask(Question::Resolve { endpoint: endpoint.to_owned() }, wait).await.pop()
    }

    /// Hello and Bye from now on, each once; one who reads too slowly misses the oldest.
    #[must_use]
    pub fn hear(&self) -> broadcast::Receiver<Heard> {
        self.heard.subscribe()
    }

    /// The names of the interfaces in use at the moment.
    #[must_use]
    pub fn interfaces(&self) -> Vec<String> {
        self.interfaces.borrow().clone()
    }

    async fn ask(&self, question: Question, wait: Duration) -> Vec<Found> {
        let (reply, answer) = oneshot::channel();
        let command = Command { question, wait: wait.min(LONGEST_WAIT), reply };
        if self.commands.send(command).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.task.abort();
    }
}
