//! Whose a subscription is.
//!
//! A subscription belongs to the account that made it on the LAN, or to the cloud that it was made through. Nobody else gets at it, but an
//! administrator on the LAN. A cloud is known by host and port of its uplink, since it may be dialled in both forms of the uplink
//! and goes on with whichever tunnel is there. Between those who come through one cloud, the id is what nobody guesses.

use oriel_soap::{Caller, Level, Via};
use oriel_uplink::RemoteAddress;

/// Who made a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// An account on the LAN.
    Account(String),
    /// A cloud.
    Cloud(String),
}

impl Owner {
    /// Who asks.
    pub(crate) fn of(caller: &Caller) -> Self {
        match &caller.via {
            Via::Lan { .. } => Self::Account(caller.user.clone().unwrap_or_default()),
            Via::Uplink { address } => Self::cloud(address),
        }
    }

    /// The cloud behind an uplink with this `RemoteAddress`.
    pub(crate) fn cloud(address: &str) -> Self {
        let known = address.parse::<RemoteAddress>().map(|address| address.authority());
        Self::Cloud(known.unwrap_or_else(|_| address.to_owned()))
    }

    /// Whether who asks may have to do with what this one made.
    pub(super) fn admits(&self, caller: &Caller) -> bool {
        is_local_administrator(caller) || *self == Self::of(caller)
    }

    /// Whether both come the same way, LAN or uplinks: each has its places.
    pub(super) fn beside(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Account(_), Self::Account(_)) | (Self::Cloud(_), Self::Cloud(_)))
    }
}

/// Whether the caller may do everything here, as one who is here.
pub(super) fn is_local_administrator(caller: &Caller) -> bool {
    matches!(caller.via, Via::Lan { .. }) && caller.levels.contains(Level::Administrator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_soap::Levels;

    fn lan(user: &str, level: Level) -> Caller {
        let via = Via::Lan { peer: ([10, 0, 0, 1], 5).into() };
        Caller { levels: Levels::of(level), user: Some(user.to_owned()), via }
    }

    fn uplink(address: &str) -> Caller {
        Caller { levels: Levels::ADMINISTRATOR, user: None, via: Via::Uplink { address: address.into() } }
    }

    #[test]
    fn a_subscription_is_its_makers_and_the_local_administrators() {
        let mine = Owner::of(&lan("nurse", Level::User));
        assert!(mine.admits(&lan("nurse", Level::User)));
        assert!(mine.admits(&lan("chief", Level::Administrator)));
        assert!(!mine.admits(&lan("other", Level::Operator)));
        assert!(!mine.admits(&uplink("https://cloud.example/x")), "an uplink's administrator is none of the LAN");
        let theirs = Owner::of(&uplink("https://cloud.example/x"));
        assert!(theirs.admits(&uplink("https://cloud.example/x")));
        assert!(theirs.admits(&lan("chief", Level::Administrator)));
        assert!(!theirs.admits(&uplink("https://other.example/x")));
        assert!(!theirs.admits(&lan("nurse", Level::User)));
    }

    #[test]
    fn a_cloud_is_one_in_both_forms_of_its_uplink() {
        let theirs = Owner::of(&uplink("https://cloud.example/uplink"));
        assert!(theirs.admits(&uplink("wss://CLOUD.example:443/other")));
        assert!(!theirs.admits(&uplink("wss://cloud.example:8443/uplink")));
    }
}
