//! A tunnel over a path with a round trip of 50 ms: how much goes through, in one stream and in sixteen, in both directions.

use std::time::Duration;

use crate::child::Core;
use crate::fixture::Fixture;
use crate::load::{Kind, Load, Target, Work};
use crate::relay::Relay;
use crate::systems::{connect_device, start_cloud};

/// One way of the path.
const DELAY: Duration = Duration::from_millis(25);
/// Windows grow and TLS and TCP warm up in this time.
const RAMP: f64 = 1.5;

/// Figures of the far device.
#[derive(Debug, Default)]
pub(crate) struct Distance {
    /// Direction, streams, MB/s.
    pub(crate) flows: Vec<(&'static str, usize, f64)>,
    /// A SOAP answer of 1 MiB, alone: p50 in ms.
    pub(crate) answer_ms: f64,
    /// A SOAP answer of 1 KiB, alone: p50 in ms.
    pub(crate) small_ms: f64,
}

pub(crate) fn measure(fixture: &Fixture, seconds: f64) -> anyhow::Result<Distance> {
    let ground = fixture.cloud("far", 1)?;
    let cloud = start_cloud(Core::Any, &ground)?;
    let address = cloud.ready("address")?;
    let relay = Relay::start(address.parse()?, DELAY)?;
    let device = connect_device(Core::Any, fixture, &ground, &relay.address().to_string())?;
    let mut load = Load::start(Core::Any, &fixture.path("ca.pem"))?;
    let prefix = format!("/d/{}", device.ready("id")?);
    for (name, token) in [("administrator", ground.administrator.clone()), ("user", ground.user.clone())] {
        let (address, prefix) = (address.clone(), prefix.clone());
        load.connect(&Target { name: name.to_owned(), address, prefix, token: Some(token) })?;
    }
    let mut distance = Distance::default();
    // SOAP first: windows that media raised would stay raised for a while.
    let mut soap = |answer, in_flight| {
        let target = "user".to_owned();
        load.work(&Work { target, kind: Kind::Soap, sent: 1024, answer, in_flight, ramp: 0.5, seconds })
    };
    distance.small_ms = soap(1024, 1)?.p50_us / 1e3;
    distance.answer_ms = soap(1024 * 1024, 1)?.p50_us / 1e3;
    for (direction, kind) in [("down", Kind::Down), ("up", Kind::Up)] {
        for in_flight in [1, 16] {
            let target = "administrator".to_owned();
            let work = Work { target, kind, sent: 0, answer: 0, in_flight, ramp: RAMP, seconds };
            let outcome = load.work(&work)?;
            distance.flows.push((direction, in_flight, outcome.bytes as f64 / outcome.seconds / 1e6));
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    Ok(distance)
}

impl Distance {
    pub(crate) fn of(&self, direction: &str, streams: usize) -> Option<f64> {
        self.flows.iter().find(|flow| flow.0 == direction && flow.1 == streams).map(|flow| flow.2)
    }
}
