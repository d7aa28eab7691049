//! The program `oriel`: command line and configuration, nothing else.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;
mod exit;
mod log;
mod output;
mod target;
#[cfg(feature = "traces")]
mod traces;

/// ONVIF cloud connectivity: see and run cameras that stand behind a firewall.
#[derive(Parser)]
#[command(name = "oriel", version, max_term_width = 110)]
struct Arguments {
    /// Print one line of JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    logging: log::Logging,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a cloud with a camera behind it, in one process, on loopback.
    #[cfg(all(feature = "device", feature = "cloud"))]
    Demo(commands::demo::Demo),
    /// Run the cloud half.
    #[cfg(feature = "cloud")]
    Cloud(commands::cloud::Cloud),
    /// Run the device half.
    #[cfg(feature = "device")]
    Device(commands::device::Device),
    /// Show, set or delete a device's uplinks.
    Uplink(commands::uplink::Uplink),
    /// Call any operation of a device, directly or through a cloud.
    Call(commands::call::Call),
    /// Find the cameras on the networks of this machine.
    Discover(commands::discover::Discover),
    /// Say what is right and wrong with a camera, a cloud, or a device behind one, and what to do next.
    Doctor(commands::doctor::Doctor),
    /// Bring a camera on the LAN to a cloud.
    Enroll(commands::enroll::Enroll),
    /// Open a local port that leads to a device behind a cloud.
    Forward(commands::forward::Forward),
    /// Show what a device behind a cloud is asked and answers, as it happens.
    Trace(commands::trace::Trace),
    Events(commands::events::Events),
    /// Run many devices against a cloud, for load.
    #[cfg(feature = "device")]
    Swarm(commands::swarm::Swarm),
    /// Check configuration files.
    Config(commands::config::Config),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// How traces call the program.
    fn service(&self) -> &'static str {
        match self {
            #[cfg(feature = "cloud")]
            Self::Cloud(_) => "oriel-cloud",
            #[cfg(feature = "device")]
            Self::Device(_) => "oriel-device",
            _ => "oriel",
        }
    }
}

fn main() -> ExitCode {
    #[cfg_attr(not(feature = "cloud"), expect(unused_mut, reason = "only a cloud's configuration names a collector"))]
    let mut arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // What was asked for is not known yet, except for how to say it.
        Err(error) if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") => {
            let text = error.to_string();
            return exit::report(&exit::BadUsage::error(text.trim_start_matches("error: ").trim_end()), true);
        }
        Err(error) => error.exit(),
    };
    // The cloud's configuration may name a collector; what is wrong with it is said when it is read for use.
    #[cfg(feature = "cloud")]
    if let (None, Command::Cloud(cloud)) = (&arguments.logging.traces, &arguments.command) {
        arguments.logging.traces = cloud.config().ok().and_then(|config| config.traces.endpoint);
    }
    let log = match arguments.logging.start(arguments.command.service()) {
        Ok(log) => log,
        Err(error) => return exit::report(&exit::BadUsage::error(error), arguments.json),
    };
    let code = match run(arguments.command, output::Output { json: arguments.json }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, arguments.json),
    };
    log.end();
    code
}

fn run(command: Command, output: output::Output) -> anyhow::Result<()> {
    match command {
        #[cfg(all(feature = "device", feature = "cloud"))]
        Command::Demo(demo) => commands::block_on(commands::Threads::All, demo.run(output)),
        #[cfg(feature = "cloud")]
        Command::Cloud(cloud) => commands::block_on(commands::Threads::All, cloud.run(output)),
        #[cfg(feature = "device")]
        Command::Device(device) => commands::block_on(commands::Threads::One, device.run(output)),
        Command::Uplink(uplink) => commands::block_on(commands::Threads::One, uplink.run(output)),
        Command::Call(call) => commands::block_on(commands::Threads::One, call.run(output)),
        Command::Discover(discover) => commands::block_on(commands::Threads::One, discover.run(output)),
        Command::Doctor(doctor) => commands::block_on(commands::Threads::One, doctor.run(output)),
        Command::Enroll(enroll) => commands::block_on(commands::Threads::One, enroll.run(output)),
        Command::Forward(forward) => commands::block_on(commands::Threads::One, forward.run(output)),
        Command::Trace(trace) => commands::block_on(commands::Threads::One, trace.run(output)),
        Command::Events(events) => commands::block_on(commands::Threads::One, events.run(output)),
        #[cfg(feature = "device")]
        Command::Swarm(swarm) => commands::block_on(commands::Threads::All, swarm.run(output)),
        Command::Config(config) => config.run(output),
        Command::Completions { shell } => {
            use clap::CommandFactory as _;
            clap_complete::generate(shell, &mut Arguments::command(), "oriel", &mut std::io::stdout());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
