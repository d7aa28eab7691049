//! Event brokers: which ones the device publishes to (Core §9.12). The handlers validate and write; connecting is [`crate::events::broker`]'s.

use super::Call;
use crate::call_out::{Target, TargetError};
use crate::events::broker::{self, Qos, SCHEMES, Status};
use crate::keystore::View;
use crate::store::{BrokerEntry, Secret, State};
use oriel_onvif::events::*;
use oriel_soap::xml::Any;
use oriel_soap::{Fault, Router, Via, With};
use std::sync::Arc;

/// Most characters of a prefix, of a user name and of a password.
const MAX_TEXT: usize = 256;
/// Most bytes of a filter.
const MAX_FILTER: usize = 8 * 1024;

pub(super) fn bind(router: Router<Call>) -> Router<Call> {
    router.on(add_event_broker).on(delete_event_broker).on(get_event_brokers)
}

/// The protocols, for the service's capabilities.
pub(super) fn protocols() -> Vec<EventBrokerProtocol> {
    vec![EventBrokerProtocol::Mqtt, EventBrokerProtocol::Mqtts, EventBrokerProtocol::Ws, EventBrokerProtocol::Wss]
}

async fn add_event_broker(call: Call, request: AddEventBroker) -> Result<AddEventBrokerResponse, Fault> {
    let asked_by_uplink = matches!(call.caller.via, Via::Uplink { .. });
    let (entry, target) = checked(request.event_broker)?;
    let shared = Arc::clone(&call.shared);
    call.change(move |state| {
        // In the same step as the change, so that nobody deletes meanwhile what the broker is about to name.
        resolve(&entry, shared.keys.with(&state.keystore), target.tls.then_some(shared.insecure_event_brokers))?;
        let existing = state.brokers.iter().position(|known| broker::is_at(known, &entry.address));
        let known = existing.map(|index| &state.brokers[index]);
        if let Some(known) = known.filter(|known| asked_by_uplink && !known.by_uplink) {
            pinned(known, &entry)?;
        }
        // An entry stays whose it was: to let one that a cloud chose into the LAN, the LAN deletes it and adds it anew.
        let by_uplink = known.map_or(asked_by_uplink, |known| known.by_uplink);
        if let Some(kind) = shared.push.dialler().refused(&target, by_uplink) {
            return Err(wrong_address(format!(
                "{target} leads to {kind}, which this device is not configured to dial"
            )));
        }
        put(state, existing, BrokerEntry { by_uplink, ..entry }, shared.max_event_brokers)
    })
    .await?;
    Ok(AddEventBrokerResponse::default())
}

/// Whether both show the broker the same certificate and believe it by the same policy.
fn same_trust(one: &BrokerEntry, other: &BrokerEntry) -> bool {
    one.certificate_id == other.certificate_id
        && one.cert_path_validation_policy_id == other.cert_path_validation_policy_id
}

/// What an uplink may not change of a broker that the LAN chose: whom the device believes there, and who it is.
fn pinned(known: &BrokerEntry, entry: &BrokerEntry) -> Result<(), Fault> {
    if same_trust(known, entry) && known.user_name == entry.user_name {
        return Ok(());
    }
    Err(Fault::operation_prohibited(
        "this event broker was set on the LAN; its certificate, policy and user are not changed through an uplink",
    ))
}

/// A client cannot read the password, so that it changes the rest without it; but who is believed otherwise from now on was not meant to see it.
/// An empty one takes it away.
fn keep_password(known: &mut BrokerEntry, entry: &mut BrokerEntry) {
    if entry.password.is_none() && entry.user_name == known.user_name && same_trust(known, entry) {
        entry.password = known.password.take();
    }
    entry.password = entry.password.take().filter(|password| !password.reveal().is_empty());
}

fn put(state: &mut State, existing: Option<usize>, mut entry: BrokerEntry, most: usize) -> Result<(), Fault> {
    match existing {
        Some(index) => {
            let known = &mut state.brokers[index];
            keep_password(known, &mut entry);
            *known = entry;
        }
        None if state.brokers.len() < most => {
            entry.password = entry.password.filter(|password| !password.reveal().is_empty());
            state.brokers.push(entry);
        }
        None => {
            return Err(Fault::action(format!("this device keeps {most} event brokers at most; delete one first"))
                .subcode("TooManyEventBrokers"));
        }
    }
    Ok(())
}

async fn delete_event_broker(call: Call, request: DeleteEventBroker) -> Result<DeleteEventBrokerResponse, Fault> {
    call.change(move |state| {
        let before = state.brokers.len();
        state.brokers.retain(|entry| !broker::is_at(entry, &request.address));
        if state.brokers.len() == before { Err(unknown(&request.address)) } else { Ok(()) }
    })
    .await?;
    Ok(DeleteEventBrokerResponse::default())
}

async fn get_event_brokers(call: Call, request: GetEventBrokers) -> Result<GetEventBrokersResponse, Fault> {
    let state = call.shared.store.state();
    let asked = request.address.filter(|address| !address.is_empty());
    let meant = |entry: &&BrokerEntry| asked.as_ref().is_none_or(|address| broker::is_at(entry, address));
    let show = |entry: &BrokerEntry| {
        EventBrokerConfig::with(|shown| {
            shown.address.clone_from(&entry.address);
            shown.topic_prefix.clone_from(&entry.topic_prefix);
            shown.user_name.clone_from(&entry.user_name);
            shown.certificate_id.clone_from(&entry.certificate_id);
            shown.cert_path_validation_policy_id.clone_from(&entry.cert_path_validation_policy_id);
            // One that cannot be read is shown empty, and the broker offline: it hears nothing.
            shown.publish_filter =
                (!entry.publish_filter.is_empty()).then(|| broker::filter(entry).unwrap_or_default());
            shown.qos = Some(entry.qos.into());
            shown.status = Some(match call.shared.broker_reports.of(&entry.address) {
                Status::Offline => ConnectionStatus::Offline,
                Status::Connecting => ConnectionStatus::Connecting,
                Status::Connected => ConnectionStatus::Connected,
            });
        })
    };
    let found: Vec<_> = state.brokers.iter().filter(meant).map(show).collect();
    match asked {
        Some(address) if found.is_empty() => Err(unknown(&address)),
        _ => Ok(GetEventBrokersResponse::with(|response| response.event_broker = found)),
    }
}

/// The configuration as an entry, without what is ignored when it is written (§9.12.1.1).
fn checked(configuration: EventBrokerConfig) -> Result<(BrokerEntry, Target), Fault> {
    let target = Target::parse(&configuration.address, SCHEMES).map_err(|error| match error {
        TargetError::Scheme(_) => Fault::invalid_arg_val(error.to_string()).subcode("InvalidProtocol"),
        TargetError::Address(text) => wrong_address(text),
    })?;
    if target.path != "/" && !target.scheme.starts_with("ws") {
        return Err(wrong_address("only an address of ws and wss has a path".to_owned()));
    }
    let qos = configuration.qos.unwrap_or_default();
    if Qos::of(qos).is_none() {
        return Err(Fault::invalid_arg_val(format!("QoS is 0, 1 or 2, not {qos}")));
    }
    if broker::plain(&configuration.topic_prefix).trim().is_empty() {
        return Err(Fault::invalid_arg_val(
            "TopicPrefix must not be empty, and #, + and control characters do not count",
        ));
    }
    let password = configuration.password.as_deref();
    let texts = [Some(configuration.topic_prefix.as_str()), configuration.user_name.as_deref(), password];
    if texts.into_iter().flatten().any(|text| text.chars().count() > MAX_TEXT || text.contains('\0')) {
        return Err(Fault::invalid_arg_val(format!(
            "TopicPrefix, UserName and Password have {MAX_TEXT} characters at most, and no null character"
        )));
    }
    // An empty element says as little as none.
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let user_name = given(configuration.user_name);
    if user_name.is_none() && password.is_some_and(|password| !password.is_empty()) {
        return Err(Fault::invalid_arg_val("a Password needs a UserName"));
    }
    if configuration.metadata_filter.is_some_and(|filter| !filter.any.is_empty()) {
        return Err(wrong_filter(
            "this device publishes no metadata, so that there is nothing for MetadataFilter to select",
        ));
    }
    let entry = BrokerEntry {
        address: configuration.address.trim().to_owned(),
        topic_prefix: configuration.topic_prefix,
        user_name,
        password: configuration.password.map(Secret::new),
        certificate_id: given(configuration.certificate_id),
        cert_path_validation_policy_id: given(configuration.cert_path_validation_policy_id),
        publish_filter: filter(configuration.publish_filter)?,
        qos: u8::try_from(qos).unwrap_or_default(),
        by_uplink: false,
    };
    Ok((entry, target))
}

/// The filter as it is kept.
fn filter(given: Option<Filter>) -> Result<Vec<String>, Fault> {
    let filter = given.unwrap_or_default();
    Selection::read(&filter).map_err(|bad| wrong_filter(&bad.to_string()))?;
    let kept: Vec<_> = filter.any.iter().map(|any: &Any| any.as_xml().to_owned()).collect();
    if kept.iter().map(String::len).sum::<usize>() > MAX_FILTER {
        return Err(wrong_filter("PublishFilter is too long"));
    }
    Ok(kept)
}

/// What the entry names has to be there, the certificate with its private key; `tls` says that TLS is spoken, and whether with anybody.
fn resolve(entry: &BrokerEntry, keys: View<'_>, tls: Option<bool>) -> Result<(), Fault> {
    if let Some(Err(problem)) = entry.certificate_id.as_deref().map(|id| keys.identity(id)) {
        return Err(Fault::invalid_arg_val(format!("certificate: {problem}")).subcode("CertificateID"));
    }
    if let Some(Err(problem)) = entry.cert_path_validation_policy_id.as_deref().map(|id| keys.validation(id)) {
        return Err(Fault::invalid_arg_val(format!("policy: {problem}")).subcode("CertPathValidationPolicyID"));
    }
    // Better said now than by a broker that is never connected.
    let (certificate, policy) = (entry.certificate_id.as_deref(), entry.cert_path_validation_policy_id.as_deref());
    if let Some(Err(problem)) = tls.map(|insecure| keys.client_config(certificate, policy, insecure)) {
        return Err(Fault::invalid_arg_val(problem).subcode("CertPathValidationPolicyID"));
    }
    Ok(())
}

fn unknown(address: &str) -> Fault {
    wrong_address(format!("there is no event broker with the address {address:?}"))
}

fn wrong_address(text: String) -> Fault {
    Fault::invalid_arg_val(text).subcode("InvalidAddress")
}

fn wrong_filter(text: &str) -> Fault {
    Fault::invalid_arg_val(text).subcode("InvalidFilter")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> BrokerEntry {
        let configuration = EventBrokerConfig::with(|config| {
            config.address = "mqtts://broker.example".to_owned();
            config.topic_prefix = "site".to_owned();
            config.user_name = Some("camera".to_owned());
            config.password = Some("a secret of MQTT".to_owned());
            config.certificate_id = Some("own".to_owned());
            config.cert_path_validation_policy_id = Some("policy".to_owned());
        });
        checked(configuration).unwrap().0
    }

    type Change = fn(&mut BrokerEntry);

    const TRUST: [Change; 4] = [
        |entry| entry.cert_path_validation_policy_id = None,
        |entry| entry.cert_path_validation_policy_id = Some("another".to_owned()),
        |entry| entry.certificate_id = None,
        |entry| entry.user_name = Some("another".to_owned()),
    ];
    const THE_REST: [Change; 2] = [|entry| entry.topic_prefix = "other".to_owned(), |entry| entry.qos = 2];

    /// What is kept of the password when an entry is changed without giving it.
    fn kept(change: Change) -> Option<Secret> {
        let mut known = entry();
        let mut changed = BrokerEntry { password: None, ..entry() };
        change(&mut changed);
        keep_password(&mut known, &mut changed);
        changed.password
    }

    #[test]
    fn a_password_stays_only_with_whom_it_was_meant_for() {
        for change in THE_REST {
            assert_eq!(kept(change), entry().password);
        }
        for change in TRUST {
            assert_eq!(kept(change), None);
        }
        let (mut known, mut emptied) = (entry(), BrokerEntry { password: Some(Secret::new("")), ..entry() });
        keep_password(&mut known, &mut emptied);
        assert_eq!(emptied.password, None, "an empty one takes it away");
    }

    #[test]
    fn an_uplink_does_not_change_whom_a_broker_of_the_lan_is_believed_to_be() {
        for (changes, allowed) in [(&TRUST[..], false), (&THE_REST[..], true)] {
            for change in changes {
                let mut changed = entry();
                change(&mut changed);
                assert_eq!(pinned(&entry(), &changed).is_ok(), allowed, "{changed:?}");
            }
        }
    }
}
