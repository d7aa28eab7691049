//! The far end of an uplink, for tests of the device: a TLS port that takes the tunnel and asks through it.

use super::*;
use http_body_util::BodyExt;
use oriel_onvif::uplink::{Configuration, SetUplink};
use oriel_soap::With;
use oriel_soap::xml::List;
use oriel_trust::{Authority, ClientAuth, Fingerprint, Policy, ReloadingIdentity, server_config};
use oriel_uplink::body;
use oriel_uplink::cloud::{self, Class, Limits, SniffLimits, Sniffed};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A port that devices dial.
pub(super) struct Cloud {
    pub(super) authority: Authority,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Cloud {
    pub(super) async fn listen() -> Self {
        let authority = Authority::new("A test cloud").unwrap();
        let identity = authority.issue_server(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let mut tls = server_config(Arc::new(ReloadingIdentity::fixed(&identity)), ClientAuth::Optional).unwrap();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self { authority, listener, acceptor: TlsAcceptor::from(Arc::new(tls)) }
    }

    /// Where devices dial it, in one of the two forms.
    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/up", self.listener.local_addr().unwrap().port())
    }

    /// A device that believes this cloud by the policy `cloud`.
    pub(super) async fn camera(&self) -> Camera {
        self.camera_with(|_| {}).await
    }

    pub(super) async fn camera_with(&self, change: impl FnOnce(&mut Config)) -> Camera {
        let policy = Policy::from_pem(self.authority.certificate_pem().as_bytes()).unwrap();
        Camera::start_with(|config| {
            config.policies.insert("cloud".to_owned(), policy);
            change(config);
        })
        .await
    }

    /// What a SetUplink for this cloud holds.
    pub(super) fn configuration(&self, levels: &[&str]) -> Configuration {
        Configuration::with(|configuration| {
            configuration.remote_address = self.url("https");
            configuration.certificate_id = Some("device".to_owned());
            configuration.cert_path_validation_policy_id = Some("cloud".to_owned());
            configuration.user_level = List::words(levels);
        })
    }

    /// Sets the uplink to this cloud, as the LAN does.
    pub(super) async fn set(&self, camera: &Camera, levels: &[&str]) {
        let request = SetUplink::with(|request| request.configuration = self.configuration(levels));
        camera.ask(As::Digest("administrator"), &request).await.unwrap();
    }

    /// The next tunnel that a device dials.
    pub(super) async fn tunnel(&self) -> Tunnel {
        // The first pauses of an uplink are seconds; what takes longer than this does not come.
        tokio::time::timeout(Duration::from_secs(20), self.next()).await.expect("the device dials")
    }

    async fn next(&self) -> Tunnel {
        let (stream, _) = self.listener.accept().await.unwrap();
        let tls = self.acceptor.accept(stream).await.unwrap();
        let certificate = tls.get_ref().1.peer_certificates().map(|chain| Fingerprint::of(&chain[0]).unwrap());
        let Sniffed::Uplink(incoming) = cloud::sniff(tls, &SniffLimits::default()).await.unwrap() else {
            panic!("a device dials nothing but uplinks")
        };
        let (tunnel, driver) = incoming.accept(&Limits::default()).await.unwrap();
        Tunnel { tunnel, fingerprint: certificate, driver: tokio::spawn(async move { drop(driver.await) }) }
    }

    /// The next connection that a device tries, before TLS.
    pub(super) async fn attempt(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }
}

/// A tunnel that stands; it goes when this value does.
pub(super) struct Tunnel {
    pub(super) tunnel: cloud::Tunnel,
    /// Whose key the device showed.
    pub(super) fingerprint: Option<Fingerprint>,
    driver: JoinHandle<()>,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Tunnel {
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        let response = self.tunnel.request(Class::Soap, request.map(body::full)).await.unwrap();
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    }

    pub(super) async fn post(&self, path: &str, message: impl Into<Vec<u8>>) -> Answer {
        self.send(soap(path, message)).await
    }

    pub(super) async fn ask<O: Operation>(&self, operation: &O) -> Result<O::Response, Fault> {
        let answer = self.post(DEVICE, envelope::request(operation, &Headers::default())).await;
        match envelope::read_reply::<O>(answer.text.as_bytes(), &oriel_soap::xml::Limits::REPLY) {
            Ok(response) => Ok(response),
            Err(ReplyError::Fault(fault)) => Err(fault),
            Err(unreadable) => panic!("{unreadable:?}: {answer:?}"),
        }
    }
}
