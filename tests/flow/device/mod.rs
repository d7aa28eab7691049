//! The device alone, over real loopback: a small HTTP client asks what a client of the LAN would ask.

#![allow(clippy::unwrap_used, reason = "what a test did not expect ends it")]

mod authentication;
mod bad_input;
mod brokers;
mod cloud_end;
mod discovery;
mod events;
mod life;
mod notify;
mod rights;
mod security;
mod services;
mod sources;
mod torture;
mod tunnel;
mod uplink_service;
mod users;

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use oriel_device::store::{Account, Role, Secret};
use oriel_device::{Config, Device};
use oriel_soap::auth::{DigestClient, UsernameToken};
use oriel_soap::envelope::{self, Headers, ReplyError};
use oriel_soap::xml::Limits;
use oriel_soap::{Fault, Operation};
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Where SOAP is asked.
const DEVICE: &str = "/onvif/device_service";
const UPLINK: &str = "/onvif/uplink_service";

/// The accounts of a test device: their names are their levels.
const USERS: [(&str, Role); 3] =
    [("administrator", Role::Administrator), ("operator", Role::Operator), ("user", Role::User)];

fn password(user: &str) -> String {
    format!("{user} knows a secret 7!")
}

/// A running device with an account of each level, and the folder it lives in.
struct Camera {
    device: Device,
    folder: TempDir,
}

/// An answer, complete.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

/// How a client shows who it is.
#[derive(Clone, Copy)]
enum As<'a> {
    Nobody,
    /// By HTTP Digest.
    Digest(&'a str),
    /// By WS-UsernameToken.
    Token(&'a str),
}

impl Camera {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::start(config(&folder, change)).await.unwrap();
        Self { device, folder }
    }

    fn address(&self) -> SocketAddr {
        self.device.addresses()[0]
    }

    /// One request on a connection of its own.
    async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        send(self.address(), request).await
    }

    async fn post(&self, path: &str, message: impl Into<Vec<u8>>) -> Answer {
        self.send(soap(path, message)).await
    }

    /// Asks an operation at the device service.
    async fn ask<O: Operation>(&self, who: As<'_>, operation: &O) -> Result<O::Response, Fault> {
        let answer = self.answer(who, operation).await;
        match envelope::read_reply::<O>(answer.text.as_bytes(), &Limits::REPLY) {
            Ok(response) => {
                assert_eq!(answer.status, StatusCode::OK);
                Ok(response)
            }
            Err(ReplyError::Fault(fault)) => {
                assert_ne!(answer.status, StatusCode::OK, "a fault never has status 200");
                Err(fault)
            }
            Err(unreadable) => panic!("{unreadable:?}: {answer:?}"),
        }
    }

    /// The bare answer to an operation.
    async fn answer<O: Operation>(&self, who: As<'_>, operation: &O) -> Answer {
        match who {
            As::Nobody => self.post(DEVICE, envelope::request(operation, &Headers::default())).await,
            As::Token(user) => {
                let token = UsernameToken::digest(user, &password(user), Timestamp::now());
                self.post(DEVICE, with_token(operation, token)).await
            }
            As::Digest(user) => {
                let message = envelope::request(operation, &Headers::default());
                let mut client = DigestClient::new(user, password(user));
                let refused = self.post(DEVICE, message.clone()).await;
                if refused.status != StatusCode::UNAUTHORIZED {
                    return refused;
                }
                let authorization = client.answer(challenges(&refused), "POST", DEVICE).unwrap();
                let mut request = soap(DEVICE, message);
                request.headers_mut().insert("authorization", authorization.parse().unwrap());
                self.send(request).await
            }
        }
    }
}

fn config(folder: &TempDir, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::new(folder.path().join("data"));
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    let account =
        |(name, level): (&str, Role)| Account { name: name.to_owned(), password: Secret::new(password(name)), level };
    config.users = USERS.map(account).to_vec();
    config.call_out.allowed = vec!["127.0.0.0/8".parse().unwrap()];
    change(&mut config);
    config
}

/// Nothing that tells anything by itself.
fn quiet(config: &mut Config) {
    config.sources.machine = None;
    config.sources.topics.clear();
    config.sources.video_sources.clear();
    config.sources.digital_inputs.clear();
}

fn soap(path: &str, message: impl Into<Vec<u8>>) -> Request<Vec<u8>> {
    let request = Request::post(path).header("content-type", envelope::CONTENT_TYPE).header("host", "camera.test:80");
    request.body(message.into()).unwrap()
}

fn with_token<O: Operation>(operation: &O, token: UsernameToken) -> Vec<u8> {
    envelope::request(operation, &Headers { username_token: Some(token), ..Headers::default() })
}

fn challenges(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

async fn send(address: SocketAddr, request: Request<Vec<u8>>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let exchange = async move {
        let response = client.send_request(request.map(|body| Full::new(bytes::Bytes::from(body)))).await.unwrap();
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    };
    tokio::select! {
        answer = exchange => answer,
        ended = async { connection.await.unwrap(); std::future::pending::<()>().await } => unreachable!("{ended:?}"),
    }
}

/// What names a fault: its code and its subcodes.
fn name(fault: &Fault) -> String {
    fault.to_string().split(" (").next().unwrap().to_owned()
}

/// What the fault in an answer is named; panics when there is none.
fn fault_of(answer: &Answer) -> Fault {
    let message = oriel_soap::Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap();
    message.fault().unwrap_or_else(|| panic!("no fault: {answer:?}"))
}

#[tokio::test]
async fn an_answer_is_soap_12_with_its_length() {
    let camera = Camera::start().await;
    let answer = camera.answer(As::Nobody, &oriel_onvif::device_mgmt::GetSystemDateAndTime::default()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/soap+xml; charset=utf-8");
    assert_eq!(answer.headers["content-length"], answer.text.len().to_string());
    let other = Request::builder().method(Method::GET).uri("/").body(Vec::new()).unwrap();
    assert_eq!(camera.send(other).await.status, StatusCode::NOT_FOUND);
}
