//! Whether an uplink is taken in: by its key or its token (Uplink §5.3), never by a name it gives itself.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oriel_trust::{Fingerprint, SubjectPart, certificates, subject_part, vouches};
use oriel_uplink::cloud::{CloseReason, Incoming, Refusal, Tunnel};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Shared;
use crate::metrics::Unadmitted;
use crate::records::{Authority, CredentialKind as Credential, Device, DeviceId, Identity, SecretHash};

/// Two sources that take turns within this time look like a copied key.
const ALTERNATION: Duration = Duration::from_secs(600);
/// How long an evicted tunnel may finish its streams.
const EVICTION: Duration = Duration::from_secs(10);

/// Admits or refuses, and starts the task that owns the tunnel.
pub(super) async fn admit<IO>(
    incoming: Incoming<IO>,
    chain: Option<&[CertificateDer<'static>]>,
    source: IpAddr,
    shared: &Arc<Shared>,
) -> io::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (device, credential) = match decide(&incoming, chain, source, shared) {
        Ok(admitted) => admitted,
        Err((cause, refusal)) => {
            shared.metrics.unadmitted(cause);
            tracing::info!(%source, status = refusal.status.as_u16(), reason = refusal.text, "uplink refused");
            return incoming.refuse(refusal).await;
        }
    };
    let form = incoming.form();
    let (tunnel, driver) = incoming.accept(&shared.tunnel_limits).await.map_err(io::Error::other)?;
    alarm_if_alternating(&device.id, source, shared);
    let (epoch, evicted) = shared.registry.claim(&device.id, tunnel.clone(), source, credential.clone());
    shared.announce(&device.id);
    // Revoked or removed between the decision and the claim: nobody else would see this tunnel.
    if shared
        .records
        .device(&device.id)
        .is_none_or(|device| device.revoked || !device.owns(&credential, shared.records.clock().now()))
    {
        tunnel.close(CloseReason::Revoked);
    }
    if shared.draining.is_cancelled() {
        tunnel.drain();
    }
    shared.metrics.opened(form);
    tracing::info!(device = %device.id, %source, ?form, "uplink connected");
    for old in evicted {
        shared.spawn(&shared.uplinks, evict(old));
    }
    let (owner, id) = (Arc::clone(shared), Arc::clone(&device.id));
    shared.spawn(&shared.uplinks, async move {
        let reason = driver.await;
        tracing::info!(device = %id, %source, %reason, "uplink closed");
        let ended = reason.clone();
        owner.metrics.closed(&tunnel.stats(), &reason, || owner.registry.release(&id, epoch, ended, Instant::now()));
        owner.announce(&id);
    });
    Ok(())
}

fn decide<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    incoming: &Incoming<IO>,
    chain: Option<&[CertificateDer<'static>]>,
    source: IpAddr,
    shared: &Shared,
) -> Result<(Arc<Device>, Credential), (Unadmitted, Refusal)> {
    let (device, credential) = match (incoming.token(), chain) {
        // Who shows a token is judged by it, whatever certificate the TLS library added.
        (Some(token), _) => {
            let hash = SecretHash::of(token.reveal());
            let device = shared.records.device_of_token(&hash);
            let unknown =
                || (Unadmitted::Token, Refusal::unauthorized("this access token is not known here or has ended"));
            (device.ok_or_else(unknown)?, Credential::Token(hash))
        }
        (None, Some(chain)) => by_certificate(chain, shared)?,
        (None, None) => {
            let text = "show a client certificate or an access token to open an uplink";
            return Err((Unadmitted::Nothing, Refusal::unauthorized(text)));
        }
    };
    if device.revoked {
        shared.registry.refused(&device.id, source, "refused: it was revoked");
        let text = "this device was revoked; the operator of the cloud can allow it again";
        return Err((Unadmitted::Revoked, Refusal::forbidden(text)));
    }
    Ok((device, credential))
}

/// Whose certificate it is: known by its key, or by a name that an authority certifies which the device's organisation pinned.
fn by_certificate(
    chain: &[CertificateDer<'static>],
    shared: &Shared,
) -> Result<(Arc<Device>, Credential), (Unadmitted, Refusal)> {
    let unreadable = |_| (Unadmitted::Key, Refusal::forbidden("this certificate cannot be read"));
    let key = Fingerprint::of(&chain[0]).map_err(unreadable)?;
    if let Some(device) = shared.records.device_of_key(&key) {
        return Ok((device, Credential::Key(key)));
    }
    let now = shared.records.clock().time();
    let named = |authority: &Arc<Authority>| {
        let anchor = certificates(authority.certificate.as_bytes()).ok()?.remove(0);
        vouches(&anchor, chain, now).ok()?;
        let part = match authority.identity? {
            Identity::CommonName => SubjectPart::CommonName,
            Identity::SerialNumber => SubjectPart::SerialNumber,
        };
        let name = subject_part(&chain[0], part).ok()?;
        let credential = Credential::Name { authority: Arc::clone(&authority.id), name };
        Some((shared.records.device_of(&credential)?, credential))
    };
    let mut found: Vec<_> = shared.records.external_authorities().iter().filter_map(named).collect();
    if found.len() > 1 {
        // Two organisations believe one maker, and both say that this device is theirs. Neither gets it.
        tracing::warn!(%key, devices = found.len(), "one certified name is registered more than once");
        found.iter().for_each(|(device, _)| shared.alarms.raise(&device.id));
        return Err((Unadmitted::Key, Refusal::forbidden("the name in this certificate is registered more than once")));
    }
    let text =
        || format!("the key {key} is not registered with this cloud, and no authority that it believes vouches for it");
    found.pop().ok_or_else(|| (Unadmitted::Key, Refusal::forbidden(text())))
}

/// A key that dials from A, then B, then A again is in two places.
fn alarm_if_alternating(device: &DeviceId, source: IpAddr, shared: &Shared) {
    let now = Instant::now();
    let newest = shared.registry.presence(device).last_source;
    let returned = !shared.facts.put_if_absent(&format!("source/{device}/{source}"), ALTERNATION, now);
    if returned
        && newest.is_some_and(|newest| newest != source)
        && shared.facts.put_if_absent(&format!("alarm/{device}"), ALTERNATION, now)
    {
        tracing::warn!(%device, %source, ?newest, "one identity dials from two places by turns: its key may have been copied");
        shared.alarms.raise(device);
    }
}

/// No new requests reach a tunnel that is leaving. It is not drained: that would ask the device to dial one more in its place.
async fn evict(tunnel: Tunnel) {
    let end = tokio::time::Instant::now() + EVICTION;
    while tunnel.open_streams() > 0 && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tunnel.close(CloseReason::Evicted);
}
