//! The page of the bridge: aims first, then a table for each subject, and what to know to read them.

use std::fmt::Write as _;

use super::Findings;
use super::crowd::{Crowd, Hang};
use super::requests::{Requests, WORKLOADS};
use crate::page::Aims;
use crate::process::machine;
use crate::table::{figure, table};

const KIB: f64 = 1024.0;

/// The page's text.
pub(super) fn write(findings: &Findings) -> String {
    let mut page = format!(
        "# Bridge: forwarded requests, memory, a camera that hangs\n\nWritten by `cargo xtask bench bridge` in {:.0} s on {}.\n",
        findings.seconds,
        machine()
    );
    let mut aims = Aims::default();
    let mut body = String::new();
    if let Some(requests) = &findings.requests {
        body += &requests_tables(requests, &mut aims);
    }
    if let Some(crowd) = &findings.crowd {
        body += &memory_table(crowd, &mut aims);
        body += &hang_table(crowd, &mut aims);
    }
    page += &aims.table();
    page += &body;
    page += NOTES;
    page
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn requests_tables(requests: &Requests, aims: &mut Aims) -> String {
    let columns =
        ["way", "CPU : nginx", "CPU µs of the hop", "requests/s", "p50 µs", "added p50 µs", "added : nginx", "p99 µs"];
    let mut text =
        String::from("\n## Forwarded requests\n\nCPU time is that of the hop alone: the bridge, or nginx.\n");
    for (number, workload) in WORKLOADS.iter().enumerate() {
        let of = |way: &str| requests.of(number, way);
        let added = |name: &str| {
            let way = requests.ways.iter().find(|way| way.name == name)?;
            Some(of(name)?.p50_us - of(way.without?)?.p50_us)
        };
        let nginx = of("nginx").and_then(|f| f.hop_us);
        let mut rows = vec![heads(&columns)];
        for way in &requests.ways {
            let Some(f) = of(way.name) else { continue };
            let ratio = |ours: Option<f64>, theirs: Option<f64>| {
                ours.zip(theirs).map_or_else(String::new, |(ours, theirs)| format!("{:.2}", ours / theirs))
            };
            let shown = |value: Option<f64>| value.map_or_else(String::new, figure);
            rows.push(vec![
                way.name.to_owned(),
                ratio(f.hop_us, nginx),
                shown(f.hop_us),
                figure(f.per_second),
                figure(f.p50_us),
                shown(added(way.name)),
                ratio(added(way.name), added("nginx")),
                figure(f.p99_us),
            ]);
        }
        let _ = write!(text, "\n### {}\n\n{}", workload.name, table(&rows));
        if let Some((ours, theirs)) = of("bridge").and_then(|f| f.hop_us).zip(nginx) {
            aims.most(&format!("{}: CPU of the bridge, nginx's is 1", workload.name), ours / theirs, CPU, "");
        }
        if let Some(added) = added("bridge").filter(|_| number + 1 == WORKLOADS.len()) {
            aims.most("one at a time: p50 added by the bridge", added, ADDED_US, "µs");
        }
    }
    let (challenges, connections) = requests.digest;
    let _ = writeln!(
        text,
        "\nIn the whole run the camera that asks for Digest had to say so {challenges} times, on {connections} connections."
    );
    if let Some(why) = &requests.absent {
        let _ = writeln!(text, "\nnginx: {why}");
    }
    text
}

fn memory_table(crowd: &Crowd, aims: &mut Aims) -> String {
    if crowd.idle.is_empty() {
        return String::new();
    }
    let columns = [
        "bridge",
        "KiB each",
        "anonymous KiB each",
        "later: KiB each",
        "later: anonymous",
        "with none, MiB",
        "with all, MiB",
    ];
    let mut rows = vec![heads(&columns)];
    for idle in &crowd.idle {
        let each = |with: u64, without: u64| (with as f64 - without as f64) / crowd.cameras as f64 / KIB;
        let mib = |bytes: u64| bytes as f64 / KIB / KIB;
        let empty = crowd.empty;
        let resident = each(idle.with.resident, empty.resident);
        let mut row = vec![idle.start.to_owned(), figure(resident)];
        row.push(figure(each(idle.with.anonymous, empty.anonymous)));
        row.push(figure(each(idle.later.resident, empty.resident)));
        row.push(figure(each(idle.later.anonymous, empty.anonymous)));
        row.extend([mib(empty.resident), mib(idle.with.resident)].map(figure));
        rows.push(row);
        aims.most(&format!("memory of an idle camera, {}", idle.start), resident, EACH_KIB, "KiB");
    }
    format!(
        "\n## {} idle cameras\n\n{}\nAll had enrolled themselves after {} s; started again, all uplinks stood after {} s.\n",
        crowd.cameras,
        table(&rows),
        figure(crowd.enrolled),
        figure(crowd.started)
    )
}

fn hang_table(crowd: &Crowd, aims: &mut Aims) -> String {
    if crowd.hangs.is_empty() {
        return String::new();
    }
    let median = |of: fn(&Hang) -> f64| {
        let mut values: Vec<f64> = crowd.hangs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let mut rows = vec![heads(&["answers of the others", "with : without", "with, ms", "without, ms"])];
    let p50: [fn(&Hang) -> f64; 2] = [|hang| hang.beside.0, |hang| hang.without.0];
    let p99: [fn(&Hang) -> f64; 2] = [|hang| hang.beside.1, |hang| hang.without.1];
    for (name, [beside, without], most) in [("p50", p50, HANG_P50), ("p99", p99, HANG_P99)] {
        let (beside, without) = (median(beside), median(without));
        let ratio = beside / without;
        rows.push(vec![name.to_owned(), format!("{ratio:.2}"), figure(beside / 1e3), figure(without / 1e3)]);
        aims.most(&format!("one camera hangs: {name} of the others, without it is 1"), ratio, most, "");
    }
    format!("\n## One camera hangs\n\n{}", table(&rows))
}

/// CPU time of the bridge against nginx's.
const CPU: f64 = 2.0;
/// Microseconds that the bridge may add.
const ADDED_US: f64 = 150.0;
/// KiB that an idle camera may take.
const EACH_KIB: f64 = 200.0;
/// How much later others may be answered while one camera hangs.
const HANG_P50: f64 = 1.1;
const HANG_P99: f64 = 1.25;

const NOTES: &str = "
## How to read this

- CPU time is the primary figure: other work on the two cores disturbs it least (by caches still, so compare within a run). It comes from the kernel's
  accounting of the one process, threads included, in steps of 10 ms for each round.
- Forwarded requests: pinned, the load generator on core 0, everything else on core 1. Ways are measured in turns; the figures are medians over the rounds. The
  load generator is one for all: HTTP/2 over TLS 1.3 with one connection, written with hyper. It checks status and length of every answer.
- `direct`: straight to the handler by HTTP/2 over TLS; `nginx` adds its hop to that, with a camera of the same handler in plain HTTP/1.1 behind it: TLS 1.3 and
  HTTP/2 in front, connections kept behind, logs off, one worker. It reads no XML and decides nothing.
- `device`: client, TLS, the cloud's gateway, the tunnel with mTLS, a device half that has the handler in its own process; `bridge` adds its hop to that:
  `oriel device` with that same camera behind it. Each request is parsed, allowed or not by its operation, and written anew from the parse; each answer up to
  256 KiB is read whole, and its addresses are made to lead through us.
- `digest`: a camera that asks for HTTP Digest; the bridge keeps the challenge and counts on.
- nginx opens as many connections to the camera as there are requests; the bridge keeps ten at most, and the others wait for their turn.
- Memory: (resident memory of the bridge with all cameras − with none) / cameras. Each camera is listed, has a listening port of its own, has enrolled itself by a
  code at a cloud that runs (own folder, own key, own certificate, own policy), and holds its own uplink. All of them answered one SOAP request, then 14 s passed in
  which each tunnel was pinged; `later` is 18 s more, when connections to cameras that idled are closed too. `started again` is the same bridge
  after a restart. Memory of sockets in the kernel is not in it.
- One camera hangs: it takes requests and answers none. 64 requests to it stand at once, which is more than it has places and more than may wait for one; beside
  them others ask 50 of the other cameras by turns, 4 at once. Nothing is pinned.
";
