//! What the doctor finds: a list of checks, each with a verdict and what to do next.

use oriel_client::{CallError, TransportError};
use serde_json::{Value, json};

use crate::exit;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Not asked, since something before it is wrong or was not given.
    NotReached,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Wrong,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotReached => "not reached",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One check.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    text: String,
    /// The next step, in one line.
    next: Option<String>,
}

/// All checks, in their order.
#[derive(Debug)]
pub(super) struct Report {
    kind: &'static str,
    subject: String,
    findings: Vec<Finding>,
    /// The exit code of the first that is wrong: what comes after it mostly follows from it.
    exit: u8,
}

impl Report {
    pub(super) fn new(kind: &'static str, subject: &impl ToString) -> Self {
        Self { kind, subject: subject.to_string(), findings: Vec::new(), exit: 0 }
    }

    fn add(&mut self, check: &'static str, verdict: Verdict, text: impl Into<String>, next: Option<&str>) {
        // A text from the other side is one line here.
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (text, next) = (line(text.into()), next.map(str::to_owned));
        self.findings.push(Finding { check, verdict, text, next });
    }

    pub(super) fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(check, Verdict::Ok, text, None);
    }

    pub(super) fn warning(&mut self, check: &'static str, text: impl Into<String>, next: &str) {
        self.add(check, Verdict::Warning, text, Some(next));
    }

    /// `exit` is the code by which commands tell such a failure.
    pub(super) fn wrong(&mut self, check: &'static str, exit: u8, text: impl Into<String>, next: &str) {
        if self.exit == 0 {
            self.exit = exit;
        }
        self.add(check, Verdict::Wrong, text, Some(next));
    }

    /// Something was not given that the check needs.
    pub(super) fn skipped(&mut self, check: &'static str, text: &str, next: &str) {
        self.add(check, Verdict::NotReached, text, Some(next));
    }

    /// What comes after something that is wrong.
    pub(super) fn not_reached(&mut self, checks: &[&'static str]) {
        for check in checks {
            self.add(check, Verdict::NotReached, "not looked at, because of what is wrong above", None);
        }
    }

    /// A layer that failed, with the hint that any command gives.
    pub(super) fn failed(&mut self, check: &'static str, error: &TransportError) {
        let next = exit::hint_of(error).unwrap_or("try again; --log debug tells more");
        self.wrong(check, exit::code_of(error), error.to_string(), next);
    }

    /// A call that failed.
    pub(super) fn failed_call(&mut self, check: &'static str, error: CallError) {
        let error = anyhow::Error::from(error);
        let next = exit::hint(&error).unwrap_or("try again; --log debug tells more");
        self.wrong(check, exit::code(&error), error.to_string(), next);
    }

    pub(super) fn exit(&self) -> u8 {
        self.exit
    }

    fn worst(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// What is wrong, for the last line.
    pub(super) fn wrongs(&self) -> String {
        let wrong = self.findings.iter().filter(|finding| finding.verdict == Verdict::Wrong);
        wrong.map(|finding| finding.check).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn as_json(&self) -> Value {
        let check = |finding: &Finding| {
            json!({
                "check": finding.check,
                "verdict": finding.verdict.word(),
                "text": finding.text,
                "next": finding.next,
            })
        };
        let checks: Vec<Value> = self.findings.iter().map(check).collect();
        json!({ "subject": self.subject, "kind": self.kind, "worst": self.worst().word(), "checks": checks })
    }

    pub(super) fn as_text(&self) -> String {
        let mut text = format!("{} {}", self.kind, self.subject);
        for finding in &self.findings {
            text += &format!("\n{:<12} {:<12} {}", finding.verdict.word(), finding.check, finding.text);
            if let Some(next) = &finding.next {
                text += &format!("\n{:<12} {:<12} next: {next}", "", "");
            }
        }
        text
    }
}
