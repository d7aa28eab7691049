//! Pull points of a bridged camera (Core §9.1, WS-Addressing 1.0): their addresses lead through the bridge, and the camera reads its own.

use http::{Request, StatusCode};
use oriel_onvif::ns;
use oriel_soap::Envelope;
use oriel_soap::access::Level;
use oriel_soap::envelope::CONTENT_TYPE;
use oriel_soap::xml::{Limits, read};

use super::lan::{Asked, LanCamera, Says, soap as answered, with_digest};
use super::site::{DEVICE, Site};

const WSA: &str = "http://www.w3.org/2005/08/addressing";
const PULL: &str = "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest";
/// What the camera calls itself, which is not where it is reached.
const OWN: &str = "http://192.168.1.64:80";

/// A camera whose subscriptions are at `address`, with these reference parameters.
async fn camera(address: &'static str, parameters: &'static str) -> LanCamera {
    LanCamera::start(with_digest(move |asked| {
        let operation = asked.operation();
        let body = match operation.as_str() {
            "CreatePullPointSubscription" => format!(
                "<e:CreatePullPointSubscriptionResponse xmlns:e=\"{tev}\" xmlns:n=\"{wsnt}\" xmlns:a=\"{WSA}\"><e:SubscriptionReference>\
                 <a:Address>{address}</a:Address>{parameters}</e:SubscriptionReference><n:CurrentTime>2026-01-01T00:00:00Z</n:CurrentTime>\
                 <n:TerminationTime>2026-01-01T00:01:00Z</n:TerminationTime></e:CreatePullPointSubscriptionResponse>",
                tev = ns::TEV.uri,
                wsnt = ns::WSNT.uri,
            ),
            other => format!("<r:{other}Response xmlns:r=\"urn:r\"/>"),
        };
        Says::Bytes(answered(&body))
    }))
    .await
}

/// A SOAP request with headers.
fn request(target: &str, headers: &str, body: &str) -> Request<Vec<u8>> {
    let text = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"{WSA}\"><s:Header>{headers}</s:Header>\
         <s:Body>{body}</s:Body></s:Envelope>"
    );
    let request = Request::post(target).header("content-type", CONTENT_TYPE).header("host", "cloud.example");
    let request = request.header("x-forwarded-prefix", "/d/7").header("x-forwarded-host", "cloud.example");
    request.body(text.into_bytes()).unwrap()
}

fn of(namespace: &str, name: &str, inside: &str) -> String {
    format!("<o:{name} xmlns:o=\"{namespace}\">{inside}</o:{name}>")
}

fn create() -> String {
    of(ns::TEV.uri, "CreatePullPointSubscription", "")
}

fn pull() -> String {
    of(ns::TEV.uri, "PullMessages", "<o:Timeout>PT1S</o:Timeout><o:MessageLimit>5</o:MessageLimit>")
}

/// The text of a header as the camera got it.
fn header(asked: &Asked, namespace: &str, name: &str) -> Option<String> {
    let envelope = Envelope::parse(asked.body.as_bytes(), &Limits::REQUEST).unwrap();
    let found = envelope.headers().find(|block| read::name(*block) == (namespace, name));
    found.and_then(|block| block.text()).map(str::to_owned)
}

#[tokio::test]
async fn a_pull_point_is_asked_through_the_bridge_and_reads_its_own_address() {
    let camera = camera("http://192.168.1.64:80/event/sub?id=7&amp;x=1", "").await;
    let site = Site::of(&camera).await;
    let through = "/event/sub?id=7&x=1";
    let early = site.ask(Level::User, request(through, "", &pull())).await;
    assert_eq!(early.status, StatusCode::FORBIDDEN, "the camera has not named it yet");
    assert!(camera.take().is_empty());

    let made = site.ask(Level::User, request("/onvif/event_service", "", &create())).await;
    assert_eq!(made.status, StatusCode::OK);
    assert!(made.text.contains(">https://cloud.example/d/7/event/sub?id=7&amp;x=1<"), "{}", made.text);
    camera.take();

    let to = "<a:To s:mustUnderstand=\"1\">https://cloud.example/d/7/event/sub?id=7&amp;x=1</a:To>";
    let headers = format!("<a:Action>{PULL}</a:Action><a:MessageID>urn:uuid:1</a:MessageID>{to}");
    for body in [pull(), of(ns::WSNT.uri, "Unsubscribe", "")] {
        let headers = if body == pull() { headers.clone() } else { to.to_owned() };
        let answer = site.ask(Level::User, request(through, &headers, &body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let asked = camera.take_signed().pop().unwrap();
        assert_eq!(asked.target, through);
        assert_eq!(header(&asked, WSA, "To").unwrap(), format!("{OWN}{through}"));
        if body == pull() {
            assert_eq!(header(&asked, WSA, "Action").unwrap(), PULL);
            assert_eq!(header(&asked, WSA, "MessageID").unwrap(), "urn:uuid:1");
        }
    }

    let lying = headers.replace("PullMessagesRequest", "UnsubscribeRequest");
    let refused = site.ask(Level::Administrator, request(through, &lying, &pull())).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(camera.take().is_empty(), "an action that names something else goes nowhere");
}

#[tokio::test]
async fn reference_parameters_come_back_to_the_camera() {
    let parameters = "<a:ReferenceParameters><v:Sub xmlns:v=\"urn:vendor\">s-5</v:Sub></a:ReferenceParameters>";
    let camera = camera("http://192.168.1.64:80/onvif/events", parameters).await;
    let site = Site::of(&camera).await;
    let made = site.ask(Level::User, request("/onvif/event_service", "", &create())).await;
    assert!(made.text.contains(parameters) && made.text.contains(">https://cloud.example/d/7/onvif/events<"));
    camera.take();
    let headers = "<a:To>https://cloud.example/d/7/onvif/events</a:To>\
                   <v:Sub xmlns:v=\"urn:vendor\" a:IsReferenceParameter=\"true\">s-5</v:Sub>";
    let renew = of(ns::WSNT.uri, "Renew", "<o:TerminationTime>PT60S</o:TerminationTime>");
    assert_eq!(site.ask(Level::User, request("/onvif/events", headers, &renew)).await.status, StatusCode::OK);
    let asked = camera.take_signed().pop().unwrap();
    assert_eq!((asked.target.as_str(), header(&asked, "urn:vendor", "Sub").as_deref()), ("/onvif/events", Some("s-5")));
    assert_eq!(header(&asked, WSA, "To").unwrap(), format!("{OWN}/onvif/events"));
}

#[tokio::test]
async fn what_is_asked_at_the_usual_place_says_where_that_is_at_the_camera() {
    let camera = camera("http://192.168.1.64:80/x", "").await;
    let site = Site::with(&camera, |entry, _| entry.address.set_path("/odd/device")).await;
    let to = "<a:To>https://cloud.example/d/7/onvif/device_service</a:To>";
    let body = of(ns::TDS.uri, "GetScopes", "");
    assert_eq!(site.ask(Level::User, request(DEVICE, to, &body)).await.status, StatusCode::OK);
    let asked = camera.take_signed().pop().unwrap();
    assert_eq!(asked.target, "/odd/device");
    let own = format!("http://127.0.0.1:{}/odd/device", camera.port);
    assert_eq!(header(&asked, WSA, "To").unwrap(), own, "nothing better was told");
    for kept in ["http://www.w3.org/2005/08/addressing/anonymous", "urn:uuid:7"] {
        site.ask(Level::User, request(DEVICE, &format!("<a:To>{kept}</a:To>"), &body)).await;
        assert_eq!(header(&camera.take_signed().pop().unwrap(), WSA, "To").as_deref(), Some(kept));
    }
}

#[tokio::test]
async fn pulls_that_wait_leave_room_for_other_questions() {
    let camera = LanCamera::start(with_digest(|asked| match asked.operation().as_str() {
        "PullMessages" => Says::Nothing,
        other => Says::Bytes(answered(&format!("<r:{other}Response xmlns:r=\"urn:r\"/>"))),
    }))
    .await;
    let site = Site::of(&camera).await;
    let asked = site.ask(Level::User, request(DEVICE, "", &of(ns::TDS.uri, "GetScopes", ""))).await;
    assert_eq!(asked.status, StatusCode::OK);
    let pulls: Vec<_> = (0..20).map(|_| site.ask(Level::User, request("/onvif/events", "", &pull()))).collect();
    let others = async {
        camera.when("pulls wait", |counts| counts.requests >= 6).await;
        for _ in 0..10 {
            let answer = site.ask(Level::User, request(DEVICE, "", &of(ns::TDS.uri, "GetScopes", ""))).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        }
    };
    tokio::select! {
        _ = futures_util::future::join_all(pulls) => panic!("nobody answers them"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_camera_from_before_get_services_has_its_services_listed() {
    let camera = LanCamera::start(with_digest(|asked| {
        let body = match asked.operation().as_str() {
            "GetCapabilities" => format!(
                "<d:GetCapabilitiesResponse xmlns:d=\"{}\" xmlns:t=\"{}\"><d:Capabilities><t:Device><t:XAddr>{OWN}/dev</t:XAddr></t:Device>\
                 <t:PTZ><t:XAddr>{OWN}/ptz</t:XAddr></t:PTZ></d:Capabilities></d:GetCapabilitiesResponse>",
                ns::TDS.uri,
                ns::TT.uri
            ),
            _ => "<s:Fault xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Code><s:Value>s:Receiver</s:Value></s:Code>\
                  <s:Reason><s:Text xml:lang=\"en\">what?</s:Text></s:Reason></s:Fault>"
                .to_owned(),
        };
        Says::Bytes(answered(&body))
    }))
    .await;
    let site = Site::of(&camera).await;
    let body = of(ns::TDS.uri, "GetServices", "<o:IncludeCapability>false</o:IncludeCapability>");
    let answer = site.ask(Level::User, request(DEVICE, "", &body)).await;
    assert_eq!(answer.status, StatusCode::OK);
    for address in ["/dev", "/ptz", "/oriel/uplink_service", "/oriel/security_service"] {
        assert!(answer.text.contains(&format!("https://cloud.example/d/7{address}<")), "{address}: {}", answer.text);
    }
    let moved = site.ask(Level::User, request("/ptz", "", &of(ns::TPTZ.uri, "GetNodes", ""))).await;
    assert_ne!(moved.status, StatusCode::FORBIDDEN, "it was named");
}
