//! The words that a client of a camera needs: answers under prefixes that nobody would choose, and requests in the order of the schema.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use oriel_onvif::events::{
    CreatePullPointSubscription, CreatePullPointSubscriptionResponse, Filter, GetEventPropertiesResponse, PullMessages,
    PullMessagesResponse,
};
use oriel_onvif::media::{self, GetSnapshotUriResponse, StreamSetup, StreamType, Transport, TransportProtocol};
use oriel_onvif::media2;
use oriel_onvif::notification::{AbsoluteOrRelativeTime, Renew, RenewResponse, Unsubscribe};
use oriel_onvif::ns;
use oriel_onvif::ptz::{ContinuousMove, GetPresetsResponse, PtzSpeed, Stop, Vector1D, Vector2D};
use oriel_soap::envelope::{self, Envelope, Headers};
use oriel_soap::xml::{Any, Duration, Limits, QName, Writer, XmlRead, XmlWrite, parse};
use oriel_soap::{Operation, With};
use std::fmt::Debug;

/// Reads, writes under our own prefixes, and reads that: what is asked of the second reading has come through all three.
fn back<T: XmlRead + XmlWrite>(text: &str) -> T {
    let read = |text: &str| T::read(parse(text.as_bytes(), &Limits::REPLY).unwrap().root_element()).unwrap();
    let mut writer = Writer::fragment();
    writer.element(ns::TT, "Again", &read(text));
    read(&writer.finish())
}

/// A request as it is sent, after a reader has understood the same.
fn sent<O: Operation + PartialEq + Debug>(request: &O) -> String {
    let message = envelope::request(request, &Headers::default());
    let envelope = Envelope::parse(&message, &Limits::REQUEST).unwrap();
    assert_eq!(envelope.operation(), (O::SERVICE.uri, O::NAME));
    assert_eq!(&envelope.request::<O>().unwrap(), request);
    String::from_utf8(message).unwrap()
}

fn seconds(seconds: i64) -> Duration {
    Duration(jiff::SignedDuration::from_secs(seconds))
}

#[test]
fn profiles_of_the_first_media_service() {
    let answer: media::GetProfilesResponse = back(
        r#"<GetProfilesResponse xmlns="http://www.onvif.org/ver10/media/wsdl" xmlns:zz9="http://www.onvif.org/ver10/schema">
        <Profiles token="p/1" fixed="1" xmlns:acme="urn:acme" acme:colour="red">
          <zz9:Name>day &amp; night</zz9:Name>
          <zz9:VideoSourceConfiguration token="vsc"><zz9:Name>v</zz9:Name><zz9:UseCount>2</zz9:UseCount><zz9:SourceToken>lens</zz9:SourceToken>
            <zz9:Bounds x="0" y="0" width="9" height="9"/></zz9:VideoSourceConfiguration>
          <zz9:AudioSourceConfiguration token="asc"><zz9:Name>a</zz9:Name></zz9:AudioSourceConfiguration>
          <zz9:VideoEncoderConfiguration token="vec"><zz9:Name>e</zz9:Name><zz9:UseCount>1</zz9:UseCount><zz9:Encoding>H264</zz9:Encoding>
            <zz9:Resolution><zz9:Width>640</zz9:Width><zz9:Height>360</zz9:Height></zz9:Resolution><zz9:Quality>4.5</zz9:Quality></zz9:VideoEncoderConfiguration>
          <zz9:PTZConfiguration token="ptz"><zz9:Name>m</zz9:Name><zz9:UseCount>1</zz9:UseCount><zz9:NodeToken>head</zz9:NodeToken></zz9:PTZConfiguration>
          <acme:Mood>calm</acme:Mood></Profiles>
        <Profiles token="p2"><zz9:Name/></Profiles></GetProfilesResponse>"#,
    );
    let [first, second] = answer.profiles.as_slice() else { panic!("two profiles: {answer:?}") };
    assert_eq!((&*first.token, first.fixed, &*first.name), ("p/1", Some(true), "day & night"));
    assert_eq!(first.video_source_configuration.as_ref().unwrap().source_token, "lens");
    let encoder = first.video_encoder_configuration.as_ref().unwrap();
    assert_eq!((&*encoder.encoding, encoder.resolution.width, encoder.resolution.height), ("H264", 640, 360));
    assert_eq!(first.ptz_configuration.as_ref().unwrap().node_token, "head");
    let kept: Vec<_> = first.any.iter().map(|any| &*any.name().local).collect();
    assert_eq!(kept, ["AudioSourceConfiguration", "Mood"]);
    assert_eq!(first.any_attributes[0].value, "red");
    assert!(second.video_encoder_configuration.is_none() && second.ptz_configuration.is_none());
    sent(&media::GetProfiles::default());
}

#[test]
fn addresses_of_the_first_media_service() {
    let text = sent(&media::GetStreamUri::with(|request| {
        request.stream_setup = StreamSetup::with(|setup| {
            setup.stream = StreamType::RtpUnicast;
            setup.transport = Transport::with(|transport| transport.protocol = TransportProtocol::Http);
        });
        request.profile_token = "p<1>".into();
    }));
    let expected = "<trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>HTTP</tt:Protocol></tt:Transport>\
        </trt:StreamSetup><trt:ProfileToken>p&lt;1&gt;</trt:ProfileToken>";
    assert!(text.contains(expected), "{text}");
    let answer: GetSnapshotUriResponse = back(
        r#"<m:GetSnapshotUriResponse xmlns:m="http://www.onvif.org/ver10/media/wsdl"><m:MediaUri xmlns="http://www.onvif.org/ver10/schema">
        <Uri> http://192.0.2.7/pic?a=1&amp;b=2
        </Uri><InvalidAfterConnect>false</InvalidAfterConnect><InvalidAfterReboot>0</InvalidAfterReboot><Timeout>PT0S</Timeout></m:MediaUri></m:GetSnapshotUriResponse>"#,
    );
    assert_eq!(answer.media_uri.uri, "http://192.0.2.7/pic?a=1&b=2");
    assert_eq!((answer.media_uri.invalid_after_reboot, answer.media_uri.timeout), (Some(false), Some(seconds(0))));
    let short: media::GetStreamUriResponse = back(
        r#"<a:R xmlns:a="http://www.onvif.org/ver10/media/wsdl" xmlns:b="http://www.onvif.org/ver10/schema"><a:MediaUri><b:Uri>rtsp://c/</b:Uri></a:MediaUri></a:R>"#,
    );
    assert_eq!((&*short.media_uri.uri, short.media_uri.timeout), ("rtsp://c/", None));
    sent(&media::GetSnapshotUri::with(|request| request.profile_token = "p".into()));
}

#[test]
fn the_second_media_service() {
    let text = sent(&media2::GetProfiles::with(|request| {
        request.token = Some("p".into());
        request.types = vec!["VideoEncoder".into(), "PTZ".into()];
    }));
    assert!(
        text.contains("<tr2:Token>p</tr2:Token><tr2:Type>VideoEncoder</tr2:Type><tr2:Type>PTZ</tr2:Type>"),
        "{text}"
    );
    let answer: media2::GetProfilesResponse = back(
        r#"<x:GetProfilesResponse xmlns:x="http://www.onvif.org/ver20/media/wsdl" xmlns="http://www.onvif.org/ver10/schema">
        <x:Profiles token="main" fixed="false"><x:Name>main</x:Name><x:Configurations>
          <x:VideoEncoder token="e" GovLength="50"><Name>e</Name><UseCount>1</UseCount><Encoding>H265</Encoding>
            <Resolution><Width>3840</Width><Height>2160</Height></Resolution><Quality>1</Quality></x:VideoEncoder>
          <x:AudioEncoder token="ae"><Name>s</Name></x:AudioEncoder>
          <x:PTZ token="t"><Name>t</Name><NodeToken>n</NodeToken></x:PTZ></x:Configurations></x:Profiles></x:GetProfilesResponse>"#,
    );
    let set = answer.profiles[0].configurations.as_ref().unwrap();
    let encoder = set.video_encoder.as_ref().unwrap();
    assert_eq!((&*encoder.encoding, encoder.resolution.height), ("H265", 2160));
    assert_eq!((&*encoder.any_attributes[0].name, &*encoder.any_attributes[0].value), ("GovLength", "50"));
    assert_eq!((&*set.ptz.as_ref().unwrap().token, set.any.len(), set.video_source.is_none()), ("t", 1, true));
    let text = sent(&media2::GetStreamUri::with(|request| {
        request.protocol = media2::TransportProtocol::RtspOverHttp;
        request.profile_token = "main".into();
    }));
    assert!(
        text.contains("<tr2:Protocol>RtspOverHttp</tr2:Protocol><tr2:ProfileToken>main</tr2:ProfileToken>"),
        "{text}"
    );
    let answer: media2::GetStreamUriResponse = back(
        r#"<R xmlns:_1="http://www.onvif.org/ver20/media/wsdl"><_1:Uri><![CDATA[rtsp://[2001:db8::1]/s?a&b]]></_1:Uri></R>"#,
    );
    assert_eq!(answer.uri, "rtsp://[2001:db8::1]/s?a&b");
    sent(&media2::GetSnapshotUri::with(|request| request.profile_token = "main".into()));
}

#[test]
fn moving_and_stopping() {
    let text = sent(&ContinuousMove::with(|request| {
        request.profile_token = "p".into();
        request.velocity = PtzSpeed::with(|speed| {
            speed.pan_tilt = Some(Vector2D::with(|vector| (vector.x, vector.y) = (-0.5, 1.0)));
            speed.zoom = Some(Vector1D::with(|vector| vector.space = Some("urn:zoom".into())));
        });
        request.timeout = Some(seconds(90));
    }));
    let expected = r#"<tptz:ProfileToken>p</tptz:ProfileToken><tptz:Velocity><tt:PanTilt x="-0.5" y="1"/><tt:Zoom x="0" space="urn:zoom"/></tptz:Velocity><tptz:Timeout>PT90S</tptz:Timeout>"#;
    assert!(text.contains(expected), "{text}");
    let text = sent(&Stop::with(|request| {
        request.profile_token = "p".into();
        request.zoom = Some(false);
    }));
    assert!(
        text.contains("<tptz:ProfileToken>p</tptz:ProfileToken><tptz:Zoom>false</tptz:Zoom></tptz:Stop>"),
        "{text}"
    );
    let answer: GetPresetsResponse = back(
        r#"<q:GetPresetsResponse xmlns:q="http://www.onvif.org/ver20/ptz/wsdl" xmlns:Q="http://www.onvif.org/ver10/schema">
        <q:Preset token="1"><Q:Name>gate</Q:Name><Q:PTZPosition><Q:PanTilt x="1e-1" y="-.25" space="urn:s"/><Q:Zoom x="INF"/></Q:PTZPosition></q:Preset>
        <q:Preset/></q:GetPresetsResponse>"#,
    );
    let place = answer.preset[0].ptz_position.as_ref().unwrap();
    let pan_tilt = place.pan_tilt.as_ref().unwrap();
    assert!((pan_tilt.x - 0.1).abs() < 1e-6 && (pan_tilt.y + 0.25).abs() < 1e-6 && pan_tilt.space.is_some());
    assert!(place.zoom.as_ref().unwrap().x.is_infinite());
    assert_eq!((answer.preset[0].name.as_deref(), answer.preset[1].token.as_deref()), (Some("gate"), None));
}

#[test]
fn a_pull_point_and_where_it_is() {
    let text = sent(&CreatePullPointSubscription::with(|request| {
        let expression = r#"<n:TopicExpression xmlns:n="http://docs.oasis-open.org/wsn/b-2" xmlns:k="urn:topics" Dialect="urn:d">k:A//.</n:TopicExpression>"#;
        request.filter =
            Some(Filter::with(|filter| filter.any.push(Any::from_xml(expression, &Limits::REQUEST).unwrap())));
        request.initial_termination_time = Some(AbsoluteOrRelativeTime::In(seconds(60)));
    }));
    assert!(
        text.contains(">k:A//.</n:TopicExpression></tev:Filter>") && text.contains(r#"xmlns:k="urn:topics""#),
        "{text}"
    );
    assert!(text.contains("<tev:InitialTerminationTime>PT60S</tev:InitialTerminationTime>"), "{text}");
    let answer: CreatePullPointSubscriptionResponse = back(
        r#"<i:R xmlns:i="http://www.onvif.org/ver10/events/wsdl" xmlns:ii="http://www.w3.org/2005/08/addressing" xmlns:iii="http://docs.oasis-open.org/wsn/b-2">
        <i:SubscriptionReference><ii:Address> http://10.0.0.9:80/sub?id=4 </ii:Address>
          <ii:ReferenceParameters><dom0:SubscriptionId xmlns:dom0="urn:maker">4</dom0:SubscriptionId></ii:ReferenceParameters>
          <ii:Metadata><m xmlns=""/></ii:Metadata></i:SubscriptionReference>
        <iii:CurrentTime>2026-01-31T12:00:00</iii:CurrentTime><iii:TerminationTime>2026-01-31T12:01:00.5+00:00</iii:TerminationTime><other xmlns="urn:o"/></i:R>"#,
    );
    assert_eq!(answer.subscription_reference.address, "http://10.0.0.9:80/sub?id=4");
    let parameters = &answer.subscription_reference.reference_parameters.as_ref().unwrap().any;
    assert_eq!(*parameters[0].name(), QName::new("urn:maker", "SubscriptionId"));
    assert_eq!(answer.termination_time.duration_since(answer.current_time).as_millis(), 60_500);
    assert_eq!(answer.any.len(), 1);
}

#[test]
fn messages_keep_their_topics_and_contents() {
    let text = sent(&PullMessages::with(|request| {
        request.timeout = seconds(5);
        request.message_limit = 100;
    }));
    assert!(text.contains("<tev:Timeout>PT5S</tev:Timeout><tev:MessageLimit>100</tev:MessageLimit>"), "{text}");
    let answer: PullMessagesResponse = back(
        r#"<e:R xmlns:e="http://www.onvif.org/ver10/events/wsdl" xmlns="http://docs.oasis-open.org/wsn/b-2" xmlns:T="http://www.onvif.org/ver10/topics">
        <e:CurrentTime>2026-01-31T12:00:00Z</e:CurrentTime><e:TerminationTime>2026-01-31T12:01:00Z</e:TerminationTime>
        <NotificationMessage><Topic Dialect="urn:concrete" xmlns:my="urn:mine"> T:VideoSource/my:Blurred </Topic>
          <ProducerReference><a:Address xmlns:a="http://www.w3.org/2005/08/addressing">urn:uuid:1</a:Address></ProducerReference>
          <Message><s:Message xmlns:s="http://www.onvif.org/ver10/schema" UtcTime="2026-01-31T11:59:59Z"><s:Data><s:SimpleItem Name="State" Value="true"/></s:Data></s:Message></Message></NotificationMessage>
        <NotificationMessage><Topic>lost:Device/Trigger</Topic><Message/></NotificationMessage></e:R>"#,
    );
    let [first, second] = answer.notification_message.as_slice() else { panic!("two messages: {answer:?}") };
    let topic = first.topic.as_ref().unwrap();
    let expected = [QName::new("http://www.onvif.org/ver10/topics", "VideoSource"), QName::new("urn:mine", "Blurred")];
    assert_eq!((&topic.topic.0[..], topic.dialect.as_deref()), (&expected[..], Some("urn:concrete")));
    assert_eq!(first.producer_reference.as_ref().unwrap().address, "urn:uuid:1");
    assert!(first.message.any[0].as_xml().contains(r#"Value="true""#));
    // A prefix that is not declared, as some cameras send it, and a step without one while a default namespace is declared.
    let steps = &second.topic.as_ref().unwrap().topic.0;
    assert_eq!(steps[..], [QName::new("", "lost:Device"), QName::new("", "Trigger")]);
}

#[test]
fn a_subscription_is_renewed_and_ended() {
    let until = |time| Renew::with(|request| request.termination_time = Some(time));
    let text = sent(&until(AbsoluteOrRelativeTime::In(seconds(600))));
    assert!(text.contains("<wsnt:TerminationTime>PT600S</wsnt:TerminationTime>"), "{text}");
    let text = sent(&until(AbsoluteOrRelativeTime::At("2026-01-31T12:00:00Z".parse().unwrap())));
    assert!(text.contains("<wsnt:TerminationTime>2026-01-31T12:00:00Z</wsnt:TerminationTime>"), "{text}");
    let nil: Renew = back(
        r#"<w:Renew xmlns:w="http://docs.oasis-open.org/wsn/b-2" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><w:TerminationTime i:nil="true"/></w:Renew>"#,
    );
    assert_eq!(nil, Renew::default());
    let bad = parse(br#"<w:Renew xmlns:w="http://docs.oasis-open.org/wsn/b-2"><w:TerminationTime>soon</w:TerminationTime></w:Renew>"#, &Limits::REQUEST).unwrap();
    assert!(Renew::read(bad.root_element()).unwrap_err().to_string().contains("PT60S"));
    let answer: RenewResponse = back(
        r#"<v0:RenewResponse xmlns:v0="http://docs.oasis-open.org/wsn/b-2"><v0:TerminationTime>2026-01-31T12:10:00Z</v0:TerminationTime></v0:RenewResponse>"#,
    );
    assert_eq!((answer.termination_time.to_string().as_str(), answer.current_time), ("2026-01-31T12:10:00Z", None));
    sent(&Unsubscribe::default());
}

#[test]
fn topics_are_a_tree_that_stays_as_it_is() {
    let answer: GetEventPropertiesResponse = back(
        r#"<p:R xmlns:p="http://www.onvif.org/ver10/events/wsdl" xmlns:b2="http://docs.oasis-open.org/wsn/b-2" xmlns:t1="http://docs.oasis-open.org/wsn/t-1">
        <p:TopicNamespaceLocation> http://t/1.xml </p:TopicNamespaceLocation><b2:FixedTopicSet>true</b2:FixedTopicSet>
        <t1:TopicSet xmlns:tns="http://www.onvif.org/ver10/topics"><tns:Device><Trigger><Relay t1:topic="true"/></Trigger></tns:Device></t1:TopicSet>
        <b2:TopicExpressionDialect>urn:one</b2:TopicExpressionDialect><b2:TopicExpressionDialect>urn:two</b2:TopicExpressionDialect>
        <p:MessageContentFilterDialect/><p:MessageContentSchemaLocation>http://s/</p:MessageContentSchemaLocation></p:R>"#,
    );
    assert!(answer.fixed_topic_set);
    assert_eq!(answer.topic_namespace_location, ["http://t/1.xml"]);
    assert_eq!(*answer.topic_set.any[0].name(), QName::new("http://www.onvif.org/ver10/topics", "Device"));
    assert!(answer.topic_set.any[0].as_xml().contains(r#"<Relay t1:topic="true"/>"#));
    assert_eq!(
        (answer.topic_expression_dialect.len(), &answer.message_content_filter_dialect[..]),
        (2, &[String::new()][..])
    );
}
