//! `oriel enroll`: a device from the factory, a cloud for it to dial, and before that cloud a counter that takes codes.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, mpsc};

use oriel_trust::{Authority, ClientAuth, ReloadingIdentity, RequestedCertificate, pem, server_config};
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
    for name in ["ORIEL_CLOUD", "ORIEL_TOKEN", "ORIEL_USER", "ORIEL_PASSWORD", "ORIEL_CA", "ORIEL_CODE"] {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

fn start(arguments: &[&str]) -> (Program, Value) {
    let mut program = Program(oriel(arguments).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(program.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let said = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    (program, said)
}

/// A device from the factory, which may dial loopback.
struct Camera {
    lan: String,
    user: String,
    password: String,
    _program: Program,
}

impl Camera {
    fn unpack(folder: &Path, name: &str) -> Self {
        let file = folder.join(format!("{name}.toml"));
        let text = format!(
            "data = \"{name}\"\nlisten = [\"127.0.0.1:0\"]\nallow_private_addresses = [\"127.0.0.0/8\"]\nallow_private_addresses_by_uplink = [\"127.0.0.0/8\"]\n"
        );
        std::fs::write(&file, text).unwrap();
        let (program, up) = start(&["device", "--json", "--config", file.to_str().unwrap()]);
        let text = |key: &str| up[key].as_str().unwrap().to_owned();
        Self { lan: text("lan"), user: text("user"), password: text("password"), _program: program }
    }

    fn call(&self, operation: &str) -> Value {
        let arguments = ["call", &self.lan, operation, "--user", &self.user, "--password", &self.password, "--json"];
        let output = oriel(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What is in its key store, and its uplinks' addresses.
    fn inventory(&self) -> [Value; 4] {
        let uplinks = self.call("GetUplinks");
        let address = uplinks["Configuration"]["RemoteAddress"].clone();
        [
            self.call("GetAllKeys"),
            self.call("GetAllCertificates"),
            self.call("GetAllCertPathValidationPolicies"),
            address,
        ]
    }
}

/// What the counter does with a request.
enum Counted {
    Answer(u16, Value),
    /// Nothing, until somebody ends the command.
    Silence,
}

/// The cloud's counter: `/api/v1/enrol` by HTTPS, one request a connection.
struct Counter {
    url: String,
    ca: std::path::PathBuf,
}

impl Counter {
    fn open(folder: &Path, mut answer: impl FnMut(&Value) -> Counted + Send + 'static) -> Self {
        let authority = Authority::new("counter").unwrap();
        let identity = authority.issue_server(&["localhost".to_owned()]).unwrap();
        let tls = Arc::new(server_config(Arc::new(ReloadingIdentity::fixed(&identity)), ClientAuth::No).unwrap());
        let ca = folder.join("counter.pem");
        std::fs::write(&ca, authority.certificate_pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for tcp in listener.incoming() {
                let connection = rustls::ServerConnection::new(Arc::clone(&tls)).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, tcp.unwrap());
                match answer(&read(&mut stream)) {
                    Counted::Answer(status, body) => reply(&mut stream, status, &body.to_string()),
                    Counted::Silence => silent.push(stream),
                }
            }
        });
        Self { url, ca }
    }

    fn command(&self, camera: &Camera, code: &str) -> Command {
        let ca = self.ca.to_str().unwrap();
        let mut command = oriel(&["enroll", &camera.lan, "--cloud", &self.url, "--ca", ca, "--json", "--within", "20"]);
        command.env("ORIEL_USER", &camera.user).env("ORIEL_PASSWORD", &camera.password).env("ORIEL_CODE", code);
        command
    }

    fn enroll(&self, camera: &Camera, code: &str) -> Output {
        self.command(camera, code).output().unwrap()
    }
}

type Stream = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

fn read(stream: &mut Stream) -> Value {
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "it broke off");
        text.extend_from_slice(&chunk[..read]);
        let whole = String::from_utf8(text.clone()).unwrap();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("POST /api/v1/enrol HTTP/1.1"), "{head}");
        if let Ok(value) = serde_json::from_str(body) {
            return value;
        }
    }
}

fn reply(stream: &mut Stream, status: u16, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _gone = stream.write_all(format!("{head}{body}").as_bytes());
    stream.conn.send_close_notify();
    let _gone = stream.flush();
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the counter needs of the cloud behind it.
struct Behind {
    authority: Authority,
    cloud: String,
    ca: String,
    token: String,
    runtime: tokio::runtime::Runtime,
    /// The code's key, once it is spent.
    spent: Option<String>,
}

impl Behind {
    fn count(&mut self, body: &Value) -> Counted {
        let refuse = |detail: &str| Counted::Answer(422, json!({ "detail": detail }));
        if body["code"] != "good" {
            return refuse("this code is not known; ask for a new one");
        }
        let csr = body["csr"].as_str().unwrap();
        let der: Vec<&str> = csr.lines().filter(|line| !line.starts_with('-')).collect();
        let request = RequestedCertificate::read(&base64(&der.concat())).unwrap();
        let key = request.fingerprint().to_string();
        match &self.spent {
            Some(spent) if *spent != key => return refuse("this code was used already for another key"),
            Some(_) => {}
            None => self.register(&key),
        }
        self.spent = Some(key);
        let certificate = self.authority.certify_client(&request, "camera").unwrap();
        let answer = json!({
            "device": "cam1", "certificate": pem("CERTIFICATE", &certificate), "device_authority": self.authority.certificate_pem(),
            "anchors": self.ca, "remote_address": format!("{}/", self.cloud),
        });
        Counted::Answer(200, answer)
    }

    fn register(&self, key: &str) {
        use oriel_client::Transport as _;
        let policy = oriel_trust::Policy::from_pem(self.ca.as_bytes()).unwrap();
        let tls = oriel_trust::client_config(&oriel_trust::Validation::Policy(policy), None).unwrap();
        let body = json!({ "name": "camera", "fingerprint": key }).to_string();
        let request = http::Request::post("/api/v1/devices")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(bytes::Bytes::from(body))
            .unwrap();
        let transport = oriel_client::Direct::new(&self.cloud.parse().unwrap(), Some(tls)).unwrap();
        let answer = self.runtime.block_on(transport.send(request)).unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

fn base64(text: &str) -> Vec<u8> {
    use oriel_soap::xml::{Base64, FromText as _};
    let scope = roxmltree::Document::parse("<x/>").unwrap();
    Base64::from_text(text, scope.root_element()).unwrap().0
}

#[test]
fn a_camera_is_online_with_a_code_and_whatever_goes_wrong_before_leaves_it_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (_demo, visit) = start(&["demo", "--json"]);
    let text = |key: &str| visit[key].as_str().unwrap().to_owned();
    let mut behind = Behind {
        authority: Authority::new("devices").unwrap(),
        cloud: text("cloud"),
        ca: std::fs::read_to_string(text("ca")).unwrap(),
        token: text("token"),
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        spent: None,
    };
    let (asked, silence) = mpsc::channel();
    let counter = Counter::open(folder.path(), move |body| {
        if body["code"] == "silence" {
            asked.send(()).unwrap();
            return Counted::Silence;
        }
        behind.count(body)
    });
    let camera = Camera::unpack(folder.path(), "camera");
    let born = camera.inventory();

    // A wrong code: the cloud's own words, and nothing stays.
    let refused = counter.enroll(&camera, "wrong");
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("this code is not known") && stderr.contains("for a new code"), "{stderr}");
    assert_eq!(camera.inventory(), born);

    // Ended by its operator while the cloud thinks: undone.
    let mut interrupted =
        counter.command(&camera, "silence").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    silence.recv().unwrap();
    assert!(Command::new("kill").args(["-INT", &interrupted.id().to_string()]).status().unwrap().success());
    assert_eq!(interrupted.wait().unwrap().code(), Some(1));
    assert_eq!(camera.inventory(), born);

    // Killed there: its key stays, and the next run goes on with it.
    let mut killed = counter.command(&camera, "silence").stdout(Stdio::null()).spawn().unwrap();
    silence.recv().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_ne!(camera.inventory(), born);
    let enrolled = counter.enroll(&camera, "good");
    assert_eq!(enrolled.status.code(), Some(0), "{}", String::from_utf8_lossy(&enrolled.stderr));
    let told = lines(&enrolled);
    let steps: Vec<&str> =
        told.iter().filter_map(|line| line["step"].as_str()).filter(|step| *step != "waiting").collect();
    assert_eq!(
        steps,
        ["services", "key", "request", "enrolled", "anchor", "policy", "certificate", "uplink", "connected"]
    );
    assert!(told[1]["text"].as_str().unwrap().contains("by an earlier run"), "{}", told[1]);
    assert_eq!(told.last().unwrap()["connected"], true);
    assert_eq!(told.last().unwrap()["device"], "cam1");

    // Again: nothing to do, and no code to spend.
    let online = camera.inventory();
    let again = counter.enroll(&camera, "");
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(camera.inventory(), online);

    // The code again, for another camera.
    let other = Camera::unpack(folder.path(), "other");
    let fresh = other.inventory();
    let spent = counter.enroll(&other, "good");
    assert!(String::from_utf8_lossy(&spent.stderr).contains("used already for another key"));
    assert_eq!((spent.status.code(), other.inventory()), (Some(3), fresh));
}

#[test]
fn what_cannot_begin_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let counter = Counter::open(folder.path(), |_| panic!("the cloud was asked"));
    let camera = Camera::unpack(folder.path(), "camera");
    let no_code = counter.enroll(&camera, "");
    assert_eq!(no_code.status.code(), Some(2), "{}", String::from_utf8_lossy(&no_code.stderr));
    let stranger = counter.command(&camera, "good").env("ORIEL_PASSWORD", "wrong").output().unwrap();
    assert_eq!(stranger.status.code(), Some(5), "{}", String::from_utf8_lossy(&stranger.stderr));
    let nobody = Camera { lan: "http://127.0.0.1:9/".to_owned(), ..camera };
    assert_eq!(counter.enroll(&nobody, "good").status.code(), Some(4));
}
