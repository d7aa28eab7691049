//! Answers of cameras, good and bad.

use super::*;

fn point() -> PullPoint {
    PullPoint {
        address: "http://10.0.0.9/onvif/Sub?Idx=7".to_owned(),
        parameters: vec!["<v:Id xmlns:v=\"urn:v\">7</v:Id>".to_owned()],
    }
}

fn pull() -> Ask {
    Ask::Pull { at: point(), seconds: 55, limit: 100 }
}

fn enveloped(body: &str) -> Vec<u8> {
    format!(
        "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' xmlns:e='{}' xmlns:n='{}' xmlns:t='{}' xmlns:a='{}' xmlns:tns1='{TNS1}' \
         xmlns:ven='urn:vendor'><s:Body>{body}</s:Body></s:Envelope>",
        ns::TEV.uri, ns::WSNT.uri, ns::TT.uri, WSA.uri
    )
    .into_bytes()
}

fn notification(topic: &str, message: &str) -> String {
    format!("<n:NotificationMessage><n:Topic>{topic}</n:Topic><n:Message>{message}</n:Message></n:NotificationMessage>")
}

fn pulled(messages: &str) -> Pulled {
    let times = "<e:CurrentTime>2026-11-21T21:00:00Z</e:CurrentTime><e:TerminationTime>2026-11-21T21:02:00Z</e:TerminationTime>";
    let answer = enveloped(&format!("<e:PullMessagesResponse>{times}{messages}</e:PullMessagesResponse>"));
    match pull().read(&answer) {
        Ok(Answer::Pulled(pulled)) => pulled,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_carries_what_the_pull_point_wants_to_be_shown() {
    let ask = pull();
    assert_eq!(ask.path(), "/onvif/Sub?Idx=7");
    let message = ask.message();
    let envelope = Envelope::parse(&message, &LIMITS).unwrap();
    let addressing = envelope.addressing();
    assert_eq!(addressing.to.as_deref(), Some("http://10.0.0.9/onvif/Sub?Idx=7"));
    assert!(addressing.action.unwrap().ends_with("/PullPointSubscription/PullMessagesRequest"));
    let shown: Vec<_> = envelope.headers().map(read::name).collect();
    assert!(shown.contains(&("urn:v", "Id")), "{shown:?}");
    assert_eq!(envelope.operation(), (ns::TEV.uri, "PullMessages"));
    for ask in [
        Ask::Services,
        Ask::OldServices,
        Ask::Capabilities { service: "/e".to_owned() },
        Ask::Create { service: "/e".to_owned(), seconds: Some(180) },
        Ask::Seek { at: point(), time: Timestamp::UNIX_EPOCH },
        Ask::Synchronise { at: point() },
        Ask::Renew { at: point(), seconds: 180 },
        Ask::Unsubscribe { at: point() },
    ] {
        envelope::inspect(&ask.message(), None, &LIMITS).unwrap();
    }
}

#[test]
fn messages_are_read_with_their_topics_under_known_prefixes() {
    let motion = "<t:Message UtcTime='2026-11-21T20:59:59.5Z' PropertyOperation='Changed'><t:Source><t:SimpleItem Name='Source' Value='1'/></t:Source>\
                  <t:Key/><t:Data><t:SimpleItem Name='State' Value='true'/><t:ElementItem Name='Box'><t:Box left='1'/></t:ElementItem></t:Data></t:Message>";
    let plain = "<t:Message UtcTime='2026-11-21T20:59:58'><t:Data><t:SimpleItem Name='A' Value='&lt;b&gt;'/></t:Data></t:Message>";
    let found = pulled(
        &(notification("tns1:VideoSource/MotionAlarm", motion) + &notification("ven:Odd/tns1:Thing/x:Y", plain)),
    );
    assert_eq!((found.messages.len(), found.unreadable, found.begins), (2, 0, None));
    assert_eq!(found.life, Some(SignedDuration::from_secs(120)));
    let [one, other] = &found.messages[..] else { panic!() };
    assert_eq!((one.topic.as_str(), one.operation), ("tns1:VideoSource/MotionAlarm", Some(Operation::Changed)));
    assert_eq!((one.source["Source"].as_str(), one.data["State"].as_str(), one.time % 1000), ("1", "true", 500));
    assert!(one.elements[0].name == "Box" && one.elements[0].xml.contains("left"), "{one:?}");
    assert_eq!((other.topic.as_str(), other.data["A"].as_str()), ("{urn:vendor}Odd/Thing/x:Y", "<b>"));
    assert!(!one.cut && !other.cut);
}

#[test]
fn one_bad_message_spoils_no_other_and_the_beginning_of_the_store_is_none() {
    let good = "<t:Message UtcTime='2026-11-21T20:59:58Z'/>";
    let bad = [
        notification("tns1:A", "<t:Message/>"),
        notification("tns1:A", "<t:Message UtcTime='yesterday'/>"),
        notification("tns1:A", "<t:Message UtcTime='2026-11-21T20:59:58Z' PropertyOperation='Exploded'/>"),
        notification("", good),
        notification("tns1:A", "<other/>"),
        "<n:NotificationMessage/>".to_owned(),
    ];
    let all = notification("tns1:A", good)
        + &bad.concat()
        + &notification("tns1:EventBuffer/Begin", good)
        + &notification("tns1:B", good);
    let found = pulled(&all);
    let topics: Vec<_> = found.messages.iter().map(|message| message.topic.as_str()).collect();
    assert_eq!((topics, found.unreadable, found.begins), (vec!["tns1:A", "tns1:B"], bad.len(), Some(1)));
}

#[test]
fn what_a_camera_writes_without_end_is_cut() {
    let long = "x".repeat(100_000);
    let many: String = (0..5000).map(|n| format!("<t:SimpleItem Name='n{n}' Value='{}'/>", "ß".repeat(50))).collect();
    let twice = "<t:SimpleItem Name='A' Value='1'/><t:SimpleItem Name='A' Value='2'/>";
    for data in [format!("<t:SimpleItem Name='{long}' Value='{long}'/>"), many, twice.to_owned()] {
        let message = format!("<t:Message UtcTime='2026-11-21T20:59:58Z'><t:Data>{data}</t:Data></t:Message>");
        let found = pulled(&notification(&format!("tns1:{long}"), &message));
        let json = found.messages[0].clone().entry().content();
        assert!(found.messages[0].cut && json.len() < 2 * MESSAGE, "{}", json.len());
    }
}

#[test]
fn a_pull_point_whose_address_cannot_be_used_is_none() {
    let ask = Ask::Create { service: "/onvif/events".to_owned(), seconds: None };
    let created = |reference: &str| {
        ask.read(&enveloped(&format!(
            "<e:CreatePullPointSubscriptionResponse><e:SubscriptionReference>{reference}</e:SubscriptionReference><n:CurrentTime>\
             2026-11-21T21:00:00Z</n:CurrentTime><n:TerminationTime>2026-11-21T20:00:00Z</n:TerminationTime></e:CreatePullPointSubscriptionResponse>"
        )))
    };
    let good = created(
        "<a:Address> http://evil.example/a?b=1 </a:Address><a:ReferenceParameters><ven:Id>1</ven:Id></a:ReferenceParameters>",
    );
    let Ok(Answer::Created { at, life, .. }) = good else { panic!("{good:?}") };
    // Its host is not followed, and its own header goes back to it alone.
    assert_eq!(Ask::Unsubscribe { at: at.clone() }.path(), "/a?b=1");
    assert!(at.parameters[0].contains("urn:vendor") && life.unwrap().is_negative());
    let long = format!("<a:Address>http://a/{}</a:Address>", "x".repeat(ADDRESS));
    let many = format!(
        "<a:Address>http://a/b</a:Address><a:ReferenceParameters>{}</a:ReferenceParameters>",
        "<ven:Id/>".repeat(9)
    );
    for bad in [
        "",
        "<a:Address/>",
        "<a:Address>//evil.example/x</a:Address>",
        "<a:Address>mailto:a@b</a:Address>",
        &long,
        &many,
    ] {
        assert!(matches!(created(bad), Err(Failure::Unreadable(_))), "{bad}");
    }
}

#[test]
fn faults_say_what_to_do_whatever_words_the_camera_has() {
    let fault = |subcode: &str, detail: &str| {
        let body = format!(
            "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:r='urn:r' xmlns:ter='http://www.onvif.org/ver10/error'>{subcode}</s:Value></s:Subcode></s:Code>\
             <s:Reason><s:Text xml:lang='en'>no</s:Text></s:Reason>{detail}</s:Fault>"
        );
        match pull().read(&enveloped(&body)) {
            Err(Failure::Fault(no)) => no,
            other => panic!("{other:?}"),
        }
    };
    assert!(fault("r:ResourceUnknownFault", "").unknown);
    assert!(fault("ter:InvalidArgVal", "<s:Detail><n:ResourceUnknownFault/></s:Detail>").unknown);
    assert!(fault("ter:NotAuthorized", "").forbidden);
    assert!(fault("ter:ActionNotSupported", "").unsupported);
    let long = "<s:Detail><e:PullMessagesFaultResponse><e:MaxTimeout>PT20S</e:MaxTimeout><e:MaxMessageLimit>5</e:MaxMessageLimit></e:PullMessagesFaultResponse></s:Detail>";
    assert_eq!(fault("ter:InvalidArgVal", long).longest, Some(20));
    assert!(!fault("ter:InvalidArgVal", "").unknown);
}

#[test]
fn the_event_service_is_found_by_its_path_alone() {
    let services = |xaddr: &str| {
        let body = format!(
            "<d:GetServicesResponse xmlns:d='{}'><d:Service><d:Namespace>urn:other</d:Namespace><d:XAddr>http://a/b</d:XAddr></d:Service>\
             <d:Service><d:Namespace>{}</d:Namespace><d:XAddr>{xaddr}</d:XAddr></d:Service></d:GetServicesResponse>",
            ns::TDS.uri,
            ns::TEV.uri
        );
        Ask::Services.read(&enveloped(&body))
    };
    assert_eq!(
        services("http://192.168.1.2:8080/onvif/events"),
        Ok(Answer::Services(Some("/onvif/events".to_owned())))
    );
    assert_eq!(services("/onvif/events"), Ok(Answer::Services(Some("/onvif/events".to_owned()))));
    assert_eq!(services("nowhere"), Ok(Answer::Services(None)));
    for nonsense in [&b""[..], b"<html/>", b"<a", b"\xff"] {
        assert!(matches!(Ask::Services.read(nonsense), Err(Failure::Unreadable(_))));
    }
}
