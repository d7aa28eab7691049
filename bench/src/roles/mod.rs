//! The processes of a benchmark. Each prints one line of JSON when it is ready, then answers each line on its standard input with one.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use tokio::sync::mpsc;

mod calls;
mod cameras;
mod clients;
mod cloud;
mod device;
mod handler;
mod line;
mod load;
mod source;
mod swarm;

/// Which process to be.
#[derive(Subcommand)]
pub(crate) enum Role {
    /// The handler behind ordinary servers: TLS and plain.
    Handler {
        /// Folder with server.pem and server.key.
        #[arg(long)]
        folder: PathBuf,
    },
    /// Cameras that know nothing of the cloud: plain HTTP/1.1, a port each.
    Cameras {
        #[arg(long, default_value_t = 1)]
        count: usize,
        /// Ask for HTTP Digest.
        #[arg(long)]
        digest: bool,
    },
    /// The cloud half.
    Cloud {
        /// Its configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// One device half with the same handler.
    Device(Dialler),
    /// Many of them.
    Swarm {
        #[command(flatten)]
        dialler: Dialler,
        /// Make every handshake a full one.
        #[arg(long)]
        no_resumption: bool,
    },
    /// Clients on a device's LAN.
    Clients,
    /// A device with a source of events.
    Source {
        /// Its configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// The load generator.
    Load {
        /// The authority that all servers are under.
        #[arg(long)]
        ca: PathBuf,
    },
}

/// What a device needs to dial.
#[derive(clap::Args)]
pub(crate) struct Dialler {
    /// The authority of the cloud.
    #[arg(long)]
    ca: PathBuf,
    /// Where the cloud, or a relay to it, listens.
    #[arg(long)]
    address: SocketAddr,
    /// Keys, one JSON line a device.
    #[arg(long)]
    members: PathBuf,
    #[arg(long, value_enum, default_value = "native")]
    form: Form,
}

/// The form of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Native,
    Websocket,
}

impl Form {
    fn scheme(self) -> &'static str {
        match self {
            Self::Native => "https",
            Self::Websocket => "wss",
        }
    }
}

impl Role {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        // As the program itself does: a device has one thread, a cloud as many as there are cores for it.
        let one = || tokio::runtime::Builder::new_current_thread().enable_all().build();
        let all = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let done = match self {
            Self::Handler { folder } => one()?.block_on(handler::run(&folder)),
            Self::Cameras { count, digest } => one()?.block_on(cameras::run(count, digest)),
            Self::Cloud { config } => all()?.block_on(cloud::run(&config)),
            Self::Device(dialler) => one()?.block_on(device::run(&dialler)),
            Self::Swarm { dialler, no_resumption } => all()?.block_on(swarm::run(&dialler, no_resumption)),
            Self::Clients => one()?.block_on(clients::run()),
            Self::Source { config } => one()?.block_on(source::run(&config)),
            Self::Load { ca } => one()?.block_on(load::run(&ca)),
        };
        if let Err(error) = &done {
            let _gone = say(&json!({ "error": format!("{error:#}") }));
        }
        done
    }
}

/// The lines of the bench, read by a thread of its own.
struct Talk(mpsc::UnboundedReceiver<String>);

impl Talk {
    fn new() -> Self {
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// The next question; none: the bench is gone.
    async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let Some(line) = self.0.recv().await else { return Ok(None) };
        Ok(Some(serde_json::from_str(&line)?))
    }
}

fn say(value: &Value) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{value}")?;
    Ok(stdout.flush()?)
}

async fn listener() -> anyhow::Result<tokio::net::TcpListener> {
    Ok(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}
