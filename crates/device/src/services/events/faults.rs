//! The faults of the chapter (Core §9.9): the receiver's, with an element of WS-BaseNotification in the detail.

use super::Call;
use crate::events::{Refused, Wanted};
use jiff::Timestamp;
use oriel_onvif::events::{BadFilter, CHANGED_ONLY, Filter, Selection, SubscriptionPolicy};
use oriel_onvif::notification::{BaseFault, FaultKind};
use oriel_onvif::ns;
use oriel_soap::Fault;
use oriel_soap::xml::QName;

/// A fault that happened now.
pub(crate) fn fault(kind: FaultKind, reason: &str) -> Fault {
    kind.fault(reason, BaseFault::at(Timestamp::now()))
}

/// Which fault tells that the hub refused: `times` is the one for termination times.
pub(crate) fn refused(refused: &Refused, times: FaultKind) -> Fault {
    match refused {
        Refused::Unknown => fault(
            FaultKind::ResourceUnknown,
            "there is no such subscription: it ended, its time was over, or it is another one's",
        ),
        Refused::TooMany(most) => fault(
            FaultKind::SubscribeCreationFailed,
            &format!("all {most} places for such subscriptions are taken; end one, or wait until one's time is over"),
        ),
        Refused::TooManyOfOne(most) => fault(
            FaultKind::SubscribeCreationFailed,
            &format!(
                "you have {most} such subscriptions, as many as one may have; end one, or wait until one's time is over"
            ),
        ),
        Refused::Life { now, least, most } => {
            let mut detail = BaseFault::at(*now);
            (detail.minimum_time, detail.maximum_time) = (Some(*least), Some(*most));
            times.fault(&format!("a subscription ends between {least} and {most}, and can be renewed then"), detail)
        }
        Refused::Pulling => fault(
            FaultKind::UnableToGetMessages,
            "another PullMessages waits at this pull point already; wait for its answer, or make a pull point of your own",
        ),
        Refused::NotSent => fault(times, "the messages of a pull point are pulled"),
        Refused::NoRandom => Fault::action("the system gives no random numbers"),
    }
}

/// What a filter selects, of the topics that there are.
pub(crate) fn selection(call: &Call, filter: Option<&Filter>) -> Result<Selection, Fault> {
    let read = || {
        let selection = filter.map(Selection::read).transpose()?.unwrap_or_default();
        call.shared.events.supports(&selection)?;
        Ok(selection)
    };
    read().map_err(|bad: BadFilter| {
        let mut detail = BaseFault::at(Timestamp::now());
        if let BadFilter::Unknown(name) = &bad {
            detail.unknown_filter = vec![name.clone()];
        }
        bad.kind().fault(&bad.to_string(), detail)
    })
}

/// Whether the policies ask for changes alone; `raw` says that unwrapped messages are asked for as well, which nobody gets.
pub(crate) fn changed_only(policy: Option<&SubscriptionPolicy>) -> Result<bool, Fault> {
    const USE_RAW: QName = QName::of(ns::WSNT, "UseRaw");
    let Some(policy) = policy else { return Ok(false) };
    let unknown = policy.others(&[CHANGED_ONLY, USE_RAW]);
    let names = |names: &[QName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut detail = BaseFault::at(Timestamp::now());
    if !unknown.is_empty() {
        let reason = format!("no policy that is known here: {}", names(&unknown));
        detail.unrecognized_policy = unknown;
        return Err(FaultKind::UnrecognizedPolicyRequest.fault(&reason, detail));
    }
    if policy.has(&USE_RAW) {
        detail.unsupported_policy = vec![USE_RAW];
        let reason = "messages come as NotificationMessage alone";
        return Err(FaultKind::UnsupportedPolicyRequest.fault(reason, detail));
    }
    Ok(policy.has(&CHANGED_ONLY))
}

/// What a new subscription is to be, by the elements that both ways of making one have.
pub(crate) fn wanted(
    call: &Call,
    filter: Option<&Filter>,
    policy: Option<&SubscriptionPolicy>,
    until: Option<oriel_onvif::notification::AbsoluteOrRelativeTime>,
    kind: crate::events::Kind,
) -> Result<Wanted, Fault> {
    let selection = selection(call, filter)?;
    let changed_only = changed_only(policy)?;
    Ok(Wanted { selection, changed_only, until, kind })
}
