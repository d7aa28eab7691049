//! A SOAP request through the gateway, by what the client shows: an access key in three ways against a token.

use anyhow::Context as _;
use oriel_cloud::records::{Actor, Role};
use oriel_cloud::{Clock, Records};

use crate::child::Core;
use crate::fixture::Fixture;
use crate::load::{Call, Calls, Content, Load, Outcome, Proof, Target};
use crate::payload::path;
use crate::systems::{connect_device, start_cloud};

use super::Effort;
use super::requests::{BUSY, Figures, median};

/// In the order of the table; the first one is what the others are compared with.
pub(super) const PROOFS: [(&str, Proof); 4] = [
    ("bearer token", Proof::Bearer),
    ("Digest, challenge kept", Proof::DigestKept),
    ("Digest, a challenge each time", Proof::DigestFresh),
    ("UsernameToken", Proof::UsernameToken),
];

const KIB: usize = 1024;

/// By proof, in the order of [`PROOFS`].
pub(super) type Keys = Vec<Figures>;

pub(super) fn measure(fixture: &Fixture, effort: &Effort) -> anyhow::Result<Keys> {
    let ground = fixture.cloud("keys", 1)?;
    let id = ground.ids.first().context("a device")?.clone();
    let key = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(add_key(fixture, &id))?;
    let cloud = start_cloud(Core::Servers, &ground)?;
    let address = cloud.ready("address")?;
    let _device = connect_device(Core::Servers, fixture, &ground, &address)?;
    let mut load = Load::start(Core::Load, &fixture.path("ca.pem"))?;
    let target = "cloud".to_owned();
    load.connect(&Target { name: target.clone(), address, prefix: String::new(), token: Some(ground.user) })?;
    // What a token leaves in an envelope, once it is taken out, is shorter than what was sent.
    let path = format!("/d/{id}{}", path(KIB as u64, KIB / 5));
    let call = Call { method: "POST".to_owned(), path, content: Content::Soap(KIB), status: 200, answer: KIB };
    let mut rounds = vec![Vec::new(); PROOFS.len()];
    for _ in 0..effort.rounds {
        for ((_, proof), figures) in PROOFS.into_iter().zip(&mut rounds) {
            let (target, calls) = (target.clone(), vec![call.clone()]);
            let mut calls = Calls { target, calls, proof, key: Some(key.clone()), in_flight: BUSY, seconds: 0.2 };
            load.calls(&calls)?;
            calls.seconds = effort.seconds;
            let before = cloud.cpu_us();
            let Outcome { requests, seconds, p50_us, p99_us, .. } = load.calls(&calls)?;
            let requests = requests as f64;
            let cloud_us = (cloud.cpu_us() - before) / requests;
            figures.push(Figures { cloud_us, database_us: 0.0, per_second: requests / seconds, p50_us, p99_us });
        }
    }
    Ok(rounds.iter().map(|figures| median(figures)).collect())
}

/// A viewer's access key: user name and password.
async fn add_key(fixture: &Fixture, device: &str) -> anyhow::Result<(String, String)> {
    let (records, actor) = (Records::open(&fixture.path("keys"), None, Clock::default()).await?, Actor::system());
    let organisation = records.first_organisation().context("the store has an organisation")?;
    let scope = records.within(&organisation);
    let (user, _) = scope.add_user(&actor, "somebody@example.org", "Somebody", Role::Viewer).await?;
    let (key, password) = scope.add_access_key(&actor, &user.id, device, "bench", Role::Viewer, None).await?;
    let key = (key.id.to_string(), password.expose().to_owned());
    records.close().await;
    Ok(key)
}
