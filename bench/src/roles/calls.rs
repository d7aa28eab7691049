//! The load generator's requests to the API, and SOAP with a token or an access key: what is shown, what is counted, what an answer has to be.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use oriel_soap::auth::{DigestClient, UsernameToken};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::load::{ANSWER, Way};
use crate::load::{Call, Calls, Content, Outcome, Proof};
use crate::payload::{SOAP, signed};

/// Numbers the devices that are registered in this process.
static DEVICES: AtomicU64 = AtomicU64::new(0);

/// Does the work.
pub(super) async fn run(way: Way, calls: Calls) -> anyhow::Result<Outcome> {
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(calls.seconds);
    let mut tasks = JoinSet::new();
    for lane in 0..calls.in_flight {
        let client = Client::new(way.clone(), &calls)?;
        tasks.spawn(client.run(calls.clone(), lane, end));
    }
    let (mut sum, mut times) = (Outcome::default(), Vec::new());
    while let Some(part) = tasks.join_next().await {
        match part? {
            Ok(part) => times.extend(part),
            Err(error) => {
                sum.failed += 1;
                sum.failure.get_or_insert(format!("{error:#}"));
            }
        }
    }
    (sum.requests, sum.seconds) = (times.len() as u64, begin.elapsed().as_secs_f64());
    sum.ranks(times);
    Ok(sum)
}

/// One of the clients that are at work at once.
struct Client {
    way: Way,
    proof: Proof,
    key: (String, String),
    digest: DigestClient,
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    length: usize,
}

impl Client {
    fn new(way: Way, calls: &Calls) -> anyhow::Result<Self> {
        let key = match calls.proof {
            Proof::Bearer => (String::new(), String::new()),
            _ => calls.key.clone().context("an access key")?,
        };
        let digest = DigestClient::new(&*key.0, &*key.1);
        Ok(Self { way, proof: calls.proof, key, digest })
    }

    /// Sends until the end; how long each took.
    async fn run(mut self, calls: Calls, lane: usize, end: Instant) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::new();
        // Each begins elsewhere, so that not all ask the same.
        for call in calls.calls.iter().cycle().skip(lane) {
            let sent = Instant::now();
            if sent >= end {
                break;
            }
            let exchange = tokio::time::timeout(ANSWER, self.exchange(call));
            exchange.await.context("no answer in time")?.with_context(|| call.path.clone())?;
            times.push(sent.elapsed());
        }
        Ok(times)
    }

    /// One request with its answer, and before it the challenge where the proof needs one.
    async fn exchange(&mut self, call: &Call) -> anyhow::Result<()> {
        let body = self.body(&call.content);
        if self.proof == Proof::DigestFresh {
            self.digest = DigestClient::new(&*self.key.0, &*self.key.1);
        }
        let shown = match self.proof {
            Proof::Bearer => self.way.target.token.as_ref().map(|token| format!("Bearer {token}")),
            Proof::UsernameToken => None,
            Proof::DigestKept | Proof::DigestFresh => self.digest.again(&call.method, &call.path),
        };
        let mut answer = self.send(call, body.clone(), shown).await?;
        if answer.status == StatusCode::UNAUTHORIZED && matches!(self.proof, Proof::DigestKept | Proof::DigestFresh) {
            let challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
            let shown = self.digest.answer(challenges, &call.method, &call.path);
            let shown = shown.context("the access key was refused")?;
            answer = self.send(call, body, Some(shown)).await?;
        }
        if answer.status.as_u16() != call.status || answer.length < call.answer {
            bail!("status {} with {} bytes", answer.status, answer.length);
        }
        Ok(())
    }

    fn body(&self, content: &Content) -> Bytes {
        match content {
            Content::Nothing => Bytes::new(),
            Content::Device => {
                let number = DEVICES.fetch_add(1, Relaxed);
                let key = format!("{:032x}{number:032x}", u128::MAX);
                serde_json::json!({ "name": format!("added {number}"), "fingerprint": key }).to_string().into()
            }
            Content::Soap(size) => {
                let (user, password) = &self.key;
                let token = (self.proof == Proof::UsernameToken)
                    .then(|| UsernameToken::digest(user, password, jiff::Timestamp::now()));
                signed(*size, token.as_ref())
            }
        }
    }

    async fn send(&mut self, call: &Call, body: Bytes, shown: Option<String>) -> anyhow::Result<Answer> {
        let address = format!("https://{}{}", self.way.target.address, call.path);
        let mut request = Request::builder().method(&*call.method).uri(address).header(USER_AGENT, "oriel-bench");
        match call.content {
            Content::Nothing => {}
            Content::Device => request = request.header(CONTENT_TYPE, "application/json"),
            Content::Soap(_) => request = request.header(CONTENT_TYPE, SOAP),
        }
        if let Some(shown) = shown {
            request = request.header(AUTHORIZATION, shown);
        }
        self.way.sender.ready().await?;
        let response = self.way.sender.send_request(request.body(Full::new(body).boxed_unsync())?).await?;
        let (head, mut body) = response.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(Answer { status: head.status, headers: head.headers, length })
    }
}
