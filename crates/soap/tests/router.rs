//! The router: known, allowed, readable, bound; and what goes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use oriel_soap::access::{Caller, Level, Levels, Via};
use oriel_soap::envelope::{Envelope, read_reply};
use oriel_soap::xml::{Limits, Ns, XmlRead, XmlWrite};
use oriel_soap::{Fault, Reply, Router};
use std::sync::Arc;

const T: Ns = Ns::new("t", "http://example.org/t");
const U: Ns = Ns::new("u", "http://example.org/u");

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = T)]
struct SetLevel {
    level: i32,
}

#[derive(Debug, Clone, Default, PartialEq, XmlRead, XmlWrite)]
#[xml(ns = T)]
struct SetLevelResponse {
    was: i32,
}

oriel_soap::operations! {
    /// A service with one operation that is offered and one that is not.
    T =>
    SetLevel WriteSystem -> SetLevelResponse,
    GetLevel ReadSystem;
    GetTime  PreAuth;
}

async fn set_level(caller: Caller, request: SetLevel) -> Result<SetLevelResponse, Fault> {
    tokio::task::yield_now().await;
    assert!(caller.levels.contains(Level::Administrator));
    if request.level > 9 {
        return Err(Fault::invalid_arg_val("9 at most").subcode("Level"));
    }
    Ok(SetLevelResponse { was: request.level + 1 })
}

fn router() -> Router<Caller> {
    Router::new(&[&TABLE]).on(set_level)
}

fn caller(levels: Levels) -> Caller {
    Caller { levels, user: None, via: Via::Uplink { address: Arc::from("https://cloud/") } }
}

async fn ask_with(levels: Levels, header: &str, body: &str, action: Option<&str>) -> Reply {
    let text = format!(
        r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:t="{}" xmlns:u="{}" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"#,
        T.uri, U.uri
    );
    let router = router();
    let envelope = Envelope::parse(text.as_bytes(), &Limits::REQUEST).unwrap();
    let answer = router.dispatch(&envelope, action, caller(levels));
    drop(envelope);
    // Handlers run on any thread.
    tokio::spawn(answer).await.unwrap()
}

async fn ask(levels: Levels, body: &str) -> Reply {
    ask_with(levels, "", body, None).await
}

const SET: &str = "<t:SetLevel><t:Level>1</t:Level></t:SetLevel>";

fn subcodes(reply: &Reply) -> String {
    let fault = reply.fault.as_ref().expect("a fault");
    assert_eq!(reply.status, fault.status());
    let sent = Envelope::parse(&reply.body, &Limits::REPLY).unwrap().fault().unwrap();
    assert_eq!(sent.subcodes, fault.subcodes);
    fault.subcodes.iter().map(|subcode| subcode.local.as_ref()).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn a_request_reaches_its_handler() {
    let reply = ask(Levels::ADMINISTRATOR, SET).await;
    assert_eq!((reply.status.as_u16(), reply.fault), (200, None));
    assert_eq!(read_reply::<SetLevel>(&reply.body, &Limits::REPLY), Ok(SetLevelResponse { was: 2 }));
    assert_eq!(router().bound().collect::<Vec<_>>(), [(T.uri, "SetLevel")]);
}

#[tokio::test]
async fn unknown_known_allowed_readable_in_this_order() {
    // Unknown to whoever asks: by name, by namespace.
    for body in ["<t:Fly/>", "<u:SetLevel/>", "<SetLevel/>"] {
        let reply = ask(Levels::ANONYMOUS, body).await;
        assert_eq!((subcodes(&reply).as_str(), reply.status.as_u16()), ("UnknownAction", 400), "{body}");
    }
    // Not allowed, though neither readable nor offered.
    for body in ["<t:SetLevel/>", "<t:GetLevel/>"] {
        assert_eq!(subcodes(&ask(Levels::ANONYMOUS, body).await), "NotAuthorized", "{body}");
    }
    let operator = ask(Level::Operator.into(), SET).await;
    assert_eq!(subcodes(&operator), "NotAuthorized");
    assert!(operator.fault.unwrap().reason.contains("WRITE_SYSTEM"));
    // Known and allowed, not offered.
    for (levels, body) in [(Levels::ANONYMOUS, "<t:GetTime/>"), (Level::User.into(), "<t:GetLevel/>")] {
        let reply = ask(levels, body).await;
        assert_eq!((subcodes(&reply).as_str(), reply.status.as_u16()), ("ActionNotSupported", 500), "{body}");
    }
    // Allowed and offered, not readable.
    let reply = ask(Levels::ADMINISTRATOR, "<t:SetLevel/>").await;
    assert_eq!(subcodes(&reply), "InvalidArgs");
    assert!(reply.fault.unwrap().reason.contains("SetLevel/Level"));
    // The handler's own.
    assert_eq!(
        subcodes(&ask(Levels::ADMINISTRATOR, "<t:SetLevel><t:Level>10</t:Level></t:SetLevel>").await),
        "InvalidArgVal/Level"
    );
}

#[tokio::test]
async fn the_body_alone_says_what_is_asked() {
    let wrong = Some("http://example.org/t/GetTime");
    assert_eq!(subcodes(&ask_with(Levels::ADMINISTRATOR, "", SET, wrong).await), "UnknownAction");
    let right = Some("http://example.org/t/SetLevel");
    assert!(ask_with(Levels::ADMINISTRATOR, "", SET, right).await.fault.is_none());
    let header = "<a:Action>http://example.org/t/GetTime</a:Action>";
    assert_eq!(subcodes(&ask_with(Levels::ADMINISTRATOR, header, SET, None).await), "UnknownAction");
}

#[tokio::test]
async fn a_header_that_must_be_understood_stops_the_request() {
    let header = r#"<u:Pay s:mustUnderstand="1"/>"#;
    let reply = ask_with(Levels::ADMINISTRATOR, header, SET, None).await;
    assert_eq!(reply.status, 500);
    assert!(String::from_utf8(reply.body.to_vec()).unwrap().contains("NotUnderstood"));
}

#[tokio::test]
async fn answers_relate_to_their_requests() {
    let header = "<a:MessageID>urn:uuid:1</a:MessageID><a:Action>http://example.org/t/Port/SetLevelRequest</a:Action>";
    let addressing = |reply: &Reply| Envelope::parse(&reply.body, &Limits::REPLY).unwrap().addressing();
    let answer = addressing(&ask_with(Levels::ADMINISTRATOR, header, SET, None).await);
    assert_eq!(answer.relates_to.as_deref(), Some("urn:uuid:1"));
    assert_eq!(answer.action.as_deref(), Some("http://example.org/t/Port/SetLevelResponse"));
    let fault = addressing(&ask_with(Levels::ANONYMOUS, header, SET, None).await);
    assert_eq!(fault.relates_to.as_deref(), Some("urn:uuid:1"));
    assert_eq!(fault.action.as_deref(), Some("http://www.w3.org/2005/08/addressing/soap/fault"));
    let named = addressing(&ask_with(Levels::ADMINISTRATOR, "<a:MessageID>m</a:MessageID>", SET, None).await);
    assert_eq!(named.action.as_deref(), Some("http://example.org/t/SetLevelResponse"));
    assert!(addressing(&ask(Levels::ADMINISTRATOR, SET).await).is_empty());
}
