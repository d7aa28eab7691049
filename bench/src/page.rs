//! The page: tables with the ratios first, aims met or missed, and what to know to read them.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::parts::memory::Crowd;
use crate::parts::speed::{Speed, WORKLOADS};
use crate::process::{Memory, machine};
use crate::run::Findings;
use crate::systems::NAMES;
use crate::table::{figure, table};

const KIB: f64 = 1024.0;
const PROXIES: [&str; 2] = ["haproxy", "nginx"];

/// Says something to whoever watches.
pub(crate) fn say(line: &str) {
    let _gone = writeln!(std::io::stderr(), "{line}");
}

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// The page's text.
pub(crate) fn write(findings: &Findings) -> String {
    let mut page = format!(
        "# Uplink: speed and memory\n\nWritten by `cargo xtask bench uplink` in {:.0} s on {}.\n",
        findings.seconds,
        machine()
    );
    let mut aims = Aims::default();
    let mut body = String::new();
    if let Some(speed) = &findings.speed {
        body += &speed_tables(speed, &mut aims);
    }
    if let Some(distance) = &findings.distance {
        body += &distance_table(distance, &mut aims);
    }
    if let Some(crowd) = &findings.crowd {
        body += &crowd_tables(crowd, &mut aims);
    }
    if let Some(device) = &findings.device {
        body += &device_line(device, &mut aims);
    }
    page += &aims.table();
    page += &body;
    page += NOTES;
    page
}

/// What was aimed at and what came of it.
#[derive(Default)]
pub(crate) struct Aims(Vec<Vec<String>>);

impl Aims {
    pub(crate) fn most(&mut self, what: &str, found: f64, aim: f64, unit: &str) {
        self.add(what, found <= aim, &format!("{} {unit}", figure(found)), &format!("≤ {} {unit}", figure(aim)));
    }

    pub(crate) fn least(&mut self, what: &str, found: f64, aim: f64, unit: &str) {
        self.add(what, found >= aim, &format!("{} {unit}", figure(found)), &format!("≥ {} {unit}", figure(aim)));
    }

    fn add(&mut self, what: &str, met: bool, found: &str, aim: &str) {
        let word = if met { "met" } else { "missed" };
        self.0.push([what, word, found, aim].map(str::to_owned).to_vec());
    }

    pub(crate) fn table(self) -> String {
        let heads = ["aim", "", "found", "aimed at"].map(str::to_owned).to_vec();
        format!("\n## Aims\n\n{}", table(&[vec![heads], self.0].concat()))
    }
}

fn speed_tables(speed: &Speed, aims: &mut Aims) -> String {
    let mut text = String::from(
        "\n## Speed\n\nCPU time is that of all processes for one request, the load generator's included.\n",
    );
    for (number, workload) in WORKLOADS.iter().enumerate() {
        let direct = speed.of(number, "direct");
        let proxy = PROXIES.iter().filter_map(|name| speed.of(number, name)).map(|f| f.cpu_us).min_by(f64::total_cmp);
        let heads = [
            "way",
            "CPU : direct",
            "CPU : best proxy",
            "CPU µs",
            "without load",
            "first hop",
            "requests/s",
            "p50 µs",
            "p99 µs",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        for name in NAMES {
            let Some(f) = speed.of(number, name) else { continue };
            let ratio = |base: Option<f64>| base.map_or_else(String::new, |base| format!("{:.2}", f.cpu_us / base));
            let mut row = vec![name.to_owned(), ratio(direct.map(|d| d.cpu_us)), ratio(proxy)];
            row.extend([f.cpu_us, f.servers_us, f.first_us, f.per_second, f.p50_us, f.p99_us].map(figure));
            rows.push(row);
        }
        let _ = write!(text, "\n### {}\n\n{}", workload.name, table(&rows));
        let Some(ours) = speed.of(number, "oriel") else { continue };
        if number + 1 == WORKLOADS.len() {
            if let Some(direct) = direct {
                aims.most("one at a time: added p50", ours.p50_us - direct.p50_us, 150.0, "µs");
            }
            continue;
        }
        if let Some(proxy) = proxy {
            aims.most(&format!("{}: CPU, against the better proxy", workload.name), ours.cpu_us, proxy, "µs");
        }
        for name in NAMES.into_iter().filter(|name| name.starts_with("rathole") || name.starts_with("ssh")) {
            if let Some(theirs) = speed.of(number, name) {
                aims.most(&format!("{}: CPU, against {name}", workload.name), ours.cpu_us, theirs.cpu_us, "µs");
            }
        }
    }
    for (name, why) in &speed.absent {
        let _ = writeln!(text, "\n{name}: {why}");
    }
    text
}

fn distance_table(distance: &crate::parts::distance::Distance, aims: &mut Aims) -> String {
    let mut rows = vec![["direction", "streams", "MB/s"].map(str::to_owned).to_vec()];
    for (direction, streams, rate) in &distance.flows {
        rows.push(vec![(*direction).to_owned(), streams.to_string(), figure(*rate)]);
    }
    if let Some(rate) = distance.of("down", 16) {
        aims.least("50 ms away: 16 streams down", rate, 80.0, "MB/s");
    }
    format!(
        "\n## Distance\n\nDevice and cloud are 50 ms apart and back. Down is device to client, up is client to device.\n\n{}\n\
         One SOAP answer at a time takes {} ms with 1 KiB, {} ms with 1 MiB.\n",
        table(&rows),
        figure(distance.small_ms),
        figure(distance.answer_ms)
    )
}

fn crowd_tables(crowd: &Crowd, aims: &mut Aims) -> String {
    let each = |with: u64, without: u64| (with as f64 - without as f64) / crowd.devices as f64 / KIB;
    let mut text = format!("\n## {} devices\n", figure(crowd.devices as f64));
    if !crowd.idle.is_empty() {
        let heads = ["idle, form", "KiB each", "anonymous KiB each", "cloud with none, MiB", "with all, MiB"];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        for idle in &crowd.idle {
            let resident = each(idle.with.resident, idle.without.resident);
            let mib = |bytes: u64| figure(bytes as f64 / KIB / KIB);
            let anonymous = each(idle.with.anonymous, idle.without.anonymous);
            let (without, with) = (mib(idle.without.resident), mib(idle.with.resident));
            rows.push(vec![idle.form.to_owned(), figure(resident), figure(anonymous), without, with]);
            let aim = if idle.form == "native" { 40.0 } else { 64.0 };
            aims.most(&format!("idle memory at the cloud, {} form", idle.form), resident, aim, "KiB");
        }
        let _ = write!(text, "\n{}", table(&rows));
    }
    if !crowd.returns.is_empty() {
        let heads = [
            "all dropped at once",
            "last back, s",
            "median, s",
            "first, s",
            "failed accepts",
            "failed dials",
            "lost",
            "cloud CPU, s",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        for back in &crowd.returns {
            let name = if back.resumption { "TLS resumption" } else { "full handshakes" };
            let mut row = vec![name.to_owned()];
            row.extend([back.last, back.median, back.first].map(figure));
            row.extend([back.failed_accepts, back.failed_dials, back.lost].map(|count| count.to_string()));
            row.push(figure(back.cloud_cpu));
            rows.push(row);
            let failures = back.failed_accepts + back.lost;
            aims.most(&format!("all dropped, {name}: failed accepts and lost devices"), failures as f64, 0.0, "");
        }
        let _ = write!(text, "\n{}", table(&rows));
    }
    text
}

fn device_line(device: &anyhow::Result<Memory>, aims: &mut Aims) -> String {
    let text = match device {
        Ok(memory) => {
            let mib = |bytes: u64| bytes as f64 / KIB / KIB;
            aims.most("`oriel device` with one uplink: resident memory", mib(memory.resident), 12.0, "MiB");
            let (resident, anonymous) = (figure(mib(memory.resident)), figure(mib(memory.anonymous)));
            format!(
                "`oriel device` with one uplink that was used: {resident} MiB resident, {anonymous} MiB of it backed by no file."
            )
        }
        Err(error) => format!("Not measured: {error:#}"),
    };
    format!("\n## The device half alone\n\n{text}\n")
}

const NOTES: &str = "
## How to read this

- CPU time is the primary figure: other work on the two cores disturbs it least (by caches still, so compare within a run). It comes from the kernel's accounting of every process on the way,
  threads and children included, in steps of 10 ms for each process and round.
- First hop is the process that the client talks to: our cloud, the proxy, the tunnel's public end, and in `direct` the handler itself.
- Pinned: the load generator on core 0, everything else (proxies, tunnels, cloud, device, handler) on core 1. Distance, memory and the return of all
  devices use both cores. Systems are measured in turns; the figures are medians over the rounds.
- The load generator is one for all: HTTP/2 over TLS 1.3 with one connection, written with hyper. It checks status and length of every answer.
- The handler is one function for all: it reads the request whole and answers a SOAP response of the length asked for. In `oriel` it is served through the
  uplink, elsewhere by hyper's servers.
- `direct`: HTTP/2 over TLS straight to the handler, the limit of what any way can reach.
- `oriel`: client, TLS, the cloud's gateway, the tunnel with mTLS, device. The caller's token has level User, so each request pays for token, rights, our own
  parse, and being written anew from that parse.
- `haproxy` and `nginx`: ordinary reverse proxies, TLS to both sides with the handler's certificate checked, connections kept, logs off, one thread since
  they have one core. haproxy speaks HTTP/2 to the handler, nginx HTTP/1.1, which is what it can. They check no token and read no operation.
- `rathole` (TLS transport) and `ssh` (`ssh -R`, aes128-gcm): the client's TLS ends at a haproxy, as it ends at our cloud, and plain HTTP/1.1 goes through
  the tunnel, which so encrypts once. `TLS through`: the client's TLS goes through the tunnel to the handler; that is leaner, and nothing in
  between can check a token, choose among devices or see an operation.
- Distance: a relay between device and cloud hands on each byte 25 ms late, at any rate, so TCP itself is never the bound. The streams are no SOAP and so
  are an administrator's.
- Idle memory: (resident memory of the cloud with all devices − with none) / devices, after one SOAP exchange with each and a pause in which
  each tunnel was pinged. The records of all devices are loaded in both. Memory of sockets in the kernel is not in it.
- All dropped at once: the cloud closes every tunnel in one moment. A device waits 2 to 4 s, each its own time, before it dials again; that wait is in
  the figures. A failed accept is a connection that the cloud could not accept or that ended before its first request; lost is a device that
  does not answer SOAP afterwards.
";
