//! WS-BaseNotification: what the device sends by itself to those who subscribed with an address (Core §9.3), and to whom never.

use super::*;
use http::Response;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use oriel_device::events::Occurrence;
use oriel_onvif::device_mgmt::{SetUser, User, UserLevel};
use oriel_onvif::events::topics::find;
use oriel_onvif::events::{Filter, GetServiceCapabilities, Message, PropertyOperation, SubscriptionPolicy};
use oriel_onvif::notification::*;
use oriel_onvif::ns;
use oriel_soap::xml::{Any, Duration as Span};
use oriel_soap::{Envelope, Levels, With};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const OPERATOR: As<'_> = As::Token("operator");
const MOTION: &str = "VideoSource/MotionAlarm";

/// A `Notify` as it came, and where its answer goes.
struct Came {
    path: String,
    content_type: String,
    text: String,
    answer: oneshot::Sender<Response<Full<bytes::Bytes>>>,
}

impl Came {
    fn answer(self, status: u16) {
        self.answer_with(Response::builder().status(status).body(Full::default()).unwrap());
    }

    fn answer_with(self, response: Response<Full<bytes::Bytes>>) {
        // The device may have hung up already.
        let _ = self.answer.send(response);
    }

    fn notify(&self) -> Vec<Message> {
        let envelope = Envelope::parse(self.text.as_bytes(), &Limits::REPLY).unwrap();
        let notify: Notify = envelope.read(ns::WSNT, "Notify").unwrap();
        notify.notification_message.iter().map(|message| message.message.onvif().unwrap().unwrap()).collect()
    }

    /// What each message says of the state, and with which operation.
    fn states(&self) -> Vec<(String, Option<PropertyOperation>)> {
        let state =
            |message: &Message| (message.value("State").unwrap_or_default().to_owned(), message.property_operation);
        self.notify().iter().map(state).collect()
    }
}

/// A consumer: the requests come out one by one, and each waits for its answer.
struct Consumer {
    address: SocketAddr,
    came: mpsc::Receiver<Came>,
    task: JoinHandle<()>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Consumer {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, came) = mpsc::channel(16);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let tell = tell.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let tell = tell.clone();
                        async move { Ok::<_, Infallible>(came_in(request, tell).await) }
                    });
                    let _ = server::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, came, task }
    }

    fn reference(&self) -> EndpointReference {
        EndpointReference::with(|reference| reference.address = format!("http://{}/hook?a=b", self.address))
    }

    async fn next(&mut self) -> Came {
        timeout(Duration::from_secs(20), self.came.recv()).await.expect("a message comes").unwrap()
    }

    async fn nothing_for(&mut self, time: Duration) {
        assert!(timeout(time, self.came.recv()).await.is_err(), "nothing comes");
    }
}

async fn came_in(request: Request<hyper::body::Incoming>, tell: mpsc::Sender<Came>) -> Response<Full<bytes::Bytes>> {
    let (head, body) = request.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let (answer, answered) = oneshot::channel();
    let content_type = head.headers["content-type"].to_str().unwrap().to_owned();
    assert_eq!(head.method, Method::POST);
    let _ = tell.send(Came { path: head.uri.to_string(), content_type, text, answer }).await;
    answered.await.unwrap_or_default()
}

/// A device that can tell of motion, and does not by itself.
async fn camera() -> Camera {
    let camera = Camera::start_with(quiet).await;
    camera.device.events().offer(&[find(MOTION).unwrap()]);
    camera
}

fn tell(camera: &Camera, state: &str) {
    let occurrence = Occurrence::of(find(MOTION).unwrap()).source("Source", "1").data("State", state);
    camera.device.events().tell(occurrence).unwrap();
}

fn subscribe(reference: EndpointReference) -> Subscribe {
    Subscribe::with(|request| {
        request.consumer_reference = reference;
        request.initial_termination_time = Some(AbsoluteOrRelativeTime::In(Span(jiff::SignedDuration::from_secs(600))));
        request.filter = Some(Filter::with(|filter| {
            let xml = format!(
                "<w:TopicExpression xmlns:w=\"{}\" xmlns:t=\"{}\" \
                 Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">t:{MOTION}</w:TopicExpression>",
                ns::WSNT.uri,
                ns::TNS1.uri
            );
            filter.any = vec![Any::from_xml(&xml, &Limits::REQUEST).unwrap()];
        }));
    })
}

/// Asks about a subscription, at its own address.
async fn manage<O: Operation>(camera: &Camera, at: &EndpointReference, operation: &O) -> Result<O::Response, Fault> {
    let token = UsernameToken::digest("operator", &password("operator"), Timestamp::now());
    let path = at.address.split_once("camera.test:80").unwrap().1;
    let answer = camera.post(path, with_token(operation, token)).await;
    envelope::read_reply::<O>(answer.text.as_bytes(), &Limits::REPLY).map_err(|error| match error {
        ReplyError::Fault(fault) => fault,
        error => panic!("{error:?}"),
    })
}

#[tokio::test]
async fn a_consumer_hears_the_state_and_then_each_change_in_order() {
    let (camera, mut consumer) = (camera().await, Consumer::start().await);
    tell(&camera, "false");
    let mut reference = consumer.reference();
    let header = "<x:Id xmlns:x=\"urn:x\" kind=\"k\">7 &amp; 8</x:Id>";
    reference.reference_parameters = Some(ReferenceParameters::with(|parameters| {
        parameters.any = vec![Any::from_xml(header, &Limits::REQUEST).unwrap()];
    }));
    let made = camera.ask(OPERATOR, &subscribe(reference.clone())).await.unwrap();
    assert!(made.current_time.unwrap() < made.termination_time.unwrap());

    let first = consumer.next().await;
    assert_eq!(first.path, "/hook?a=b");
    assert!(first.content_type.starts_with("application/soap+xml"), "{}", first.content_type);
    assert!(first.content_type.contains(NOTIFY_ACTION));
    assert_eq!(first.states(), [("false".to_owned(), Some(PropertyOperation::Initialized))]);
    let envelope = Envelope::parse(first.text.as_bytes(), &Limits::REPLY).unwrap();
    let addressing = envelope.addressing();
    assert_eq!(addressing.action.as_deref(), Some(NOTIFY_ACTION));
    assert_eq!(addressing.to.as_deref(), Some(reference.address.as_str()));
    assert!(addressing.message_id.is_some_and(|id| id.starts_with("urn:uuid:")));
    let parameter = envelope.headers().find(|header| header.tag_name().namespace() == Some("urn:x")).unwrap();
    assert_eq!((parameter.text(), parameter.attribute("kind")), (Some("7 & 8"), Some("k")));
    let marked = parameter.attribute(("http://www.w3.org/2005/08/addressing", "IsReferenceParameter"));
    assert_eq!(marked, Some("true"));

    // What happens meanwhile waits, and then goes together.
    for round in 0..5 {
        tell(&camera, if round % 2 == 0 { "true" } else { "false" });
    }
    first.answer(200);
    let mut heard = Vec::new();
    while heard.len() < 5 {
        let came = consumer.next().await;
        heard.extend(came.states());
        came.answer(202);
    }
    let changed = |state: &str| (state.to_owned(), Some(PropertyOperation::Changed));
    assert_eq!(heard, ["true", "false", "true", "false", "true"].map(changed));

    manage(&camera, &made.subscription_reference, &Unsubscribe::default()).await.unwrap();
    tell(&camera, "false");
    consumer.nothing_for(Duration::from_millis(300)).await;
    let gone = manage(&camera, &made.subscription_reference, &Renew::default()).await.unwrap_err();
    assert_eq!(FaultKind::of(&gone), Some(FaultKind::ResourceUnknown));
}

#[tokio::test]
async fn a_consumer_that_fails_is_asked_again_and_misses_nothing() {
    let (camera, mut consumer) = (camera().await, Consumer::start().await);
    tell(&camera, "false");
    camera.ask(OPERATOR, &subscribe(consumer.reference())).await.unwrap();
    consumer.next().await.answer(503);
    tell(&camera, "true");
    let again = consumer.next().await;
    assert_eq!(again.states()[0], ("false".to_owned(), Some(PropertyOperation::Initialized)));
    again.answer(500);
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let came = consumer.next().await;
        heard.extend(came.states().into_iter().map(|(state, _)| state));
        came.answer(200);
    }
    assert_eq!(heard, ["false", "true"]);
}

#[tokio::test]
async fn a_redirection_leads_nowhere() {
    let (camera, mut consumer, mut inside) = (camera().await, Consumer::start().await, Consumer::start().await);
    tell(&camera, "false");
    camera.ask(OPERATOR, &subscribe(consumer.reference())).await.unwrap();
    for status in [302, 307] {
        let came = consumer.next().await;
        let location = format!("http://{}/", inside.address);
        let moved = Response::builder().status(status).header("location", location);
        came.answer_with(moved.body(Full::default()).unwrap());
    }
    inside.nothing_for(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn an_answer_without_end_and_one_that_hangs_up_hold_up_nothing() {
    let camera = camera().await;
    tell(&camera, "false");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let reference = EndpointReference::with(|reference| {
        reference.address = format!("http://{}/", listener.local_addr().unwrap());
    });
    camera.ask(OPERATOR, &subscribe(reference)).await.unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    // The first answer is good and never ends: the message counts as taken, the connection as done with.
    let (mut endless, _) = listener.accept().await.unwrap();
    let mut seen = vec![0; 16 * 1024];
    assert!(endless.read(&mut seen).await.unwrap() > 0);
    let writing = tokio::spawn(async move {
        let _ = endless.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while endless.write_all(b"400\r\n").await.is_ok() && endless.write_all(&[b'x'; 1024]).await.is_ok() {
            if endless.write_all(b"\r\n").await.is_err() {
                break;
            }
        }
    });
    tell(&camera, "true");
    let (mut second, _) = timeout(Duration::from_secs(10), listener.accept()).await.unwrap().unwrap();
    writing.await.unwrap();
    let mut text = String::new();
    while !text.contains("</env:Envelope>") && !text.contains(":Envelope>\n") {
        let read = second.read(&mut seen).await.unwrap();
        assert!(read > 0);
        text.push_str(&String::from_utf8_lossy(&seen[..read]));
    }
    assert!(text.contains("Value=\"true\"") && !text.contains("Initialized"), "{text}");
    // One that hangs up without an answer gets it again.
    drop(second);
    let (mut third, _) = timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap();
    assert!(third.read(&mut seen).await.unwrap() > 0);
}

#[tokio::test]
async fn what_is_paused_waits_and_goes_on() {
    let (camera, mut consumer) = (camera().await, Consumer::start().await);
    let made = camera.ask(OPERATOR, &subscribe(consumer.reference())).await.unwrap();
    manage(&camera, &made.subscription_reference, &PauseSubscription::default()).await.unwrap();
    tell(&camera, "false");
    tell(&camera, "true");
    consumer.nothing_for(Duration::from_millis(300)).await;
    manage(&camera, &made.subscription_reference, &ResumeSubscription::default()).await.unwrap();
    let came = consumer.next().await;
    assert_eq!(came.states().into_iter().map(|(state, _)| state).collect::<Vec<_>>(), ["false", "true"]);
    came.answer(200);
    // A pull point sends nothing, so that there is nothing to pause.
    let pull_point = oriel_onvif::events::CreatePullPointSubscription::default();
    let pull_point = camera.ask(OPERATOR, &pull_point).await.unwrap().subscription_reference;
    let paused = manage(&camera, &pull_point, &PauseSubscription::default()).await.unwrap_err();
    assert_eq!(FaultKind::of(&paused), Some(FaultKind::PauseFailed));
    let resumed = manage(&camera, &pull_point, &ResumeSubscription::default()).await.unwrap_err();
    assert_eq!(FaultKind::of(&resumed), Some(FaultKind::ResumeFailed));
    manage(&camera, &made.subscription_reference, &Unsubscribe::default()).await.unwrap();
    let gone = manage(&camera, &made.subscription_reference, &PauseSubscription::default()).await.unwrap_err();
    assert_eq!(FaultKind::of(&gone), Some(FaultKind::ResourceUnknown));
}

/// Every way to write an address that the device must not call.
const REFUSED: &str = "http://127.0.0.1/ http://127.1/ http://2130706433/ http://0x7f000001/ http://0177.0.0.1/ http://localhost./ http://localhost:9/ \
    http://[::1]/ http://[::ffff:127.0.0.1]/ http://[::ffff:7f00:1]/ http://[::127.0.0.1]/ http://0/ http://169.254.169.254/latest http://2852039166/ \
    http://10.0.0.1/ http://192.168.257/ http://[64:ff9b::7f00:1]/ http://[2002:7f00:1::]/ http://[fe80::1]/ http://[fe80::1%25lo]/ http://[fd00::1]/ \
    http://224.0.0.1/ http://1.1.1.1@127.0.0.1/ http://user:word@1.1.1.1/ https://127.0.0.1/ ftp://1.1.1.1/ unix:/run/x mailto:a@b 127.0.0.1 http:///";

#[tokio::test]
async fn notify_reaches_no_refused_address_however_it_is_written() {
    let camera = Camera::start_with(|config| config.call_out = Default::default()).await;
    camera.device.events().offer(&[find(MOTION).unwrap()]);
    tell(&camera, "false");
    let inside = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = inside.local_addr().unwrap().port();
    for address in REFUSED.split_whitespace() {
        // Where it can be, at the port where somebody listens.
        let address = match address.strip_suffix('/') {
            Some(start) if address.starts_with("http") && !start.ends_with('/') => {
                format!("{}:{port}/", start.trim_end_matches(":9"))
            }
            _ => address.to_owned(),
        };
        let reference = EndpointReference::with(|reference| reference.address.clone_from(&address));
        match camera.ask(OPERATOR, &subscribe(reference)).await {
            Err(fault) => assert_eq!(FaultKind::of(&fault), Some(FaultKind::SubscribeCreationFailed), "{address}"),
            // A name is judged by its addresses, when it is dialled.
            Ok(_) => assert!(address.contains("localhost"), "{address}"),
        }
    }
    assert!(timeout(Duration::from_millis(500), inside.accept()).await.is_err(), "nobody was called");
}

#[tokio::test]
async fn who_comes_by_an_uplink_has_a_stricter_list() {
    let (camera, consumer) = (camera().await, Consumer::start().await);
    let cloud = camera.device.uplink_service("https://cloud.example/", Levels::ADMINISTRATOR);
    let message = envelope::request(&subscribe(consumer.reference()), &Headers::default());
    let request = soap(DEVICE, message).map(oriel_uplink::body::full);
    let body = cloud(request).await.into_body().collect().await.unwrap().to_bytes();
    let refused = envelope::read_reply::<Subscribe>(&body, &Limits::REPLY).unwrap_err();
    let ReplyError::Fault(refused) = refused else { panic!("{refused:?}") };
    assert_eq!(FaultKind::of(&refused), Some(FaultKind::SubscribeCreationFailed));
    camera.ask(OPERATOR, &subscribe(consumer.reference())).await.unwrap();
}

#[tokio::test]
async fn each_mistake_has_its_fault() {
    let (camera, consumer) = (camera().await, Consumer::start().await);
    let good = subscribe(consumer.reference());
    let policy = |xml: &str| {
        let any = vec![Any::from_xml(xml, &Limits::REQUEST).unwrap()];
        Some(SubscriptionPolicy::with(|policy| policy.any = any))
    };
    let mut raw = good.clone();
    raw.subscription_policy = policy(&format!("<w:UseRaw xmlns:w=\"{}\"/>", ns::WSNT.uri));
    let mut strange = good.clone();
    strange.subscription_policy = policy("<x:Y xmlns:x=\"urn:x\"/>");
    let mut past = good.clone();
    past.initial_termination_time = Some(AbsoluteOrRelativeTime::At(Timestamp::UNIX_EPOCH));
    let mut greedy = good.clone();
    greedy.consumer_reference.reference_parameters = Some(ReferenceParameters::with(|parameters| {
        let xml = format!("<x>{}</x>", "x".repeat(5000));
        parameters.any = vec![Any::from_xml(&xml, &Limits::REQUEST).unwrap()];
    }));
    for (request, kind) in [
        (raw, FaultKind::UnsupportedPolicyRequest),
        (strange, FaultKind::UnrecognizedPolicyRequest),
        (past, FaultKind::UnacceptableInitialTerminationTime),
        (greedy, FaultKind::SubscribeCreationFailed),
    ] {
        let fault = camera.ask(OPERATOR, &request).await.unwrap_err();
        assert_eq!(FaultKind::of(&fault), Some(kind), "{fault}");
    }
    // Whoever may only look does not make the device call.
    let fault = camera.ask(As::Token("user"), &good).await.unwrap_err();
    assert!(fault.is("NotAuthorized"), "{fault}");
    // One account does not take every place.
    let most = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities;
    let most = most.max_notification_producers.unwrap();
    let mut made = 0;
    let full = loop {
        match camera.ask(OPERATOR, &good).await {
            Ok(_) => made += 1,
            Err(fault) => break fault,
        }
    };
    assert_eq!(FaultKind::of(&full), Some(FaultKind::SubscribeCreationFailed));
    assert_eq!(made, most, "as many as are told are there for one");
}

/// Subscribe needs a right that Renew does not: who lost it is sent nothing more (Core §5.12.2).
#[tokio::test]
async fn who_may_less_than_before_or_is_another_one_is_sent_nothing_more() {
    let set = |password: &str, level| {
        SetUser::with(|request| {
            request.user = vec![User::with(|user| {
                user.username = "operator".to_owned();
                user.password = Some(password.to_owned());
                user.user_level = level;
            })];
        })
    };
    let (old, new) = (password("operator"), "a different one");
    for (changed, stays) in [
        (set(&old, UserLevel::Operator), true),
        (set(&old, UserLevel::Administrator), true),
        (set(&old, UserLevel::User), false),
        (set(new, UserLevel::Operator), false),
    ] {
        let (camera, consumer) = (camera().await, Consumer::start().await);
        let made = camera.ask(OPERATOR, &subscribe(consumer.reference())).await.unwrap();
        camera.ask(As::Digest("administrator"), &changed).await.unwrap();
        // An administrator gets at everything that there is.
        let token = UsernameToken::digest("administrator", &password("administrator"), Timestamp::now());
        let path = made.subscription_reference.address.split_once("camera.test:80").unwrap().1;
        let answer = camera.post(path, with_token(&Renew::default(), token)).await;
        assert_eq!(answer.status == StatusCode::OK, stays, "{changed:?}: {answer:?}");
    }
}

#[tokio::test]
async fn the_current_message_is_the_last_state() {
    let camera = camera().await;
    let ask = |topic: &str, dialect: &str| {
        format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>\
             <w:GetCurrentMessage xmlns:w=\"{}\" xmlns:t=\"{}\"><w:Topic Dialect=\"{dialect}\">{topic}</w:Topic>\
             </w:GetCurrentMessage></s:Body></s:Envelope>",
            ns::WSNT.uri,
            ns::TNS1.uri
        )
    };
    let concrete = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete";
    let current = async |topic: &str, dialect: &str| {
        let message = Envelope::parse(ask(topic, dialect).as_bytes(), &Limits::REQUEST).unwrap().request().unwrap();
        let message: GetCurrentMessage = message;
        camera.ask(As::Token("user"), &message).await
    };
    let kind = |answer: Result<GetCurrentMessageResponse, Fault>| FaultKind::of(&answer.unwrap_err());
    let topic = format!("t:{MOTION}");
    assert_eq!(kind(current(&topic, concrete).await), Some(FaultKind::NoCurrentMessageOnTopic));
    tell(&camera, "false");
    tell(&camera, "true");
    let answer = current(&topic, concrete).await.unwrap();
    let message: Message = answer.any[0].to().unwrap();
    assert_eq!((message.value("Source"), message.value("State")), (Some("1"), Some("true")));
    assert_eq!(kind(current("t:VideoSource/SignalLoss", concrete).await), Some(FaultKind::TopicNotSupported));
    assert_eq!(kind(current(&topic, "urn:none").await), Some(FaultKind::TopicExpressionDialectUnknown));
    for several in ["t:VideoSource//.", "t:VideoSource/MotionAlarm|t:VideoSource/SignalLoss"] {
        assert_eq!(kind(current(several, concrete).await), Some(FaultKind::MultipleTopicsSpecified), "{several}");
    }
}
