//! What a dial authenticates with (Uplink §5.3): asked for before every attempt, since both renew themselves.

use std::sync::Arc;

use super::BoxFuture;
use crate::{AccessToken, BoxError};

/// TLS with or without a client certificate, and a token or none.
#[derive(Clone)]
pub struct Credentials {
    /// The TLS set-up: whom to trust, and for mTLS our certificate. ALPN is set by the dial itself.
    pub tls: Arc<rustls::ClientConfig>,
    /// The access token, in token mode.
    pub token: Option<AccessToken>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Where credentials come from.
pub trait CredentialSource: Send + Sync + 'static {
    /// The credentials for the next attempt. `refresh` is set after the cloud refused the last token: fetch a new one.
    fn credentials(&self, refresh: bool) -> BoxFuture<'_, Result<Credentials, BoxError>>;
}

impl CredentialSource for Credentials {
    fn credentials(&self, _refresh: bool) -> BoxFuture<'_, Result<Credentials, BoxError>> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}
