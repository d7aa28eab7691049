//! Framing at the bridge's own port: a length that can be read in two ways hides no second request from the bridge, nor makes one at the camera.

use oriel_device::BridgeConfig;
use oriel_device::bridge::{Bridge, CameraEntry};
use oriel_onvif::ns;
use oriel_soap::auth::UsernameToken;
use oriel_soap::envelope::{self, Headers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::lan::{Asked, LanCamera};
use super::site::{ACCOUNTS, account};
use crate::cloud::smuggling::{FORBIDDEN, codings, lengths};

const PATH: &str = "/gate/onvif/device_service";

/// What tells the test's requests from those that the bridge has of its own.
const MARK: &str = "OfTheTest";

/// A viewer's request with credentials of its own, which are good once.
fn allowed() -> String {
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap();
    let token = UsernameToken::digest("view", "view knows a secret 7!", now);
    let headers = Headers { username_token: Some(token), ..Headers::default() };
    let operation = oriel_onvif::device_mgmt::GetDeviceInformation::default();
    let text = String::from_utf8(envelope::request(&operation, &headers)).unwrap();
    let marked = format!("Header><t:{MARK} xmlns:t=\"urn:test\"/>");
    text.replacen("Header>", &marked, 1)
}

async fn sent(bridge: &Bridge, bytes: &str) -> String {
    let mut tcp = TcpStream::connect(bridge.addresses()[0]).await.unwrap();
    tcp.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Whoever closes before everything was read resets.
    let _ = tcp.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_length_that_can_be_read_in_two_ways_hides_no_second_request_at_the_port() {
    let camera = LanCamera::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = BridgeConfig::new(folder.path());
    config.listen = vec![([127, 0, 0, 1], 0).into()];
    let mut entry = CameraEntry::new("gate", camera.address().parse().unwrap());
    entry.accounts = ACCOUNTS.map(|(name, level)| account(name, level)).to_vec();
    config.cameras.push(entry);
    let bridge = Bridge::start(config).await.unwrap();
    crate::cloud::until("the camera's device", || bridge.cameras().iter().any(|camera| camera.device.is_some())).await;
    let head = |lines: &str| {
        format!("POST {PATH} HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/soap+xml\r\n{lines}\r\n")
    };
    let no = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header><t:{MARK} xmlns:t=\"urn:test\"/></s:Header><s:Body><d:{FORBIDDEN} xmlns:d=\"{}\"/></s:Body></s:Envelope>",
        ns::TDS.uri
    );
    let second = head(&format!("Connection: close\r\nContent-Length: {}\r\n", no.len())) + &no;
    let mut passed = 0;
    let (mut cases, length) = (Vec::new(), allowed().len());
    cases.extend(lengths(length, length + second.len()).into_iter().map(|lines| (lines, false)));
    cases.extend(codings(length + 20 + second.len()).into_iter().map(|lines| (lines, true)));
    // The two that can be read in one way only.
    cases.extend([
        (format!("Content-Length: {length}\r\n"), false),
        ("Transfer-Encoding: chunked\r\n".to_owned(), true),
    ]);
    for (lines, chunked) in cases {
        camera.take();
        let yes = allowed();
        assert_eq!(yes.len(), length, "tokens differ in nothing but what is random");
        let body = if chunked { format!("{length:x}\r\n{yes}\r\n0\r\n\r\n") } else { yes };
        let answer = sent(&bridge, &format!("{}{body}{second}", head(&lines))).await;
        let asked: Vec<Asked> = camera.take().into_iter().filter(|asked| asked.body.contains(MARK)).collect();
        assert!(asked.iter().all(|asked| !asked.body.contains(FORBIDDEN)), "{lines}: {asked:?}");
        let answers = answer.matches("HTTP/1.1 ").count();
        if asked.is_empty() {
            let status = answer.split(' ').nth(1).unwrap_or("closed");
            assert!(["400", "501", "closed"].contains(&status), "{lines}: {answer}");
        } else {
            passed += 1;
            assert_eq!(asked.last().map(Asked::operation).as_deref(), Some("GetDeviceInformation"), "{lines}");
            assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 1, "{lines}: {answer}");
            // What follows is a request of its own, and nobody's.
            assert!(answers == 1 || answer.contains("HTTP/1.1 401 "), "{lines}: {answer}");
        }
    }
    assert!(passed >= 2, "what can be read in one way only passes: {passed}");
    bridge.stop().await;
}
