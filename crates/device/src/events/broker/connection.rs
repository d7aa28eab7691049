//! One broker, alive: dials, publishes, waits and dials again (Core §9.12; MQTT 3.1.1, its chapter 6 for WebSocket).

use super::Status;
use super::packet::{self, Connect, Heard, Qos};
use super::payload::publication;
use super::session::{Broken, KEEP_ALIVE, Session};
use crate::call_out::{Connection, Dialler, Scheme, Target};
use crate::events::{Follower, Next};
use crate::store::Secret;
use bytes::BytesMut;
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use oriel_uplink::backoff::{Backoff, Failure};
use oriel_uplink::websocket::WebSocketBytes;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// `EventBrokerProtocols`, with TLS or without, and the usual ports.
pub(crate) const SCHEMES: &[Scheme] =
    &[("mqtt", false, 1883), ("mqtts", true, 8883), ("ws", false, 80), ("wss", true, 443)];

/// The WebSocket's handshake has so long.
const UPGRADE_WITHIN: Duration = Duration::from_secs(10);
/// A broker that takes no bytes for so long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(20);
/// So many bytes go together.
const TOGETHER: usize = 32 * 1024;

/// With what a broker is connected.
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) by_uplink: bool,
    pub(super) client: String,
    pub(super) seed: u64,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) prefix: String,
    pub(super) qos: Qos,
}

/// Sets TLS up. What it takes may come later than the broker, so that it is asked before each dial until it succeeds.
pub(super) type SetUp = Box<dyn Fn() -> Result<ClientConfig, String> + Send + Sync>;

/// The life of one broker.
pub(super) struct Life {
    pub(super) plan: Plan,
    pub(super) set_up: SetUp,
    pub(super) dialler: Dialler,
    pub(super) status: watch::Sender<Status>,
}

/// Why a connection ended.
enum End {
    /// Try again.
    Lost(String),
    /// The broker does not want us: try again, seldom.
    Unwanted(String),
    /// Try again at once; a session asks for it twice at most.
    Again,
    /// The device publishes no more.
    Over,
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Refused(4 | 5) => Self::Unwanted(broken.to_string()),
            Broken::Again => Self::Again,
            broken => Self::Lost(broken.to_string()),
        }
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(format!("the connection broke: {error}"))
    }
}

impl Life {
    /// Publishes what the follower hears, until it ends.
    pub(super) async fn run(self, mut follower: Follower) {
        let begun = Instant::now();
        let mut ladder = Backoff::new(self.plan.seed);
        let mut session = Session::new(self.plan.qos);
        let (mut first, mut said, mut tls) = (true, String::new(), None);
        loop {
            self.status.send_replace(Status::Connecting);
            let mut accepted = None;
            let end = match self.dial(&mut tls).await {
                Ok(connection) => {
                    self.connected(connection, &mut session, &mut follower, begun, &mut accepted, first).await
                }
                Err(problem) => Err(End::Lost(problem)),
            };
            session.close();
            self.status.send_replace(Status::Offline);
            first &= accepted.is_none();
            ladder.stood(accepted.map(|at| at.elapsed()).unwrap_or_default());
            let (why, problem) = match end {
                Err(End::Lost(problem)) => (Failure::Transient, problem),
                Err(End::Unwanted(problem)) => (Failure::Forbidden, problem),
                Err(End::Again) => continue,
                Err(End::Over) | Ok(()) => return,
            };
            // Once for each kind of trouble.
            if accepted.is_some() || said != problem {
                tracing::warn!(broker = %self.plan.target, problem, "an event broker is not connected");
                said = problem;
            }
            sleep(ladder.next(why).wait).await;
        }
    }

    /// One connection, to its end.
    async fn connected(
        &self,
        mut connection: Connection,
        session: &mut Session,
        follower: &mut Follower,
        begun: Instant,
        accepted: &mut Option<Instant>,
        first: bool,
    ) -> Result<(), End> {
        let (mut out, mut incoming) = (BytesMut::new(), BytesMut::with_capacity(512));
        session.open(begun.elapsed(), &self.who(), &mut out);
        loop {
            let until = session.poll(begun.elapsed(), &mut out)?;
            write(&mut connection, &mut out).await?;
            tokio::select! {
                read = connection.read_buf(&mut incoming) => {
                    if read? == 0 {
                        return Err(End::Lost("the broker hung up".to_owned()));
                    }
                    while let Some(heard) = packet::take(&mut incoming).map_err(Broken::from)? {
                        let went = session.hear(begun.elapsed(), heard, &mut out);
                        if went == Err(Broken::Again) {
                            write(&mut connection, &mut out).await?;
                        }
                        went?;
                        if matches!(heard, Heard::Connack { .. }) {
                            *accepted = Some(Instant::now());
                            self.taken_in(follower, first);
                        }
                    }
                }
                next = follower.next(), if session.has_room() => {
                    let published = self.publish(next, session, &mut out);
                    let published = published.and(self.publish_waiting(follower, session, &mut out).await);
                    if matches!(published, Err(End::Over)) {
                        packet::disconnect(&mut out);
                        write(&mut connection, &mut out).await?;
                    }
                    published?;
                }
                () = sleep_until(begun + until) => {}
            }
        }
    }

    fn taken_in(&self, follower: &Follower, first: bool) {
        tracing::info!(broker = %self.plan.target, "an event broker is connected");
        self.status.send_replace(Status::Connected);
        // The first time they wait already.
        if !first {
            follower.synchronise();
        }
    }

    /// What waits already goes along.
    async fn publish_waiting(
        &self,
        follower: &mut Follower,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Result<(), End> {
        while session.has_room() && out.len() < TOGETHER {
            let next = tokio::select! {
                biased;
                next = follower.next() => next,
                () = std::future::ready(()) => return Ok(()),
            };
            self.publish(next, session, out)?;
        }
        Ok(())
    }

    fn publish(&self, next: Next, session: &mut Session, out: &mut BytesMut) -> Result<(), End> {
        match next {
            Next::Message(told) => session.publish(publication(&self.plan.prefix, &told.topic, &told.message), out),
            Next::Lost(lost) => {
                tracing::warn!(broker = %self.plan.target, lost, "an event broker was away for long, and messages had to go");
            }
            Next::Ended => return Err(End::Over),
        }
        Ok(())
    }

    fn who(&self) -> Connect<'_> {
        Connect {
            client: &self.plan.client,
            clean: true,
            keep_alive: KEEP_ALIVE,
            user: self.plan.user.as_deref(),
            password: self.plan.password.as_ref().map(Secret::reveal),
        }
    }

    async fn dial(&self, tls: &mut Option<Arc<ClientConfig>>) -> Result<Connection, String> {
        let Plan { target, by_uplink, .. } = &self.plan;
        if target.tls && tls.is_none() {
            let mut made = (self.set_up)()?;
            if target.scheme == "wss" {
                made.alpn_protocols = vec![b"http/1.1".to_vec()];
            }
            *tls = Some(Arc::new(made));
        }
        let dialled = Box::pin(self.dialler.dial(target, *by_uplink, tls.as_ref(), "the broker")).await;
        let connection = dialled.map_err(|error| error.to_string())?;
        if !target.scheme.starts_with("ws") {
            return Ok(connection);
        }
        let upgraded = timeout(UPGRADE_WITHIN, Box::pin(websocket(target, connection))).await;
        upgraded.map_err(|_| "WebSocket: the broker does not answer".to_owned())?
    }
}

async fn write(connection: &mut Connection, out: &mut BytesMut) -> Result<(), End> {
    if out.is_empty() {
        return Ok(());
    }
    let written = timeout(WRITE_WITHIN, async {
        connection.write_all(out).await?;
        connection.flush().await
    });
    written.await.map_err(|_| End::from(Broken::Silent))??;
    out.clear();
    Ok(())
}

/// MQTT in binary messages (MQTT 3.1.1 chapter 6).
async fn websocket(target: &Target, connection: Connection) -> Result<Connection, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("WebSocket: {error}");
    let address = format!("{}://{}{}", target.scheme, target.authority(), target.path);
    let mut request = address.into_client_request().map_err(|error| wrong(&error))?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mqtt"));
    let config = WebSocketBytes::<Connection>::config();
    let upgraded = client_async_with_config(request, connection, Some(config)).await;
    let (socket, _) = upgraded.map_err(|error| wrong(&error))?;
    Ok(Box::new(WebSocketBytes::over(socket)))
}
