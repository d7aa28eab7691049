//! What is counted anyway by its owner, as it is at the moment of a scrape.

use std::sync::atomic::Ordering::Relaxed;
use std::time::UNIX_EPOCH;

use oriel_uplink::Form;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::{Labels, form_label};
use crate::Shared;
use crate::feed::State;

/// The families of this moment.
pub(super) fn now(shared: &Shared, ready: bool) -> Registry {
    let mut registry = Registry::with_prefix("oriel");
    registry.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    gauge(
        &mut registry,
        "draining",
        "Whether the cloud is draining: 1, or 0",
        u64::from(shared.draining.is_cancelled()),
    );
    gauge(&mut registry, "ready", "Whether the cloud takes work: 1, or 0", u64::from(ready));
    if let Ok(seconds) = shared.identity.expires_at().map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default()) {
        let help = "When the certificate that is served ends, seconds since 1970";
        registry.register_with_unit("certificate_expiry", help, Unit::Seconds, ConstGauge::new(seconds.as_secs()));
    }
    tunnels(&mut registry, shared);
    feeds(&mut registry, shared);
    let taken = shared.config.limits.connections.saturating_sub(shared.connections.available_permits());
    gauge(&mut registry, "connections", "Connections of clients", taken as u64);
    let most = shared.config.limits.connections as u64;
    gauge(&mut registry, "connections_limit", "Connections of clients that may stand at once", most);
    memory(&mut registry, shared);
    let (writes, failures) = shared.records.tally();
    registry.register("records_writes", "Changes of the records that were made durable", ConstCounter::new(writes));
    let help = "Changes of the records that the database did not take";
    registry.register("records_failures", help, ConstCounter::new(failures));
    gateway(&mut registry, shared);
    registry
}

/// What organisations ask of their devices. By id, which is a word of ours: there are as many as the operator has made.
fn gateway(registry: &mut Registry, shared: &Shared) {
    let wrong = ConstCounter::new(shared.gateway.wrong.load(Relaxed));
    registry.register("gateway_wrong_credentials", "Access keys that were shown with a wrong name or password", wrong);
    let [requests, received, sent] = std::array::from_fn(|_| Family::<OfOrganisation<1>, Counter>::default());
    let refused = Family::<OfOrganisation<2>, Counter>::default();
    let open = Family::<OfOrganisation<1>, Gauge>::default();
    for (organisation, _) in shared.records.organisations(None, usize::MAX) {
        let usage = shared.gateway.usages.get(&organisation.id);
        let id = || ("organisation", organisation.id.to_string());
        requests.get_or_create(&[id()]).inc_by(usage.requests.load(Relaxed));
        open.get_or_create(&[id()]).set(i64::try_from(usage.open.load(Relaxed)).unwrap_or(i64::MAX));
        received.get_or_create(&[id()]).inc_by(usage.bytes_in.load(Relaxed));
        sent.get_or_create(&[id()]).inc_by(usage.bytes_out.load(Relaxed));
        let limits = [
            ("requests_per_second", &usage.refused_requests),
            ("streams", &usage.refused_streams),
            ("bytes_per_second", &usage.refused_bytes),
        ];
        for (limit, count) in limits {
            refused.get_or_create(&[id(), ("limit", limit.to_owned())]).inc_by(count.load(Relaxed));
        }
    }
    registry.register("gateway_requests", "Requests to devices that were let in, by organisation", requests);
    registry.register("gateway_refused", "Requests to devices beyond a limit of their organisation", refused);
    registry.register("gateway_open", "Requests to devices that are being answered, by organisation", open);
    let unit = Unit::Bytes;
    registry.register_with_unit(
        "gateway_received",
        "Bytes of requests to devices, by organisation",
        unit.clone(),
        received,
    );
    registry.register_with_unit("gateway_sent", "Bytes of devices' answers, by organisation", unit, sent);
}

type OfOrganisation<const N: usize> = [(&'static str, String); N];

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn tunnels(registry: &mut Registry, shared: &Shared) {
    // Held: no tunnel moves from the living to the totals meanwhile.
    let closed = shared.metrics.totals();
    let (mut totals, mut open) = (*closed, 0);
    let forms = Family::<Labels<1>, Gauge>::default();
    for form in [Form::Native, Form::WebSocket] {
        drop(forms.get_or_create(&[("form", form_label(form))]));
    }
    for tunnel in shared.registry.tunnels() {
        let stats = tunnel.stats();
        totals.add((&stats).into());
        open += stats.open_streams as u64;
        forms.get_or_create(&[("form", form_label(tunnel.form()))]).inc();
    }
    drop(closed);
    registry.register("uplinks", "Uplinks that stand, by form", forms);
    gauge(registry, "streams", "Streams that are open in uplinks", open);
    let opened = ConstCounter::new(totals.streams);
    registry.register("streams_opened", "Streams that were opened in uplinks", opened);
    let mut bytes = |name: &str, help: &str, value| {
        registry.register_with_unit(name, help, Unit::Bytes, ConstCounter::new(value));
    };
    bytes("uplink_received", "Bytes that came through uplinks, TLS excluded", totals.read);
    bytes("uplink_sent", "Bytes that went into uplinks, TLS excluded", totals.written);
}

fn feeds(registry: &mut Registry, shared: &Shared) {
    let family = Family::<Labels<1>, Gauge>::default();
    for state in State::ALL {
        drop(family.get_or_create(&[("state", state.word())]));
    }
    for state in shared.feeds.states() {
        family.get_or_create(&[("state", state.word())]).inc();
    }
    registry.register("feeds", "Feeds of devices' events, by what they do", family);
}

fn memory(registry: &mut Registry, shared: &Shared) {
    let budget = &shared.tunnel_limits.budget;
    let all = shared.config.limits.memory / 2 / 1024;
    let soap = all.saturating_sub(shared.soap_room.available_permits()) as u64 * 1024;
    let mut bytes = |name: &str, help: &str, value: u64| {
        registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
    };
    bytes("memory_promised", "What open streams of uplinks may make the cloud buffer", budget.used());
    bytes("memory_limit", "The most that open streams of uplinks may make the cloud buffer", budget.total());
    bytes("soap_bodies", "Room that SOAP requests on their way take", soap);
}
