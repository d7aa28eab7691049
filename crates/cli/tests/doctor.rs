//! `oriel doctor`: each thing that can be wrong is named, with its exit code and the next step, and what is right is called right.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use oriel_soap::Fault;
use oriel_trust::{Authority, ClientAuth, ReloadingIdentity, server_config};
use serde_json::{Value, json};

/// A program that is killed if the test fails.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn oriel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    for name in ["ORIEL_CLOUD", "ORIEL_TOKEN", "ORIEL_USER", "ORIEL_PASSWORD", "ORIEL_CA"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// What the doctor said: exit code, the checks by name, and the whole for a message.
struct Said {
    exit: Option<i32>,
    checks: HashMap<String, Value>,
    whole: String,
}

impl Said {
    fn verdict(&self, check: &str) -> &str {
        self.checks.get(check).unwrap_or_else(|| panic!("no {check}: {}", self.whole))["verdict"].as_str().unwrap()
    }

    fn text(&self, check: &str) -> &str {
        self.checks[check]["text"].as_str().unwrap()
    }

    /// The checks that did not come out as ok, with their verdicts; each of them but those that were not reached has a next step.
    fn ill(&self) -> Vec<String> {
        let mut ill = Vec::new();
        for (name, check) in &self.checks {
            let verdict = check["verdict"].as_str().unwrap();
            assert!(matches!(verdict, "ok" | "not reached") || check["next"].is_string(), "{}", self.whole);
            if verdict != "ok" {
                ill.push(format!("{name} {verdict}"));
            }
        }
        ill.sort();
        ill
    }
}

fn doctor(arguments: &[&str]) -> Said {
    let output = oriel(&[&["doctor", "--json"], arguments].concat()).output().unwrap();
    let whole = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {whole}"));
    let checks = said["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (check["check"].as_str().unwrap().to_owned(), check.clone())).collect();
    Said { exit: output.status.code(), checks, whole }
}

struct Demo {
    _program: Program,
    visit: Value,
    runtime: tokio::runtime::Runtime,
}

impl Demo {
    fn start() -> Self {
        let mut program = Program(oriel(&["demo", "--json"]).stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(program.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { _program: program, visit: serde_json::from_str(&line).unwrap(), runtime }
    }

    fn text(&self, key: &str) -> &str {
        self.visit[key].as_str().unwrap()
    }

    /// One call of the cloud's API.
    fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        use oriel_client::Transport as _;
        let policy = oriel_trust::Policy::from_pem(&std::fs::read(self.text("ca")).unwrap()).unwrap();
        let tls = oriel_trust::client_config(&oriel_trust::Validation::Policy(policy), None).unwrap();
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.text("token")))
            .header("content-type", "application/json")
            .body(bytes::Bytes::from(body.to_string()))
            .unwrap();
        let transport = oriel_client::Direct::new(&self.text("cloud").parse().unwrap(), Some(tls)).unwrap();
        let answer = self.runtime.block_on(transport.send(request)).unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }

    fn ask(&self, arguments: &[&str]) -> Said {
        doctor(&[arguments, &["--ca", self.text("ca")]].concat())
    }
}

#[test]
fn a_camera_a_cloud_and_a_device_that_are_well_and_what_may_be_wrong_with_them() {
    let demo = Demo::start();
    let (lan, cloud, id) = (demo.text("lan"), demo.text("cloud"), demo.text("device"));

    // The camera.
    // A random text may begin with a hyphen.
    let password = format!("--password={}", demo.text("password"));
    let token = &format!("--token={}", demo.text("token"));
    let said = demo.ask(&[lan, "--user", demo.text("user"), &password]);
    assert_eq!((said.ill(), said.exit), (vec![], Some(0)), "{}", said.whole);
    assert!(said.text("credentials").contains("Administrator, by HTTP Digest and UsernameToken"), "{}", said.whole);
    assert!(said.text("uplink").contains("connected to https://"), "{}", said.whole);
    let said = demo.ask(&[lan, "--user", demo.text("user"), "--password", "wrong"]);
    let expected = ["credentials wrong", "services not reached", "uplink not reached"];
    assert_eq!((said.ill(), said.exit), (expected.map(str::to_owned).to_vec(), Some(5)), "{}", said.whole);
    let said = demo.ask(&[lan]);
    assert_eq!(said.ill(), ["credentials not reached", "uplink not reached"], "{}", said.whole);
    assert_eq!(said.exit, Some(0), "nothing is wrong: {}", said.whole);

    // The cloud, and a token that a camera would show.
    let said = demo.ask(&[cloud]);
    assert_eq!(
        (said.ill(), said.exit),
        (vec!["HTTP/2 not reached".to_owned(), "token not reached".to_owned()], Some(0))
    );
    assert!(said.text("upgrade").contains("401") && said.text("TLS").contains("issued by"), "{}", said.whole);
    let made = demo.api("POST", &format!("/api/v1/devices/{id}/tokens"), &json!({ "name": "doctor" }));
    let secret = made["access_token"].as_str().unwrap();
    let said = demo.ask(&[cloud, &format!("--token={secret}")]);
    assert_eq!((said.ill(), said.exit), (vec![], Some(0)), "{}", said.whole);
    let said = demo.ask(&[cloud, token]);
    assert_eq!((said.verdict("token"), said.exit), ("wrong", Some(5)), "a user's: {}", said.whole);

    // The device behind it.
    let said = demo.ask(&[id, "--cloud", cloud, token]);
    assert_eq!((said.ill(), said.exit), (vec![], Some(0)), "{}", said.whole);
    assert!(said.text("tunnel").contains("online by native from 127.0.0.1"), "{}", said.whole);
    let added = demo.api("POST", "/api/v1/devices", &json!({ "name": "away", "fingerprint": "ab".repeat(32) }));
    let said = demo.ask(&[added["id"].as_str().unwrap(), "--cloud", cloud, token]);
    assert_eq!((said.verdict("tunnel"), said.exit), ("wrong", Some(4)), "{}", said.whole);
    assert!(said.text("tunnel").contains("has not connected"), "{}", said.whole);
    demo.api("POST", &format!("/api/v1/devices/{id}/revoke"), &json!({}));
    let said = demo.ask(&[id, "--cloud", cloud, token]);
    assert_eq!((said.verdict("tunnel"), said.exit), ("wrong", Some(5)), "{}", said.whole);
    assert!(said.text("tunnel").contains("revoked"), "{}", said.whole);
    let said = demo.ask(&["nosuchdevice", "--cloud", cloud, token]);
    assert_eq!((said.verdict("token"), said.exit), ("wrong", Some(3)), "{}", said.whole);
    let made = demo.api("POST", "/api/v1/tokens", &json!({ "role": "viewer" }));
    let revoked = &format!("--token={}", made["token"].as_str().unwrap());
    assert_eq!(demo.ask(&[id, "--cloud", cloud, revoked]).verdict("token"), "ok");
    demo.api("DELETE", &format!("/api/v1/tokens/{}", made["id"].as_str().unwrap()), &Value::Null);
    for shown in [&[revoked.as_str()][..], &[]] {
        let said = demo.ask(&[&[id, "--cloud", cloud], shown].concat());
        assert_eq!((said.verdict("token"), said.exit), ("wrong", Some(5)), "{}", said.whole);
    }

    // A cloud that is not believed is shown nothing.
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new("another").unwrap().certificate_pem()).unwrap();
    let said = doctor(&[cloud, "--ca", other.to_str().unwrap()]);
    assert_eq!((said.verdict("TLS"), said.exit), ("wrong", Some(4)), "{}", said.whole);
    assert!(said.text("TLS").contains("issued by") && said.verdict("upgrade") == "not reached", "{}", said.whole);
    let said = doctor(&[cloud, "--insecure"]);
    assert_eq!((said.verdict("TLS"), said.exit), ("warning", Some(0)), "{}", said.whole);
}

#[test]
fn what_is_not_there_is_named_by_its_layer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/onvif/device_service", listener.local_addr().unwrap());
    drop(listener);
    let said = doctor(&[&closed]);
    assert_eq!(
        (said.verdict("TCP"), said.verdict("clock"), said.exit),
        ("wrong", "not reached", Some(4)),
        "{}",
        said.whole
    );
    let said = doctor(&["http://no-such-camera.invalid/onvif/device_service"]);
    assert_eq!(
        (said.verdict("name"), said.verdict("TCP"), said.exit),
        ("wrong", "not reached", Some(4)),
        "{}",
        said.whole
    );
    let text = oriel(&["doctor", &closed]).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("wrong        TCP") && text.contains("next: check address and port"), "{text}");
    assert_eq!(oriel(&["doctor", "http://cloud", "--as", "cloud"]).output().unwrap().status.code(), Some(2));
}

/// Reads one request, head and body.
fn read(stream: &mut impl Read) -> String {
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return whole;
            }
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => text.extend_from_slice(&chunk[..read]),
            _ => return String::new(),
        }
    }
}

/// A camera whose clock is so many seconds off, and that has no service but one.
fn camera(off: i64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/onvif/device_service", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let mut tcp = tcp.unwrap();
            let request = read(&mut tcp);
            let at = (Timestamp::now() + SignedDuration::from_secs(off)).to_zoned(TimeZone::UTC);
            let (date, time) = (
                at.strftime("<tt:Year>%Y</tt:Year><tt:Month>%-m</tt:Month><tt:Day>%-d</tt:Day>"),
                at.strftime("<tt:Hour>%-H</tt:Hour><tt:Minute>%-M</tt:Minute><tt:Second>%-S</tt:Second>"),
            );
            let body = if request.contains("GetSystemDateAndTime") {
                format!(
                    "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>\
                     <tt:UTCDateTime><tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
                )
            } else if request.contains("GetServices") {
                "<tds:GetServicesResponse><tds:Service><tds:Namespace>http://www.onvif.org/ver10/device/wsdl</tds:Namespace><tds:XAddr>http://192.0.2.1/x</tds:XAddr>\
                 <tds:Version><tt:Major>2</tt:Major><tt:Minor>0</tt:Minor></tds:Version></tds:Service></tds:GetServicesResponse>"
                    .to_owned()
            } else {
                String::from_utf8(Fault::not_authorized("").to_envelope(None)).unwrap()
            };
            let envelope = if body.starts_with("<?xml") {
                body
            } else {
                format!(
                    "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\" \
                     xmlns:tt=\"http://www.onvif.org/ver10/schema\"><s:Body>{body}</s:Body></s:Envelope>"
                )
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", envelope.len());
            let _gone = tcp.write_all(format!("{head}{envelope}").as_bytes());
        }
    });
    url
}

#[test]
fn a_clock_that_is_off_is_told_with_what_follows() {
    let said = doctor(&[&camera(-400)]);
    assert_eq!((said.verdict("clock"), said.exit), ("warning", Some(0)), "{}", said.whole);
    assert!(said.text("clock").contains("s behind") && said.text("clock").contains("UsernameTokens"), "{}", said.whole);
    assert_eq!(said.verdict("services"), "warning", "it has no uplink: {}", said.whole);
    let said = doctor(&[&camera(40_000_000)]);
    assert_eq!((said.verdict("clock"), said.exit), ("wrong", Some(1)), "{}", said.whole);
    assert_eq!(doctor(&[&camera(1)]).verdict("clock"), "ok");
}

/// A server with TLS that answers whatever comes with this. Its address and its authority's file.
fn server(answer: &'static str, folder: &std::path::Path) -> (String, String) {
    let authority = Authority::new("test").unwrap();
    let identity = authority.issue_server(&["localhost".to_owned()]).unwrap();
    let tls = Arc::new(server_config(Arc::new(ReloadingIdentity::fixed(&identity)), ClientAuth::No).unwrap());
    let ca = folder.join(format!("{}.pem", answer.len()));
    std::fs::write(&ca, authority.certificate_pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let tls = Arc::clone(&tls);
            std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(tls).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, tcp.unwrap());
                if !read(&mut stream).is_empty() {
                    let _gone = stream.write_all(answer.as_bytes());
                    stream.conn.send_close_notify();
                    let _gone = stream.flush();
                }
            });
        }
    });
    (url, ca.to_str().unwrap().to_owned())
}

#[test]
fn a_cloud_that_is_none_and_one_that_does_not_go_on_after_the_101() {
    let folder = tempfile::tempdir().unwrap();
    let (url, ca) = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", folder.path());
    let said = doctor(&[&url, "--ca", &ca]);
    assert_eq!(
        (said.verdict("API"), said.verdict("upgrade"), said.exit),
        ("warning", "wrong", Some(3)),
        "{}",
        said.whole
    );
    assert_eq!(said.verdict("HTTP/2"), "not reached");
    let said = doctor(&["cam", "--cloud", &url, "--ca", &ca, "--token", "t"]);
    assert_eq!((said.verdict("token"), said.exit), ("wrong", Some(3)), "{}", said.whole);
    let (url, ca) = server(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n",
        folder.path(),
    );
    let said = doctor(&[&url, "--ca", &ca]);
    assert_eq!(
        (said.verdict("upgrade"), said.verdict("HTTP/2"), said.exit),
        ("warning", "wrong", Some(4)),
        "{}",
        said.whole
    );
}
