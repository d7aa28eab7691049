//! The program's start with a large store: how long from exec until the port answers, at what CPU time, and how much memory it has then.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use oriel_trust::client_config;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ground::{Ground, Size};
use super::postgres::Postgres;
use crate::child::{Child, Core, free_address};
use crate::fixture::{Fixture, validation};
use crate::process::{self, Memory};

const STARTS: usize = 3;
/// A start that takes longer failed.
const LONGEST: Duration = Duration::from_secs(30);

/// What came of one store: medians.
pub(super) struct Start {
    pub(super) store: &'static str,
    pub(super) size: Size,
    pub(super) seconds: f64,
    /// CPU time of the program, and of the database's own processes, seconds.
    pub(super) cloud_cpu: f64,
    pub(super) database_cpu: f64,
    pub(super) memory: Memory,
    /// The same program with an empty store.
    pub(super) empty: Memory,
    pub(super) empty_seconds: f64,
}

pub(super) fn measure(
    fixture: &Fixture,
    oriel: &Path,
    database: Option<&Postgres>,
    size: Size,
) -> anyhow::Result<Start> {
    ensure!(oriel.is_file(), "{} is not built (cargo build --release -p oriel)", oriel.display());
    let (store, name) = if database.is_some() { ("PostgreSQL", "start_postgres") } else { ("SQLite", "start") };
    let address = free_address()?;
    let empty = Ground::new(fixture, database, &format!("{name}_empty"), &address.to_string(), Size::new(0, 0))?;
    let (empty_seconds, _, empty) = start(fixture, oriel, &empty, address)?;
    let ground = Ground::new(fixture, database, name, &address.to_string(), size)?;
    let database_cpu = || database.map_or(0.0, |database| database.server.cpu_us() / 1e6);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let before = database_cpu();
        let (seconds, cpu, memory) = start(fixture, oriel, &ground, address)?;
        starts.push((seconds, cpu, database_cpu() - before, memory));
    }
    let of = |field: fn(&(f64, f64, f64, Memory)) -> f64| {
        let mut values: Vec<f64> = starts.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let memory =
        Memory { resident: of(|s| s.3.resident as f64) as u64, anonymous: of(|s| s.3.anonymous as f64) as u64 };
    let (seconds, cloud_cpu, database_cpu) = (of(|s| s.0), of(|s| s.1), of(|s| s.2));
    Ok(Start { store, size, seconds, cloud_cpu, database_cpu, memory, empty, empty_seconds })
}

/// One start: seconds, CPU seconds and memory when the port has answered.
fn start(fixture: &Fixture, oriel: &Path, ground: &Ground, address: SocketAddr) -> anyhow::Result<(f64, f64, Memory)> {
    let log = fixture.path("start.log");
    let config = ground.config.display().to_string();
    let begin = Instant::now();
    let child = Child::program(Core::Any, oriel, &["cloud", "--config", &config], &log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(LONGEST, ask(fixture, ground, address)).await });
    let seconds = begin.elapsed().as_secs_f64();
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let answer = answer.map_err(anyhow::Error::from).and_then(|answer| answer).with_context(said)?;
    let devices = answer["usage"]["devices"].as_u64();
    ensure!(devices == Some(ground.size.devices as u64), "it has {devices:?} devices");
    Ok((seconds, child.cpu_us() / 1e6, process::memory(child.pid())))
}

/// Connects until it is let in, and asks how many devices there are.
async fn ask(fixture: &Fixture, ground: &Ground, address: SocketAddr) -> anyhow::Result<Value> {
    let tls = client_config(&validation(&fixture.path("ca.pem"))?, None)?;
    let tcp = loop {
        match TcpStream::connect(address).await {
            Ok(tcp) => break tcp,
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    };
    let mut stream = TlsConnector::from(std::sync::Arc::new(tls)).connect(address.ip().into(), tcp).await?;
    let request = format!(
        "GET /api/v1/organisation HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        ground.token
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // A close without TLS's own end is still a whole answer, if it can be read.
    let _end = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_str(body).with_context(|| body.to_owned())
}
