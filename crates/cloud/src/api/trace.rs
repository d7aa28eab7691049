//! What a device is asked and what it answers, as server-sent events, for whoever has to find a fault.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::StatusCode;
use oriel_client::trace::{Event, Listener, What};

use super::devices::seen;
use super::events::{HEARTBEAT, streamed};
use super::input::{Caller, Named};
use crate::Shared;
use crate::records::DeviceId;
use crate::refusal::Refusal;

/// Devices of one organisation that are listened to at once.
const DEVICES: usize = 8;

struct Stream {
    shared: Arc<Shared>,
    caller: Caller,
    device: DeviceId,
    listener: Listener,
    changes: tokio::sync::watch::Receiver<()>,
    /// What is said before anything happened: how the device is now.
    opening: Option<What>,
}

/// Streams what a device is asked and answers from now on, and what becomes of its tunnels; secrets are left out, and bodies that are no SOAP. The audit log
/// tells who listened.
#[utoipa::path(get, path = "/devices/{id}/trace", tag = "devices", operation_id = "traceDevice", params(("id" = String, Path)), responses(
    (status = 200, description = "Server-sent events; `kind` in the data of each tells what it is.", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn listen(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Refusal> {
    let device = DeviceId::clone(&seen(&caller, &id, &shared)?.id);
    let full = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many listen already");
    let theirs = shared.taps.devices();
    let theirs = theirs.iter().filter(|other| **other != device && caller.scope(&shared).device(other).is_some());
    if theirs.count() >= DEVICES {
        return Err(full());
    }
    let listener = shared.taps.listen(&device).ok_or_else(full)?;
    caller.scope(&shared).note(&caller.actor(), "device.trace", &device, "").await?;
    let opening = shared.tunnels_of(&device);
    let changes = shared.records.changes();
    let news = changes.clone();
    let stream = Stream { shared, caller, device, listener, changes, opening };
    Ok(streamed(stream::unfold(stream, |mut stream| async move { Some((stream.next().await?, stream)) }), news))
}

impl Stream {
    /// What is said next; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if let Some(what) = self.opening.take() {
            return self.told(&Event { at: self.shared.records.clock().now(), what });
        }
        loop {
            tokio::select! {
                biased;
                () = self.shared.draining.cancelled() => return None,
                changed = self.changes.changed() => {
                    changed.ok()?;
                    if !self.stands() {
                        return None;
                    }
                }
                event = self.listener.event() => return self.told(&event?),
                // Some rights end by the clock alone.
                () = tokio::time::sleep(HEARTBEAT) => return self.stands().then(|| ": here\n\n".to_owned()),
            }
        }
    }

    fn told(&self, event: &Event) -> Option<String> {
        self.stands().then(|| format!("event: trace\ndata: {}\n\n", serde_json::to_string(event).unwrap_or_default()))
    }

    /// Whether the caller may still listen, and there is something to listen to.
    fn stands(&self) -> bool {
        self.shared.records.stands(&self.caller.principal) && seen(&self.caller, &self.device, &self.shared).is_ok()
    }
}
