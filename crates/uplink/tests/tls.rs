//! Dials over real TCP and TLS on loopback: mTLS works, and each failing layer is named so that a person understands.
#![allow(clippy::unwrap_used)]

mod support;

use std::{net::SocketAddr, sync::Arc};

use oriel_uplink::{
    Form,
    cloud::{Class, Limits, SniffLimits, Sniffed, Tunnel, sniff},
    device::{
        self, AddressPolicy, Credentials, Dial, DialError, Layer, State, Stop, Timeouts, Uplink, UplinkConfig, dial,
    },
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use support::*;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(
        &self,
        names: &[&str],
        years: std::ops::Range<i32>,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        (vec![certificate.der().clone()], key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    fn trusted(&self) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        builder.with_root_certificates(self.roots())
    }

    fn client(&self) -> Arc<rustls::ClientConfig> {
        let (chain, key) = self.issue(&["camera"], 2020..2100);
        Arc::new(self.trusted().with_client_auth_cert(chain, key).unwrap())
    }

    /// A server that wants client certificates of this authority.
    fn server(&self, names: &[&str], years: std::ops::Range<i32>) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), Arc::clone(&provider)).build().unwrap();
        let (chain, key) = self.issue(names, years);
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

const NOW: std::ops::Range<i32> = 2020..2100;

/// A cloud on a port of the kernel's choice; its tunnels come out of the channel.
async fn cloud(acceptor: TlsAcceptor) -> (SocketAddr, mpsc::UnboundedReceiver<Tunnel>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (tx, rx) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tcp.set_nodelay(true).unwrap();
            let (acceptor, tx) = (acceptor.clone(), tx.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
                serve(tls, tx).await;
            });
        }
    });
    (at, rx)
}

async fn serve(tls: TlsStream<TcpStream>, tx: mpsc::UnboundedSender<Tunnel>) {
    if let Ok(Sniffed::Uplink(incoming)) = sniff(tls, &SniffLimits::default()).await {
        assert!(incoming.get_ref().get_ref().1.peer_certificates().is_some());
        let (tunnel, driver) = incoming.accept(&Limits::default()).await.unwrap();
        let _ = tx.send(tunnel);
        driver.await;
    }
}

fn to(form: Form, host: &str, port: u16, tls: Arc<rustls::ClientConfig>) -> Dial {
    let address = format!("{}://{host}:{port}/up", form.scheme()).parse().unwrap();
    Dial::new(address, tls)
}

async fn fails(attempt: &Dial) -> DialError {
    dial(attempt).await.unwrap_err()
}

#[tokio::test]
async fn both_forms_work_over_mutual_tls_by_name_and_by_address() {
    let authority = Authority::new();
    let (at, mut tunnels) = cloud(authority.server(&["localhost", "127.0.0.1"], NOW)).await;
    for form in [Form::Native, Form::WebSocket] {
        for host in ["localhost", "127.0.0.1"] {
            let link = dial(&to(form, host, at.port(), authority.client())).await.unwrap();
            let served = tokio::spawn(link.serve(service, Box::leak(Box::default()), Stop::new()));
            let tunnel = tunnels.recv().await.unwrap();
            let response = tunnel.request(Class::Bulk, post("/echo", down(5_000_000))).await.unwrap();
            assert_eq!(text(response).await.len(), 5_000_000);
            let response = tunnel.request(Class::Soap, get("/x")).await.unwrap();
            assert_eq!(text(response).await, "/x");
            drop(tunnel);
            served.await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_uplink_connects_by_itself_over_tls() {
    let authority = Authority::new();
    let (at, mut tunnels) = cloud(authority.server(&["localhost"], NOW)).await;
    let address = format!("wss://localhost:{}/up", at.port()).parse().unwrap();
    let credentials = Credentials { tls: authority.client(), token: None };
    let uplink = Uplink::start(UplinkConfig::new(address, credentials, device::seed(b"camera")), service);
    let tunnel = tunnels.recv().await.unwrap();
    assert_eq!(text(tunnel.request(Class::Soap, get("/x")).await.unwrap()).await, "/x");
    uplink.status().wait_for(|status| status.state == State::Connected).await.unwrap();
    uplink.drain(S(5)).await;
    tunnel.closed().await;
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_named_with_its_cause() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (at, _) = cloud(authority.server(&["localhost"], NOW)).await;
    let error = fails(&to(Form::Native, "localhost", at.port(), other.client())).await;
    assert_eq!(error.layer(), Layer::Tls);
    assert_eq!(error.to_string(), "TLS: the cloud's certificate was issued by nobody this device trusts");
    let error = fails(&to(Form::Native, "127.0.0.1", at.port(), authority.client())).await;
    assert_eq!(error.to_string(), "TLS: the cloud's certificate is for another name");
    let (at, _) = cloud(authority.server(&["localhost"], 2020..2021)).await;
    let error = fails(&to(Form::Native, "localhost", at.port(), authority.client())).await;
    assert_eq!(error.layer(), Layer::Clock);
    assert!(error.to_string().contains("has expired; check this device's date and time"), "{error}");
    let (at, _) = cloud(authority.server(&["localhost"], 2090..2099)).await;
    let error = fails(&to(Form::Native, "localhost", at.port(), authority.client())).await;
    assert!(error.to_string().contains("is not valid yet"), "{error}");
}

#[tokio::test]
async fn an_alert_after_the_handshake_is_a_refused_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (at, _) = cloud(authority.server(&["localhost"], NOW)).await;
    // No certificate at all, and one of an authority that the cloud does not know.
    let none = Arc::new(authority.trusted().with_no_client_auth());
    let (chain, key) = other.issue(&["camera"], NOW);
    let foreign = Arc::new(authority.trusted().with_client_auth_cert(chain, key).unwrap());
    for tls in [none, foreign] {
        let error = fails(&to(Form::Native, "localhost", at.port(), tls)).await;
        assert!(matches!(error, DialError::CertificateRefused { .. }), "{error}");
        assert!(error.to_string().starts_with("TLS: the cloud refused this device's certificate ("), "{error}");
    }
}

#[tokio::test]
async fn every_other_layer_is_named_too() {
    let authority = Authority::new();
    let tls = authority.client();
    let error = fails(&to(Form::Native, "no-such-host.invalid", 443, Arc::clone(&tls))).await;
    assert_eq!(error.layer(), Layer::Name, "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut refused = to(Form::Native, "127.0.0.1", port, Arc::clone(&tls));
    refused.policy = AddressPolicy::new(|ip| !ip.is_loopback());
    let error = fails(&refused).await;
    assert_eq!(error.to_string(), "address: 127.0.0.1 is at 127.0.0.1, which this device's call-out policy refuses");
    let mut mapped = to(Form::Native, "[::ffff:127.0.0.1]", port, Arc::clone(&tls));
    mapped.policy = refused.policy.clone();
    assert_eq!(fails(&mapped).await.layer(), Layer::Address, "a mapped address is no way around");

    // Accepts TCP and says nothing.
    let mut silent = to(Form::Native, "127.0.0.1", port, Arc::clone(&tls));
    silent.timeouts = Timeouts { tls: Duration::from_millis(50), ..Timeouts::default() };
    let error = fails(&silent).await;
    assert!(matches!(error, DialError::Timeout { layer: Layer::Tls, .. }), "{error}");

    // Speaks no TLS.
    let plain = tokio::spawn(async move {
        // The silent dial's connection came first.
        for _ in 0..2 {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
        drop(listener);
    });
    let error = fails(&to(Form::Native, "127.0.0.1", port, Arc::clone(&tls))).await;
    assert_eq!(error.layer(), Layer::Tls, "{error}");
    plain.await.unwrap();
    let error = fails(&to(Form::Native, "127.0.0.1", port, tls)).await;
    assert_eq!(error.layer(), Layer::Tcp, "{error}");
    assert!(error.to_string().starts_with("TCP: no connection to 127.0.0.1:"), "{error}");
}
