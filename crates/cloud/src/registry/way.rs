//! A way to a device that does not say where it is connected.

use http::{Request, Response};
use oriel_uplink::Body;
use oriel_uplink::cloud::{Class, RequestError, Tunnel, TunnelStream};

/// A way to a device. Cheap to get; ask again for each request.
#[derive(Debug, Clone)]
pub struct Way(Tunnel);

impl Way {
    pub(super) fn new(tunnel: Tunnel) -> Self {
        Self(tunnel)
    }

    /// Sends a request and returns the device's answer as it begins.
    ///
    /// # Errors
    /// As [`Tunnel::request`].
    pub async fn request(&self, class: Class, request: Request<Body>) -> Result<Response<Body>, RequestError> {
        self.0.request(class, request).await
    }

    /// Opens a stream by extended CONNECT (RFC 8441).
    ///
    /// # Errors
    /// As [`Tunnel::connect`].
    pub async fn connect(&self, protocol: &str, request: Request<()>) -> Result<Response<TunnelStream>, RequestError> {
        self.0.connect(protocol, request).await
    }
}
