//! The ways to the handler that are compared. Each is started once and measured in turns with the others.

use std::path::Path;

use crate::child::{Child, Core};
use crate::fixture::Fixture;
use crate::load::{Load, Target};

mod oriel;
mod proxies;
mod tunnels;

pub(crate) use oriel::{connect_device, start_cloud};
pub(crate) use proxies::start_nginx;

/// Names, in the order of the table.
pub(crate) const NAMES: [&str; 8] =
    ["direct", "oriel", "haproxy", "nginx", "rathole", "ssh", "rathole, TLS through", "ssh, TLS through"];

/// One way to the handler, running.
pub(crate) struct System {
    pub(crate) name: &'static str,
    /// Every process on the way but the load generator.
    pub(crate) children: Vec<Shared>,
}

/// A process that several systems may stand on.
pub(crate) type Shared = std::rc::Rc<Child>;

impl System {
    /// CPU time of each process on the way, µs.
    pub(crate) fn cpu_us(&self) -> Vec<f64> {
        self.children.iter().map(|child| child.cpu_us()).collect()
    }
}

/// What became of a name.
pub(crate) enum Started {
    Running(System),
    /// Why not.
    Absent(&'static str, String),
}

/// Where the handler listens.
pub(crate) struct Ends {
    tls: String,
    plain: String,
    handler: Shared,
}

/// Starts those of [`NAMES`] that `wanted` admits and this machine has, and connects the load generator to each.
pub(crate) fn start(
    fixture: &Fixture,
    tools: &Path,
    load: &mut Load,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Started>> {
    let handler = Child::role(Core::Servers, &["handler", "--folder", &fixture.text("")])?;
    let ends = Ends { tls: handler.ready("tls")?, plain: handler.ready("plain")?, handler: handler.into() };
    let mut started = Vec::new();
    for name in NAMES.into_iter().filter(|name| wanted(name)) {
        let begun = match name {
            "direct" => Ok((ends.tls.clone(), vec![ends.handler.clone()])),
            "oriel" => {
                let (system, target) = oriel::start(fixture)?;
                load.connect(&target)?;
                started.push(Started::Running(system));
                continue;
            }
            "haproxy" => proxies::haproxy(fixture, &ends),
            "nginx" => proxies::nginx(fixture, &ends),
            _ => tunnels::start(name, fixture, tools, &ends),
        };
        started.push(match begun {
            Ok((address, children)) => {
                let target = Target { name: name.to_owned(), address, prefix: String::new(), token: None };
                load.connect(&target)?;
                Started::Running(System { name, children })
            }
            Err(error) => Started::Absent(name, format!("{error:#}")),
        });
    }
    Ok(started)
}
