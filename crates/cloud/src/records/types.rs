//! What is kept: organisations, their people, devices and secrets. An id is text that an address and a host name may hold; times are Unix milliseconds.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use oriel_soap::access::{Level, Levels};
use oriel_trust::Fingerprint;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SecretHash;

/// The name of a device in addresses: lower-case letters and digits.
pub type DeviceId = Arc<str>;
/// The name of an organisation.
pub type OrganisationId = Arc<str>;
/// The name of a user.
pub type UserId = Arc<str>;
/// The name of a token, an access key, a session, a credential, an authority or an enrolment.
pub type Id = Arc<str>;

/// What somebody may do in an organisation. Each may do what the one before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Runs cameras.
    Operator,
    /// Decides who belongs.
    Administrator,
}

impl Role {
    /// What the role may do on a device (Core §5.9.4.2).
    #[must_use]
    pub fn levels(self) -> Levels {
        Levels::of(match self {
            Self::Viewer => Level::User,
            Self::Operator => Level::Operator,
            Self::Administrator => Level::Administrator,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, operator or administrator")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Self::Viewer, Self::Operator, Self::Administrator]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or(UnknownRole)
    }
}

/// Bounds of one organisation; `None` leaves it to the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrganisationLimits {
    /// Devices that may be registered.
    pub devices: Option<u64>,
    /// Requests to devices in a second.
    pub requests_per_second: Option<u64>,
    /// Requests to devices at once, long answers included.
    pub streams: Option<u64>,
    /// Bytes from and to devices in a second.
    pub bytes_per_second: Option<u64>,
}

/// A customer: owns devices, has users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// Its name for people.
    pub name: String,
    /// Whether everything of it is shut out.
    pub suspended: bool,
    /// Bounds of its own.
    pub limits: OrganisationLimits,
    /// When it was made.
    pub created: u64,
}

/// A person.
#[derive(Clone)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Where it belongs.
    pub organisation: OrganisationId,
    /// The address to log in with, in lower case; unique in the whole cloud.
    pub email: String,
    /// Its name for people.
    pub name: String,
    /// What it may do in its organisation.
    pub role: Role,
    /// Whether it may make and suspend organisations.
    pub instance: bool,
    /// Whether it is shut out.
    pub disabled: bool,
    /// The password's Argon2id hash in PHC form; none before a link was redeemed.
    pub password: Option<Arc<str>>,
    /// When it was made.
    pub created: u64,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What a device shows to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A certificate with this key.
    Key(Fingerprint),
    /// An access token.
    Token(SecretHash),
    /// A certificate of a pinned authority with this name.
    Name {
        /// The authority's id.
        authority: Id,
        /// The common name or serial number, as the authority's record says.
        name: String,
    },
}

/// Where a credential comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Registered by hand.
    Pinned,
    /// The organisation's device authority signed for it.
    Issued,
}

/// A credential of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// Its public name.
    pub id: Id,
    /// What is shown.
    pub kind: CredentialKind,
    /// Where it comes from.
    pub origin: Origin,
    /// When it ends, if it does.
    pub expires: Option<u64>,
    /// Whom the device was told to believe when our authority signed for it: a name of that set of anchors.
    pub anchors: Option<Id>,
    /// When it was made.
    pub created: u64,
}

/// What goes with a key that our authority signs for.
#[derive(Debug, Clone)]
pub struct Issue {
    /// When the certificate ends, Unix milliseconds.
    pub expires: u64,
    /// A name of the set of anchors that the device gets with it.
    pub anchors: Id,
}

/// A device that may dial in.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its name in addresses.
    pub id: DeviceId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its name for people.
    pub name: String,
    /// Whether it is shut out.
    pub revoked: bool,
    /// When it was registered.
    pub created: u64,
    /// What it may show.
    pub credentials: Vec<StoredCredential>,
}

impl Device {
    /// The keys it may show.
    pub fn fingerprints(&self) -> impl Iterator<Item = Fingerprint> {
        self.credentials.iter().filter_map(|credential| match credential.kind {
            CredentialKind::Key(key) => Some(key),
            _ => None,
        })
    }

    /// Whether it may show `kind` at `now`.
    #[must_use]
    pub fn owns(&self, kind: &CredentialKind, now: u64) -> bool {
        self.credentials.iter().any(|held| held.kind == *kind && held.expires.is_none_or(|end| now < end))
    }
}

/// A right to call the API and devices, by a bearer secret.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its public name.
    pub id: Id,
    /// Where it reaches.
    pub organisation: OrganisationId,
    /// Who made it; it ends with that user.
    pub user: Option<UserId>,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// What is kept of the secret.
    pub hash: SecretHash,
    /// What its bearer may do.
    pub role: Role,
    /// Whether its bearer may make and suspend organisations.
    pub instance: bool,
    /// The devices it reaches; none named: all of the organisation.
    pub devices: Option<HashSet<DeviceId>>,
    /// When it was made.
    pub created: u64,
    /// When it ends, if it does.
    pub expires: Option<u64>,
}

/// An ONVIF client's account on one device: its id is the user name of HTTP Digest and of UsernameToken.
#[derive(Clone)]
pub struct AccessKey {
    /// The user name.
    pub id: Id,
    /// Whose device it is.
    pub organisation: OrganisationId,
    /// Who made it; its role caps the key's.
    pub user: UserId,
    /// The one device that it reaches.
    pub device: DeviceId,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The password, sealed: UsernameToken needs it in the plain ([`super::Records::password`]).
    pub(super) sealed: Arc<str>,
    /// When it was made.
    pub created: u64,
    /// When it ends, if it does.
    pub expires: Option<u64>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).field("device", &self.device).finish_non_exhaustive()
    }
}

/// Somebody who is logged in with a browser.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its public name.
    pub id: Id,
    /// Where the user belongs.
    pub organisation: OrganisationId,
    /// Who it is.
    pub user: UserId,
    /// What is kept of the cookie.
    pub hash: SecretHash,
    /// Where the login came from.
    pub address: String,
    /// With which program.
    pub agent: String,
    /// When it began.
    pub created: u64,
    /// When it ends at the latest.
    pub expires: u64,
}

/// How a caller proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// A browser's session.
    Session(Id),
    /// An API token.
    Token(Id),
    /// An ONVIF client's access key.
    AccessKey(Id),
}

/// A caller with its rights: what every decision is made on.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Where it may act.
    pub organisation: OrganisationId,
    /// Who it is, where a person stands behind it.
    pub user: Option<UserId>,
    /// How it proved that.
    pub by: By,
    /// What it may do.
    pub role: Role,
    /// Whether it may make and suspend organisations.
    pub instance: bool,
    /// The devices it reaches; none named: all of the organisation.
    pub devices: Option<Arc<HashSet<DeviceId>>>,
}

impl Principal {
    /// Whether it reaches `device`, which belongs to its organisation.
    #[must_use]
    pub fn reaches(&self, device: &str) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.contains(device))
    }

    /// What it may do on devices.
    #[must_use]
    pub fn levels(&self) -> Levels {
        self.role.levels()
    }

    /// Who did it, for the audit log.
    #[must_use]
    pub fn actor(&self, address: Option<IpAddr>) -> Actor {
        let label = match (&self.user, &self.by) {
            (Some(user), By::Session(_)) => format!("user:{user}"),
            (_, By::Session(id)) => format!("session:{id}"),
            (_, By::Token(id)) => format!("token:{id}"),
            (_, By::AccessKey(id)) => format!("access-key:{id}"),
        };
        Actor { label, address }
    }
}

/// Who did something: goes into the audit log with what was done.
#[derive(Debug, Clone)]
pub struct Actor {
    /// `user:…`, `token:…`, `enrolment:…`, `system`.
    pub label: String,
    /// Where it came from.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// The cloud itself, or whoever holds its machine.
    #[must_use]
    pub fn system() -> Self {
        Self { label: "system".to_owned(), address: None }
    }
}

/// Which part of a certificate's subject an external authority vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The common name.
    CommonName,
    /// The serial number attribute.
    SerialNumber,
}

/// An issuer of device certificates.
#[derive(Clone)]
pub struct Authority {
    /// Its public name.
    pub id: Id,
    /// For whose devices it speaks.
    pub organisation: OrganisationId,
    /// `None` for the organisation's own authority, which signs keys; else which name it vouches for.
    pub identity: Option<Identity>,
    /// Its certificate, PEM.
    pub certificate: Arc<str>,
    /// The own authority's key, sealed.
    pub(super) sealed: Option<Arc<str>>,
    /// When it was made or pinned.
    pub created: u64,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("id", &self.id).field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// A right to bring cameras in, one unless it says more.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Its public name.
    pub id: Id,
    /// For whom.
    pub organisation: OrganisationId,
    /// What the device will be called.
    pub name: String,
    /// How many devices it lets in.
    pub uses: u32,
    /// How many it has let in, removed ones too.
    pub used: u32,
    /// The devices that came of it and are still there, by the key that it was used for.
    pub devices: BTreeMap<Fingerprint, DeviceId>,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub expires: u64,
}

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    /// Makes the first administrator.
    Setup,
    /// Lets somebody in who was invited.
    Invitation,
    /// Sets a forgotten password.
    Reset,
}

impl LinkKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
        }
    }
}

/// A one-time link that stands.
#[derive(Debug, Clone)]
pub struct Link {
    /// What it is for.
    pub kind: LinkKind,
    /// Where it leads.
    pub organisation: OrganisationId,
    /// Whose password it sets; none for the first administrator's.
    pub user: Option<UserId>,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Ascends with time.
    pub id: String,
    /// Unix milliseconds.
    pub at: u64,
    /// Who.
    pub actor: String,
    /// From where; empty when the cloud itself did it.
    pub address: String,
    /// What, as `noun.verb`.
    pub action: String,
    /// The id of what it was done to.
    pub target: String,
    /// More about it.
    pub detail: String,
}

/// An answer that was given to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The request's hash.
    pub request: String,
    /// The answer's status; 0 while the request is at work, or when the process ended over it.
    pub status: u16,
    /// The answer's body.
    pub body: String,
}
