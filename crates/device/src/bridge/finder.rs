//! Finds cameras that nobody listed: asks now and then, hears those that say hello, and hands over what may be taken in.

use super::entry::Believe;
use super::known::Camera;
use super::search::{Search, candidates};
use super::slot::Slots;
use crate::config::Discover;
use oriel_client::discovery::{Discovery, Found, Heard, Options, Probe};
use oriel_onvif::discovery::MatchingRule;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Sockets on the LAN, and who looks through them. Dropping it ends both.
pub(super) struct Finder {
    /// What it was opened for.
    discover: Option<Discover>,
    search: Search,
    task: JoinHandle<()>,
}

impl Finder {
    /// Opens the sockets. Without `discover`, known cameras alone are looked for, and heard.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn open(
        discover: Option<Discover>,
        slots: Arc<Slots>,
        found: mpsc::Sender<Camera>,
    ) -> std::io::Result<Self> {
        let mut options = Options::default();
        if let Some(discover) = &discover {
            options.interfaces.clone_from(&discover.interfaces);
            (options.ipv4, options.ipv6) = (discover.ipv4, discover.ipv6);
        }
        let discovery = Arc::new(Discovery::open(&options)?);
        let task = tokio::spawn(look(Arc::clone(&discovery), discover.clone(), slots, found));
        Ok(Self { discover, search: Search(discovery), task })
    }

    pub(super) fn search(&self) -> Search {
        self.search.clone()
    }

    /// Whether it looks as it should.
    pub(super) fn is_for(&self, discover: Option<&Discover>) -> bool {
        self.discover.as_ref() == discover
    }
}

impl Drop for Finder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(discovery: Arc<Discovery>, discover: Option<Discover>, slots: Arc<Slots>, found: mpsc::Sender<Camera>) {
    let mut heard = discovery.hear();
    let mut probe = Probe::default();
    let mut ticks = interval(discover.as_ref().map_or(std::time::Duration::from_secs(3600), |discover| discover.every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if let Some(discover) = &discover {
        probe.scopes.clone_from(&discover.scopes);
    }
    let hand_over = async |one: Found| {
        if let Some(camera) = discover.as_ref().and_then(|discover| wanted(discover, &one)) {
            // Who reads is gone when the bridge ends.
            let _ = found.send(camera).await;
        }
    };
    loop {
        tokio::select! {
            _ = ticks.tick(), if discover.is_some() => {
                for one in discovery.probe(&probe).await {
                    hand_over(one).await;
                }
            }
            said = heard.recv() => match said {
                Ok(Heard::Hello(one)) => {
                    slots.nudge(&one.endpoint);
                    hand_over(one).await;
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// A camera that may be taken in: it says that it is one, it has the scopes that were asked for, and its address is its own.
fn wanted(discover: &Discover, found: &Found) -> Option<Camera> {
    if !found.is_onvif() || !discover.scopes.iter().all(|wanted| has(found, wanted)) {
        return None;
    }
    let mut addresses = candidates(found);
    // Who named an authority of the cameras wants them to be asked by https.
    if matches!(discover.believe, Believe::Policy(_)) {
        addresses.sort_by_key(|address| address.scheme() != "https");
    }
    let address = addresses.into_iter().next()?;
    Some(Camera { endpoint: found.endpoint.clone(), address, moved: None, title: found.name() })
}

/// Whether it has a scope, or one below it.
fn has(found: &Found, wanted: &str) -> bool {
    found.scopes.iter().any(|scope| MatchingRule::default().matches(wanted, scope))
}
