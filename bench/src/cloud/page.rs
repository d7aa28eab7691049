//! The page of the cloud: aims first, then a table for each subject, and what to know to read them.

use std::fmt::Write as _;

use super::Findings;
use super::keys::{Keys, PROOFS};
use super::requests::{BUSY, PAGES, Requests};
use super::start::Start;
use crate::page::Aims;
use crate::process::machine;
use crate::table::{figure, table};

/// Milliseconds of a page, and seconds of a start.
const PAGE_MS: f64 = 50.0;
const START: f64 = 2.0;
const MIB: f64 = 1024.0 * 1024.0;

/// The page's text.
pub(super) fn write(findings: &Findings) -> String {
    let mut page = format!(
        "# Cloud: requests, access keys, start\n\nWritten by `cargo xtask bench cloud` in {:.0} s on {}.\n",
        findings.seconds,
        machine()
    );
    let mut aims = Aims::default();
    let mut body = String::new();
    if !findings.requests.is_empty() {
        body += &api_table(&findings.requests);
    }
    if let Some(keys) = &findings.keys {
        body += &keys_table(keys);
    }
    if !findings.requests.is_empty() {
        body += &pages_table(&findings.requests, &mut aims);
    }
    if !findings.starts.is_empty() {
        body += &start_table(&findings.starts, &mut aims);
    }
    if let Some(why) = &findings.absent {
        let _ = writeln!(body, "\nPostgreSQL: {why}");
    }
    page += &aims.table();
    page += &body;
    page += NOTES;
    page
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn api_table(stores: &[Requests]) -> String {
    let columns = ["request", "cloud CPU µs", "database CPU µs", "a second and core", "requests/s", "p50 ms", "p99 ms"];
    let mut text = format!("\n## Requests to the API\n\n{BUSY} in flight, in one connection.\n");
    for store in stores {
        let mut rows = vec![heads(&columns)];
        for (name, f) in &store.api {
            let core = 1e6 / (f.cloud_us + f.database_us);
            let mut row = vec![(*name).to_owned()];
            row.extend([f.cloud_us, f.database_us, core, f.per_second, f.p50_us / 1e3, f.p99_us / 1e3].map(figure));
            rows.push(row);
        }
        let _ = write!(text, "\n### {}\n\n{}", store.store, table(&rows));
    }
    text
}

fn keys_table(keys: &Keys) -> String {
    let columns = ["client shows", "CPU : token", "cloud CPU µs", "requests/s", "p50 ms", "p99 ms"];
    let mut rows = vec![heads(&columns)];
    let token = keys.first().map_or(f64::NAN, |token| token.cloud_us);
    for ((name, _), f) in PROOFS.iter().zip(keys) {
        let mut row = vec![(*name).to_owned(), format!("{:.2}", f.cloud_us / token)];
        row.extend([f.cloud_us, f.per_second, f.p50_us / 1e3, f.p99_us / 1e3].map(figure));
        rows.push(row);
    }
    format!(
        "\n## Access keys\n\nSOAP of 1 KiB through the gateway to a device and back, {BUSY} in flight.\n\n{}",
        table(&rows)
    )
}

fn pages_table(stores: &[Requests], aims: &mut Aims) -> String {
    let columns = ["page", "p50 ms", "p99 ms", "cloud CPU µs", "database CPU µs", "requests/s"];
    let mut text = format!("\n## Pages of long lists\n\n{PAGES} in flight, in one connection.\n");
    for store in stores {
        let mut rows = vec![heads(&columns)];
        for (name, f) in &store.pages {
            let mut row = vec![(*name).to_owned()];
            row.extend([f.p50_us / 1e3, f.p99_us / 1e3, f.cloud_us, f.database_us, f.per_second].map(figure));
            rows.push(row);
        }
        let slowest = store.pages.iter().max_by(|(_, one), (_, other)| one.p99_us.total_cmp(&other.p99_us));
        if let Some((name, f)) = slowest {
            aims.most(&format!("{}: the slowest page ({name}), p99", store.store), f.p99_us / 1e3, PAGE_MS, "ms");
        }
        let _ = write!(text, "\n### {}\n\n{}", store.store, table(&rows));
    }
    text
}

fn start_table(starts: &[Start], aims: &mut Aims) -> String {
    let columns = [
        "store",
        "until it answers, s",
        "cloud CPU, s",
        "database CPU, s",
        "resident MiB",
        "bytes a device",
        "empty: s",
        "empty: MiB",
    ];
    let mut rows = vec![heads(&columns)];
    let devices = starts.first().map_or(0, |start| start.size.devices);
    for start in starts {
        let (resident, empty) = (start.memory.resident as f64, start.empty.resident as f64);
        let mut row = vec![start.store.to_owned()];
        let each = (resident - empty) / start.size.devices as f64;
        row.extend([start.seconds, start.cloud_cpu, start.database_cpu, resident / MIB, each].map(figure));
        row.extend([start.empty_seconds, empty / MIB].map(figure));
        rows.push(row);
        aims.most(&format!("{}: start with {devices} devices", start.store), start.seconds, START, "s");
    }
    format!("\n## Start\n\n`oriel cloud` with {devices} devices, each with a key.\n\n{}", table(&rows))
}

const NOTES: &str = "
## How to read this

- CPU time is the primary figure: other work on the two cores disturbs it least (by caches still, so compare within a run). It comes from the kernel's
  accounting, in steps of 10 ms; requests per second and core are a second over it. The load generator's own is in none of these figures.
- Pinned: the load generator on core 0; cloud, device and PostgreSQL on core 1. A start may use both cores. Figures are medians over three rounds, pages are
  one round of two seconds.
- The load generator is HTTP/2 over TLS 1.3 with one connection, written with hyper. It checks the status of every answer, and that it is no shorter than it
  has to be. The cloud writes no log here.
- Requests and pages: 10,000 devices with a key each and 100,000 lines of audit log in one organisation; an administrator's token. A write is one transaction
  that is on the disk when it is answered; one is made after the other, so their number per second is the disk's.
- Pages are of fifty entries where nothing else is said. A filter asks for many things by turns. Of \"few\" and \"none\" there is less than a page, so all is looked
  through. No device is online.
- PostgreSQL runs beside the cloud with its usual settings, over TCP; it has its statistics of the tables, which it makes by itself within a minute. SQLite
  runs within the cloud, so its CPU time is the cloud's.
- Access keys: `challenge kept` answers one challenge of HTTP Digest and counts on, `a challenge each time` is refused before each request, as clients do that
  keep nothing; both requests are then in its figure. Digest is of MD5, the first that is offered. UsernameToken is a PasswordDigest in the envelope.
- Start: from exec until a request over TLS that needs a token has its answer, which counts the devices. The store was written just before, so the disk is
  not waited for.
";
