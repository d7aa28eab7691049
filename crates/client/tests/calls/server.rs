//! A tiny device: one listener on loopback, and a closure that answers whatever is posted.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oriel_client::{Auth, Client};
use oriel_soap::xml::{Limits, Ns, XmlWrite};
use oriel_soap::{Fault, envelope};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// What the device got and how it answered: `GetServices 200`.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// A device that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) url: Url,
    pub(crate) log: Log,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers with `answer`, which is told the name of the operation.
    pub(crate) async fn start<F>(answer: F) -> Self
    where
        F: Fn(&str, &Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/onvif/device_service", listener.local_addr().unwrap()).parse().unwrap();
        let log = Log::default();
        let (answer, logged) = (Arc::new(answer), Arc::clone(&log));
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (answer, logged) = (Arc::clone(&answer), Arc::clone(&logged));
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (answer, logged) = (Arc::clone(&answer), Arc::clone(&logged));
                    async move {
                        let (parts, body) = request.into_parts();
                        let request = Request::from_parts(parts, body.collect().await.unwrap().to_bytes());
                        let name = operation(&request);
                        let response = answer(&name, &request);
                        logged.lock().unwrap().push(format!("{name} {}", response.status().as_u16()));
                        Ok::<_, Infallible>(response.map(Full::new))
                    }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
            }
        });
        Self { url, log, task }
    }

    pub(crate) fn client(&self, auth: Auth) -> Client {
        Client::new(&self.url, None, auth).unwrap()
    }

    /// What was logged since the last look.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

fn operation(request: &Request<Bytes>) -> String {
    let message = envelope::Envelope::parse(request.body(), &Limits::REQUEST).unwrap();
    message.operation().1.to_owned()
}

pub(crate) fn reply(ns: Ns, local: &str, content: &impl XmlWrite) -> Response<Bytes> {
    Response::new(envelope::reply(ns, local, content, None).into())
}

pub(crate) fn fault(status: StatusCode, fault: &Fault) -> Response<Bytes> {
    text(status, fault.to_envelope(None))
}

pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}
