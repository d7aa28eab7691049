//! The tunnels of one device: at most so many, the newest live one first.

use std::net::IpAddr;

use oriel_uplink::cloud::Tunnel;

use super::Epoch;

/// One tunnel of a device.
#[derive(Debug, Clone)]
pub struct Held {
    /// The claim.
    pub epoch: Epoch,
    /// The tunnel.
    pub tunnel: Tunnel,
    /// The address that the device dialled from.
    pub source: IpAddr,
}

/// Oldest first.
#[derive(Debug, Default)]
pub(super) struct Roster(Vec<Held>);

impl Roster {
    /// Adds the newest, and returns what goes for it beyond `most`: draining ones first, then the oldest.
    pub(super) fn add(&mut self, held: Held, most: usize) -> Vec<Tunnel> {
        self.0.push(held);
        let mut evicted = Vec::new();
        while self.0.len() > most {
            let newest = self.0.len() - 1;
            let position = self.0[..newest].iter().position(|held| held.tunnel.is_draining()).unwrap_or(0);
            evicted.push(self.0.remove(position).tunnel);
        }
        evicted
    }

    pub(super) fn remove(&mut self, epoch: Epoch) -> Option<Held> {
        let position = self.0.iter().position(|held| held.epoch == epoch)?;
        Some(self.0.remove(position))
    }

    /// The newest that is neither closed nor going; else the newest that is not closed, since a drained tunnel still serves.
    pub(super) fn best(&self) -> Option<&Tunnel> {
        let live = || self.0.iter().rev().map(|held| &held.tunnel).filter(|tunnel| !tunnel.is_closed());
        live().find(|tunnel| !tunnel.is_draining()).or_else(|| live().next())
    }

    pub(super) fn held(&self) -> &[Held] {
        &self.0
    }
}
