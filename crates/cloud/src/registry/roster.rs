//! The tunnels of one device: at most so many, the newest live one first.

use std::net::IpAddr;

use oriel_uplink::cloud::Tunnel;

use super::Epoch;
use crate::records::CredentialKind;

/// One tunnel of a device.
#[derive(Debug, Clone)]
pub struct Held {
    /// The claim.
    pub epoch: Epoch,
    /// The tunnel.
    pub tunnel: Tunnel,
    /// The address that the device dialled from.
    pub source: IpAddr,
    /// What it was let in by.
    pub credential: CredentialKind,
    /// It was one too many, and finishes its streams.
    pub leaving: bool,
}

/// Oldest first.
#[derive(Debug, Default)]
pub(super) struct Roster(Vec<Held>);

impl Roster {
    /// Adds the newest, and returns what has to leave for it beyond `most`: draining ones first, then the oldest.
    pub(super) fn add(&mut self, held: Held, most: usize) -> Vec<Tunnel> {
        self.0.push(held);
        let mut evicted = Vec::new();
        while self.0.iter().filter(|held| !held.leaving).count() > most {
            let newest = self.0.len() - 1;
            let staying = || self.0[..newest].iter().enumerate().filter(|(_, held)| !held.leaving);
            let draining = staying().find(|(_, held)| held.tunnel.is_draining());
            let Some((position, _)) = draining.or_else(|| staying().next()) else { break };
            self.0[position].leaving = true;
            evicted.push(self.0[position].tunnel.clone());
        }
        evicted
    }

    pub(super) fn remove(&mut self, epoch: Epoch) -> Option<Held> {
        let position = self.0.iter().position(|held| held.epoch == epoch)?;
        Some(self.0.remove(position))
    }

    /// The newest that is neither closed nor going; else the newest that still serves: one that we drain or evict does, one that the device is closing
    /// does not.
    pub(super) fn best(&self) -> Option<&Tunnel> {
        let serving = || self.0.iter().rev().filter(|held| !held.tunnel.is_closed() && !held.tunnel.is_going_away());
        let staying = serving().find(|held| !held.leaving && !held.tunnel.is_draining());
        staying.or_else(|| serving().next()).map(|held| &held.tunnel)
    }

    pub(super) fn held(&self) -> &[Held] {
        &self.0
    }
}
