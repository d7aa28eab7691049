//! Users and identity (Core §8.4).

use crate::ns;
use oriel_soap::access::{Level, Levels};
use oriel_soap::xml::{Any, AnyAttribute, List, XmlRead, XmlWrite};

/// Asks for the users (§8.4.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetUsers {}

/// The users, without passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetUsersResponse {
    /// One entry a user.
    pub user: Vec<User>,
}

/// A user.
#[derive(Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct User {
    /// Name.
    pub username: String,
    /// Password; never in a reply.
    pub password: Option<String>,
    /// Level.
    pub user_level: UserLevel,
    /// More.
    pub extension: Option<UserExtension>,
    /// Attributes beyond the schema.
    #[xml(any_attr)]
    pub any_attributes: Vec<AnyAttribute>,
}

impl std::fmt::Debug for User {
    /// Everything but the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("username", &self.username)
            .field("user_level", &self.user_level)
            .finish_non_exhaustive()
    }
}

/// More about a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct UserExtension {
    /// Roles (§5.9.4.5).
    pub roles: List<String>,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

/// The level of a user (§5.9.4.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum UserLevel {
    /// May do everything.
    Administrator,
    /// May operate.
    Operator,
    /// May look.
    #[default]
    User,
    /// Not for accounts.
    Anonymous,
    /// As the roles say.
    Extended,
}

/// Creates users (§8.4.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct CreateUsers {
    /// The users, passwords included.
    pub user: Vec<User>,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct CreateUsersResponse {}

/// Deletes users (§8.4.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct DeleteUsers {
    /// Their names.
    pub username: Vec<String>,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct DeleteUsersResponse {}

/// Changes users (§8.4.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct SetUser {
    /// The users as they are to be; no password is an empty one.
    pub user: Vec<User>,
}

/// Done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SetUserResponse {}

/// Asks for the endpoint reference (§8.4.9).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetEndpointReference {}

/// The endpoint reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetEndpointReferenceResponse {
    /// The same as in discovery.
    #[xml(name = "GUID")]
    pub guid: String,
    /// Elements beyond the schema.
    #[xml(any)]
    pub any: Vec<Any>,
}

impl UserLevel {
    /// The rights of the level; of an Extended user the roles decide, so that the level gives none.
    #[must_use]
    pub fn levels(self) -> Levels {
        match self {
            Self::Administrator => Level::Administrator.into(),
            Self::Operator => Level::Operator.into(),
            Self::User => Level::User.into(),
            Self::Anonymous | Self::Extended => Levels::ANONYMOUS,
        }
    }
}
