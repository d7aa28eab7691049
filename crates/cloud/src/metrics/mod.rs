//! What the cloud counts, for Prometheus (OpenMetrics 1.0 text). `docs/ref/metrics.md` lists every family; a test keeps that page in step.
//!
//! Labels are words of the program: never a name that a device, a user or a request chose, so that nobody can fill a time series database. What is
//! counted anyway by its owner (tunnels, connections, the byte budget) is read at each scrape, in [`state`]; the rest is counted here as it happens.
//!
//! To add a family: a field of [`Metrics`], one line in [`Metrics::new`], one line in the page.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use oriel_uplink::Form;
use oriel_uplink::cloud::{CloseReason, Stats};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::Shared;
use crate::feed::Batch;
use crate::feed::entry::{Entry, Reason};

mod listener;
mod process;
mod state;

pub(crate) use listener::{bind, run};

/// Label names and values, all words of ours.
pub(crate) type Labels<const N: usize> = [(&'static str, &'static str); N];

/// From a device that answers from memory on the next continent's wire, to the longest PullMessages.
const EXCHANGE_SECONDS: [f64; 14] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 150.0];

/// Everything that is counted as it happens.
pub(crate) struct Metrics {
    registry: Registry,
    uplinks_opened: Family<Labels<1>, Counter>,
    uplinks_closed: Family<Labels<1>, Counter>,
    uplinks_refused: Family<Labels<1>, Counter>,
    connections_refused: Family<Labels<1>, Counter>,
    acme_orders: Family<Labels<1>, Counter>,
    feed_messages: Family<Labels<1>, Counter>,
    feed_gaps: Family<Labels<1>, Counter>,
    requests: Family<Labels<3>, Counter>,
    /// Seconds from a SOAP request's way into the tunnel to the head of its answer.
    soap_exchange: Histogram,
    closed: Mutex<Totals>,
}

/// What tunnels that are gone had carried.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Totals {
    read: u64,
    written: u64,
    streams: u64,
}

impl Totals {
    fn add(&mut self, more: Self) {
        self.read += more.read;
        self.written += more.written;
        self.streams += more.streams;
    }
}

impl From<&Stats> for Totals {
    fn from(stats: &Stats) -> Self {
        Self { read: stats.bytes_read, written: stats.bytes_written, streams: stats.streams_opened }
    }
}

/// Why a connection got no further than the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// The system would not hand it over: out of descriptors, most often.
    Accept,
    /// No PROXY protocol header from where one is required.
    Proxy,
    /// TLS did not come to stand.
    Tls,
    /// TLS took too long.
    Slow,
    /// There are as many clients as may be.
    Full,
    /// Its first head could not be read.
    Head,
    /// An ACME authority looked whether a name is ours: no refusal, and nothing more to be had.
    Acme,
}

/// Why an uplink was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unadmitted {
    /// It showed a token that nobody has.
    Token,
    /// It showed a key that nobody has.
    Key,
    /// It showed nothing.
    Nothing,
    /// Its device was revoked.
    Revoked,
}

impl Turned {
    const ALL: [Self; 7] = [Self::Accept, Self::Proxy, Self::Tls, Self::Slow, Self::Full, Self::Head, Self::Acme];

    fn label(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Proxy => "proxy_header",
            Self::Tls => "tls",
            Self::Slow => "slow_handshake",
            Self::Full => "too_many_clients",
            Self::Head => "head",
            Self::Acme => "acme_challenge",
        }
    }
}

impl Unadmitted {
    const ALL: [Self; 4] = [Self::Token, Self::Key, Self::Nothing, Self::Revoked];

    fn label(self) -> &'static str {
        match self {
            Self::Token => "unknown_token",
            Self::Key => "unknown_key",
            Self::Nothing => "no_credential",
            Self::Revoked => "revoked",
        }
    }
}

impl Metrics {
    /// All families, empty.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("oriel");
        let mut add = |name: &str, help: &str| {
            let family = Family::<Labels<1>, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let uplinks_opened = add("uplinks_opened", "Uplinks that came to stand, by form");
        let uplinks_closed = add("uplinks_closed", "Uplinks that ended, by reason");
        let uplinks_refused = add("uplinks_refused", "Uplinks that were not taken in, by cause");
        let connections_refused = add("connections_refused", "Connections that got no further than the port, by cause");
        let acme_orders = add("acme_orders", "Orders for a certificate at an ACME authority, by outcome");
        let feed_messages = add("feed_messages", "Messages of devices' events, by what became of them");
        let feed_gaps = add("feed_gaps", "Gaps in feeds of devices' events, by cause");
        let requests = Family::<Labels<3>, Counter>::default();
        registry.register(
            "requests",
            "Requests of clients that were answered, by route, method and status",
            requests.clone(),
        );
        let soap_exchange = Histogram::new(EXCHANGE_SECONDS);
        let help = "Time from a SOAP request's way into the tunnel to the beginning of the device's answer";
        registry.register("soap_exchange_seconds", help, soap_exchange.clone());
        let metrics = Self {
            registry,
            uplinks_opened,
            uplinks_closed,
            uplinks_refused,
            connections_refused,
            acme_orders,
            feed_messages,
            feed_gaps,
            requests,
            soap_exchange,
            closed: Mutex::default(),
        };
        metrics.begin_at_zero();
        metrics
    }

    /// A rate needs a first value before the first event.
    fn begin_at_zero(&self) {
        for form in [Form::Native, Form::WebSocket] {
            drop(self.uplinks_opened.get_or_create(&[("form", form_label(form))]));
        }
        for cause in Unadmitted::ALL {
            drop(self.uplinks_refused.get_or_create(&[("cause", cause.label())]));
        }
        for outcome in ["issued", "failed"] {
            drop(self.acme_orders.get_or_create(&[("outcome", outcome)]));
        }
        for outcome in ["kept", "repeated", "unreadable"] {
            drop(self.feed_messages.get_or_create(&[("outcome", outcome)]));
        }
        for reason in Reason::ALL {
            drop(self.feed_gaps.get_or_create(&[("cause", reason.word())]));
        }
        for cause in Turned::ALL {
            drop(self.connections_refused.get_or_create(&[("cause", cause.label())]));
        }
    }

    /// An uplink came to stand.
    pub(crate) fn opened(&self, form: Form) {
        self.uplinks_opened.get_or_create(&[("form", form_label(form))]).inc();
    }

    /// An uplink ended; `release` takes it out of the registry. Both happen in one moment for a scrape, or bytes would be counted twice or not at all.
    pub(crate) fn closed(&self, carried: impl Into<Totals>, reason: &CloseReason, release: impl FnOnce()) {
        let mut totals = self.totals();
        release();
        totals.add(carried.into());
        drop(totals);
        self.uplinks_closed.get_or_create(&[("reason", reason_label(reason))]).inc();
    }

    /// An uplink was not taken in.
    pub(crate) fn unadmitted(&self, cause: Unadmitted) {
        self.uplinks_refused.get_or_create(&[("cause", cause.label())]).inc();
    }

    /// A connection got no further than the port.
    pub(crate) fn turned(&self, cause: Turned) {
        self.connections_refused.get_or_create(&[("cause", cause.label())]).inc();
    }

    /// An order at an ACME authority ended.
    pub(crate) fn ordered(&self, succeeded: bool) {
        self.acme_orders.get_or_create(&[("outcome", if succeeded { "issued" } else { "failed" })]).inc();
    }

    /// A device's messages were kept.
    pub(crate) fn fed(&self, batch: &Batch) {
        let mut kept = 0;
        for entry in &batch.entries {
            match entry {
                Entry::Gap(gap) => drop(self.feed_gaps.get_or_create(&[("cause", gap.reason.word())]).inc()),
                Entry::Event(_) | Entry::State(_) => kept += 1,
            }
        }
        for (outcome, count) in [("kept", kept), ("repeated", batch.repeated), ("unreadable", batch.unreadable)] {
            self.feed_messages.get_or_create(&[("outcome", outcome)]).inc_by(count);
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &'static str, method: &Method, status: StatusCode) {
        let labels = [("route", route), ("method", method_label(method)), ("status", status_label(status))];
        self.requests.get_or_create(&labels).inc();
    }

    /// A device answered a SOAP request.
    pub(crate) fn exchanged(&self, took: Duration) {
        self.soap_exchange.observe(took.as_secs_f64());
    }

    fn totals(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole page.
async fn page(shared: &Shared) -> String {
    let ready = shared.unready().await.is_none();
    let mut text = String::with_capacity(16 * 1024);
    encode_registry(&mut text, &shared.metrics.registry)
        .and_then(|()| encode_registry(&mut text, &state::now(shared, ready)))
        .and_then(|()| encode_registry(&mut text, &process::now()))
        .and_then(|()| encode_eof(&mut text))
        .expect("a String takes every text");
    text
}

fn form_label(form: Form) -> &'static str {
    match form {
        Form::Native => "native",
        Form::WebSocket => "websocket",
    }
}

fn reason_label(reason: &CloseReason) -> &'static str {
    match reason {
        CloseReason::Peer => "peer",
        CloseReason::PeerError(_) => "peer_error",
        CloseReason::Local(_) => "local",
        CloseReason::Silent => "silent",
        CloseReason::WriteStalled => "write_stalled",
        CloseReason::NoSettings => "no_settings",
        CloseReason::ControlFlood => "control_flood",
        CloseReason::ResetFlood => "reset_flood",
        CloseReason::SmallFrames(_) => "small_frames",
        CloseReason::HeaderFlood => "header_flood",
        CloseReason::Protocol(_) => "protocol",
        CloseReason::Io(_) => "connection",
        CloseReason::Revoked => "revoked",
        CloseReason::Evicted => "evicted",
        CloseReason::Shutdown => "shutdown",
        CloseReason::Dropped => "dropped",
        _ => "other",
    }
}

/// A client may write any word as its method.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        _ => "other",
    }
}

/// The statuses that somebody sets an alarm on, and classes: a device may answer with any number.
fn status_label(status: StatusCode) -> &'static str {
    let known = ["401", "403", "404", "429", "500", "502", "503", "504"];
    if let Some(known) = known.into_iter().find(|known| *known == status.as_str()) {
        return known;
    }
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Cloud, Config};

    /// The families of a page as rows of a Markdown table.
    fn rows(page: &str) -> Vec<String> {
        let (mut helps, mut types, mut labels) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::<&str, Vec<&str>>::new());
        for line in page.lines() {
            if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                helps.insert(name, help);
            } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                types.insert(name, kind);
            } else if !line.starts_with('#') {
                let (name, rest) = line.split_once(['{', ' ']).unwrap();
                let family = types.keys().copied().filter(|family| name.starts_with(*family)).max_by_key(|f| f.len());
                let named = rest.split_once('}').map_or("", |(labels, _)| labels);
                let named = named.split(',').filter_map(|label| Some(label.split_once('=')?.0)).filter(|l| *l != "le");
                labels.insert(family.unwrap(), named.collect());
            }
        }
        let row = |(name, help): (&&str, &&str)| {
            let (kind, labels) = (types[*name], labels[*name].join(", "));
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let name = format!("{name}{suffix}");
            format!("| `{name}` | {kind} | {labels} | {} |", help.trim_end_matches('.'))
        };
        helps.iter().map(row).collect()
    }

    #[tokio::test]
    async fn the_page_in_the_documents_lists_every_family() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse("listen = '127.0.0.1:0'\ndrain_seconds = 0", folder.path()).unwrap();
        let cloud = Cloud::start(config, None).await.unwrap();
        let metrics = &cloud.shared.metrics;
        metrics.answered("api", &Method::GET, StatusCode::OK);
        metrics.closed(Totals::default(), &CloseReason::Peer, || {});
        let found = rows(&page(&cloud.shared).await);
        let document = include_str!("../../../../docs/ref/metrics.md");
        let listed: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(listed, found, "the table should be:\n{}", found.join("\n"));
    }

    #[test]
    fn labels_are_words_of_ours_whatever_comes() {
        assert_eq!(method_label(&Method::from_bytes(b"X-INVENTED").unwrap()), "other");
        let statuses = (100..1000).map(|code| status_label(StatusCode::from_u16(code).unwrap()));
        assert_eq!(statuses.collect::<std::collections::HashSet<_>>().len(), 8 + 5 + 1);
    }
}
