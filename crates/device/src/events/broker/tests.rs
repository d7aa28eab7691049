//! Brokers as they are set up, without one at the other end, or with one that only listens.

use super::*;
use crate::config::CallOut;
use oriel_trust::{Validation, client_config};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;

fn entry(address: &str) -> BrokerEntry {
    BrokerEntry {
        address: address.to_owned(),
        topic_prefix: "site".to_owned(),
        user_name: None,
        password: None,
        certificate_id: None,
        cert_path_validation_policy_id: None,
        publish_filter: Vec::new(),
        qos: 0,
        by_uplink: false,
    }
}

fn planned(entry: &BrokerEntry) -> Result<(Plan, Selection), String> {
    plan(entry, Uuid::nil())
}

const EXPRESSION: &str = "<w:TopicExpression xmlns:w=\"http://docs.oasis-open.org/wsn/b-2\" \
     xmlns:tns1=\"http://www.onvif.org/ver10/topics\" \
     Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">tns1:Device//.</w:TopicExpression>";

#[test]
fn a_filter_that_cannot_be_read_again_lets_nothing_through() {
    let mut kept = entry("mqtt://broker.example");
    kept.publish_filter = vec![EXPRESSION.to_owned()];
    assert!(planned(&kept).is_ok());
    assert_eq!(filter(&kept).unwrap().any.len(), 1);
    // Not even what the other expressions say: they are joined by AND.
    let cut = EXPRESSION[..EXPRESSION.len() - 3].to_owned();
    let other = EXPRESSION.replace("tns1:Device", "tns1:");
    let foreign = "<other xmlns=\"urn:other\"/>".to_owned();
    for damaged in [cut, other, foreign, String::new()] {
        kept.publish_filter = vec![EXPRESSION.to_owned(), damaged.clone()];
        let problem = planned(&kept).err().unwrap_or_else(|| panic!("{damaged:?} is taken"));
        assert!(problem.starts_with("its filter cannot be read"), "{problem}");
    }
}

#[test]
fn a_broker_is_one_however_its_address_is_written() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "mqtt://broker.example",
            &["mqtt://broker.example:1883", "MQTT://Broker.Example/", " mqtt://broker.example"],
            &[
                "mqtts://broker.example",
                "mqtt://broker.example:8883",
                "ws://broker.example",
                "mqtt://other.example",
                "",
            ],
        ),
        ("mqtts://127.0.0.1:8883", &["mqtts://127.0.0.1", "mqtts://0x7f000001/"], &["mqtt://127.0.0.1:8883"]),
        (
            "wss://b.example/mqtt?a=1",
            &["wss://b.example:443/mqtt?a=1"],
            &["wss://b.example/mqtt", "wss://b.example/MQTT?a=1"],
        ),
        // What could never be read is itself alone.
        ("http://broker.example", &["http://broker.example"], &["http://broker.example/"]),
    ];
    for (own, same, others) in cases {
        for address in *same {
            assert!(is_at(&entry(own), address), "{own} is {address}");
        }
        for address in *others {
            assert!(!is_at(&entry(own), address), "{own} is not {address}");
        }
    }
}

#[test]
fn a_log_shows_no_path() {
    assert_eq!(shown(&entry("wss://broker.example:8443/mqtt?token=hush")), "wss://broker.example:8443");
    assert!(!shown(&entry("http://broker.example/hush")).contains("hush"));
}

#[test]
fn one_broker_has_one_client_id_however_its_address_is_written() {
    let id = |address: &str| planned(&entry(address)).ok().unwrap().0.client;
    assert_eq!(id("mqtt://Broker.example"), id("mqtt://broker.example:1883/"));
    assert_ne!(id("mqtt://broker.example"), id("mqtts://broker.example"));
    assert_ne!(id("ws://broker.example/a"), id("ws://broker.example/b"));
}

#[tokio::test]
async fn tls_that_cannot_be_set_up_is_tried_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (plan, selection) = planned(&entry(&format!("mqtts://{}", listener.local_addr().unwrap()))).ok().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let set_up = move || match counts.fetch_add(1, Ordering::SeqCst) {
        0 => Err("TLS: nobody is believed yet".to_owned()),
        _ => client_config(&Validation::Insecure, None).map_err(|error| error.to_string()),
    };
    let (status, report) = watch::channel(Status::Offline);
    let dialler = Dialler::new(CallOut { allowed: vec!["127.0.0.0/8".parse().unwrap()], ..CallOut::default() });
    let life = Life { plan, set_up: Box::new(set_up), dialler, status };
    let events = Events::new("urn:uuid:1".to_owned(), None);
    let task = tokio::spawn(life.run(events.follow(selection, Follow::default())));
    timeout(Duration::from_secs(30), listener.accept()).await.expect("it is dialled").unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_ne!(*report.borrow(), Status::Connected);
    task.abort();
}
