//! What an operator sees of a request on its way: one name in the logs of both halves, one trace over both, and no secret in either.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;

/// A span as it was sent.
#[derive(Debug, Clone)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
}

/// The fields of a protobuf message that have a length: number and bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(from: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = from[0];
            *from = &from[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        match key & 7 {
            0 => drop(varint(&mut message)),
            1 => message = &message[8..],
            5 => message = &message[4..],
            _ => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (field, rest) = message.split_at(length);
                found.push((key >> 3, field));
                message = rest;
            }
        }
    }
    found
}

fn inner<'m>(messages: &[&'m [u8]], number: u64) -> Vec<&'m [u8]> {
    let of = |message: &&'m [u8]| fields(message).into_iter().filter(|(n, _)| *n == number).map(|(_, field)| field);
    messages.iter().flat_map(|message| of(message).collect::<Vec<_>>()).collect()
}

/// The spans of an ExportTraceServiceRequest: resource_spans, scope_spans, spans.
fn spans(request: &[u8]) -> Vec<Span> {
    let spans = inner(&inner(&inner(&[request], 1), 2), 2);
    let one = |span: &[u8], number| inner(&[span], number).first().map(|field| field.to_vec()).unwrap_or_default();
    let name = |span: &[u8]| String::from_utf8(one(span, 5)).unwrap();
    spans.iter().map(|s| Span { trace: one(s, 1), id: one(s, 2), parent: one(s, 4), name: name(s) }).collect()
}

/// A collector that sends on the body of each request.
fn collector() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let (mut length, mut first) = (0, String::new());
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    assert!(first.starts_with("POST /v1/traces "), "{first}");
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).unwrap();
                        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = text.trim().parse().unwrap();
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                    let _over = sender.send(body);
                }
            });
        }
    });
    (address, receiver)
}

fn oriel(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
    for name in ["ORIEL_CLOUD", "ORIEL_TOKEN", "ORIEL_USER", "ORIEL_PASSWORD", "ORIEL_CA", "ORIEL_TRACES", "ORIEL_LOG"]
    {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn ready(program: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(program.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// What stands in a request's path and query, and nowhere in the log.
const PATH: &str = "the-path-at-the-camera";
const QUERY: &str = "the-query-with-a-token";

fn get(cloud: &str, ca: &str, token: &str, path: &str) {
    use oriel_client::Transport as _;
    let policy = oriel_trust::Policy::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let tls = oriel_trust::client_config(&oriel_trust::Validation::Policy(policy), None).unwrap();
    let transport = oriel_client::Direct::new(&cloud.parse().unwrap(), Some(tls)).unwrap();
    let request = http::Request::get(path).header("authorization", format!("Bearer {token}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(transport.send(request.body(bytes::Bytes::new()).unwrap())).unwrap();
}

/// The log of a demo that was asked `GetDeviceInformation` once by bearer token, and what its collector got.
fn asked_demo(folder: &std::path::Path) -> (Value, String, Vec<Span>) {
    let (collector, sent) = collector();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let filter = "info,oriel_cloud=trace,oriel_device=trace,oriel_uplink=trace";
    let options = ["--json", "--log", filter, "--log-format", "json", "--traces", &collector];
    let mut demo = oriel(&["demo"]).args(options).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let visit = ready(&mut demo);
    let text = |key: &str| visit[key].as_str().unwrap();
    let way = ["--cloud", text("cloud"), "--ca", text("ca"), "--token", text("token")];
    let called = oriel(&["call", text("device"), "GetDeviceInformation", "--json"]).args(way).output().unwrap();
    assert!(called.status.success(), "{called:?}");
    for path in [format!("/d/{}/{PATH}?token={QUERY}", text("device")), format!("/api/v1/devices?q={QUERY}")] {
        get(text("cloud"), text("ca"), text("token"), &path);
    }
    let ended = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().unwrap();
    assert!(ended.success() && demo.wait().unwrap().success());
    let spans = sent.try_iter().flat_map(|body| spans(&body)).collect();
    (visit, std::fs::read_to_string(folder.join("log")).unwrap(), spans)
}

#[test]
fn a_request_has_one_name_and_one_trace_from_the_cloud_to_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let (visit, log, spans) = asked_demo(folder.path());
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered = |half: &str| {
        let of = |line: &&Value| {
            line["fields"]["message"] == "answered" && line["target"].as_str().unwrap().starts_with(half)
        };
        lines.iter().filter(of).collect::<Vec<_>>()
    };
    let cloud = answered("oriel_cloud");
    assert_eq!(cloud.len(), 3, "{log}");
    let span = &cloud[0]["spans"][0];
    let id = span["id"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    assert_eq!((&cloud[0]["fields"]["status"], &cloud[0]["fields"]["route"]), (&200.into(), &"device".into()));
    assert_eq!((&span["method"], &span["device"]), (&"POST".into(), &visit["device"]));
    assert!(span["caller"].as_str().unwrap().starts_with("token:"), "{span}");
    let through_the_tunnel = |line: &&&Value| line["spans"][0]["id"] == id;
    assert_eq!(answered("oriel_device").iter().filter(through_the_tunnel).count(), 1, "{log}");
    assert_eq!(cloud[2]["fields"]["route"], "api");
    assert!(cloud.iter().all(|line| line["spans"][0]["organisation"].is_string()), "{log}");
    let [token, password] = ["token", "password"].map(|key| visit[key].as_str().unwrap());
    for secret in [token, password, PATH, QUERY] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }

    let named = |name: &str| spans.iter().filter(|span| span.name == name).cloned().collect::<Vec<_>>();
    let requests: HashMap<Vec<u8>, Span> = named("request").into_iter().map(|span| (span.id.clone(), span)).collect();
    assert_eq!(requests.len(), 3, "{spans:?}");
    assert!(requests.values().all(|request| request.parent.is_empty() && request.trace.len() == 16));
    // The one that reached the device; what came on its LAN has traces of its own.
    let operations = named("operation");
    let joined: Vec<&Span> = operations.iter().filter(|span| requests.contains_key(&span.parent)).collect();
    assert_eq!(joined.len(), 1, "{spans:?}");
    assert!(joined.iter().all(|span| span.trace == requests[&span.parent].trace));
}
