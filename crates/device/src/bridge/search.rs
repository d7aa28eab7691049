//! Looking for a camera that does not answer, by its endpoint reference (WS-Discovery §6), and making sure that it is that camera.
//!
//! Whoever is on the LAN can answer for any reference. So an address counts only when the packet came from it, it lies on the LAN, it is asked by https where
//! the camera was, and what answers there tells the serial number that the camera told at first contact. Until it has, it is shown nothing but an HTTP Digest
//! of the weakest account: never a UsernameToken, which it could show to the camera itself for minutes. A Digest it can pass on too, once and at once, for a
//! question of its own (RFC 7616 §5.8); so it is one that may do little.

use super::entry::{CameraEntry, is_on_lan, same_place};
use crate::interfaces;
use crate::store::{self, Role};
use oriel_client::camera::{Account, Camera, Reach};
use oriel_client::discovery::{Discovery, Found};
use oriel_client::quirks::{Profile, Quirks, Shown};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetSystemDateAndTime};
use oriel_trust::client_config;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// How long answers to Resolve and Probe are waited for.
const WAIT: Duration = Duration::from_secs(5);
/// How long whatever is at an address may take to tell who it is.
const TELL: Duration = Duration::from_secs(15);

/// Looks for cameras.
#[derive(Clone)]
pub(super) struct Search(pub(super) Arc<Discovery>);

impl Search {
    /// Where the camera of this entry is now, if it is found, elsewhere than where it does not answer, and by its serial number. One whose number was never
    /// told cannot be told from others, and is found nowhere.
    pub(super) async fn find(&self, entry: &CameraEntry, serial: &str) -> Option<Url> {
        let found = self.0.resolve(entry.endpoint.as_deref()?, WAIT).await?;
        for address in candidates(&found) {
            if may_be_at(entry, &address) && is_it(entry, &address, serial).await {
                return Some(address);
            }
        }
        None
    }
}

/// Whether the camera of this entry may be looked for there: elsewhere, and never without the encryption that it was listed with.
fn may_be_at(entry: &CameraEntry, address: &Url) -> bool {
    !same_place(address, &entry.address) && (entry.address.scheme() != "https" || address.scheme() == "https")
}

/// The addresses that may be asked.
pub(super) fn candidates(found: &Found) -> Vec<Url> {
    let own: Vec<ipnet::IpNet> =
        interfaces::interfaces().unwrap_or_default().iter().flat_map(interfaces::networks).collect();
    let on_lan = |url: &&Url| match url.host() {
        Some(Host::Ipv4(host)) => is_on_lan(IpAddr::V4(host), &own),
        Some(Host::Ipv6(host)) => is_on_lan(IpAddr::V6(host), &own),
        _ => false,
    };
    found.candidates().into_iter().filter(on_lan).cloned().collect()
}

/// Whether the camera with this serial number is at the address.
async fn is_it(entry: &CameraEntry, address: &Url, serial: &str) -> bool {
    match tokio::time::timeout(TELL, tell(entry, address)).await {
        Ok(Ok(told)) if told.trim() == serial => true,
        Ok(Ok(_)) => {
            tracing::warn!(camera = entry.name, %address, "another camera says that it is this one");
            false
        }
        Ok(Err(error)) => {
            tracing::info!(camera = entry.name, %address, error, "what may be the camera does not tell who it is");
            false
        }
        Err(_) => false,
    }
}

/// The serial number that whatever is at the address tells.
async fn tell(entry: &CameraEntry, address: &Url) -> Result<String, String> {
    let profile = entry.quirks.as_deref().and_then(Profile::named).map(|profile| profile.quirks.clone());
    let mut quirks: Quirks = profile.unwrap_or_default();
    quirks.credentials = Shown::Digest;
    let tls = client_config(&entry.believe.validation(), None).map_err(|error| error.to_string())?;
    let reach = Reach { address: address.clone(), tls: Some(tls), quirks };
    let camera = Arc::new(Camera::new(reach).map_err(|error| error.to_string())?);
    let stranger = camera.client(None);
    stranger.call(GetSystemDateAndTime::default()).await.map_err(|error| error.to_string())?;
    let told = match stranger.call(GetDeviceInformation::default()).await {
        Err(error) if error.is_refusal() => {
            let account = weakest(&entry.accounts).ok_or("there is no account to ask it with")?;
            let account = Account { user: account.name.clone(), password: account.password.reveal().to_owned() };
            camera.client(Some(account)).call(GetDeviceInformation::default()).await
        }
        told => told,
    };
    told.map(|told| told.serial_number).map_err(|error| error.to_string())
}

/// The account that may do least: GetDeviceInformation needs no more (Core §8.1, READ_SYSTEM).
fn weakest(accounts: &[store::Account]) -> Option<&store::Account> {
    let of = |role| accounts.iter().find(|account| account.level == role);
    [Role::User, Role::Operator, Role::Administrator].into_iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Secret;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_camera_is_looked_for_elsewhere_and_never_without_its_encryption() {
        let plain = CameraEntry::new("a", url("http://10.0.0.5/"));
        let encrypted = CameraEntry::new("a", url("https://10.0.0.5/"));
        for (entry, address, may) in [
            (&plain, "http://10.0.0.6/", true),
            (&plain, "https://10.0.0.6/", true),
            (&plain, "http://10.0.0.5/other", false),
            (&encrypted, "https://10.0.0.6/", true),
            (&encrypted, "http://10.0.0.6/", false),
            (&encrypted, "http://10.0.0.5/", false),
        ] {
            assert_eq!(may_be_at(entry, &url(address)), may, "{} at {address}", entry.address);
        }
    }

    #[test]
    fn whoever_may_be_somebody_else_is_shown_the_weakest_account() {
        let account = |level: Role| store::Account { name: level.name().to_owned(), password: Secret::new("p"), level };
        let shown = |roles: &[Role]| {
            let accounts: Vec<store::Account> = roles.iter().copied().map(account).collect();
            weakest(&accounts).map(|account| account.level)
        };
        assert_eq!(shown(&[Role::Administrator, Role::User, Role::Operator]), Some(Role::User));
        assert_eq!(shown(&[Role::Administrator, Role::Operator]), Some(Role::Operator));
        assert_eq!(shown(&[Role::Administrator]), Some(Role::Administrator));
        assert_eq!(shown(&[]), None);
    }
}
