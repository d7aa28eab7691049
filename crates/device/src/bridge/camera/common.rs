//! What all cameras of a bridge share.

use crate::config::{CallOut, JoinTrace};
use crate::services::{Call, bridged};
use oriel_soap::Router;
use oriel_trust::{Policy, TrustError, Validation, client_config};
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

/// What all cameras of a bridge share.
#[non_exhaustive]
pub struct Common {
    /// What uplinks may dial beside the public internet.
    pub call_out: CallOut,
    /// Uplinks without a policy believe any server: for laboratories only.
    pub insecure_uplinks: bool,
    /// Validation policies that every camera's key store begins with, by `CertPathValidationPolicyID`.
    pub policies: BTreeMap<String, Policy>,
    /// How many uplinks can be set for each camera.
    pub max_uplinks: usize,
    /// How far the `Created` of a UsernameToken may be from our clock.
    pub clock_tolerance: Duration,
    /// The largest SOAP request in bytes.
    pub max_body: usize,
    /// Whether administrators may use what a camera has beside ONVIF: its own web pages.
    pub camera_pages: bool,
    /// Makes a request's span part of the trace that its headers name. Asked for tunnels alone.
    pub join_trace: Option<JoinTrace>,
    /// One table of handlers for all of them.
    pub(super) router: Router<Call>,
    /// Made once: the system's authorities take more memory than a camera does.
    system: OnceLock<ClientConfig>,
    insecure: OnceLock<ClientConfig>,
}

impl Common {
    /// TLS to a camera.
    pub(super) fn tls(&self, validation: &Validation) -> Result<ClientConfig, TrustError> {
        let made = match validation {
            Validation::SystemRoots => &self.system,
            Validation::Insecure => &self.insecure,
            Validation::Policy(_) => return client_config(validation, None),
        };
        match made.get() {
            Some(made) => Ok(made.clone()),
            None => client_config(validation, None).map(|new| made.get_or_init(|| new).clone()),
        }
    }
}

impl Default for Common {
    fn default() -> Self {
        Self {
            call_out: CallOut::default(),
            insecure_uplinks: false,
            policies: BTreeMap::new(),
            max_uplinks: 8,
            clock_tolerance: Duration::from_secs(300),
            max_body: 256 * 1024,
            camera_pages: false,
            join_trace: None,
            router: bridged::router(),
            system: OnceLock::new(),
            insecure: OnceLock::new(),
        }
    }
}
