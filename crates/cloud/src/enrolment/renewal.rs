//! Renewal of device certificates over the uplink, by ONVIF calls (Security §5.2, Uplink §6.3): a new key on the camera, its certificate, SetUplink through the
//! uplink itself. Both keys are good until the camera has come back with the new one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use oriel_client::provision::{Issued, Note, Plan, Provision};
use oriel_client::{Answer, Auth, Client, Transport, TransportError};
use oriel_onvif::security::GetCertificate;
use oriel_onvif::uplink::GetUplinks;
use oriel_soap::With as _;
use oriel_trust::{Fingerprint, certificates};
use oriel_uplink::body;
use oriel_uplink::cloud::{Class, CloseReason};
use rustls_pki_types::CertificateDer;

use super::{LIFE, anchors, check, der_of, issuer, named, sign, unix_millis};
use crate::Shared;
use crate::clock;
use crate::records::{Actor, CredentialKind, Device, DeviceId, Id, Issue, Origin, StoredCredential};
use crate::refusal::Refusal;

/// How often the certificates' ages are looked at.
const LOOK: Duration = Duration::from_secs(3600);
/// Renewals at once.
const AT_ONCE: usize = 8;
/// How long one call of a renewal may take.
const CALL: Duration = Duration::from_secs(60);
/// How long a camera may take to come back with its new key.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one renewal may take, however many calls the camera makes of it.
const RENEWAL: Duration = Duration::from_secs(600);
/// Uplinks of a camera that are looked at.
const UPLINKS: usize = 16;
/// Issued keys that a device may have; those that it does not show go first.
const ISSUED: usize = 4;
/// The longest answer that is read.
const LONGEST: usize = 1024 * 1024;
/// How the names of what `oriel enroll` makes on a camera begin, and the name of what is made here on a camera that it did not enrol.
const ALIAS: &str = "oriel-";

/// Devices whose renewal is at work.
#[derive(Debug, Default)]
pub(crate) struct Renewals(Mutex<HashSet<DeviceId>>);

/// A place among the renewals, given back when dropped.
struct Place<'r>(&'r Renewals, DeviceId);

impl Renewals {
    fn take(&self, device: &DeviceId) -> Option<Place<'_>> {
        let free = self.0.lock().expect("no holder panics").insert(Arc::clone(device));
        free.then(|| Place(self, Arc::clone(device)))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.lock().expect("no holder panics").remove(&self.1);
    }
}

/// Renews what is due, until the cloud ends.
pub(crate) async fn keep_fresh(shared: Arc<Shared>) {
    loop {
        let draining = shared.draining.clone();
        if draining.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
        due(&shared).await;
    }
}

/// Renews now what is due and connected.
pub(crate) async fn due(shared: &Arc<Shared>) {
    let now = shared.records.clock().now();
    let anchors = anchors(shared).and_then(|text| der_of(&text)).ok().map(|anchors| named(&anchors));
    let is_due = |held: &StoredCredential| is_due(held, now, anchors.as_ref());
    let organisations = shared.records.organisation_ids();
    let devices = organisations.iter().flat_map(|organisation| {
        let scope = shared.records.within(organisation);
        scope.devices(None, usize::MAX, |device| !device.revoked && issued(device).any(is_due))
    });
    // What it shows counts, and not what it was given once and may have lost.
    let shows_due = |device: &Arc<Device>| {
        let shown = shared.registry.presence(&device.id).tunnels;
        issued(device).any(|held| is_due(held) && shown.iter().any(|tunnel| tunnel.credential == held.kind))
    };
    let renewed = futures_util::stream::iter(devices.filter(shows_due).collect::<Vec<_>>()).map(|device| {
        let shared = Arc::clone(shared);
        async move {
            if let Err(refusal) = renew(&device, &Actor::system(), &shared).await {
                tracing::warn!(device = %device.id, reason = refusal.detail, "the certificate was not renewed");
            }
        }
    });
    renewed.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// The keys that our authority signed for.
fn issued(device: &Device) -> impl Iterator<Item = &StoredCredential> {
    device.credentials.iter().filter(|credential| credential.origin == Origin::Issued)
}

/// Whether two thirds of its life are over, or its device has to believe others now than it was told then.
fn is_due(credential: &StoredCredential, now: u64, anchors: Option<&Id>) -> bool {
    let moved = anchors.is_some() && credential.anchors.as_ref() != anchors;
    moved || credential.expires.is_some_and(|end| now >= end.saturating_sub(clock::millis(LIFE / 3)))
}

/// Renews the certificate of a connected device. Returns when it is connected with its new key; the old one is taken from it then.
///
/// # Errors
/// What the camera or the records refused; then the camera is as it was, and both keys that it may have are good.
pub(crate) async fn renew(device: &Device, actor: &Actor, shared: &Arc<Shared>) -> Result<(), Refusal> {
    let late = |_| Refusal::new(StatusCode::GATEWAY_TIMEOUT, "the camera took too long over its renewal");
    tokio::time::timeout(RENEWAL, Box::pin(renewed(device, actor, shared))).await.map_err(late)?
}

async fn renewed(device: &Device, actor: &Actor, shared: &Arc<Shared>) -> Result<(), Refusal> {
    let busy = || Refusal::new(StatusCode::CONFLICT, "the certificate of this device is being renewed already");
    let _place = shared.renewals.take(&device.id).ok_or_else(busy)?;
    let scope = shared.records.within(&device.organisation);
    let client = client(device, shared);
    let plan = plan(&client, device).await?;
    let address = plan.cloud.to_string();
    let id = Arc::clone(&device.id);
    let watcher =
        Box::new(move |note: Note| tracing::info!(device = %id, step = note.step, text = note.text, "renewal"));
    let (mut provision, _) = Provision::begin(&client, plan, watcher).await.map_err(failed)?;
    let (issued_now, new) = match grant(&mut provision, &address, device, actor, shared).await {
        Ok(granted) => granted,
        Err(refusal) => return Err(undone(provision, device, refusal).await),
    };
    if let Err(error) = install(&mut provision, &issued_now).await {
        let refusal = undone(provision, device, failed(error)).await;
        // The camera has it no more; left here, it would count as a key of the device for a year.
        scope.remove_credential(actor, &device.id, |held| held.kind == new).await?;
        return Err(refusal);
    }
    arrived(device, &new, shared).await?;
    provision.settle().await.map_err(failed)?;
    let used = keys_in_use(&client).await?;
    for old in issued(device)
        .filter(|held| held.kind != new && !used.iter().any(|(key, _)| held.kind == CredentialKind::Key(*key)))
    {
        scope.remove_credential(actor, &device.id, |held| held.kind == old.kind).await?;
        shared.registry.cut(&device.id, |shown| *shown == old.kind, &CloseReason::Revoked);
    }
    shared.announce(&device.id);
    scope.note(actor, "device.renew", &device.id, "").await?;
    Ok(())
}

/// Leaves the camera as it was, as far as it lets us.
async fn undone(provision: Provision<'_>, device: &Device, refusal: Refusal) -> Refusal {
    if let Err(left) = provision.undo().await {
        tracing::warn!(device = %device.id, %left, "something is left on the camera; the next renewal removes it");
    }
    refusal
}

/// What the camera refused, in the words of the API.
#[allow(clippy::needless_pass_by_value)] // It stands in `map_err`.
fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, format!("the camera: {error}"))
}

async fn install(
    provision: &mut Provision<'_>,
    issued: &Issued,
) -> Result<(), oriel_client::provision::ProvisionError> {
    provision.install(issued).await?;
    provision.connected(PATIENCE).await
}

/// A new key on the camera and its certificate here; the key is let in from now on.
async fn grant(
    provision: &mut Provision<'_>,
    address: &str,
    device: &Device,
    actor: &Actor,
    shared: &Arc<Shared>,
) -> Result<(Issued, CredentialKind), Refusal> {
    let request = provision.request().await.map_err(failed)?;
    let requested = check(&request)?;
    let scope = shared.records.within(&device.organisation);
    let issuer = issuer(&scope, shared).await?;
    let end = shared.records.clock().time() + LIFE;
    let certificate = sign(&issuer, &requested, device, end)?;
    make_room(device, actor, shared).await?;
    let anchors = der_of(&anchors(shared)?)?;
    let issue = Issue { expires: unix_millis(end), anchors: named(&anchors) };
    scope.add_key(actor, &device.id, requested.fingerprint(), Some(issue)).await?;
    let certificate = certificates(certificate.as_bytes())
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("our own certificate: {error}")))?;
    let remote_address = address.to_owned();
    let issued = Issued { certificate: certificate[0].to_vec(), anchors, remote_address };
    Ok((issued, CredentialKind::Key(requested.fingerprint())))
}

/// Takes from a device the issued keys that it does not show, when it has too many.
async fn make_room(device: &Device, actor: &Actor, shared: &Arc<Shared>) -> Result<(), Refusal> {
    if issued(device).count() < ISSUED {
        return Ok(());
    }
    let shown = shared.registry.presence(&device.id).tunnels;
    let scope = shared.records.within(&device.organisation);
    for lost in issued(device).filter(|held| shown.iter().all(|tunnel| tunnel.credential != held.kind)) {
        scope.remove_credential(actor, &device.id, |held| held.kind == lost.kind).await?;
    }
    Ok(())
}

/// What is renewed: the uplink whose key ends first of those that we signed for.
async fn plan(client: &Client, device: &Device) -> Result<Plan, Refusal> {
    let used = keys_in_use(client).await?;
    let ours = |key: &Fingerprint| issued(device).find(|held| held.kind == CredentialKind::Key(*key));
    let first = used
        .into_iter()
        .filter(|(key, _)| ours(key).is_some())
        .min_by_key(|(key, _)| ours(key).map(|held| held.expires));
    let nothing =
        || Refusal::new(StatusCode::BAD_GATEWAY, "the camera: none of its uplinks uses a certificate of ours");
    first.map(|(_, plan)| plan).ok_or_else(nothing)
}

/// The keys that the camera's uplinks use, each with the plan of its renewal.
async fn keys_in_use(client: &Client) -> Result<Vec<(Fingerprint, Plan)>, Refusal> {
    let uplinks = client.call(GetUplinks::default()).await.map_err(failed)?.configuration;
    let mut used = Vec::new();
    for uplink in uplinks.into_iter().take(UPLINKS) {
        let Some(id) = &uplink.certificate_id else { continue };
        let asked = GetCertificate::with(|asked| asked.certificate_id.clone_from(id));
        let Ok(found) = client.call(asked).await else { continue };
        let der = CertificateDer::from(found.certificate.certificate_content.to_vec());
        if let (Ok(key), Ok(cloud)) = (Fingerprint::of(&der), uplink.remote_address.parse()) {
            let levels = uplink.user_level.iter().cloned().collect();
            // Under the name of what is replaced, which is swept away with it in the end.
            let alias = found.certificate.alias.filter(|alias| alias.starts_with(ALIAS));
            let alias = alias.unwrap_or_else(|| format!("{ALIAS}renewed"));
            used.push((key, Plan { alias, cloud, levels, replace: true }));
        }
    }
    Ok(used)
}

/// Waits until the camera shows its new key.
async fn arrived(device: &Device, key: &CredentialKind, shared: &Shared) -> Result<(), Refusal> {
    let end = tokio::time::Instant::now() + PATIENCE;
    let here = || shared.registry.presence(&device.id).tunnels.iter().any(|held| held.credential == *key);
    while !here() {
        if tokio::time::Instant::now() >= end {
            return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "the camera did not come back with its new key"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A client of the device, through its tunnel.
fn client(device: &Device, shared: &Arc<Shared>) -> Client {
    let tunnel = Tunnel { shared: Arc::clone(shared), device: Arc::clone(&device.id) };
    // In an uplink the configured level counts (Uplink §5.3).
    Client::over(Arc::new(tunnel), "/onvif/device_service".to_owned(), Auth::None)
}

/// The way of the client's requests.
struct Tunnel {
    shared: Arc<Shared>,
    device: DeviceId,
}

impl Transport for Tunnel {
    fn send(&self, request: Request<Bytes>) -> Answer<'_> {
        Box::pin(async move {
            let asked = self.ask(request);
            tokio::time::timeout(CALL, asked).await.map_err(|_| TransportError::Timeout("tunnel"))?
        })
    }
}

impl Tunnel {
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let lost = |error: &dyn std::fmt::Display| TransportError::Body(error.to_string().into());
        let way = self.shared.registry.find(&self.device).await.map_err(|error| lost(&error))?;
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        head.uri = format!("https://{}{path}", self.device).parse().map_err(|error| lost(&error))?;
        head.version = http::Version::default();
        let tap = self.shared.taps.of(&self.device, self.shared.records.clock().now());
        tap.iter().for_each(|tap| tap.asked("the cloud".to_owned(), &head.method, &head.uri, Some(&body)));
        let request = Request::from_parts(head, body::full(body));
        let answered = async {
            let answer = way.request(Class::Soap, request).await.map_err(|error| lost(&error))?;
            let (head, body) = answer.into_parts();
            let whole = Limited::new(body, LONGEST).collect().boxed().await.map_err(TransportError::Body)?;
            Ok(Response::from_parts(head, whole.to_bytes()))
        };
        let answered = answered.await;
        tap.iter().for_each(|tap| {
            tap.ended(&answered, answered.as_ref().ok().map(|answer| &**answer.body()), TransportError::to_string);
        });
        answered
    }
}
