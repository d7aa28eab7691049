//! How the device shows itself to those who look for it: scopes and discovery mode (Core §8.3.14 to §8.3.19).

use crate::ns;
use oriel_soap::{XmlRead, XmlWrite};

/// Asks for the scopes (§8.3.14).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetScopes {}

/// The scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetScopesResponse {
    /// One entry a scope.
    pub scopes: Vec<Scope>,
}

/// A scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TT)]
#[non_exhaustive]
pub struct Scope {
    /// Whether it can be changed.
    pub scope_def: ScopeDefinition,
    /// The scope, an address.
    #[xml(token)]
    pub scope_item: String,
}

/// Whether a scope can be changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum ScopeDefinition {
    /// It cannot.
    #[default]
    Fixed,
    /// It can.
    Configurable,
}

/// Replaces the configurable scopes (§8.3.15).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct SetScopes {
    /// The new ones; those that cannot be changed stay beside them.
    #[xml(token)]
    pub scopes: Vec<String>,
}

/// It is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SetScopesResponse {}

/// Adds configurable scopes (§8.3.16).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct AddScopes {
    /// The scopes.
    #[xml(token)]
    pub scope_item: Vec<String>,
}

/// It is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct AddScopesResponse {}

/// Removes configurable scopes (§8.3.17).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct RemoveScopes {
    /// The scopes.
    #[xml(token)]
    pub scope_item: Vec<String>,
}

/// It is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct RemoveScopesResponse {
    /// The scopes that were removed; its use is deprecated.
    #[xml(token)]
    pub scope_item: Vec<String>,
}

/// Asks whether the device can be discovered (§8.3.18).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct GetDiscoveryMode {}

/// Whether it can.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct GetDiscoveryModeResponse {
    /// The mode.
    pub discovery_mode: DiscoveryMode,
}

/// Makes the device discoverable, or not (§8.3.19).
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[xml(ns = ns::TDS)]
#[non_exhaustive]
pub struct SetDiscoveryMode {
    /// The mode.
    pub discovery_mode: DiscoveryMode,
}

/// It is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, XmlRead, XmlWrite)]
#[non_exhaustive]
pub struct SetDiscoveryModeResponse {}

/// Whether a device speaks WS-Discovery (§7.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, XmlRead, XmlWrite)]
#[non_exhaustive]
pub enum DiscoveryMode {
    /// It says Hello and answers.
    #[default]
    Discoverable,
    /// It neither hears nor speaks.
    NonDiscoverable,
}
