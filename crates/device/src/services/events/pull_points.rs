//! Pull points (Core §9.1) and SetSynchronizationPoint (§9.5).

use super::faults::{refused, wanted};
use super::subscriptions::id;
use super::{Call, reference};
use crate::events::{Kind, Lasts, MAX_MESSAGES, MAX_TIMEOUT, Notification, Refused};
use jiff::SignedDuration;
use oriel_onvif::events::{
    CreatePullPointSubscription, CreatePullPointSubscriptionResponse, PullMessages, PullMessagesFaultResponse, Seek,
    SeekResponse, SetSynchronizationPoint, SetSynchronizationPointResponse,
};
use oriel_onvif::notification::FaultKind;
use oriel_onvif::ns;
use oriel_soap::xml::{Any, Duration as Span, Writer, XmlWrite};
use oriel_soap::{Fault, With};
use std::sync::Arc;
use std::time::Duration;

fn failed(refusal: &Refused) -> Fault {
    refused(refusal, FaultKind::UnacceptableInitialTerminationTime)
}

pub(super) async fn create_pull_point_subscription(
    call: Call,
    request: CreatePullPointSubscription,
) -> Result<CreatePullPointSubscriptionResponse, Fault> {
    let CreatePullPointSubscription { filter, initial_termination_time, subscription_policy, .. } = request;
    let wanted =
        wanted(&call, filter.as_ref(), subscription_policy.as_ref(), initial_termination_time, Kind::PullPoint)?;
    let granted = call.shared.events.subscribe(&call.caller, wanted).map_err(|refusal| failed(&refusal))?;
    Ok(CreatePullPointSubscriptionResponse::with(|response| {
        response.subscription_reference = reference(&call.base, &granted.id);
        response.current_time = granted.lasts.current_time;
        response.termination_time = granted.lasts.termination_time;
    }))
}

/// The content of a PullMessagesResponse, whose messages are written already.
pub(super) struct Answer {
    lasts: Lasts,
    messages: Vec<Arc<Notification>>,
    call: Call,
}

impl XmlWrite for Answer {
    fn write(&self, writer: &mut Writer) {
        writer.element(ns::TEV, "CurrentTime", &self.lasts.current_time);
        writer.element(ns::TEV, "TerminationTime", &self.lasts.termination_time);
        let producer = self.call.shared.events.producer();
        self.messages.iter().for_each(|message| writer.any(message.xml(producer)));
    }
}

pub(super) async fn pull_messages(call: Call, request: PullMessages) -> Result<Answer, Fault> {
    let timeout = timeout(request.timeout)?;
    let limit = usize::try_from(request.message_limit).ok().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| Fault::invalid_arg_val("MessageLimit has to be 1 or more"))?;
    let events = &call.shared.events;
    // §9.1.2: more than we have in one answer is no fault.
    let pull = id(&call.addressed).and_then(|id| events.pull(id, &call.caller, timeout, limit.min(MAX_MESSAGES)));
    let pulled = pull.map_err(|refusal| failed(&refusal))?.answer().await.map_err(|refusal| failed(&refusal))?;
    call.delivering.put(pulled.delivery);
    Ok(Answer { lasts: pulled.lasts, messages: pulled.messages, call })
}

/// How long to wait.
fn timeout(asked: Span) -> Result<Duration, Fault> {
    let negative = |_| Fault::invalid_arg_val("Timeout is negative");
    let asked = Duration::try_from(asked.0).map_err(negative)?;
    if asked <= MAX_TIMEOUT {
        return Ok(asked);
    }
    // §9.1.2: the upper limits, both of them.
    let limits = PullMessagesFaultResponse::with(|limits| {
        limits.max_timeout = Span(SignedDuration::try_from(MAX_TIMEOUT).unwrap_or(SignedDuration::MAX));
        limits.max_message_limit = i32::try_from(MAX_MESSAGES).unwrap_or(i32::MAX);
    });
    let fault = Fault::action(format!("Timeout is {} s at most", MAX_TIMEOUT.as_secs()));
    Err(fault.with_detail(Any::of(ns::TEV, "PullMessagesFaultResponse", &limits)))
}

pub(super) async fn seek(call: Call, request: Seek) -> Result<SeekResponse, Fault> {
    let (time, reverse) = (request.utc_time, request.reverse == Some(true));
    let id = id(&call.addressed).map_err(|refusal| failed(&refusal))?;
    match call.shared.events.seek(id, &call.caller, time, reverse) {
        Some(sought) => sought.map_err(|refusal| failed(&refusal))?,
        None => return Err(Fault::action_not_supported("this device keeps no notifications")),
    }
    Ok(SeekResponse::default())
}

pub(super) async fn set_synchronization_point(
    call: Call,
    _: SetSynchronizationPoint,
) -> Result<SetSynchronizationPointResponse, Fault> {
    let asked = id(&call.addressed).and_then(|id| call.shared.events.synchronise(id, &call.caller));
    asked.map_err(|refusal| failed(&refusal))?;
    Ok(SetSynchronizationPointResponse::default())
}
