//! Benchmarks: `oriel-bench uplink` measures the tunnel of Uplink chapter 5 against other ways to the same handler, in one run; `oriel-bench cloud` the API,
//! access keys and the start, with many records; `oriel-bench bridge` the bridge before cameras that know nothing of the cloud; `oriel-bench device` a device
//! on its LAN.
//!
//! The bench process starts everything as children, of itself (`oriel-bench role …`) or of other programs, pins them, asks them line by line, and reads
//! their CPU time and memory from `/proc`.

mod bridge;
mod child;
mod cloud;
mod device;
mod fixture;
mod load;
mod page;
mod parts;
mod payload;
mod process;
mod relay;
mod roles;
mod run;
mod systems;
mod table;

use clap::{Parser, Subcommand};

/// Benchmarks of Oriel.
#[derive(Parser)]
#[command(name = "oriel-bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The uplink: speed, latency, distance, memory, and ten thousand devices that return at once.
    Uplink(run::Options),
    /// The cloud: requests to the API, access keys, pages of long lists, and the start with a hundred thousand devices.
    Cloud(cloud::Options),
    /// The bridge: CPU time of a forwarded request beside nginx as a plain proxy, memory of idle cameras, and what a camera that hangs does to the others.
    Bridge(bridge::Options),
    /// The device: questions on the LAN beside nginx, events to 64 pull points, memory.
    Device(device::Options),
    /// A part of a benchmark, as a process of its own. The bench starts these.
    #[command(hide = true)]
    Role {
        #[command(subcommand)]
        role: roles::Role,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Uplink(options) => run::run(&options),
        Command::Cloud(options) => cloud::run(&options),
        Command::Bridge(options) => bridge::run(&options),
        Command::Device(options) => device::run(&options),
        Command::Role { role } => role.run(),
    }
}
