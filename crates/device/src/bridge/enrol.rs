//! A bridged camera comes to a cloud by itself: the steps of `oriel enroll`, asked of its virtual device within this process.

use super::camera::BridgedCamera;
use crate::config::BridgeCloud;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use oriel_client::api::Api;
use oriel_client::provision::{Note, Plan, Provision, Start};
use oriel_client::{Answer, Auth, CallError, Client, Transport, TransportError};
use oriel_onvif::uplink::DeleteUplink;
use oriel_soap::With as _;
use oriel_trust::client_config;
use oriel_uplink::device::BoxFuture;
use oriel_uplink::{Body, body};
use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(60);
/// How long all of it may take.
const ALL: Duration = Duration::from_secs(300);
/// How long the uplink may take to connect.
const CONNECT: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const LONGEST: usize = 1024 * 1024;

/// A client of a bridged camera, within this process and with an administrator's rights.
pub(super) fn client(camera: &BridgedCamera) -> Client {
    Client::over(std::sync::Arc::new(Inside(camera.own_service())), "/onvif/device_service".to_owned(), Auth::None)
}

/// The way of the client's requests.
struct Inside<S>(S);

impl<S> Transport for Inside<S>
where
    S: Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync,
{
    fn send(&self, mut request: Request<Bytes>) -> Answer<'_> {
        request.headers_mut().entry(http::header::HOST).or_insert(HeaderValue::from_static("bridge.invalid"));
        let answered = (self.0)(request.map(body::full));
        Box::pin(async move {
            let whole = async {
                let (head, body) = answered.await.into_parts();
                // Boxed, or the compiler loses sight of what may be sent to another thread.
                let collecting: BoxFuture<'static, _> = Box::pin(Limited::new(body, LONGEST).collect());
                let body = collecting.await.map_err(TransportError::Body)?;
                Ok(Response::from_parts(head, body.to_bytes()))
            };
            tokio::time::timeout(CALL, whole).await.map_err(|_| TransportError::Timeout("HTTP"))?
        })
    }
}

/// What is remembered of a cloud and a code: enough to know them again, and nothing to use.
pub(super) fn mark(cloud: &BridgeCloud) -> String {
    let text = format!("{} {}", cloud.url, cloud.code.reveal());
    digest(&SHA256, text.as_bytes()).as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How far a camera has come, over several tries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The cloud may have let its key in: that key is tried again, since another one would be another device and another use of the code.
    is_asked: bool,
    /// The cloud's id of it, where it was told.
    pub(super) device: String,
    /// The uplink that was set, and is left to connect.
    pub(super) uplink: Option<String>,
}

/// Brings the camera to the cloud, under this name if the cloud asks for one.
///
/// # Errors
/// What failed, for people; the virtual device is as it was then, or as far as `progress` says.
pub(super) async fn enrol(
    camera: &BridgedCamera,
    cloud: &BridgeCloud,
    name: &str,
    progress: &mut Progress,
) -> Result<(), String> {
    let work = Box::pin(enrolled(camera, cloud, name, progress));
    tokio::time::timeout(ALL, work).await.map_err(|_| "it took too long".to_owned())?
}

/// Removes an uplink to a cloud that is not wanted any more, and that the camera never reached.
pub(super) async fn take_back(client: &Client, uplink: &str) {
    let delete = DeleteUplink::with(|delete| delete.remote_address = uplink.to_owned());
    if let Err(error) = client.call(delete).await {
        tracing::warn!(uplink, %error, "an uplink that never connected is left");
    }
}

async fn enrolled(
    camera: &BridgedCamera,
    cloud: &BridgeCloud,
    name: &str,
    progress: &mut Progress,
) -> Result<(), String> {
    let tls = client_config(&cloud.believe.validation(), None).map_err(|error| told(&error))?;
    let api = Api::new(&cloud.url, tls, None).map_err(|error| told(&error))?;
    let client = client(camera);
    let levels = cloud.levels.iter().map(|level| level.name().to_owned()).collect();
    let camera = name.to_owned();
    let watcher = Box::new(move |note: Note| tracing::debug!(camera, step = note.step, text = note.text, "enrolment"));
    let plan = Plan::new(cloud.url.clone(), levels, false);
    let (mut provision, start) = Provision::begin(&client, plan, watcher).await.map_err(|error| told(&error))?;
    match work(&mut provision, start, &api, cloud, name, progress).await {
        Ok(()) => provision.finish().await.map_err(|error| told(&error)),
        // The next try goes on with the key, or waits for the uplink, and removes the rest.
        Err(error) if progress.is_asked || progress.uplink.is_some() => Err(error),
        Err(error) => {
            // What is left is removed by the next try.
            let _left = provision.undo().await;
            Err(error)
        }
    }
}

async fn work(
    provision: &mut Provision<'_>,
    start: Start,
    api: &Api,
    cloud: &BridgeCloud,
    name: &str,
    progress: &mut Progress,
) -> Result<(), String> {
    if start == Start::Fresh {
        progress.uplink = None;
        let request = provision.request().await.map_err(|error| told(&error))?;
        // From here on the cloud may know the key, whether we hear of it or not.
        progress.is_asked = true;
        let enrolled = api.enrol(cloud.code.reveal(), &request, Some(name)).await;
        let enrolled = enrolled.map_err(|error| {
            progress.is_asked = !is_final(&error);
            format!("the cloud does not enrol it: {}", told(&error))
        })?;
        progress.device = enrolled.device;
        provision.install(&enrolled.issued).await.map_err(|error| told(&error))?;
    }
    progress.uplink = Some(provision.address().to_owned());
    provision.connected(CONNECT).await.map_err(|error| told(&error))
}

/// Whether the cloud says that it does not let this key in, by this code, now or later.
fn is_final(error: &CallError) -> bool {
    let CallError::Status { status, .. } = error else { return false };
    status.is_client_error() && !matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// An error with its causes.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            let _infallible = write!(text, ": {said}");
        }
        cause = next.source();
    }
    text
}
