//! The feed of a device's events at the cloud: through restarts of either side and broken tunnels, for one organisation alone, whatever the camera does.

use std::time::Duration;

use http::{Method, StatusCode};
use oriel_cloud::records::{NewToken, Role};
use oriel_cloud::{Cloud, Config};
use oriel_device::Device;
use oriel_device::events::Occurrence;
use serde_json::{Value, json};

use super::api::{DEVICES, call};
use super::camera::Camera;
use super::client::request;
use super::events::Stream;
use super::records::postgres::Postgres;
use super::teller::Teller;
use super::{Door, House, me, policy_of, until};

async fn house() -> House {
    House::open_with(|config| config.feed.enabled = true).await
}

/// The entries of a device, the oldest first: the value of a message, the reason of a gap in brackets.
async fn told(house: &House, id: &str) -> Vec<String> {
    let path = format!("{DEVICES}/{id}/events?limit=200");
    let listed = call(house, Method::GET, &path, &Value::Null).await.json();
    let told = |entry: &Value| match entry["kind"].as_str().unwrap() {
        "gap" => format!("<{}>", entry["reason"].as_str().unwrap()),
        "state" => format!("={}", entry["data"]["Value"].as_str().unwrap()),
        _ => entry["data"]["Value"].as_str().unwrap().to_owned(),
    };
    listed["items"].as_array().unwrap().iter().rev().map(told).collect()
}

/// Waits until the newest entry is this one.
async fn newest(house: &House, id: &str, value: &str) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let told = told(house, id).await;
        if told.last().is_some_and(|last| last == value) {
            return;
        }
        assert!(tokio::time::Instant::now() < end, "{value} never came: {told:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the feed waits for messages.
async fn pulling(teller: &Teller, times: usize) {
    let pulls = || teller.asked().iter().filter(|name| *name == "PullMessages").count();
    until("a pull", || pulls() >= times).await;
}

async fn stream(house: &House, id: &str, last: Option<&str>) -> Stream {
    let mut asked = request(Method::GET, &format!("{DEVICES}/{id}/events/stream"), &house.administrator);
    if let Some(last) = last {
        asked.headers_mut().insert("last-event-id", last.parse().unwrap());
    }
    Stream::open(house, asked).await
}

#[tokio::test]
async fn what_a_device_tells_is_listed_and_streamed() {
    let house = house().await;
    let teller = Teller::at(&house, true).await;
    teller.change("tns1:VideoSource/MotionAlarm", "false");
    let _uplink = teller.dial(&house);
    newest(&house, &teller.id, "=false").await;
    let mut listening = stream(&house, &teller.id, None).await;
    let snapshot = listening.next().await.unwrap();
    assert_eq!((snapshot.kind.as_str(), &snapshot.data), ("snapshot", &json!({ "number": 1 })));
    teller.change("tns1:VideoSource/MotionAlarm", "true");
    teller.tell("tns1:Device/Trigger/Relay", "&lt;script&gt;");
    let entry = listening.next().await.unwrap();
    assert_eq!((entry.kind.as_str(), entry.id.as_str()), ("entry", "2"));
    assert_eq!(entry.data["topic"], "tns1:VideoSource/MotionAlarm");
    assert_eq!((&entry.data["kind"], &entry.data["operation"]), (&json!("event"), &json!("Changed")));
    assert_eq!((&entry.data["source"], &entry.data["data"]), (&json!({ "Token": "1" }), &json!({ "Value": "true" })));
    let entry = listening.next().await.unwrap();
    assert_eq!((&entry.data["number"], &entry.data["data"]["Value"]), (&json!(3), &json!("<script>")));
    // Who comes back hears what it missed; who comes from elsewhere is told so.
    drop(listening);
    teller.tell("tns1:Device/Trigger/Relay", "4");
    newest(&house, &teller.id, "4").await;
    let mut again = stream(&house, &teller.id, Some("2")).await;
    assert_eq!([again.next().await.unwrap().id, again.next().await.unwrap().id], ["3", "4"]);
    assert_eq!(stream(&house, &teller.id, Some("77")).await.next().await.unwrap().kind, "reset");
    // Pages, topics, times.
    let list = async |query: &str| {
        let path = format!("{DEVICES}/{}/events?{query}", teller.id);
        call(&house, Method::GET, &path, &Value::Null).await.json()
    };
    let numbers = |list: &Value| -> Vec<u64> {
        list["items"].as_array().unwrap().iter().map(|entry| entry["number"].as_u64().unwrap()).collect()
    };
    let page = list("limit=3").await;
    assert_eq!((numbers(&page), &page["next"]), (vec![4, 3, 2], &json!("2")));
    let last = list("limit=3&after=2").await;
    assert_eq!((numbers(&last), &last["next"]), (vec![1], &Value::Null));
    assert_eq!(numbers(&list("topic=tns1:VideoSource").await), [2, 1]);
    assert_eq!(numbers(&list("topic=tns1:Device/Trigger/Relay").await), [4, 3]);
    assert!(numbers(&list("topic=tns1:Dev").await).is_empty());
    let time = page["items"][0]["time"].as_u64().unwrap();
    assert_eq!(numbers(&list(&format!("from={time}")).await), [4]);
    assert_eq!(numbers(&list(&format!("to={time}")).await), [3, 2, 1]);
    let path = format!("{DEVICES}/{}/events?after=x", teller.id);
    let refused = call(&house, Method::GET, &path, &Value::Null).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
    // How it stands, and the properties as they are.
    let feed = call(&house, Method::GET, &format!("{DEVICES}/{}/feed", teller.id), &Value::Null).await.json();
    assert_eq!((&feed["state"], &feed["keeps"], &feed["newest"]), (&json!("running"), &json!(true), &json!(4)));
    assert_eq!(feed["properties"][0]["message"]["data"]["Value"], "true");
}

#[tokio::test]
async fn a_tunnel_that_drops_in_mid_pull_is_a_gap_only_where_the_device_could_not_keep_it() {
    for keeps in [true, false] {
        let house = house().await;
        let teller = Teller::at(&house, keeps).await;
        let mut uplink = teller.dial(&house);
        pulling(&teller, 1).await;
        let mut expected = Vec::new();
        for round in 0..4 {
            let [before, between] = [round * 2, round * 2 + 1].map(|n| n.to_string());
            teller.tell("tns1:Count", &before);
            newest(&house, &teller.id, &before).await;
            drop(uplink);
            until("the end of the tunnel", || house.tunnels(&teller.id) == 0).await;
            teller.tell("tns1:Count", &between);
            uplink = teller.dial(&house);
            if keeps {
                newest(&house, &teller.id, &between).await;
                expected.extend([before, between]);
            } else {
                // The pull that waited may have taken it along.
                teller.tell("tns1:Count", "after");
                newest(&house, &teller.id, "after").await;
                expected.extend([before, "<answer_lost>".to_owned()]);
                let told = told(&house, &teller.id).await;
                if told.contains(&between) {
                    expected.push(between);
                }
                expected.push("after".to_owned());
            }
        }
        assert_eq!(told(&house, &teller.id).await, expected, "{keeps}");
    }
}

#[tokio::test]
async fn a_device_that_restarts_goes_on_where_it_was_or_says_that_it_cannot() {
    let house = house().await;
    let [keeping, plain] = [Teller::at(&house, true).await, Teller::at(&house, false).await];
    let _uplinks = [keeping.dial(&house), plain.dial(&house)];
    for teller in [&keeping, &plain] {
        pulling(teller, 1).await;
        teller.change("tns1:Door", "open");
        newest(&house, &teller.id, "open").await;
        teller.reboot();
        teller.change("tns1:Door", "shut");
    }
    newest(&house, &keeping.id, "shut").await;
    assert_eq!(told(&house, &keeping.id).await, ["open", "shut"]);
    newest(&house, &plain.id, "=shut").await;
    assert_eq!(told(&house, &plain.id).await, ["open", "<not_kept>", "=shut"]);
    // What it keeps begins later: a gap, even so.
    keeping.reboot();
    keeping.forget();
    keeping.tell("tns1:Door", "new");
    newest(&house, &keeping.id, "new").await;
    assert_eq!(told(&house, &keeping.id).await, ["open", "shut", "<begin_of_buffer>", "new"]);
}

/// The device half tells that a digital input is `state`.
fn input(camera: &Camera, state: &str) {
    let topic = oriel_onvif::events::topics::catalogue().iter().find(|one| one.topic == "Device/Trigger/DigitalInput");
    let topic = topic.unwrap();
    camera.device.events().offer(&[topic]);
    let occurrence = Occurrence::of(topic).source("InputToken", "ours").data("LogicalState", state);
    camera.device.events().tell(occurrence).unwrap();
}

/// The states of that input, and gaps. The device may have inputs of its own besides.
async fn inputs(house: &House, id: &str) -> Vec<String> {
    let path = format!("{DEVICES}/{id}/events?limit=200&topic=tns1:Device/Trigger");
    let listed = call(house, Method::GET, &path, &Value::Null).await.json();
    let told = |entry: &Value| match entry["kind"].as_str().unwrap() {
        "gap" => format!("<{}>", entry["reason"].as_str().unwrap()),
        _ => entry["data"]["LogicalState"].as_str().unwrap().to_owned(),
    };
    let ours = |entry: &&Value| entry["kind"] == "gap" || entry["source"]["InputToken"] == "ours";
    listed["items"].as_array().unwrap().iter().filter(ours).rev().map(told).collect()
}

async fn last_input(house: &House, id: &str, state: &str) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while inputs(house, id).await.last().is_none_or(|last| last != state) {
        assert!(tokio::time::Instant::now() < end, "{state} never came: {:?}", inputs(house, id).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn our_own_device_is_heard_through_its_restart_and_its_tunnels() {
    let house = house().await;
    let camera = Camera::connected(&house, "https", "User").await;
    input(&camera, "false");
    last_input(&house, &camera.id, "false").await;
    input(&camera, "true");
    last_input(&house, &camera.id, "true").await;
    assert_eq!(inputs(&house, &camera.id).await, ["false", "true"]);
    // A tunnel that is cut in the middle of a pull.
    for tunnel in house.cloud.registry().tunnels() {
        tunnel.close(oriel_uplink::cloud::CloseReason::Evicted);
    }
    until("the end of the tunnel", || house.tunnels(&camera.id) == 0).await;
    input(&camera, "false");
    last_input(&house, &camera.id, "false").await;
    let feed = call(&house, Method::GET, &format!("{DEVICES}/{}/feed", camera.id), &Value::Null).await.json();
    let keeps = feed["keeps"].as_bool().unwrap();
    let told = inputs(&house, &camera.id).await;
    let gaps = told.iter().filter(|told| told.starts_with('<')).count();
    assert_eq!(gaps, usize::from(!keeps), "{told:?}");
    let states: Vec<&String> = told.iter().filter(|told| !told.starts_with('<')).collect();
    assert_eq!(states, ["false", "true", "false"]);
    // A restart, and a change before the cloud could hear of anything.
    let Camera { device, id, _folder: folder } = camera;
    device.stop().await;
    until("the end of the tunnel", || house.tunnels(&id) == 0).await;
    let device = Device::start(Camera::config(&house, &folder)).await.unwrap();
    let camera = Camera { device, id, _folder: folder };
    input(&camera, "true");
    last_input(&house, &camera.id, "true").await;
    let told = inputs(&house, &camera.id).await;
    let gaps = told.iter().filter(|told| told.starts_with('<')).count();
    assert_eq!(gaps, if keeps { 0 } else { 2 }, "{told:?}");
}

/// A cloud on a socket that outlives it.
async fn restarted(house: House, listener: &std::net::TcpListener, config: &Config, kill: bool) -> House {
    let House { cloud, administrator, folder, .. } = house;
    if kill {
        drop(cloud);
    } else {
        cloud.drain().await;
    }
    let cloud = Cloud::start(config.clone(), Some(listener.try_clone().unwrap())).await.unwrap();
    let door = Door { address: cloud.address(), ca: policy_of(cloud.ca().unwrap()), proxied: false };
    House { cloud, administrator, door, folder }
}

#[tokio::test]
async fn a_cloud_that_restarts_or_is_killed_goes_on_where_it_was_in_both_databases() {
    let postgres = Postgres::start();
    for database in [None, postgres.as_ref().map(Postgres::url)] {
        if database.is_none() && postgres.is_none() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut config = super::config(&folder);
        (config.feed.enabled, config.database, config.drain) = (true, database, Duration::from_secs(2));
        let mut cloud = Cloud::start(config.clone(), Some(listener.try_clone().unwrap())).await.unwrap();
        let administrator = super::administrator(&mut cloud).await;
        let mut house = House::of(cloud, administrator, folder);
        let [keeping, plain] = [Teller::at(&house, true).await, Teller::at(&house, false).await];
        let _uplinks = [keeping.dial(&house), plain.dial(&house)];
        for teller in [&keeping, &plain] {
            pulling(teller, 1).await;
            teller.change("tns1:Door", "open");
            newest(&house, &teller.id, "open").await;
        }
        for kill in [false, true] {
            house = restarted(house, &listener, &config, kill).await;
            let word = if kill { "killed" } else { "drained" };
            keeping.tell("tns1:Count", word);
            newest(&house, &keeping.id, word).await;
            until("a pull point", || plain.points() > 0).await;
        }
        assert_eq!(told(&house, &keeping.id).await, ["open", "drained", "killed"], "{:?}", config.database);
        plain.tell("tns1:Count", "last");
        newest(&house, &plain.id, "last").await;
        let plain_told = told(&house, &plain.id).await;
        let gaps = plain_told.iter().filter(|told| *told == "<answer_lost>").count();
        assert_eq!((plain_told.len() - gaps, gaps > 0), (2, true), "{plain_told:?}");
        // With the device its feed is gone.
        house.scope().remove_devices(&me(), &[keeping.id.to_string()].into()).await.unwrap();
        let gone = call(&house, Method::GET, &format!("{DEVICES}/{}/events", keeping.id), &Value::Null).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
        house.cloud.drain().await;
    }
}

#[tokio::test]
async fn what_waits_for_the_store_when_the_cloud_drains_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut config = super::config(&folder);
    (config.feed.enabled, config.drain) = (true, Duration::from_secs(5));
    let mut cloud = Cloud::start(config.clone(), Some(listener.try_clone().unwrap())).await.unwrap();
    let administrator = super::administrator(&mut cloud).await;
    let mut house = House::of(cloud, administrator, folder);
    let teller = Teller::at(&house, true).await;
    let _uplink = teller.dial(&house);
    pulling(&teller, 1).await;
    let mut expected = Vec::new();
    for round in 0..3 {
        // The store is written once a second at most: the second message waits for the writer, and the drain comes.
        let [first, second] = ["first", "second"].map(|word| format!("{word} {round}"));
        teller.tell("tns1:Count", &first);
        newest(&house, &teller.id, &first).await;
        teller.tell("tns1:Count", &second);
        until("the answer", || teller.pending() == 0).await;
        house = restarted(house, &listener, &config, false).await;
        newest(&house, &teller.id, &second).await;
        expected.extend([first, second]);
    }
    assert_eq!(told(&house, &teller.id).await, expected);
    house.cloud.drain().await;
}

#[tokio::test]
async fn a_feed_is_its_organisations_alone() {
    let house = house().await;
    let theirs = house.cloud.records().add_organisation(&me(), "theirs", "chief@theirs.example").await.unwrap().0;
    let scope = house.cloud.records().within(&theirs.id);
    let (_, stranger) = scope.add_token(&me(), NewToken::of(Role::Administrator, "theirs")).await.unwrap();
    let [one, other] = [Teller::at(&house, true).await, Teller::at(&house, true).await];
    let new = NewToken { devices: Some([other.id.clone()].into()), ..NewToken::of(Role::Viewer, "narrow") };
    let (_, narrow) = house.scope().add_token(&me(), new).await.unwrap();
    let _uplinks = [one.dial(&house), other.dial(&house)];
    for teller in [&one, &other] {
        pulling(teller, 1).await;
        teller.tell("tns1:Count", &teller.id);
        newest(&house, &teller.id, &teller.id).await;
    }
    for token in [stranger.expose(), narrow.expose()] {
        for what in ["events", "events/stream", "feed"] {
            let asked = request(Method::GET, &format!("{DEVICES}/{}/{what}", one.id), token);
            assert_eq!(house.ask_head(asked).await.status, StatusCode::NOT_FOUND, "{what}");
        }
    }
    assert_eq!(told(&house, &one.id).await, [&*one.id], "nothing of the other's");
    let asked = request(Method::GET, &format!("{DEVICES}/{}/events", other.id), narrow.expose());
    assert_eq!(house.ask(asked).await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_camera_that_means_ill_harms_no_feed_but_its_own() {
    let house = house().await;
    let [bad, good] = [Teller::at(&house, true).await, Teller::at(&house, true).await];
    let _uplinks = [bad.dial(&house), good.dial(&house)];
    pulling(&bad, 1).await;
    pulling(&good, 1).await;
    let now = jiff::Timestamp::now();
    let long = super::teller::notification("tns1:Long", "", now, &"x".repeat(3_000_000));
    let many: String = (0..3000).map(|n| super::teller::notification("tns1:Many", "", now, &n.to_string())).collect();
    let pulled = |messages: &str| {
        format!(
            "<e:PullMessagesResponse xmlns:e='{}'><e:CurrentTime>{now}</e:CurrentTime><e:TerminationTime>{now}</e:TerminationTime>{messages}</e:PullMessagesResponse>",
            oriel_onvif::ns::TEV.uri
        )
    };
    for (instead, word) in [
        ("<nonsense/>".to_owned(), "failing"),
        (pulled(&long), "failing"),
        (pulled(&many), "running"),
        (pulled("<n:NotificationMessage xmlns:n='urn:other'/>"), "running"),
    ] {
        let asked = bad.asked().len();
        bad.instead(Some(instead));
        bad.tell("tns1:Count", "ignored");
        until("another question", || bad.asked().len() > asked + 1).await;
        let value = format!("beside {word} {asked}");
        good.tell("tns1:Count", &value);
        newest(&house, &good.id, &value).await;
        let feed = call(&house, Method::GET, &format!("{DEVICES}/{}/feed", bad.id), &Value::Null).await;
        assert_eq!(feed.status, StatusCode::OK);
    }
    assert!(bad.asked().len() < 60, "{}", bad.asked().len());
    bad.instead(None);
    bad.reboot();
    bad.tell("tns1:Count", "well again");
    newest(&house, &bad.id, "well again").await;
}
