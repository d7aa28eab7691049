//! The page of the device: aims first, then a table for each subject, and what to know to read them.

use std::fmt::Write as _;

use super::Findings;
use super::events::{Events, PER_SECOND, POINTS};
use super::memory::Found;
use super::requests::Requests;
use crate::page::Aims;
use crate::process::{Memory, machine};
use crate::table::{figure, table};

const MIB: f64 = 1024.0 * 1024.0;

/// The page's text.
pub(super) fn write(findings: &Findings) -> String {
    let mut page = format!(
        "# Device: questions, events, memory\n\nWritten by `cargo xtask bench device` in {:.0} s on {}.\n",
        findings.seconds,
        machine()
    );
    let mut aims = Aims::default();
    let mut body = String::new();
    if let Some(requests) = &findings.requests {
        body += &requests_table(requests, &mut aims);
    }
    if let Some(events) = &findings.events {
        body += &events_table(events, &mut aims);
    }
    if let Some(memory) = &findings.memory {
        body += &memory_table(memory, &mut aims);
    }
    page += &aims.table();
    page += &body;
    page += NOTES;
    page
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn requests_table(requests: &Requests, aims: &mut Aims) -> String {
    let mut rows = vec![heads(&[
        "server",
        "CPU : nginx",
        "CPU : hyper",
        "CPU µs",
        "requests per second and core",
        "requests/s here",
        "p50 µs",
        "p99 µs",
    ])];
    let (nginx, hyper) = (requests.of("nginx"), requests.of("hyper"));
    for (name, f) in &requests.figures {
        let ratio = |base: Option<f64>| base.map_or_else(String::new, |base| format!("{:.2}", f.cpu_us / base));
        let mut row = vec![(*name).to_owned(), ratio(nginx.map(|f| f.cpu_us)), ratio(hyper.map(|f| f.cpu_us))];
        row.extend([f.cpu_us, 1e6 / f.cpu_us, f.per_second, f.p50_us, f.p99_us].map(figure));
        rows.push(row);
        if name.starts_with("Digest") {
            aims.least(&format!("GetDeviceInformation, {name}: per second and core"), 1e6 / f.cpu_us, 20_000.0, "");
        }
    }
    let mut text = format!("\n## GetDeviceInformation\n\nCPU time is that of the server alone.\n\n{}", table(&rows));
    if let Some(why) = &requests.absent {
        let _ = writeln!(text, "\nnginx: {why}");
    }
    text
}

fn events_table(events: &Events, aims: &mut Aims) -> String {
    aims.most(&format!("{POINTS} pull points, {PER_SECOND} events a second: p99"), events.p99_ms, 20.0, "ms");
    let heads = heads(&[
        "pull points",
        "events told a second",
        "messages that arrived",
        "p50 ms",
        "p99 ms",
        "cores of the device",
        "CPU µs a message",
        "resident MiB",
    ]);
    let resident = events.resident as f64 / MIB;
    let mut row = vec![POINTS.to_string()];
    row.extend(
        [events.told, events.arrived as f64, events.p50_ms, events.p99_ms, events.cores, events.message_us, resident]
            .map(figure),
    );
    format!("\n## Events\n\n{}", table(&[heads, row]))
}

fn memory_table(memory: &[Found], aims: &mut Aims) -> String {
    let mut rows = vec![heads(&["program", "idle", "with an uplink", "64 pull points under load"])];
    let both = |memory: Memory| {
        format!("{} ({})", figure(memory.resident as f64 / MIB), figure(memory.anonymous as f64 / MIB))
    };
    for found in memory {
        let states = [found.idle, found.with_uplink, found.under_load];
        let most = states.iter().map(|memory| memory.resident).max().unwrap_or_default();
        aims.most(&format!("{}: resident memory at most", found.program), most as f64 / MIB, 16.0, "MiB");
        let mut row = vec![found.program.to_owned()];
        row.extend(states.map(both));
        rows.push(row);
    }
    let mut text = format!(
        "\n## Memory\n\nResident, in MiB; in parentheses the part of it that is backed by no file.\n\n{}",
        table(&rows)
    );
    if memory.len() < 2 {
        text += "\nThe device half alone was not built: `cargo build --release -p oriel --no-default-features --features device --target-dir target/camera`.\n";
    }
    text
}

const NOTES: &str = "
## How to read this

- CPU time is the primary figure: other work on the two cores disturbs it least. It comes from the kernel's accounting of the one process, user and
  system, threads included, in steps of 10 ms for each round. Requests per second and core are 1 s divided by it.
- Pinned: the clients on core 0, the server on core 1; for memory nothing is.
- GetDeviceInformation: 32 connections of HTTP/1.1 that are kept, one question at a time on each; medians over the rounds, the servers measured in turns.
  `Digest`: each connection has its challenge and counts on, as clients do; every request is parsed, its hash and its counter are checked, the
  rights are decided, the answer is written. `UsernameToken`: a new token in each request. The device is `oriel device` as it is shipped, with its log at its default.
- The yardsticks do less: `nginx` sends a file of 640 bytes, which it holds open, to a GET with the same head; `hyper` is the library that the device stands on, which
  reads the same POST without looking at it and answers with 640 bytes that were made before.
- Events: one process is the device half with a source that tells its events in-process, in the one thread that the program has; one more process has the clients, which pull with
  MessageLimit 1000 as soon as they are answered. The time is from just before an event is told to when its answer is read and not yet parsed, by one clock. Every client checks
  that no event is missing and that their order is kept. The bench fails when one did not arrive.
- Memory: `64 pull points under load` is every pull point pulled by a client of its own, and 16 more clients that ask GetDeviceInformation without a pause. A file's pages
  are the program's own code as far as it was touched, in the kernel's large steps; the kernel can drop them, and processes share them.
";
