//! What the load generator is asked and what it answers; the role itself is in `roles::load`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::child::{Child, Core};

/// A connection to open: HTTP/2 over TLS, always.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The name that [`Work`] refers to.
    pub(crate) name: String,
    /// Address and port.
    pub(crate) address: String,
    /// What goes before the path.
    pub(crate) prefix: String,
    /// A bearer token.
    pub(crate) token: Option<String>,
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// SOAP there, SOAP back.
    Soap,
    /// A body without end towards the client; bytes are counted.
    Down,
    /// A body without end towards the device; bytes are counted.
    Up,
}

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) target: String,
    pub(crate) kind: Kind,
    /// Bytes of a SOAP request.
    pub(crate) sent: usize,
    /// Bytes of a SOAP answer.
    pub(crate) answer: usize,
    pub(crate) in_flight: usize,
    /// Not measured, at the beginning.
    pub(crate) ramp: f64,
    pub(crate) seconds: f64,
}

/// One SOAP exchange on each of many paths.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) target: String,
    pub(crate) prefixes: Vec<String>,
}

/// How a client shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Proof {
    /// The target's bearer token.
    Bearer,
    /// HTTP Digest: each request in flight has one challenge and counts on.
    DigestKept,
    /// HTTP Digest: each request is refused first and answers the challenge.
    DigestFresh,
    /// WS-UsernameToken with PasswordDigest.
    UsernameToken,
}

/// What a request brings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Content {
    Nothing,
    /// A device to be registered, another one each time.
    Device,
    /// SOAP of so many bytes.
    Soap(usize),
}

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) content: Content,
    /// The status that answers it.
    pub(crate) status: u16,
    /// Bytes that the answer has at least.
    pub(crate) answer: usize,
}

/// One measurement of requests that are sent by turns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Calls {
    pub(crate) target: String,
    pub(crate) calls: Vec<Call>,
    pub(crate) proof: Proof,
    /// An access key's user name and password.
    pub(crate) key: Option<(String, String)>,
    pub(crate) in_flight: usize,
    pub(crate) seconds: f64,
}

/// A line to the load generator.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    Connect(Target),
    Work(Work),
    Calls(Calls),
    Visit(Visit),
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) failed: u64,
    /// The first failure, in words.
    pub(crate) failure: Option<String>,
}

/// The load generator's process.
pub(crate) struct Load(pub(crate) Child);

impl Load {
    pub(crate) fn start(core: Core, ca: &Path) -> anyhow::Result<Self> {
        Ok(Self(Child::role(core, &["load", "--ca", &ca.display().to_string()])?))
    }

    pub(crate) fn connect(&mut self, target: &Target) -> anyhow::Result<()> {
        self.ask(&Question::Connect(target.clone())).map(drop)
    }

    /// Does the work. An answer that is not as it should be fails the whole measurement.
    pub(crate) fn work(&mut self, work: &Work) -> anyhow::Result<Outcome> {
        let outcome = self.ask(&Question::Work(work.clone()))?;
        let failure = outcome.failure.clone().unwrap_or_default();
        anyhow::ensure!(outcome.failed == 0, "{}: {} requests failed: {failure}", work.target, outcome.failed);
        Ok(outcome)
    }

    /// As [`Load::work`], for requests of any kind.
    pub(crate) fn calls(&mut self, calls: &Calls) -> anyhow::Result<Outcome> {
        let outcome = self.ask(&Question::Calls(calls.clone()))?;
        let failure = outcome.failure.clone().unwrap_or_default();
        let first = calls.calls.first().map(|call| call.path.clone()).unwrap_or_default();
        anyhow::ensure!(outcome.failed == 0, "{first}: {} requests failed: {failure}", outcome.failed);
        Ok(outcome)
    }

    pub(crate) fn visit(&mut self, visit: &Visit) -> anyhow::Result<Outcome> {
        self.ask(&Question::Visit(visit.clone()))
    }

    fn ask(&mut self, question: &Question) -> anyhow::Result<Outcome> {
        Ok(serde_json::from_value(self.0.ask(&serde_json::to_value(question)?)?)?)
    }
}
