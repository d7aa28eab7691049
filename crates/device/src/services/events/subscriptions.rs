//! What pull points and producers have in common: they are renewed and ended (Core §9.1.3, §9.1.4).

use super::{Addressed, Call, refused};
use crate::events::Refused;
use oriel_onvif::notification::{FaultKind, Renew, RenewResponse, Unsubscribe, UnsubscribeResponse};
use oriel_soap::{Fault, With};

/// The id of the subscription that the request names.
pub(super) fn id(addressed: &Addressed) -> Result<&str, Refused> {
    addressed.id().ok_or(Refused::Unknown)
}

fn unacceptable(refusal: &Refused) -> Fault {
    refused(refusal, FaultKind::UnacceptableTerminationTime)
}

pub(super) async fn renew(call: Call, request: Renew) -> Result<RenewResponse, Fault> {
    let events = &call.shared.events;
    let renewed = id(&call.addressed).and_then(|id| events.renew(id, &call.caller, request.termination_time));
    let lasts = renewed.map_err(|refusal| unacceptable(&refusal))?;
    Ok(RenewResponse::with(|response| {
        response.termination_time = lasts.termination_time;
        response.current_time = Some(lasts.current_time);
    }))
}

pub(super) async fn unsubscribe(call: Call, _: Unsubscribe) -> Result<UnsubscribeResponse, Fault> {
    let ended = id(&call.addressed).and_then(|id| call.shared.events.unsubscribe(id, &call.caller));
    ended.map_err(|refusal| unacceptable(&refusal))?;
    Ok(UnsubscribeResponse::default())
}
