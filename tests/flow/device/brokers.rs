//! Event brokers: configured by the chapter's operations, and published to over MQTT (Core §9.12), here by a broker of a few lines.

use super::*;
use oriel_device::events::Occurrence;
use oriel_onvif::events::topics::find;
use oriel_onvif::events::*;
use oriel_onvif::ns;
use oriel_soap::With;
use oriel_soap::xml::Any;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

const ADMINISTRATOR: As<'_> = As::Token("administrator");
const MOTION: &str = "VideoSource/MotionAlarm";

/// A broker that takes one device at a time.
struct Broker {
    listener: TcpListener,
}

/// A device at the broker.
struct Client {
    stream: TcpStream,
    /// CONNECT's content.
    connect: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct Published {
    topic: String,
    payload: String,
    qos: u8,
    retain: bool,
    again: bool,
    id: u16,
}

impl Broker {
    async fn start() -> Self {
        Self { listener: TcpListener::bind(("127.0.0.1", 0)).await.unwrap() }
    }

    fn address(&self) -> String {
        format!("mqtt://{}", self.listener.local_addr().unwrap())
    }

    /// The next device that connects, before its answer.
    async fn connected(&self) -> Client {
        let accepted = timeout(Duration::from_secs(20), self.listener.accept()).await.expect("a device connects");
        let mut client = Client { stream: accepted.unwrap().0, connect: Vec::new() };
        let (kind, connect) = client.packet().await;
        assert_eq!(kind, 0x10);
        client.connect = connect;
        client
    }

    async fn taken_in(&self, session: bool) -> Client {
        let mut client = self.connected().await;
        client.stream.write_all(&[0x20, 2, u8::from(session), 0]).await.unwrap();
        client
    }
}

impl Client {
    async fn packet(&mut self) -> (u8, Vec<u8>) {
        let read = async {
            let kind = self.stream.read_u8().await.unwrap();
            let (mut length, mut shift) = (0, 0);
            loop {
                let digit = usize::from(self.stream.read_u8().await.unwrap());
                length |= (digit & 0x7f) << shift;
                shift += 7;
                if digit < 0x80 {
                    break;
                }
            }
            let mut content = vec![0; length];
            self.stream.read_exact(&mut content).await.unwrap();
            (kind, content)
        };
        timeout(Duration::from_secs(20), read).await.expect("a packet comes")
    }

    async fn published(&mut self) -> Published {
        let (first, content) = self.packet().await;
        assert_eq!(first >> 4, 3, "a message");
        let (length, rest) = content.split_at(2);
        let (topic, mut rest) = rest.split_at(usize::from(u16::from_be_bytes([length[0], length[1]])));
        let qos = first >> 1 & 3;
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([rest[0], rest[1]]);
            rest = &rest[2..];
        }
        Published {
            topic: String::from_utf8(topic.to_vec()).unwrap(),
            payload: String::from_utf8(rest.to_vec()).unwrap(),
            qos,
            retain: first & 1 == 1,
            again: first & 8 == 8,
            id,
        }
    }

    async fn answer(&mut self, kind: u8, id: u16) {
        let [high, low] = id.to_be_bytes();
        self.stream.write_all(&[kind, 2, high, low]).await.unwrap();
    }
}

/// A device that can tell of motion and of a relay, and does not by itself.
async fn camera() -> Camera {
    let camera = Camera::start_with(quiet).await;
    camera.device.events().offer(&[find(MOTION).unwrap(), find("Device/Trigger/Relay").unwrap()]);
    camera
}

fn motion(state: &str) -> Occurrence {
    Occurrence::of(find(MOTION).unwrap()).source("Source", "gate").data("State", state)
}

fn config(address: &str) -> EventBrokerConfig {
    EventBrokerConfig::with(|config| {
        config.address = address.to_owned();
        config.topic_prefix = "site/camera".to_owned();
        config.publish_filter = filter("tns1:VideoSource//.");
    })
}

async fn add(camera: &Camera, config: &EventBrokerConfig) -> Result<(), Fault> {
    let request = AddEventBroker::with(|request| request.event_broker = config.clone());
    camera.ask(ADMINISTRATOR, &request).await.map(drop)
}

async fn brokers(camera: &Camera) -> Vec<EventBrokerConfig> {
    camera.ask(As::Token("user"), &GetEventBrokers::default()).await.unwrap().event_broker
}

fn filter(expression: &str) -> Option<Filter> {
    let xml = format!(
        "<w:TopicExpression xmlns:w=\"{}\" xmlns:tns1=\"{}\" \
         Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">{expression}</w:TopicExpression>",
        ns::WSNT.uri,
        ns::TNS1.uri
    );
    Some(Filter::with(|filter| filter.any = vec![Any::from_xml(&xml, &Limits::REQUEST).unwrap()]))
}

#[tokio::test]
async fn what_happens_is_published_and_states_are_kept_there() {
    let (camera, broker) = (camera().await, Broker::start().await);
    camera.device.events().tell(motion("false")).unwrap();
    let mut wanted = config(&broker.address());
    (wanted.user_name, wanted.password) = (Some("camera".to_owned()), Some("a secret of MQTT".to_owned()));
    add(&camera, &wanted).await.unwrap();
    let mut client = broker.connected().await;
    let connect = String::from_utf8_lossy(&client.connect).into_owned();
    assert!(connect.starts_with("\0\u{4}MQTT\u{4}\u{c2}") || client.connect[7] == 0xc2, "{connect:?}");
    assert!(connect.ends_with("\0\u{6}camera\0\u{10}a secret of MQTT"), "{connect:?}");
    assert_eq!(brokers(&camera).await[0].status, Some(ConnectionStatus::Connecting));
    client.stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();

    let first = client.published().await;
    assert_eq!(first.topic, "site/camera/onvif-ej/VideoSource/MotionAlarm/&gate");
    assert!(first.payload.ends_with(r#","Source":{"Source":"gate"},"Data":{"State":false}}"#), "{}", first.payload);
    assert!(first.retain && first.qos == 0);
    camera.device.events().tell(motion("true")).unwrap();
    assert!(client.published().await.payload.contains(r#"{"State":true}"#));
    camera.device.events().tell(motion("true").gone()).unwrap();
    let gone = client.published().await;
    assert_eq!((gone.topic, gone.payload, gone.retain), (first.topic, String::new(), true));

    // What is told of it: all but the password.
    let told = brokers(&camera).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].status.clone(), told[0].qos), (Some(ConnectionStatus::Connected), Some(0)));
    assert_eq!(told[0].user_name.as_deref(), Some("camera"));
    let answer = camera.answer(As::Token("administrator"), &GetEventBrokers::default()).await;
    assert!(!answer.text.contains("secret") && !answer.text.contains("Password"), "{}", answer.text);

    // Changed without a password, the one that is there stays; a new connection has the new prefix.
    let mut changed = config(&broker.address());
    (changed.user_name, changed.topic_prefix) = (Some("camera".to_owned()), "other".to_owned());
    changed.publish_filter = filter("tns1:Device//.");
    add(&camera, &changed).await.unwrap();
    let mut client = broker.taken_in(false).await;
    assert!(String::from_utf8_lossy(&client.connect).ends_with("a secret of MQTT"));
    camera.device.events().tell(motion("false")).unwrap();
    let relay = Occurrence::of(find("Device/Trigger/Relay").unwrap()).source("RelayToken", "r1");
    camera.device.events().tell(relay.data("LogicalState", "active")).unwrap();
    assert_eq!(client.published().await.topic, "other/onvif-ej/Device/Trigger/Relay/&r1", "the filter holds");
    assert_eq!(brokers(&camera).await[0].publish_filter, changed.publish_filter);

    let delete = DeleteEventBroker::with(|request| request.address = broker.address());
    camera.ask(ADMINISTRATOR, &delete).await.unwrap();
    assert_eq!(client.stream.read(&mut [0; 64]).await.unwrap_or(0), 0, "the connection is closed");
    assert!(brokers(&camera).await.is_empty());
}

#[tokio::test]
async fn exactly_once_goes_on_where_the_connection_broke() {
    let (camera, broker) = (camera().await, Broker::start().await);
    let mut wanted = config(&broker.address());
    wanted.qos = Some(2);
    add(&camera, &wanted).await.unwrap();
    let mut client = broker.taken_in(false).await;
    camera.device.events().tell(motion("false")).unwrap();
    camera.device.events().tell(motion("true")).unwrap();
    let (first, second) = (client.published().await, client.published().await);
    assert_eq!((first.qos, second.qos), (2, 2));
    client.answer(0x50, first.id).await;
    assert_eq!(client.packet().await, (0x62, first.id.to_be_bytes().to_vec()));
    drop(client);
    // The broker knows the device: what it has is released, what it may not have comes again.
    let mut client = broker.taken_in(true).await;
    assert_eq!(client.packet().await, (0x62, first.id.to_be_bytes().to_vec()));
    client.answer(0x70, first.id).await;
    let again = client.published().await;
    assert_eq!(again, Published { again: true, ..second });
    client.answer(0x50, again.id).await;
    // The states come once more, since a broker may have lost them.
    let mut rest = [client.packet().await, client.packet().await];
    rest.sort();
    assert_eq!(rest[1], (0x62, again.id.to_be_bytes().to_vec()));
    assert_eq!(rest[0].0 & 0xf7, 0x35, "kept, exactly once");
}

#[tokio::test]
async fn a_life_before_this_one_is_forgotten_by_the_broker_before_anything_is_published() {
    let (camera, broker) = (camera().await, Broker::start().await);
    let mut wanted = config(&broker.address());
    wanted.qos = Some(2);
    camera.device.events().tell(motion("true")).unwrap();
    add(&camera, &wanted).await.unwrap();
    // The broker remembers ids of a device that died in the middle: it forgets, and is asked to remember from now on.
    let mut ids = Vec::new();
    for (remembers, clean) in [(true, 0), (false, 2)] {
        let mut client = broker.taken_in(remembers).await;
        assert_eq!(client.connect[7] & 2, clean);
        assert_eq!(client.packet().await, (0xe0, Vec::new()), "nothing is published");
        ids.push(client.connect[10..].to_vec());
    }
    let mut client = broker.taken_in(false).await;
    assert_eq!(client.connect[7] & 2, 0);
    ids.push(client.connect[10..].to_vec());
    ids.dedup();
    assert_eq!(ids.len(), 1, "one client");
    let first = client.published().await;
    assert_eq!((first.qos, first.again), (2, false));
    assert!(first.payload.contains(r#""State":true"#), "{}", first.payload);
}

#[tokio::test]
async fn a_broker_that_comes_back_hears_what_it_missed_and_the_states() {
    let (camera, broker) = (camera().await, Broker::start().await);
    add(&camera, &config(&broker.address())).await.unwrap();
    drop(broker.taken_in(false).await);
    for state in ["false", "true", "false"] {
        camera.device.events().tell(motion(state)).unwrap();
    }
    let mut client = broker.taken_in(false).await;
    let mut states = Vec::new();
    for _ in 0..4 {
        let payload = client.published().await.payload;
        states.push(payload.contains(r#""State":true"#));
    }
    assert_eq!(states, [false, true, false, false]);
}

#[tokio::test]
async fn a_device_that_starts_connects_what_was_set() {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start().await;
    let camera = Camera { device: Device::start(super::config(&folder, |_| {})).await.unwrap(), folder };
    let mut wanted = config(&broker.address());
    (wanted.user_name, wanted.password) = (Some("camera".to_owned()), Some("a secret of MQTT".to_owned()));
    add(&camera, &wanted).await.unwrap();
    let first = broker.taken_in(false).await;
    let Camera { device, folder } = camera;
    device.stop().await;
    let device = Device::start(super::config(&folder, |_| {})).await.unwrap();
    let second = broker.taken_in(false).await;
    assert_eq!(second.connect, first.connect, "the same client, the same password");
    drop(device);
}

type Change = fn(&mut EventBrokerConfig);

#[tokio::test]
async fn each_mistake_has_its_fault_and_changes_nothing() {
    let camera = Camera::start_with(|config| config.max_event_brokers = 2).await;
    let capabilities = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities;
    assert_eq!(capabilities.max_event_brokers, Some(2));
    let protocols = capabilities.event_broker_protocols.unwrap().0;
    use EventBrokerProtocol::{Mqtt, Mqtts, Ws, Wss};
    assert_eq!(protocols, [Mqtt, Mqtts, Ws, Wss]);
    let cases: &[(&str, Change)] = &[
        ("env:Sender/ter:InvalidArgVal/ter:InvalidProtocol", |c| c.address = "http://127.0.0.1:1883".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidProtocol", |c| c.address = "tcp://127.0.0.1:1883".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "127.0.0.1".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = String::new()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "mqtt://".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "mqtt://127.0.0.1/x".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "mqtt://u:p@127.0.0.1".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "mqtt://10.1.2.3".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "mqtt://0x0a010203".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "wss://[::1]/mqtt".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidAddress", |c| c.address = "mqtts://169.254.169.254".to_owned()),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidFilter", |c| c.publish_filter = filter("tns1:/x")),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidFilter", |c| c.publish_filter = filter("nobody:Root")),
        ("env:Sender/ter:InvalidArgVal/ter:InvalidFilter", |c| c.metadata_filter = filter("tns1:PTZ//.")),
        ("env:Sender/ter:InvalidArgVal/ter:CertificateID", |c| c.certificate_id = Some("none such".to_owned())),
        ("env:Sender/ter:InvalidArgVal/ter:CertPathValidationPolicyID", |c| {
            c.cert_path_validation_policy_id = Some("none such".to_owned());
        }),
        ("env:Sender/ter:InvalidArgVal", |c| c.topic_prefix = String::new()),
        ("env:Sender/ter:InvalidArgVal", |c| c.topic_prefix = "#+".to_owned()),
        ("env:Sender/ter:InvalidArgVal", |c| c.qos = Some(3)),
        ("env:Sender/ter:InvalidArgVal", |c| c.qos = Some(-1)),
        ("env:Sender/ter:InvalidArgVal", |c| c.password = Some("for nobody".to_owned())),
        ("env:Sender/ter:InvalidArgVal", |c| c.user_name = Some("x".repeat(257))),
    ];
    for (expected, change) in cases {
        let mut wrong = config("mqtt://127.0.0.1:9");
        change(&mut wrong);
        assert_eq!(name(&add(&camera, &wrong).await.unwrap_err()), *expected, "{wrong:?}");
    }
    assert!(brokers(&camera).await.is_empty());

    for port in [7, 9] {
        add(&camera, &config(&format!("mqtt://127.0.0.1:{port}"))).await.unwrap();
    }
    let full = add(&camera, &config("mqtt://127.0.0.1:11")).await.unwrap_err();
    assert_eq!(name(&full), "env:Receiver/ter:Action/ter:TooManyEventBrokers");
    add(&camera, &config("MQTT://0x7f000001:9/")).await.unwrap();
    assert_eq!(brokers(&camera).await.len(), 2, "one that is there is changed");

    let one = GetEventBrokers::with(|request| request.address = Some("mqtt://127.0.0.1:7".to_owned()));
    assert_eq!(camera.ask(As::Token("user"), &one).await.unwrap().event_broker.len(), 1);
    let none = GetEventBrokers::with(|request| request.address = Some("mqtt://127.0.0.1:8".to_owned()));
    let unknown = camera.ask(As::Token("user"), &none).await.unwrap_err();
    assert_eq!(name(&unknown), "env:Sender/ter:InvalidArgVal/ter:InvalidAddress");
    let none = DeleteEventBroker::with(|request| request.address = "mqtt://127.0.0.1:8".to_owned());
    let unknown = camera.ask(ADMINISTRATOR, &none).await.unwrap_err();
    assert_eq!(name(&unknown), "env:Sender/ter:InvalidArgVal/ter:InvalidAddress");
    let refused = camera.ask(As::Token("operator"), &none).await.unwrap_err();
    assert!(refused.is("NotAuthorized"), "{refused}");
}

#[tokio::test]
async fn a_broker_that_came_by_an_uplink_has_a_stricter_list() {
    let (camera, broker) = (camera().await, Broker::start().await);
    let cloud = camera.device.uplink_service("https://cloud.example/", oriel_soap::Levels::ADMINISTRATOR);
    let ask = async |config: &EventBrokerConfig| {
        let request = AddEventBroker::with(|request| request.event_broker = config.clone());
        let request = soap(DEVICE, envelope::request(&request, &Headers::default())).map(oriel_uplink::body::full);
        let body = cloud(request).await.into_body().collect().await.unwrap().to_bytes();
        envelope::read_reply::<AddEventBroker>(&body, &Limits::REPLY)
    };
    let ReplyError::Fault(refused) = ask(&config(&broker.address())).await.unwrap_err() else { panic!("a fault") };
    assert_eq!(name(&refused), "env:Sender/ter:InvalidArgVal/ter:InvalidAddress");
    // What the LAN chose can be changed by an uplink.
    add(&camera, &config(&broker.address())).await.unwrap();
    drop(broker.taken_in(false).await);
    let mut changed = config(&broker.address());
    changed.topic_prefix = "by the cloud".to_owned();
    ask(&changed).await.unwrap();
    let _stands = broker.taken_in(false).await;
    // But not who the device is there.
    changed.user_name = Some("another".to_owned());
    let ReplyError::Fault(refused) = ask(&changed).await.unwrap_err() else { panic!("a fault") };
    assert_eq!(name(&refused), "env:Sender/ter:OperationProhibited");
    // A name that leads inside is refused when it is dialled, also after the LAN changed the rest of what a cloud chose.
    let port = broker.listener.local_addr().unwrap().port();
    let mut inside = config(&format!("mqtt://localhost:{port}"));
    ask(&inside).await.unwrap();
    assert!(timeout(Duration::from_millis(300), broker.listener.accept()).await.is_err(), "nobody comes");
    inside.topic_prefix = "by the LAN".to_owned();
    add(&camera, &inside).await.unwrap();
    assert!(timeout(Duration::from_millis(300), broker.listener.accept()).await.is_err(), "nobody comes");
    // What the LAN adds anew is the LAN's.
    let delete = DeleteEventBroker::with(|request| request.address.clone_from(&inside.address));
    camera.ask(ADMINISTRATOR, &delete).await.unwrap();
    add(&camera, &inside).await.unwrap();
    drop(broker.connected().await);
}
