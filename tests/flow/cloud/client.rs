//! Clients of the cloud: HTTP/1.1 and HTTP/2 by hyper, and bytes.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oriel_soap::envelope::{self, Headers};
use oriel_soap::xml::Limits;
use oriel_soap::{Envelope, Fault, Operation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Door, HERE};

/// An answer, complete.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    /// The fault in it; panics when there is none.
    pub(super) fn fault(&self) -> Fault {
        let message = Envelope::parse(self.text.as_bytes(), &Limits::REPLY);
        let fault = message.ok().and_then(|message| message.fault());
        fault.unwrap_or_else(|| panic!("no fault: {self:?}"))
    }

    /// The detail of a problem+json; panics when it is none.
    pub(super) fn problem(&self) -> String {
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json", "{self:?}");
        let problem: serde_json::Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// The JSON in it.
    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.headers[CONTENT_TYPE], "application/json", "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }
}

/// The address of a device's device service behind the cloud.
pub(super) fn device_service(id: &str) -> String {
    format!("/d/{id}/onvif/device_service")
}

/// A SOAP request to a device, with a token.
pub(super) fn soap(path: &str, token: &str, message: impl Into<Vec<u8>>) -> Request<Vec<u8>> {
    Request::post(path)
        .header(CONTENT_TYPE, envelope::CONTENT_TYPE)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(message.into())
        .unwrap()
}

/// The envelope of an operation.
pub(super) fn message<O: Operation>(operation: &O) -> Vec<u8> {
    envelope::request(operation, &Headers::default())
}

/// An envelope whose body is one empty element.
pub(super) fn bare(namespace: &str, name: &str) -> String {
    enveloped(&format!("<q:{name} xmlns:q=\"{namespace}\"/>"))
}

/// An envelope around a body's content.
pub(super) fn enveloped(body: &str) -> String {
    format!("<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>{body}</s:Body></s:Envelope>")
}

/// Any request, with a token.
pub(super) fn request(method: Method, path: &str, token: &str) -> Request<Vec<u8>> {
    let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {token}"));
    request.body(Vec::new()).unwrap()
}

pub(super) type H2 = http2::SendRequest<oriel_uplink::Body>;

impl Door {
    /// A TLS connection of a client that offers `alpn`.
    pub(super) async fn connect(&self, alpn: &[&str]) -> TlsStream<TcpStream> {
        self.connect_from(HERE, alpn).await
    }

    async fn connect_from(&self, source: &str, alpn: &[&str]) -> TlsStream<TcpStream> {
        let mut config = self.tls(None);
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tcp = self.tcp(source).await;
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(std::sync::Arc::new(config)).connect(name, tcp).await.unwrap()
    }

    /// One request over HTTP/1.1 on a connection of its own.
    pub(super) async fn ask(&self, request: Request<Vec<u8>>) -> Answer {
        self.ask_from(HERE, request).await
    }

    /// The same from an address of the client's, where the PROXY protocol tells it.
    pub(super) async fn ask_from(&self, source: &str, mut request: Request<Vec<u8>>) -> Answer {
        if !request.headers().contains_key(HOST) {
            let host = format!("localhost:{}", self.address.port());
            request.headers_mut().insert(HOST, host.parse().unwrap());
        }
        let stream = self.connect_from(source, &["http/1.1"]).await;
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let response = client.send_request(request.map(|body| Full::new(Bytes::from(body)))).await.unwrap();
        let answer = whole(response).await;
        driver.abort();
        answer
    }

    /// The head of an answer that may have no end.
    pub(super) async fn ask_head(&self, request: Request<Vec<u8>>) -> Answer {
        let mut client = self.h2().await;
        let response = client.send_request(self.absolute(request).map(oriel_uplink::body::full)).await.unwrap();
        let (status, version, headers) = (response.status(), response.version(), response.headers().clone());
        Answer { status, version, headers, text: String::new() }
    }

    /// A connection over HTTP/2.
    pub(super) async fn h2(&self) -> H2 {
        self.h2_with_window(64 * 1024).await
    }

    /// A connection over HTTP/2 that takes no more than `window` bytes of an answer unread.
    pub(super) async fn h2_with_window(&self, window: u32) -> H2 {
        let stream = TokioIo::new(self.connect(&["h2"]).await);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        let (client, connection) = builder.initial_stream_window_size(window).handshake(stream).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// One request over HTTP/2 on a connection of its own.
    pub(super) async fn ask_h2(&self, request: Request<Vec<u8>>) -> Answer {
        let mut client = self.h2().await;
        whole(client.send_request(self.absolute(request).map(oriel_uplink::body::full)).await.unwrap()).await
    }

    /// The request with scheme and authority, as HTTP/2 sends them.
    pub(super) fn absolute<B>(&self, mut request: Request<B>) -> Request<B> {
        let uri = format!("https://localhost:{}{}", self.address.port(), request.uri());
        *request.uri_mut() = uri.parse().unwrap();
        request
    }

    /// Bytes as an HTTP/1.1 request; all that comes back until the cloud closes.
    pub(super) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect(&["http/1.1"]).await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A cloud that closes without close_notify has closed, too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

pub(super) async fn whole(response: http::Response<hyper::body::Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status: head.status, version: head.version, headers: head.headers, text }
}
