//! GetDeviceInformation on connections that are kept: CPU time of the device for each, beside nginx with a file of the same size and a hyper that reads
//! nothing of what it is sent.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Asked, Effort, Questions, Shown, config};
use crate::child::{Child, Core, free_address, installed, listening};
use crate::fixture::Fixture;
use crate::load::Outcome;
use crate::payload::path;

/// Connections, each with one question at a time.
const CONNECTIONS: usize = 32;
const DEVICE: &str = "/onvif/device_service";
/// The size of the answer of the yardsticks: about that of the device's, head and all.
const SIZE: usize = 640;

/// Something that is asked.
pub(super) struct Way {
    pub(super) name: &'static str,
    address: String,
    method: &'static str,
    path: String,
    shown: Shown,
    answer: usize,
    /// Whose CPU time counts: its place among the children.
    child: usize,
}

/// Medians over the rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// CPU time of the server for a request, µs.
    pub(super) cpu_us: f64,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// What came of it.
pub(super) struct Requests {
    pub(super) figures: Vec<(&'static str, Figures)>,
    /// Why there is nothing of nginx.
    pub(super) absent: Option<String>,
}

/// `oriel device`, and where it listens.
pub(super) fn start(core: Core, fixture: &Fixture, oriel: &Path, name: &str) -> anyhow::Result<(Child, String)> {
    let config = config(fixture, name)?;
    let log = fixture.path(&format!("{name}.log"));
    let mut child = Child::program(core, oriel, &["--json", "device", "--config", &config], &log)?;
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end && !child.ended() {
        let text = std::fs::read_to_string(&log)?;
        let said: Option<Value> = text.lines().find_map(|line| serde_json::from_str(line).ok());
        if let Some(lan) = said.as_ref().and_then(|said| said["lan"].as_str()) {
            let rest = lan.split("://").nth(1).unwrap_or(lan);
            return Ok((child, rest.split('/').next().unwrap_or(rest).to_owned()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("oriel device does not start: {}", std::fs::read_to_string(&log).unwrap_or_default())
}

fn start_nginx(fixture: &Fixture) -> anyhow::Result<(Child, String)> {
    let program = installed("nginx").context("not installed (apt install nginx-light)")?;
    let address = free_address()?;
    let folder = fixture.text("nginx-file");
    std::fs::create_dir_all(&folder)?;
    fixture.write("nginx-file/answer.xml", &"x".repeat(SIZE))?;
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr error;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 1h; tcp_nodelay on; open_file_cache max=10;\n\
         client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;\n\
         uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n\
         server {{ listen {address}; root {folder}; }} }}\n"
    );
    let config = fixture.write("nginx-file.conf", &text)?.display().to_string();
    let log = fixture.path("nginx-file.log");
    let mut child = Child::program(Core::Servers, &program, &["-p", &folder, "-c", &config], &log)?;
    listening(address, &mut child, &log)?;
    Ok((child, address.to_string()))
}

pub(super) fn measure(fixture: &Fixture, oriel: &Path, effort: Effort) -> anyhow::Result<Requests> {
    let (device, lan) = start(Core::Servers, fixture, oriel, "device-requests")?;
    let hyper = Child::role(Core::Servers, &["cameras"])?;
    let plain = hyper.ready("addresses")?;
    let ours = |name, shown| Way {
        name,
        address: lan.clone(),
        method: "POST",
        path: DEVICE.to_owned(),
        shown,
        answer: 0,
        child: 0,
    };
    let mut ways = vec![
        ours("Digest, MD5", Shown::Md5),
        ours("Digest, SHA-256", Shown::Sha256),
        ours("UsernameToken", Shown::Token),
    ];
    let (hyper_path, answer) = (path(SIZE as u64, 0), SIZE);
    let shown = Shown::Nothing;
    ways.push(Way { name: "hyper", address: plain, method: "POST", path: hyper_path, shown, answer, child: 1 });
    let mut children = vec![device, hyper];
    let mut absent = None;
    match start_nginx(fixture) {
        Ok((child, address)) => {
            let path = "/answer.xml".to_owned();
            ways.push(Way { name: "nginx", address, method: "GET", path, shown, answer, child: children.len() });
            children.push(child);
        }
        Err(error) => absent = Some(format!("{error:#}")),
    }
    let mut clients = Child::role(Core::Load, &["clients"])?;
    let mut rounds = vec![Vec::new(); ways.len()];
    for _ in 0..effort.rounds {
        for (way, figures) in ways.iter().zip(&mut rounds) {
            figures.push(one(&mut clients, way, &children[way.child], effort.seconds)?);
        }
    }
    let figures = ways.iter().zip(&rounds).map(|(way, figures)| (way.name, median(figures))).collect();
    Ok(Requests { figures, absent })
}

fn one(clients: &mut Child, way: &Way, server: &Child, seconds: f64) -> anyhow::Result<Figures> {
    let questions = Questions {
        address: way.address.clone(),
        method: way.method.to_owned(),
        path: way.path.clone(),
        shown: way.shown,
        connections: CONNECTIONS,
        seconds,
        answer: way.answer,
    };
    let before = server.cpu_us();
    let outcome: Outcome = serde_json::from_value(clients.ask(&serde_json::to_value(Asked::Questions(questions))?)?)?;
    let requests = outcome.requests as f64;
    Ok(Figures {
        cpu_us: (server.cpu_us() - before) / requests,
        per_second: requests / outcome.seconds,
        p50_us: outcome.p50_us,
        p99_us: outcome.p99_us,
    })
}

/// Each field by itself.
fn median(figures: &[Figures]) -> Figures {
    let of = |field: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Figures {
        cpu_us: of(|f| f.cpu_us),
        per_second: of(|f| f.per_second),
        p50_us: of(|f| f.p50_us),
        p99_us: of(|f| f.p99_us),
    }
}

impl Requests {
    pub(super) fn of(&self, name: &str) -> Option<Figures> {
        self.figures.iter().find(|(way, _)| *way == name).map(|(_, figures)| *figures)
    }
}
