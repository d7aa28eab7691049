//! Ours: the cloud half and a device half with the handler, asked by a caller who is no administrator.

use crate::child::{Child, Core};
use crate::fixture::{Fixture, Ground};
use crate::load::Target;

use super::System;

pub(super) fn start(fixture: &Fixture) -> anyhow::Result<(System, Target)> {
    let ground = fixture.cloud("cloud", 1)?;
    let cloud = start_cloud(Core::Servers, &ground)?;
    let address = cloud.ready("address")?;
    let device = connect_device(Core::Servers, fixture, &ground, &address)?;
    let target = Target {
        name: "oriel".to_owned(),
        address,
        prefix: format!("/d/{}", device.ready("id")?),
        token: Some(ground.user),
    };
    Ok((System { name: "oriel", children: vec![cloud.into(), device.into()] }, target))
}

/// A cloud on prepared ground.
pub(crate) fn start_cloud(core: Core, ground: &Ground) -> anyhow::Result<Child> {
    Child::role(core, &["cloud", "--config", &ground.config.display().to_string()])
}

/// The ground's first device, dialling `address`.
pub(crate) fn connect_device(core: Core, fixture: &Fixture, ground: &Ground, address: &str) -> anyhow::Result<Child> {
    let (ca, members) = (fixture.text("ca.pem"), ground.members.display().to_string());
    Child::role(core, &["device", "--ca", &ca, "--address", address, "--members", &members])
}
