//! One device half: the same handler, served through an uplink.

use std::sync::Arc;

use anyhow::Context as _;
use oriel_trust::client_config;
use oriel_uplink::device::{Credentials, State, Uplink, UplinkConfig, seed};
use serde_json::json;

use super::{Dialler, Talk, say};
use crate::fixture::{members, validation};
use crate::payload::Handler;

pub(super) async fn run(dialler: &Dialler) -> anyhow::Result<()> {
    let validation = validation(&dialler.ca)?;
    let (id, identity) = members(&dialler.members)?.into_iter().next().context("no device")?;
    let tls = Arc::new(client_config(&validation, Some(&identity))?);
    let address = format!("{}://{}/", dialler.form.scheme(), dialler.address).parse()?;
    let config = UplinkConfig::new(address, Credentials { tls, token: None }, seed(id.as_bytes()));
    let handler = Handler::default();
    let uplink = Uplink::start(config, move |request| handler.clone().answer(request));
    let mut status = uplink.status();
    let connected = status.wait_for(|status| status.state == State::Connected || status.error.is_some()).await?.clone();
    anyhow::ensure!(connected.state == State::Connected, "{}", connected.error.unwrap_or_default());
    say(&json!({ "id": id }))?;
    Talk::new().next().await.map(drop).context("the bench")
}
