//! The words of events: messages, topics, brokers and faults as others write them, and as we do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use oriel_onvif::events::description::MessageDescription;
use oriel_onvif::events::topics::{self, Kind};
use oriel_onvif::events::{
    AddEventBroker, CHANGED_ONLY, Capabilities, ConnectionStatus, CreatePullPointSubscription, EventBrokerConfig,
    Filter, GetEventPropertiesResponse, Message, PropertyOperation, PullMessagesFaultResponse, PullMessagesResponse,
    Seek, SimpleItem, TopicSet,
};
use oriel_onvif::notification::{
    self, AbsoluteOrRelativeTime, BaseFault, EndpointReference, FaultKind, NotificationMessage, Notify, Subscribe,
    SubscribeResponse, Topic, TopicExpression,
};
use oriel_onvif::ns;
use oriel_soap::With;
use oriel_soap::envelope::{self, Headers};
use oriel_soap::xml::{Any, Duration, Limits, Ns, QName, Writer, XmlRead, XmlWrite, parse};
use std::collections::BTreeSet;

fn read<T: XmlRead>(text: &str) -> T {
    T::read(parse(text.as_bytes(), &Limits::REPLY).unwrap().root_element()).unwrap()
}

fn written(ns: Ns, name: &str, value: &impl XmlWrite) -> String {
    let mut writer = Writer::fragment();
    writer.element(ns, name, value);
    writer.finish()
}

const MESSAGE: &str = r#"<s:Message xmlns:s="http://www.onvif.org/ver10/schema" xmlns:v="urn:v" UtcTime="2008-10-10T12:24:57.321Z" PropertyOperation="Changed" v:mood="calm">
  <s:Source v:n="1"><s:SimpleItem Name="Rule" Value="a&lt;b&#10;&quot;"/><s:SimpleItem Value="1" Name="VideoSource"/></s:Source>
  <s:Key><s:SimpleItem Name="ObjectId" Value="5"/></s:Key>
  <s:Data><s:SimpleItem Name="IsInside" Value="true"/><s:ElementItem Name="Shape"><v:Polyline><v:Point x="0.1"/></v:Polyline></s:ElementItem>
    <s:Extension><v:More/></s:Extension></s:Data><s:Extension/></s:Message>"#;

#[test]
fn a_message_is_read_whatever_its_prefixes_and_written_in_schema_order() {
    let message: Message = read(MESSAGE);
    assert_eq!(message.utc_time.to_string(), "2008-10-10T12:24:57.321Z");
    assert_eq!(message.property_operation, Some(PropertyOperation::Changed));
    assert_eq!((message.value("Rule"), message.value("ObjectId")), (Some("a<b\n\""), Some("5")));
    let data = message.data.as_ref().unwrap();
    assert_eq!(data.element("Shape").unwrap().name(), &QName::new("urn:v", "Polyline"));
    assert_eq!((data.any.len(), message.any.len(), message.any_attributes.len()), (1, 1, 1));
    let text = written(ns::TT, "Message", &message);
    assert_eq!(read::<Message>(&text), message);
    let order = [
        "<tt:Message ",
        "<tt:Source",
        "<tt:Key>",
        "<tt:Data>",
        "<tt:SimpleItem Name=\"IsInside\"",
        "<tt:ElementItem",
        "Extension",
    ];
    let places: Vec<_> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    // What is not there is not written.
    let bare = Message::with(|message| message.utc_time = "2026-01-31T12:00:00Z".parse().unwrap());
    let text = written(ns::TT, "Message", &bare);
    assert_eq!(text, r#"<tt:Message xmlns:tt="http://www.onvif.org/ver10/schema" UtcTime="2026-01-31T12:00:00Z"/>"#);
    // A time without a zone is UTC (§9.10.6).
    let old: Message = read(r#"<Message UtcTime="2008-10-10T12:24:57"/>"#);
    assert_eq!(old.utc_time.to_string(), "2008-10-10T12:24:57Z");
}

#[test]
fn a_notification_carries_the_message_and_its_topic_under_the_prefix_that_everybody_compares() {
    let message: Message = read(MESSAGE);
    let holder = NotificationMessage::with(|holder| {
        let topic = Topic::of(topics::find("Device/Trigger/DigitalInput").unwrap());
        holder.topic = Some(TopicExpression::with(|expression| expression.topic = topic));
        holder.message = notification::Message::from(&message);
    });
    let response = PullMessagesResponse::with(|response| response.notification_message = vec![holder.clone()]);
    let notify = Notify::with(|notify| notify.notification_message = vec![holder]);
    let sent = envelope::reply(ns::WSNT, "Notify", &notify, None);
    for text in [written(ns::TEV, "PullMessagesResponse", &response), String::from_utf8(sent).unwrap()] {
        assert!(text.contains("<wsnt:Topic>tns1:Device/Trigger/DigitalInput</wsnt:Topic>"), "{text}");
        assert!(text.contains(r#"xmlns:tns1="http://www.onvif.org/ver10/topics""#), "{text}");
    }
    let back: Notify = read(&written(ns::WSNT, "Notify", &notify));
    assert_eq!(back.notification_message[0].topic, notify.notification_message[0].topic);
    assert_eq!(back.notification_message[0].message.onvif().unwrap(), Some(message));
    assert_eq!(notification::Message::default().onvif().unwrap(), None);
    let broken = r#"<m xmlns:s="http://www.onvif.org/ver10/schema"><s:Message/></m>"#;
    assert!(read::<notification::Message>(broken).onvif().unwrap_err().to_string().contains("UtcTime"));
    // A topic of others keeps what it has.
    let topic = Topic(vec![QName::of(ns::TNS1, "Device"), QName::new("urn:acme", "Lens"), QName::new("", "Broken")]);
    let expression = TopicExpression::with(|expression| expression.topic = topic.clone());
    assert_eq!(read::<TopicExpression>(&written(ns::WSNT, "Topic", &expression)).topic, topic);
    assert_eq!(topic.to_string(), "tns1:Device/{urn:acme}Lens/Broken");
}

#[test]
fn the_topics_are_one_tree_with_descriptions() {
    let named =
        |names: &[&str]| -> TopicSet { topics::topic_set(names.iter().map(|name| topics::find(name).unwrap())) };
    let set = named(&[
        "Monitoring/ProcessorUsage",
        "Device/Trigger/Relay",
        "Monitoring/LinkStatus",
        "Device/Trigger/DigitalInput",
    ]);
    let text = written(ns::WSTOP, "TopicSet", &set);
    let expected = concat!(
        r#"<tns1:Device xmlns:tns1="http://www.onvif.org/ver10/topics" xmlns:wstop="http://docs.oasis-open.org/wsn/t-1" xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:xs="http://www.w3.org/2001/XMLSchema"><Trigger>"#,
        r#"<Relay wstop:topic="true"><tt:MessageDescription IsProperty="true"><tt:Source><tt:SimpleItemDescription Name="RelayToken" Type="tt:ReferenceToken"/></tt:Source>"#,
        r#"<tt:Data><tt:SimpleItemDescription Name="LogicalState" Type="tt:RelayLogicalState"/></tt:Data></tt:MessageDescription></Relay>"#,
        r#"<DigitalInput wstop:topic="true"><tt:MessageDescription IsProperty="true"><tt:Source><tt:SimpleItemDescription Name="InputToken" Type="tt:ReferenceToken"/></tt:Source>"#,
        r#"<tt:Data><tt:SimpleItemDescription Name="LogicalState" Type="xs:boolean"/></tt:Data></tt:MessageDescription></DigitalInput></Trigger></tns1:Device>"#,
    );
    assert!(text.contains(expected), "{text}");
    let names: Vec<_> = set.any.iter().map(|root| root.name().local.to_string()).collect();
    assert_eq!(names, ["Monitoring", "Device"], "each root once");
    // All of them, as a client reads them.
    let response =
        GetEventPropertiesResponse::with(|response| response.topic_set = topics::topic_set(topics::catalogue()));
    let text = written(ns::TEV, "GetEventPropertiesResponse", &response);
    assert_eq!(read::<GetEventPropertiesResponse>(&text), response);
    let document = parse(text.as_bytes(), &Limits::REPLY).unwrap();
    let is_topic = |node: &oriel_soap::xml::Element<'_, '_>| node.attribute((ns::WSTOP.uri, "topic")) == Some("true");
    let found: Vec<_> = document.descendants().filter(is_topic).collect();
    assert_eq!(found.len(), topics::catalogue().len());
    for node in found {
        let described: MessageDescription = MessageDescription::read(
            node.children().find(|child| child.tag_name().name() == "MessageDescription").unwrap(),
        )
        .unwrap();
        let mut steps: Vec<_> = node.ancestors().take_while(|node| node.tag_name().name() != "TopicSet").collect();
        assert!(
            steps.pop().unwrap().tag_name().namespace() == Some(ns::TNS1.uri)
                && steps.iter().all(|step| step.tag_name().namespace().is_none())
        );
        let path: Vec<_> = node
            .ancestors()
            .take_while(|node| node.tag_name().name() != "TopicSet")
            .map(|node| node.tag_name().name())
            .collect();
        let path = path.into_iter().rev().collect::<Vec<_>>().join("/");
        assert_eq!(described, MessageDescription::from(topics::find(&path).unwrap()), "{path}");
    }
}

/// §9.4.1 and §9.4.3: names are unique in a message, source and key have no elements, what is no property has no key.
#[test]
fn the_table_follows_the_rules_of_the_chapter() {
    let all: BTreeSet<_> = topics::catalogue().iter().map(|description| description.topic).collect();
    assert_eq!(all.len(), topics::catalogue().len());
    for description in topics::catalogue() {
        let names: BTreeSet<_> = description.items().map(|item| item.name).collect();
        assert_eq!(names.len(), description.items().count(), "{}", description.topic);
        assert!(description.source.iter().chain(description.key).all(|item| !item.kind.element && !item.optional));
        assert!(description.property || description.key.is_empty());
    }
    for (kind, good, bad) in [
        (Kind::BOOLEAN, &["true", "0"][..], &["", "yes", "TRUE"][..]),
        (Kind::FLOAT, &["1", "-2.5e3", "INF", "NaN"], &["", "inf", "1,5", "nan", "e"]),
        (
            Kind::TIME,
            &["2026-01-31T12:00:00Z", "1970-01-01T00:00:00.5Z"],
            &["2026-01-31", "2026-01-31T12:00:00", "12:00Z"],
        ),
        (Kind::TOKEN, &["cpu", ""], &["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]),
        (Kind::RELAY, &["active", "inactive"], &["on"]),
        (Kind::KEY_STATUS, &["ok", "generating", "corrupt"], &["OK"]),
        (Kind::IPV4, &["192.0.2.1"], &["::1", "1.2.3"]),
        (Kind::IPV6, &["2001:db8::1"], &["192.0.2.1"]),
        (Kind::STRING, &["", "any"], &[]),
        (Kind::LOCATION, &[], &["", "x"]),
    ] {
        assert!(
            good.iter().all(|value| kind.accepts(value)) && !bad.iter().any(|value| kind.accepts(value)),
            "{kind:?}"
        );
    }
}

#[test]
fn subscribe_as_a_client_sends_it() {
    let request: Subscribe = read(
        r#"<Subscribe xmlns="http://docs.oasis-open.org/wsn/b-2" xmlns:a="http://www.w3.org/2005/08/addressing"><ConsumerReference>
        <a:Address> http://192.0.2.7/hook </a:Address><a:ReferenceParameters><x xmlns="urn:x">7</x></a:ReferenceParameters></ConsumerReference>
        <Filter/><InitialTerminationTime>PT1M</InitialTerminationTime>
        <SubscriptionPolicy><ChangedOnly xmlns="http://www.onvif.org/ver10/events/wsdl"/><UseRaw/></SubscriptionPolicy></Subscribe>"#,
    );
    assert_eq!(request.consumer_reference.address, "http://192.0.2.7/hook");
    assert_eq!(request.consumer_reference.reference_parameters.as_ref().unwrap().any.len(), 1);
    assert_eq!(
        request.initial_termination_time,
        Some(AbsoluteOrRelativeTime::In(Duration(jiff::SignedDuration::from_secs(60))))
    );
    let policy = request.subscription_policy.as_ref().unwrap();
    assert!(policy.has(&CHANGED_ONLY));
    assert_eq!(policy.others(&[CHANGED_ONLY]), [QName::of(ns::WSNT, "UseRaw")]);
    let text = written(ns::WSNT, "Subscribe", &request);
    assert_eq!(read::<Subscribe>(&text), request);
    let order = ["ConsumerReference", "<wsnt:Filter", "InitialTerminationTime", "SubscriptionPolicy"];
    assert!(order.iter().map(|part| text.find(part).unwrap()).is_sorted(), "{text}");
    let nil = r#"<S xmlns="http://docs.oasis-open.org/wsn/b-2" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><ConsumerReference><a:Address xmlns:a="http://www.w3.org/2005/08/addressing">h</a:Address></ConsumerReference><InitialTerminationTime i:nil="true"/></S>"#;
    assert_eq!(read::<Subscribe>(nil).initial_termination_time, None);
    let response = SubscribeResponse::with(|response| {
        response.subscription_reference =
            EndpointReference::with(|reference| reference.address = "http://192.0.2.1/s".into());
        response.current_time = Some("2026-01-31T12:00:00Z".parse().unwrap());
        response.termination_time = Some("2026-01-31T12:01:00Z".parse().unwrap());
    });
    let expected = "<wsnt:SubscriptionReference><wsa:Address>http://192.0.2.1/s</wsa:Address></wsnt:SubscriptionReference>\
        <wsnt:CurrentTime>2026-01-31T12:00:00Z</wsnt:CurrentTime><wsnt:TerminationTime>2026-01-31T12:01:00Z</wsnt:TerminationTime>";
    let text = written(ns::WSNT, "SubscribeResponse", &response);
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_broker_is_written_in_schema_order_and_its_password_is_in_no_log() {
    let filter = |expression: &str| {
        let xml = format!(
            r#"<n:TopicExpression xmlns:n="{}" xmlns:t="{}">{expression}</n:TopicExpression>"#,
            ns::WSNT.uri,
            ns::TNS1.uri
        );
        Filter::with(|filter| filter.any = vec![Any::from_xml(&xml, &Limits::REQUEST).unwrap()])
    };
    let request = AddEventBroker::with(|request| {
        request.event_broker = EventBrokerConfig::with(|broker| {
            broker.address = "wss://broker.example:8443/mqtt".into();
            broker.topic_prefix = "MyDevice".into();
            (broker.user_name, broker.password) = (Some("ann".into()), Some("s3cret".into()));
            broker.certificate_id = Some("c".into());
            broker.publish_filter = Some(filter("t:Device//."));
            broker.qos = Some(1);
            broker.status = Some(ConnectionStatus::Connected);
            broker.cert_path_validation_policy_id = Some("p".into());
            broker.metadata_filter = Some(filter("t:PTZ//."));
        });
    });
    let text = String::from_utf8(envelope::request(&request, &Headers::default())).unwrap();
    let order = [
        "Address",
        "TopicPrefix",
        "UserName",
        "Password",
        "CertificateID",
        "PublishFilter",
        "QoS",
        "Status",
        "CertPathValidationPolicyID",
        "MetadataFilter",
    ];
    assert!(order.iter().map(|name| text.find(&format!("<tev:{name}>")).unwrap()).is_sorted(), "{text}");
    assert_eq!(read::<AddEventBroker>(&written(ns::TEV, "AddEventBroker", &request)), request);
    assert!(!format!("{request:?}").contains("s3cret"));
}

#[test]
fn capabilities_and_the_rest_of_the_service() {
    let capabilities: Capabilities = read(
        r#"<c WSSubscriptionPolicySupport="true" WSPausableSubscriptionManagerInterfaceSupport="0" MaxNotificationProducers="8" MaxPullPoints="64"
        PersistentNotificationStorage="1" EventBrokerProtocols="mqtt wss quic" MaxEventBrokers="4" MetadataOverMQTT="false" New="x"/>"#,
    );
    let text = written(ns::TEV, "Capabilities", &capabilities);
    for part in [
        "WSSubscriptionPolicySupport=\"true\"",
        "MaxPullPoints=\"64\"",
        "EventBrokerProtocols=\"mqtt wss quic\"",
        "MetadataOverMQTT=\"false\"",
        "New=\"x\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(read::<Capabilities>(&text), capabilities);
    let seek: Seek = read(
        r#"<Seek xmlns="http://www.onvif.org/ver10/events/wsdl"><UtcTime>2026-01-31T12:00:00+01:00</UtcTime><Reverse>true</Reverse></Seek>"#,
    );
    assert_eq!((seek.utc_time.to_string().as_str(), seek.reverse), ("2026-01-31T11:00:00Z", Some(true)));
    let limits = PullMessagesFaultResponse::with(|limits| {
        (limits.max_timeout, limits.max_message_limit) = (Duration(jiff::SignedDuration::from_mins(5)), 1024);
    });
    let text = written(ns::TEV, "PullMessagesFaultResponse", &limits);
    assert!(
        text.contains("<tev:MaxTimeout>PT300S</tev:MaxTimeout><tev:MaxMessageLimit>1024</tev:MaxMessageLimit>"),
        "{text}"
    );
    let changed: CreatePullPointSubscription = read(
        r#"<C xmlns="http://www.onvif.org/ver10/events/wsdl"><SubscriptionPolicy><ChangedOnly>true</ChangedOnly></SubscriptionPolicy></C>"#,
    );
    assert!(changed.subscription_policy.unwrap().has(&CHANGED_ONLY));
}

#[test]
fn faults_have_their_element_in_the_detail_in_schema_order() {
    let detail = BaseFault::with(|detail| {
        detail.timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        detail.originator = Some(EndpointReference::with(|reference| reference.address = "urn:uuid:1".into()));
        detail.minimum_time = Some("2026-01-31T12:00:10Z".parse().unwrap());
        detail.maximum_time = Some("2026-02-01T12:00:00Z".parse().unwrap());
    });
    let fault = FaultKind::UnacceptableTerminationTime.fault("too late", detail.clone());
    let text = fault.detail[0].as_xml();
    let order = [
        "<wsnt:UnacceptableTerminationTimeFault",
        "<wsrf-bf:Timestamp>",
        "<wsrf-bf:Originator>",
        "<wsrf-bf:Description>too late<",
        "<wsnt:MinimumTime>",
        "<wsnt:MaximumTime>",
    ];
    assert!(order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"))).is_sorted());
    assert_eq!(fault.status().as_u16(), 500);
    assert!(fault.to_string().contains("UnacceptableTerminationTimeFault"), "{fault}");
    let unknown = FaultKind::ResourceUnknown.fault("gone", BaseFault::default());
    assert_eq!(unknown.detail[0].name(), &QName::of(ns::WSRF_R, "ResourceUnknownFault"));
    let names: BTreeSet<_> = FaultKind::ALL.iter().map(|kind| kind.name().to_string()).collect();
    assert_eq!(names.len(), FaultKind::ALL.len());
    assert_eq!(SimpleItem::new("a", "b"), SimpleItem { name: "a".into(), value: "b".into() });
}
