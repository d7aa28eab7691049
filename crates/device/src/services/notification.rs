//! WS-BaseNotification, as far as the event service has it: subscriptions whose messages the device sends, and the last message of a topic
//! (Core §9.3; WS-BaseNotification §4, §6.2). What pull points have too is in [`super::events`].

use super::Call;
use super::events::{fault, reference, refused, wanted};
use crate::events::{Kind, Refused, Uncallable};
use jiff::Timestamp;
use oriel_onvif::events::expression::{CONCRETE, CONCRETE_SET};
use oriel_onvif::notification::{
    BaseFault, FaultKind, GetCurrentMessage, GetCurrentMessageResponse, PauseSubscription, PauseSubscriptionResponse,
    ResumeSubscription, ResumeSubscriptionResponse, Subscribe, SubscribeResponse, TopicExpression,
};
use oriel_soap::{Fault, Router, Via, With};

pub(super) fn bind(router: Router<Call>) -> Router<Call> {
    router.on(subscribe).on(get_current_message).on(pause_subscription).on(resume_subscription)
}

async fn subscribe(call: Call, request: Subscribe) -> Result<SubscribeResponse, Fault> {
    let Subscribe { consumer_reference, filter, initial_termination_time, subscription_policy, .. } = request;
    let wanted =
        wanted(&call, filter.as_ref(), subscription_policy.as_ref(), initial_termination_time, Kind::Producer)?;
    let by_uplink = matches!(call.caller.via, Via::Uplink { .. });
    let uncallable = |uncallable: Uncallable| fault(FaultKind::SubscribeCreationFailed, &uncallable.to_string());
    let consumer = call.shared.push.check(&consumer_reference, by_uplink).map_err(uncallable)?;
    let granted = call.shared.events.subscribe(&call.caller, wanted);
    let granted = granted.map_err(|refusal| refused(&refusal, FaultKind::UnacceptableInitialTerminationTime))?;
    if let Some(follower) = granted.follower {
        call.shared.push.start(follower, consumer, &granted.id);
    }
    Ok(SubscribeResponse::with(|response| {
        response.subscription_reference = reference(&call.base, &granted.id);
        response.current_time = Some(granted.lasts.current_time);
        response.termination_time = Some(granted.lasts.termination_time);
    }))
}

async fn pause_subscription(call: Call, _: PauseSubscription) -> Result<PauseSubscriptionResponse, Fault> {
    pause(&call, true).map_err(|refusal| unpausable(&refusal, FaultKind::PauseFailed))?;
    Ok(PauseSubscriptionResponse::default())
}

async fn resume_subscription(call: Call, _: ResumeSubscription) -> Result<ResumeSubscriptionResponse, Fault> {
    pause(&call, false).map_err(|refusal| unpausable(&refusal, FaultKind::ResumeFailed))?;
    Ok(ResumeSubscriptionResponse::default())
}

fn pause(call: &Call, paused: bool) -> Result<(), Refused> {
    let id = call.addressed.id().ok_or(Refused::Unknown)?;
    call.shared.events.pause(id, &call.caller, paused)
}

fn unpausable(refusal: &Refused, kind: FaultKind) -> Fault {
    match refusal {
        Refused::NotSent => {
            fault(kind, "the messages of a pull point are pulled, so that there is nothing to pause; ask less often")
        }
        refusal => refused(refusal, kind),
    }
}

/// The last state of a property; nothing that passes is kept.
async fn get_current_message(call: Call, request: GetCurrentMessage) -> Result<GetCurrentMessageResponse, Fault> {
    let TopicExpression { dialect, topic, .. } = request.topic;
    match dialect.as_deref().map(str::trim) {
        Some(CONCRETE | CONCRETE_SET) => {}
        other => {
            let reason = format!("the dialect {:?} is not known here", other.unwrap_or_default());
            return Err(fault(FaultKind::TopicExpressionDialectUnknown, &reason));
        }
    }
    // Of a set of topics there is no one message.
    if topic.0.iter().any(|step| step.local.is_empty() || step.local.contains(['|', '*', '.'])) {
        return Err(fault(FaultKind::MultipleTopicsSpecified, "name one topic"));
    }
    let events = &call.shared.events;
    if !events.offers(&topic) {
        let reason = format!("the device does not offer the topic {topic}");
        return Err(FaultKind::TopicNotSupported.fault(&reason, BaseFault::at(Timestamp::now())));
    }
    let none =
        || fault(FaultKind::NoCurrentMessageOnTopic, &format!("nothing is known of the topic {topic} at this moment"));
    let message = events.current(&topic).ok_or_else(none)?;
    Ok(GetCurrentMessageResponse::with(|response| response.any = vec![message.to_any()]))
}
