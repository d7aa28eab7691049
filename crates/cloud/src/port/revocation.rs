//! Tunnels of devices that are let in no more are cut, whoever changed the records, and however that came to be known.

use std::sync::Arc;
use std::time::Duration;

use oriel_uplink::cloud::CloseReason;

use crate::Shared;
use crate::records::CredentialKind;

/// Many changes in a row are looked at together.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks after each change of the records, until the cloud ends. A credential that ends by its time ends no tunnel: it was good when it was shown.
pub(crate) async fn enforce(shared: Arc<Shared>) {
    let mut changes = shared.records.changes();
    while changes.changed().await.is_ok() {
        for (id, held) in shared.registry.everyone() {
            let device = shared.records.device(&id).filter(|device| !device.revoked);
            let good = |shown: &CredentialKind| {
                device.iter().any(|device| device.credentials.iter().any(|held| held.kind == *shown))
            };
            held.iter().filter(|held| !good(&held.credential)).for_each(|held| held.tunnel.close(CloseReason::Revoked));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
