//! A device as the API shows it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oriel_uplink::Form;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Shared;
use crate::events::{DeviceEvent, Status};
use crate::records::{CredentialKind, Device, Origin, StoredCredential};
use crate::registry::{Held, Past, Presence};
use oriel_client::trace::What;

/// A device.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(in crate::api) struct View {
    /// Its name in addresses.
    id: String,
    /// Its name for people.
    name: String,
    status: Status,
    /// Why it is not online.
    reason: Option<String>,
    /// When it was registered, in Unix milliseconds.
    created: u64,
    /// Whether it is shut out.
    revoked: bool,
    online: bool,
    /// The keys that it may show.
    fingerprints: Vec<String>,
    /// What it may show to be let in.
    credentials: Vec<CredentialView>,
    /// Oldest first.
    tunnels: Vec<TunnelView>,
    /// How the last tunnel that closed did.
    last_close: Option<CloseView>,
    /// How often it dialled and proved who it is since the cloud started, refused attempts included.
    attempts: u64,
    /// How often this identity was seen to dial from two places by turns: its key may have been copied.
    alarms: u32,
    /// Its last connections since the cloud started, newest first.
    #[schema(max_items = 20)]
    history: Vec<PastView>,
}

/// What a device shows to be let in. Secrets are not here.
#[derive(Serialize, ToSchema)]
#[schema(as = Credential)]
struct CredentialView {
    id: String,
    kind: Kind,
    origin: Origin,
    /// Of a key.
    fingerprint: Option<String>,
    /// Of a name: the authority that certifies it.
    authority: Option<String>,
    /// Of a name.
    name: Option<String>,
    /// Unix milliseconds.
    created: u64,
    /// When it ends; null: never.
    expires: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CredentialKind)]
enum Kind {
    Key,
    Token,
    Name,
}

/// One tunnel.
#[derive(Serialize, ToSchema)]
#[schema(as = Tunnel)]
struct TunnelView {
    /// The address that the device dialled from.
    #[schema(value_type = String)]
    source: IpAddr,
    form: FormView,
    /// How long it has stood.
    since_ms: u64,
    /// How long nothing was received.
    silent_ms: u64,
    /// Round trip of the last ping.
    rtt_us: Option<u64>,
    bytes_read: u64,
    bytes_written: u64,
    streams_opened: u64,
    open_streams: usize,
    draining: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FormView {
    Native,
    WebSocket,
}

impl From<Form> for FormView {
    fn from(form: Form) -> Self {
        match form {
            Form::Native => Self::Native,
            Form::WebSocket => Self::WebSocket,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct CloseView {
    reason: String,
    ago_ms: u64,
}

/// A connection that ended, or an attempt that was refused.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
struct PastView {
    /// When it began, in Unix milliseconds.
    at: u64,
    #[schema(value_type = String)]
    source: IpAddr,
    /// Null: it was refused.
    form: Option<FormView>,
    lasted_ms: u64,
    bytes_read: u64,
    bytes_written: u64,
    /// Why it ended.
    reason: String,
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn unix_ms(time: SystemTime) -> u64 {
    ms(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl From<&StoredCredential> for CredentialView {
    fn from(credential: &StoredCredential) -> Self {
        let (kind, fingerprint, authority, name) = match &credential.kind {
            CredentialKind::Key(key) => (Kind::Key, Some(key.to_string()), None, None),
            CredentialKind::Token(_) => (Kind::Token, None, None, None),
            CredentialKind::Name { authority, name } => {
                (Kind::Name, None, Some(authority.to_string()), Some(name.clone()))
            }
        };
        Self {
            id: credential.id.to_string(),
            kind,
            origin: credential.origin,
            fingerprint,
            authority,
            name,
            created: credential.created,
            expires: credential.expires,
        }
    }
}

impl From<&Held> for TunnelView {
    fn from(held: &Held) -> Self {
        let stats = held.tunnel.stats();
        Self {
            source: held.source,
            form: held.tunnel.form().into(),
            since_ms: ms(stats.since.elapsed()),
            silent_ms: ms(stats.silent_for),
            rtt_us: stats.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            bytes_read: stats.bytes_read,
            bytes_written: stats.bytes_written,
            streams_opened: stats.streams_opened,
            open_streams: stats.open_streams,
            draining: held.tunnel.is_draining(),
        }
    }
}

impl From<Past> for PastView {
    fn from(past: Past) -> Self {
        Self {
            at: unix_ms(past.at),
            source: past.source,
            form: past.form.map(Into::into),
            lasted_ms: ms(past.lasted),
            bytes_read: past.bytes_read,
            bytes_written: past.bytes_written,
            reason: past.reason,
        }
    }
}

/// Whether a device can be reached, and why not.
pub(crate) fn status(device: &Device, online: bool, last: Option<&str>, now: u64) -> (Status, Option<String>) {
    if device.revoked {
        return (Status::Revoked, Some("it was revoked".to_owned()));
    }
    if online {
        return (Status::Online, None);
    }
    let lives = |credential: &StoredCredential| credential.expires.is_none_or(|end| now < end);
    let reason = match last {
        _ if device.credentials.is_empty() => "it has no key and no token to be let in with",
        _ if !device.credentials.iter().any(lives) => "its credentials have expired",
        Some(reason) => reason,
        None => "it has not connected since this cloud started",
    };
    (Status::Offline, Some(reason.to_owned()))
}

impl View {
    pub(super) fn of(device: &Device, shared: &Shared) -> Self {
        let presence: Presence = shared.registry.presence(&device.id);
        let history = shared.registry.history(&device.id);
        let online = presence.online();
        let last = history.first().map(|past| past.reason.as_str());
        let (status, reason) = status(device, online, last, shared.records.clock().now());
        Self {
            id: device.id.to_string(),
            name: device.name.clone(),
            status,
            reason,
            created: device.created,
            revoked: device.revoked,
            online,
            fingerprints: device.fingerprints().map(|key| key.to_string()).collect(),
            credentials: device.credentials.iter().map(Into::into).collect(),
            tunnels: presence.tunnels.iter().map(Into::into).collect(),
            last_close: presence
                .last_close
                .map(|(reason, at)| CloseView { reason: reason.to_string(), ago_ms: ms(at.elapsed()) }),
            attempts: presence.attempts,
            alarms: shared.alarms.of(&device.id),
            history: history.into_iter().map(Into::into).collect(),
        }
    }
}

impl Shared {
    /// Tells the listeners of a device's organisation what it is now. Whoever changed it calls this.
    pub(crate) fn announce(&self, id: &str) {
        let Some(device) = self.records.device(id) else { return };
        self.feeds.look(&device.id);
        let online = self.registry.presence(id).online();
        let history = self.registry.history(id);
        let (at, last) = (self.records.clock().now(), history.first().map(|past| past.reason.as_str()));
        let (status, reason) = status(&device, online, last, at);
        self.taps.tell(id, at, || self.tunnels_now(id, status, reason.clone()));
        let event = DeviceEvent { id: device.id.clone(), name: device.name.clone(), status, reason, at };
        self.events.publish(&device.organisation, event);
    }

    fn tunnels_now(&self, id: &str, status: Status, reason: Option<String>) -> What {
        What::Tunnel { status: status.word().to_owned(), tunnels: self.registry.presence(id).tunnels.len(), reason }
    }

    /// How a device is, for who listens to it.
    pub(crate) fn tunnels_of(&self, id: &str) -> Option<What> {
        let device = self.records.device(id)?;
        let history = self.registry.history(id);
        let last = history.first().map(|past| past.reason.as_str());
        let online = self.registry.presence(id).online();
        let (status, reason) = status(&device, online, last, self.records.clock().now());
        Some(self.tunnels_now(id, status, reason))
    }

    /// Tells them that a device is no more.
    pub(crate) fn announce_removed(&self, device: &Device) {
        let (id, at) = (device.id.clone(), self.records.clock().now());
        self.feeds.look(&id);
        self.taps.tell(&id, at, || self.tunnels_now(&id, Status::Removed, None));
        let event = DeviceEvent { id, name: device.name.clone(), status: Status::Removed, reason: None, at };
        self.events.publish(&device.organisation, event);
    }

    /// A device is registered no more: its tunnels are cut, and what was known of it is dropped.
    pub(crate) fn forget(&self, id: &str) {
        self.registry.cut(id, |_| true, &oriel_uplink::cloud::CloseReason::Revoked);
        self.registry.forget(id);
        self.alarms.forget(id);
        self.given_out.forget(id);
    }
}
