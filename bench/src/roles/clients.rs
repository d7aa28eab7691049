//! Clients of one device on its LAN: many that ask one question as fast as it is answered, and many that pull their events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use oriel_soap::auth::UsernameToken;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::line::{Answer, Line, Login};
use super::{Talk, say};
use crate::device::{Asked, Pulled, Questions, Shown};
use crate::load::Outcome;
use crate::payload::{CAMERA_PASSWORD, CAMERA_USER, signed};

/// An exchange that takes longer has failed.
const ANSWER: Duration = Duration::from_secs(20);
const EVENTS: &str = "/onvif/event_service";

pub(super) async fn run() -> anyhow::Result<()> {
    say(&serde_json::json!({ "clients": true }))?;
    let mut talk = Talk::new();
    while let Some(question) = talk.next().await? {
        let outcome = match serde_json::from_value(question)? {
            Asked::Questions(questions) => ask(questions).await,
            Asked::Pulled(pulled) => pull(pulled).await,
        };
        say(&serde_json::to_value(outcome?)?)?;
    }
    Ok(())
}

/// Who asks as what: the algorithm of Digest, if it is that.
fn algorithm(shown: Shown) -> Option<&'static str> {
    match shown {
        Shown::Md5 => Some("MD5"),
        Shown::Sha256 => Some("SHA-256"),
        Shown::Nothing | Shown::Token => None,
    }
}

/// All ask at once, each on its own connection, one question after the other.
async fn ask(questions: Questions) -> anyhow::Result<Outcome> {
    let questions = Arc::new(questions);
    let ready = Arc::new(Barrier::new(questions.connections));
    let mut tasks = JoinSet::new();
    for _ in 0..questions.connections {
        let (questions, ready) = (Arc::clone(&questions), Arc::clone(&ready));
        tasks.spawn(async move { one(&questions, &ready).await });
    }
    gather(tasks).await
}

async fn gather(mut tasks: JoinSet<anyhow::Result<(Vec<Duration>, f64)>>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (part, seconds) = done??;
        times.extend(part);
        outcome.seconds = outcome.seconds.max(seconds);
    }
    outcome.requests = times.len() as u64;
    outcome.ranks(times);
    Ok(outcome)
}

async fn one(questions: &Questions, ready: &Barrier) -> anyhow::Result<(Vec<Duration>, f64)> {
    let mut line = Line::to(&questions.address).await?;
    let mut login = algorithm(questions.shown).map(|name| Login::new(CAMERA_USER, CAMERA_PASSWORD, name));
    let plain = signed(0, None);
    let body: &[u8] = if questions.method == "GET" { &[] } else { &plain };
    let mut times = Vec::new();
    // The first exchange is for the challenge, and for whoever is slow at the start.
    exchange(&mut line, &mut login, questions, body).await?;
    ready.wait().await;
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(questions.seconds);
    let mut sent = begin;
    while sent < end {
        let answer = tokio::time::timeout(ANSWER, exchange(&mut line, &mut login, questions, body)).await??;
        let length = line.body(&answer).len();
        let right = answer.status == 200 && (questions.answer == 0 || length == questions.answer);
        ensure!(right, "status {} with {length} bytes", answer.status);
        let now = Instant::now();
        times.push(now - sent);
        sent = now;
    }
    Ok((times, begin.elapsed().as_secs_f64()))
}

async fn exchange(
    line: &mut Line,
    login: &mut Option<Login>,
    questions: &Questions,
    body: &[u8],
) -> anyhow::Result<Answer> {
    if let Some(login) = login {
        return line.as_account(login, &questions.path, body).await;
    }
    if questions.shown == Shown::Token {
        let token = UsernameToken::digest(CAMERA_USER, CAMERA_PASSWORD, Timestamp::now());
        return line.exchange(&questions.method, &questions.path, None, &signed(0, Some(&token))).await;
    }
    line.exchange(&questions.method, &questions.path, None, body).await
}

/// Every client makes a pull point and pulls it until the time is over. The times are those from the event told to the answer read.
async fn pull(pulled: Pulled) -> anyhow::Result<Outcome> {
    let pulled = Arc::new(pulled);
    let ready = Arc::new(Barrier::new(pulled.points + 1));
    let mut tasks = JoinSet::new();
    for _ in 0..pulled.points {
        let (pulled, ready) = (Arc::clone(&pulled), Arc::clone(&ready));
        tasks.spawn(async move { puller(&pulled, &ready).await });
    }
    ready.wait().await;
    // The bench lets the events begin now.
    say(&serde_json::json!({ "pulling": true }))?;
    gather(tasks).await
}

fn envelope(body: &str) -> String {
    let env = oriel_soap::ns::ENV.uri;
    format!("<s:Envelope xmlns:s=\"{env}\"><s:Body>{body}</s:Body></s:Envelope>")
}

const TEV: &str = "http://www.onvif.org/ver10/events/wsdl";

async fn puller(pulled: &Pulled, ready: &Barrier) -> anyhow::Result<(Vec<Duration>, f64)> {
    let mut line = Line::to(&pulled.address).await?;
    let mut login = Login::new(CAMERA_USER, CAMERA_PASSWORD, "MD5");
    let create = envelope(&format!("<CreatePullPointSubscription xmlns=\"{TEV}\"/>"));
    let answer = line.as_account(&mut login, EVENTS, create.as_bytes()).await?;
    let text = String::from_utf8_lossy(line.body(&answer)).into_owned();
    ensure!(answer.status == 200, "status {}: {text}", answer.status);
    let path = text.find("/onvif/subscription/").and_then(|at| text[at..].split('<').next()).context("an address")?;
    ready.wait().await;
    let pull = format!("<Timeout>PT{}S</Timeout><MessageLimit>1000</MessageLimit>", pulled.timeout);
    let pull = envelope(&format!("<PullMessages xmlns=\"{TEV}\">{pull}</PullMessages>"));
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(pulled.seconds);
    let (mut times, mut last) = (Vec::new(), None);
    while Instant::now() < end {
        let answer = tokio::time::timeout(ANSWER, line.as_account(&mut login, path, pull.as_bytes())).await??;
        let now = Timestamp::now().as_nanosecond();
        let body = line.body(&answer);
        ensure!(answer.status == 200, "status {}: {}", answer.status, String::from_utf8_lossy(body));
        for (number, told) in told(std::str::from_utf8(body)?) {
            if last.is_some_and(|last| number != last + 1) {
                bail!("event {number} after {last:?}: one was lost, or came out of order");
            }
            last = Some(number);
            times.push(Duration::from_nanos(u64::try_from(now - told).unwrap_or(0)));
        }
    }
    ensure!(!pulled.told || last.is_some(), "not one event arrived");
    Ok((times, begin.elapsed().as_secs_f64()))
}

/// The events of the bench in an answer: each has its number and the time it was told at.
fn told(text: &str) -> impl Iterator<Item = (u64, i128)> + '_ {
    text.split("\"Bench\" Value=\"").skip(1).filter_map(|rest| {
        let (number, time) = rest.split('"').next()?.split_once(' ')?;
        Some((number.parse().ok()?, time.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn events_are_found_in_an_answer() {
        let text = "<tt:SimpleItem Name=\"Bench\" Value=\"7 12\"/><tt:SimpleItem Name=\"Other\" Value=\"1\"/><x Name=\"Bench\" Value=\"8 13\"/>";
        assert_eq!(told(text).collect::<Vec<_>>(), [(7, 12), (8, 13)]);
    }
}
