//! One dial of an uplink: name, policy, TCP, TLS, upgrade (Uplink §5.1), each with its own deadline and error.

use std::{fmt, io, net::IpAddr, sync::Arc, time::Duration};

use rustls::{CertificateError, pki_types::ServerName};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{DialError, Layer, Link, Resolver, dial_over, name};
use crate::{AccessToken, Host, ReadAhead, RemoteAddress};

/// Deadlines of the phases of a dial.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Name resolution.
    pub name: Duration,
    /// TCP, for each address tried.
    pub tcp: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// The upgrade.
    pub upgrade: Duration,
    /// Getting credentials.
    pub credentials: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { name: ten, tcp: Duration::from_secs(5), tls: ten, upgrade: ten, credentials: Duration::from_secs(20) }
    }
}

/// Which addresses may be called out to.
#[derive(Clone)]
pub struct AddressPolicy(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl AddressPolicy {
    /// A policy of the caller's.
    pub fn new(allows: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }

    /// No restriction.
    pub fn any() -> Self {
        Self::new(|_| true)
    }

    /// Whether `address` may be called.
    pub fn allows(&self, address: IpAddr) -> bool {
        (self.0)(address)
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressPolicy")
    }
}

/// All that one dial needs.
#[derive(Clone)]
pub struct Dial {
    /// Where to.
    pub address: RemoteAddress,
    /// Whom to trust, and for mTLS our certificate. ALPN is set by the dial itself.
    pub tls: Arc<rustls::ClientConfig>,
    /// The access token, in token mode.
    pub token: Option<AccessToken>,
    /// Which addresses may be called.
    pub policy: AddressPolicy,
    /// Deadlines.
    pub timeouts: Timeouts,
}

impl Dial {
    /// A dial without a token, to any address, with the default deadlines.
    pub fn new(address: RemoteAddress, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { address, tls, token: None, policy: AddressPolicy::any(), timeouts: Timeouts::default() }
    }
}

/// Dials once.
///
/// # Errors
/// See [`DialError`]: it names the layer that failed.
pub async fn dial(dial: &Dial) -> Result<Link, DialError> {
    let to = (dial.address.host(), dial.address.port());
    let tcp = Box::pin(name::connect(to, &Resolver::system(), &dial.policy, &dial.timeouts)).await?;
    let mut config = (*dial.tls).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let tls = Box::pin(secure(tcp, dial.address.host(), config.into(), "the cloud", dial.timeouts.tls)).await?;
    Box::pin(dial_over(tls, &dial.address, dial.token.as_ref(), dial.timeouts.upgrade)).await
}

/// TLS with `host` on a connection; `whom` is what its errors call the other side: "the cloud". The protocols of ALPN are those of `config`.
///
/// # Errors
/// [`DialError`] of the layers TLS and clock.
pub async fn secure(
    tcp: TcpStream,
    host: &Host,
    config: Arc<rustls::ClientConfig>,
    whom: &str,
    after: Duration,
) -> Result<TlsStream<ReadAhead<TcpStream>>, DialError> {
    let name = match host {
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|error| DialError::Tls { text: error.to_string() })?
        }
        Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
    };
    let connect = TlsConnector::from(config).connect(name, ReadAhead::new(tcp));
    timeout(after, connect)
        .await
        .map_err(|_| DialError::Timeout { layer: Layer::Tls, after })?
        .map_err(|error| tls_error(&error, whom))
}

/// What a person can do about it is different for a wrong clock, a wrong certificate there and a wrong one here.
fn tls_error(error: &io::Error, whom: &str) -> DialError {
    use CertificateError::{Expired, ExpiredContext, NotValidForNameContext, NotValidYet, NotValidYetContext};
    let text = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(verdict)) => match verdict {
            Expired | ExpiredContext { .. } => {
                return DialError::Clock { text: format!("{whom}'s certificate has expired") };
            }
            NotValidYet | NotValidYetContext { .. } => {
                return DialError::Clock { text: format!("{whom}'s certificate is not valid yet") };
            }
            CertificateError::NotValidForName | NotValidForNameContext { .. } => {
                format!("{whom}'s certificate is for another name")
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                format!("{whom}'s certificate was issued by nobody this device trusts")
            }
            CertificateError::Revoked => format!("{whom}'s certificate was revoked"),
            other => format!("{whom}'s certificate was refused: {other}"),
        },
        Some(rustls::Error::AlertReceived(alert)) => {
            return DialError::CertificateRefused { alert: format!("{alert:?}") };
        }
        Some(other) => format!("the handshake failed: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the other side hung up during the handshake".into(),
        None => format!("the connection broke during the handshake: {error}"),
    };
    DialError::Tls { text }
}
