//! Who may do what: access classes, user levels and the default access policy (Core §5.9.4).

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

/// The impact of an operation (Core §5.9.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessClass {
    /// Needs no authentication.
    PreAuth,
    /// Reads the configuration.
    ReadSystem,
    /// Reads the sensitive part of the configuration.
    ReadSystemSensitive,
    /// Reads the confidential part of the configuration.
    ReadSystemSecret,
    /// Changes the configuration.
    WriteSystem,
    /// Changes the configuration beyond recovery.
    Unrecoverable,
    /// Reads what has to do with recorded media.
    ReadMedia,
    /// Changes what the device is doing.
    Actuate,
}

impl AccessClass {
    /// All of them, in the order of Core.
    pub const ALL: [Self; 8] = [
        Self::PreAuth,
        Self::ReadSystem,
        Self::ReadSystemSensitive,
        Self::ReadSystemSecret,
        Self::WriteSystem,
        Self::Unrecoverable,
        Self::ReadMedia,
        Self::Actuate,
    ];

    /// The name in the specifications.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreAuth => "PRE_AUTH",
            Self::ReadSystem => "READ_SYSTEM",
            Self::ReadSystemSensitive => "READ_SYSTEM_SENSITIVE",
            Self::ReadSystemSecret => "READ_SYSTEM_SECRET",
            Self::WriteSystem => "WRITE_SYSTEM",
            Self::Unrecoverable => "UNRECOVERABLE",
            Self::ReadMedia => "READ_MEDIA",
            Self::Actuate => "ACTUATE",
        }
    }
}

impl fmt::Display for AccessClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A user level (Core §5.9.4.2), or the role of the same name (§5.9.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Not authenticated.
    Anonymous,
    /// May look.
    User,
    /// May operate.
    Operator,
    /// May do everything.
    Administrator,
}

impl Level {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Anonymous, Self::User, Self::Operator, Self::Administrator];

    /// The name in the specifications.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "Anonymous",
            Self::User => "User",
            Self::Operator => "Operator",
            Self::Administrator => "Administrator",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no user level: Administrator, Operator, User or Anonymous")]
pub struct UnknownLevel(pub String);

impl FromStr for Level {
    type Err = UnknownLevel;

    /// `Operator`, or the predefined role `onvif:Operator`.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let name = text.strip_prefix("onvif:").unwrap_or(text);
        Self::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// A set of levels; its rights are the union of theirs. Empty is Anonymous.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Levels(u8);

impl Levels {
    /// Nobody in particular.
    pub const ANONYMOUS: Self = Self(0);
    /// One who may do everything.
    pub const ADMINISTRATOR: Self = Self::of(Level::Administrator);

    /// A set of one; Anonymous adds nothing to a set.
    #[must_use]
    pub const fn of(level: Level) -> Self {
        Self(match level {
            Level::Anonymous => 0,
            Level::User => 1,
            Level::Operator => 2,
            Level::Administrator => 4,
        })
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the level is in the set; Anonymous always is.
    #[must_use]
    pub const fn contains(self, level: Level) -> bool {
        let one = Self::of(level).0;
        self.0 & one == one
    }

    /// Whether nobody in particular is meant.
    #[must_use]
    pub const fn is_anonymous(self) -> bool {
        self.0 == 0
    }

    /// The levels, from the least to the most; Anonymous alone if there are none.
    pub fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.into_iter().filter(move |level| match level {
            Level::Anonymous => self.is_anonymous(),
            level => self.contains(*level),
        })
    }
}

impl From<Level> for Levels {
    fn from(level: Level) -> Self {
        Self::of(level)
    }
}

impl FromIterator<Level> for Levels {
    fn from_iter<I: IntoIterator<Item = Level>>(levels: I) -> Self {
        levels.into_iter().fold(Self::ANONYMOUS, |all, level| all.union(level.into()))
    }
}

impl FromStr for Levels {
    type Err = UnknownLevel;

    /// `Operator User`: names between spaces.
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        text.split_ascii_whitespace().map(Level::from_str).collect()
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, level) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(level.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Levels({self})")
    }
}

/// The default access policy (Core §5.9.4.4), the one function that decides rights.
#[must_use]
pub fn allowed(levels: Levels, class: AccessClass) -> bool {
    let least: &[Level] = match class {
        AccessClass::PreAuth => return true,
        AccessClass::ReadSystem | AccessClass::ReadMedia => &[Level::User, Level::Operator, Level::Administrator],
        AccessClass::ReadSystemSensitive | AccessClass::Actuate => &[Level::Operator, Level::Administrator],
        AccessClass::ReadSystemSecret | AccessClass::WriteSystem | AccessClass::Unrecoverable => {
            &[Level::Administrator]
        }
    };
    least.iter().any(|level| levels.contains(*level))
}

/// Who asks; there always is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What this caller is.
    pub levels: Levels,
    /// The account, if one was shown.
    pub user: Option<String>,
    /// Where the request came in.
    pub via: Via,
}

impl Caller {
    /// One who showed nothing.
    #[must_use]
    pub const fn anonymous(via: Via) -> Self {
        Self { levels: Levels::ANONYMOUS, user: None, via }
    }
}

/// Where a request came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A connection to one of the device's own ports.
    Lan {
        /// The other end.
        peer: SocketAddr,
    },
    /// A tunnel that the device dialled.
    Uplink {
        /// Its RemoteAddress, the key of its configuration.
        address: Arc<str>,
    },
}
