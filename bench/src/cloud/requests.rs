//! Requests to the API: what each costs, and how long pages of long lists take.

use crate::child::{Child, Core};
use crate::fixture::Fixture;
use crate::load::{Call, Calls, Content, Load, Outcome, Proof, Target};

use super::Effort;
use super::ground::{ACTIONS, ACTORS, Ground, actor, device};
use super::postgres::Postgres;

/// Requests at once: of the API, and of pages.
pub(super) const BUSY: usize = 32;
pub(super) const PAGES: usize = 8;
/// The target's name.
const CLOUD: &str = "cloud";

/// One kind of request: medians over the rounds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    /// CPU time of the cloud and of the database's own processes for each.
    pub(super) cloud_us: f64,
    pub(super) database_us: f64,
    pub(super) per_second: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// What came of one store.
pub(super) struct Requests {
    pub(super) store: &'static str,
    pub(super) api: Vec<(&'static str, Figures)>,
    pub(super) pages: Vec<(&'static str, Figures)>,
}

/// A cloud, whoever asks it, and where its records are.
struct Scene<'a> {
    cloud: Child,
    load: Load,
    database: Option<&'a Postgres>,
}

pub(super) fn measure(fixture: &Fixture, database: Option<&Postgres>, effort: &Effort) -> anyhow::Result<Requests> {
    let (store, name) = if database.is_some() { ("PostgreSQL", "requests_postgres") } else { ("SQLite", "requests") };
    let ground = Ground::new(fixture, database, name, "127.0.0.1:0", effort.usual)?;
    let cloud = Child::role(Core::Servers, &["cloud", "--config", &ground.config.display().to_string()])?;
    let mut load = Load::start(Core::Load, &fixture.path("ca.pem"))?;
    let (address, token) = (cloud.ready("address")?, Some(ground.token.clone()));
    load.connect(&Target { name: CLOUD.to_owned(), address, prefix: String::new(), token })?;
    let mut scene = Scene { cloud, load, database };
    // Pages first: the API's measurement adds devices.
    let mut pages = Vec::new();
    for (name, calls) in pages_of(&ground) {
        pages.push((name, scene.measure(&calls, PAGES, 1, effort.seconds * 2.0)?));
    }
    let mut api = Vec::new();
    for (name, calls) in api_of(&ground) {
        api.push((name, scene.measure(&calls, BUSY, effort.rounds, effort.seconds)?));
    }
    Ok(Requests { store, api, pages })
}

impl Scene<'_> {
    fn measure(&mut self, calls: &[Call], in_flight: usize, rounds: usize, seconds: f64) -> anyhow::Result<Figures> {
        let target = CLOUD.to_owned();
        let mut calls =
            Calls { target, calls: calls.to_vec(), proof: Proof::Bearer, key: None, in_flight, seconds: seconds / 5.0 };
        self.load.calls(&calls)?;
        calls.seconds = seconds;
        let mut figures = Vec::new();
        for _ in 0..rounds {
            let database = || self.database.map_or(0.0, |database| database.server.cpu_us());
            let before = (self.cloud.cpu_us(), database());
            let Outcome { requests, seconds, p50_us, p99_us, .. } = self.load.calls(&calls)?;
            let each = |after: f64, before: f64| (after - before) / requests as f64;
            figures.push(Figures {
                cloud_us: each(self.cloud.cpu_us(), before.0),
                database_us: each(database(), before.1),
                per_second: requests as f64 / seconds,
                p50_us,
                p99_us,
            });
        }
        Ok(median(&figures))
    }
}

/// Each field by itself.
pub(super) fn median(figures: &[Figures]) -> Figures {
    let of = |field: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(field).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Figures {
        cloud_us: of(|f| f.cloud_us),
        database_us: of(|f| f.database_us),
        per_second: of(|f| f.per_second),
        p50_us: of(|f| f.p50_us),
        p99_us: of(|f| f.p99_us),
    }
}

fn get(path: impl std::fmt::Display, answer: usize) -> Call {
    Call { method: "GET".to_owned(), path: format!("/api/v1{path}"), content: Content::Nothing, status: 200, answer }
}

fn api_of(ground: &Ground) -> Vec<(&'static str, Vec<Call>)> {
    let some = |n: usize| device(n * 31 % ground.size.devices);
    let add = Call { method: "POST".to_owned(), content: Content::Device, status: 201, ..get("/devices", 100) };
    vec![
        ("GET /session", vec![get("/session", 100)]),
        ("GET /devices?limit=50", vec![get("/devices?limit=50", 50 * 100)]),
        ("GET /devices/{id}", (0..100).map(|n| get(format!("/devices/{}", some(n)), 100)).collect()),
        ("POST /devices", vec![add]),
    ]
}

/// Pages of fifty, but for the one that says otherwise. Each kind of filter asks for many things by turns, some of which are rare or nowhere.
fn pages_of(ground: &Ground) -> Vec<(&'static str, Vec<Call>)> {
    let (devices, lines) = (ground.size.devices, ground.size.audit);
    let audit = |query: &str| get(format!("/audit?{query}"), 20);
    let full = |path: String| get(path, 50 * 100);
    let found = |part: &str| get(format!("/devices?q={part}"), 20);
    let status = |status: &str| get(format!("/devices?status={status}"), 20);
    let some = |n: usize| device(n * 31 % devices);
    let by_actor = (0..ACTORS).map(|n| audit(&format!("actor={}", actor(n))));
    let pairs = (0..ACTORS).map(|n| format!("actor={}&action={}", actor(n), ACTIONS[n % ACTIONS.len()]));
    vec![
        ("devices, first", vec![full("/devices".to_owned())]),
        ("devices, first, 200 a page", vec![full("/devices?limit=200".to_owned())]),
        ("devices, in the middle", ["3", "7", "b"].map(|after| full(format!("/devices?after={after}"))).to_vec()),
        ("devices, q= of many", (10..20).map(|n| found(&format!("Building%20{n}"))).collect()),
        ("devices, q= of few", (0..10).map(|n| found(&format!("camera%20{}", devices - 1 - n))).collect()),
        ("devices, q= of none", vec![found("nowhere")]),
        ("devices, status=online", vec![status("online")]),
        ("devices, status=revoked", vec![status("revoked")]),
        ("audit, first", vec![audit("limit=50")]),
        ("audit, first, 200 a page", vec![audit("limit=200")]),
        ("audit, deep", (1..10).map(|n| audit(&format!("after={}", ground.after(lines / 10 * n)))).collect()),
        ("audit, actor=", by_actor.collect()),
        ("audit, action=", ACTIONS.map(|action| audit(&format!("action={action}"))).to_vec()),
        ("audit, target=", (0..100).map(|n| audit(&format!("target={}", some(n)))).collect()),
        ("audit, actor= and action=", pairs.clone().map(|pair| audit(&pair)).collect()),
        ("audit, all three", pairs.zip(0..).map(|(pair, n)| audit(&format!("{pair}&target={}", some(n)))).collect()),
        ("audit, nobody's", vec![audit("actor=nobody"), audit("action=device.add&actor=nobody")]),
        (
            "audit, actor= and deep",
            (0..ACTORS).map(|n| audit(&format!("actor={}&after={}", actor(n), ground.after(lines / 10 * 9)))).collect(),
        ),
    ]
}
