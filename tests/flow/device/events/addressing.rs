//! WS-Addressing in and out (Core chapter 9; WS-Addressing 1.0).

use super::*;
use oriel_soap::envelope::Addressing;

const PULL: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest";

fn header(answer: &Answer) -> Addressing {
    oriel_soap::Envelope::parse(answer.text.as_bytes(), &Limits::REPLY).unwrap().addressing()
}

/// A message with these header blocks, whose prefix of WS-Addressing is `a`.
fn message(headers: &str, body: &str) -> String {
    let token = UsernameToken::digest("user", &password("user"), Timestamp::now());
    let whole = String::from_utf8(with_token(&pull(0, 1), token)).unwrap();
    let security = &whole[whole.find("<env:Header>").unwrap() + 12..whole.find("</env:Header>").unwrap()];
    let start = &whole[..whole.find("<env:Header>").unwrap()];
    format!(
        "{}<env:Header><x:h xmlns:x=\"urn:x\"/>{security}{headers}</env:Header><env:Body>{body}</env:Body></env:Envelope>",
        start
    )
}

fn pulling() -> String {
    format!(
        "<e:PullMessages xmlns:e=\"{}\"><e:Timeout>PT0S</e:Timeout><e:MessageLimit>5</e:MessageLimit></e:PullMessages>",
        oriel_onvif::ns::TEV.uri
    )
}

const WSA: &str = "xmlns:a=\"http://www.w3.org/2005/08/addressing\"";

#[tokio::test]
async fn an_answer_names_its_action_and_the_message_that_it_answers() {
    let camera = Camera::with_events().await;
    let point = camera.create("user", &create(60)).await.unwrap();
    let headers = format!(
        "<a:Action {WSA} env:mustUnderstand=\"1\">{PULL}</a:Action><a:MessageID {WSA}>urn:uuid:7</a:MessageID>\
         <a:ReplyTo {WSA}><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>\
         <a:To {WSA} env:mustUnderstand=\"1\">{}</a:To>",
        point.reference.address
    );
    let answer = camera.post(EVENTS, message(&headers, &pulling())).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let told = header(&answer);
    assert_eq!(told.action.unwrap(), PULL.replace("Request", "Response"));
    assert_eq!(told.relates_to.unwrap(), "urn:uuid:7");
}

#[tokio::test]
async fn a_fault_has_the_action_of_faults() {
    let camera = Camera::with_events().await;
    let headers = format!("<a:Action {WSA}>{PULL}</a:Action><a:MessageID {WSA}>urn:uuid:8</a:MessageID>");
    let answer = camera.post(EVENTS, message(&headers, &pulling())).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    let told = header(&answer);
    assert_eq!(told.action.unwrap(), "http://www.w3.org/2005/08/addressing/soap/fault");
    assert_eq!(told.relates_to.unwrap(), "urn:uuid:8");
}

#[tokio::test]
async fn an_answer_goes_nowhere_but_back() {
    let camera = Camera::with_events().await;
    for (block, address, status) in [
        ("ReplyTo", "http://evil.example/", StatusCode::BAD_REQUEST),
        ("FaultTo", "http://evil.example/", StatusCode::BAD_REQUEST),
        ("ReplyTo", "http://www.w3.org/2005/08/addressing/anonymous", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let headers = format!("<a:{block} {WSA}><a:Address>{address}</a:Address></a:{block}>");
        let answer = camera.post(EVENTS, message(&headers, &pulling())).await;
        assert_eq!(answer.status, status, "{block} {address}");
        let named = fault_of(&answer).subcodes.iter().any(|code| code.local == "OnlyAnonymousAddressSupported");
        assert_eq!(named, status == StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn an_address_is_built_from_the_request() {
    let camera = Camera::with_events().await;
    let token = UsernameToken::digest("user", &password("user"), Timestamp::now());
    let mut request = soap(EVENTS, with_token(&create(60), token));
    request.headers_mut().insert("host", "10.1.2.3:8080".parse().unwrap());
    let made = read::<CreatePullPointSubscription>(&camera.send(request).await).unwrap();
    let address = made.subscription_reference.address;
    assert!(address.starts_with("http://10.1.2.3:8080/onvif/subscription/"), "{address}");
    assert_eq!(address.rsplit('/').next().unwrap().len(), 32);
}
