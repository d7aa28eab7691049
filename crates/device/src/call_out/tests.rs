//! Whichever way a refused address is written, nothing is dialled there.

use super::*;
use oriel_trust::{Validation, client_config};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

const SCHEMES: &[Scheme] =
    &[("http", false, 80), ("https", true, 443), ("mqtt", false, 1883), ("mqtts", true, 8883), ("ws", false, 80)];

fn parsed(text: &str) -> Target {
    Target::parse(text, SCHEMES).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn nobody() -> Option<Arc<ClientConfig>> {
    Some(Arc::new(client_config(&Validation::Insecure, None).unwrap()))
}

/// Loopback, link-local and private, in every notation that some parser or resolver takes for an address.
const REFUSED: &str = "127.0.0.1 127.1 127.0.1 0x7f.1 0x7f000001 2130706433 017700000001 0177.0.0.1 0177.0x0.1 00000177.1 127.0.0.1. 127.1. \
    1%32%37.0.0.1 %31%32%37.1 １２７.0.0.1 ①②⑦.0.0.1 127。0。0。1 0 0.0.0.0 0x0 169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 \
    169.254.43518 10.1 10.0.0.1 0xa.1 012.1 192.168.257 192.168.1.1 0xc0a80101 172.16.1 100.64.0.1 224.0.0.1 239.255.255.250 255.255.255.255 \
    4294967295 [::1] [::] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::7f00:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:10.0.0.1] \
    [0:0:0:0:0:ffff:a9fe:a9fe] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::8.8.8.8] \
    [2002:7f00:1::] [2002:c0a8:101::1] [2002:a9fe:a9fe::] [2001:0:7f00:1::] [2606:4700::5efe:10.0.0.1] [2606:4700::200:5efe:192.168.1.1] \
    [fe80::1] [febf::1] [fec0::1] [fc00::1] [fd00:ec2::254] [ff02::1] [ff05::c]";

#[tokio::test]
async fn a_refused_address_is_refused_however_it_is_written() {
    let dialler = Dialler::new(CallOut::default());
    for host in REFUSED.split_whitespace() {
        for scheme in ["http", "https", "mqtt", "mqtts", "ws"] {
            let target = parsed(&format!("{scheme}://{host}:9/x"));
            assert!(target.literal().is_some(), "{scheme}://{host} is an address, not a name");
            for by_uplink in [false, true] {
                assert!(dialler.refused(&target, by_uplink).is_some(), "{scheme}://{host}");
            }
            let dialled = dialler.dial(&target, false, nobody().as_ref(), "the consumer").await.err();
            assert!(matches!(dialled, Some(DialError::Address { .. })), "{scheme}://{host}: {dialled:?}");
        }
    }
}

#[test]
fn what_is_no_plain_address_is_no_address() {
    // Zones name an interface of ours, user information hides the host from whoever reads the address.
    for text in "http://[fe80::1%25eth0]/ http://[fe80::1%eth0]/ mqtt://[fe80::1%25lo]/ http://1.1.1.1@127.0.0.1/ http://user:word@one.example/ \
        mqtt://1.1.1.1:80@127.0.0.1/ http:// mqtt:// mqtt:///x mqtt:1.2.3.4 http://256.1.1.1/ http://1.2.3.4.5/ http://0x100000000/ http://[::1 \
        mqtt://127.0.0.256 mqtt://a%00b mqtt://a%2Fb http://a^b one.example:80"
        .split_whitespace()
    {
        let got = Target::parse(text, SCHEMES);
        assert!(got.is_err(), "{text}: {got:?}");
    }
    for text in ["ftp://one.example/", "file:///etc/passwd", "gopher://one.example", "unix:/run/x", "one.example:80"] {
        assert!(matches!(Target::parse(text, SCHEMES), Err(TargetError::Scheme(_))), "{text}");
    }
    assert!(Target::parse(&format!("http://one.example/{}", "x".repeat(MAX_ADDRESS)), SCHEMES).is_err());
}

#[test]
fn what_stands_before_or_behind_the_host_does_not_hide_it() {
    // Programs disagree about these; ours dials what it judged.
    for (text, host) in [
        ("http://one.example\\@127.0.0.1/", "one.example"),
        ("http://one.example#@127.0.0.1/", "one.example"),
        ("http://one.example?@127.0.0.1/", "one.example"),
        ("http:one.example/x", "one.example"),
        ("http:////127.0.0.1/x", "127.0.0.1"),
        ("HTTP://ONE.Example:80/x", "one.example"),
        ("mqtt://ONE.Example", "one.example"),
        ("mqtt://[2606:4700::1]:1884", "[2606:4700::1]"),
        ("  http://one.example/x\n", "one.example"),
        ("http://127.0.0.1.one.example/", "127.0.0.1.one.example"),
    ] {
        assert_eq!(parsed(text).host.to_string(), host, "{text}");
    }
}

#[test]
fn parts_of_an_address() {
    let parts = |text| {
        let target = parsed(text);
        (target.authority(), target.port, target.tls, target.path)
    };
    assert_eq!(parts("http://one.example"), ("one.example".into(), 80, false, "/".into()));
    assert_eq!(parts("https://one.example:444/a/b?c=d#e"), ("one.example:444".into(), 444, true, "/a/b?c=d".into()));
    assert_eq!(parts("mqtt://one.example"), ("one.example".into(), 1883, false, "/".into()));
    assert_eq!(parts("mqtts://one.example:80"), ("one.example:80".into(), 80, true, "/".into()));
    assert_eq!(parsed("http://one.example/secret").to_string(), "http://one.example");
}

/// A resolver that says something else each time, and how often it was asked.
fn fickle(answers: Vec<Vec<SocketAddr>>) -> (Resolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let resolver = Resolver::new(move |_, _| {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        let answer = answers[turn.min(answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    });
    (resolver, asked)
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_whatever_else_it_says() {
    let inside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = inside.local_addr().unwrap();
    for answer in [vec![at], vec![at, ([169, 254, 169, 254], 80).into()], vec!["[::1]:80".parse().unwrap()]] {
        let (resolver, _) = fickle(vec![answer]);
        let dialler = Dialler::with_resolver(CallOut::default(), resolver);
        let target = parsed("http://inside.example:9/");
        assert_eq!(dialler.refused(&target, false), None, "a name is judged when it is dialled");
        let dialled = dialler.dial(&target, false, nobody().as_ref(), "the consumer").await.err();
        assert!(matches!(dialled, Some(DialError::Address { .. })), "{dialled:?}");
    }
    for name in ["localhost", "localhost.", "LOCALHOST", "ip6-localhost"] {
        let dialled = Dialler::new(CallOut::default())
            .dial(&parsed(&format!("http://{name}:{}/", at.port())), false, nobody().as_ref(), "the consumer")
            .await
            .err();
        assert!(matches!(dialled, Some(DialError::Address { .. } | DialError::Name { .. })), "{name}: {dialled:?}");
    }
    let nobody_came = tokio::time::timeout(Duration::from_millis(50), inside.accept()).await;
    assert!(nobody_came.is_err(), "nothing was dialled");
}

#[tokio::test]
async fn a_name_that_changes_its_mind_between_check_and_connect_gains_nothing() {
    let allowed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let other = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await.unwrap();
    let (good, bad) = (allowed.local_addr().unwrap(), other.local_addr().unwrap());
    // First it is the address that may be dialled, then one that may not.
    let (resolver, asked) = fickle(vec![vec![good], vec![bad]]);
    let policy = CallOut { allowed: vec!["127.0.0.1/32".parse().unwrap()], ..CallOut::default() };
    let dialler = Dialler::with_resolver(policy, resolver);
    let target = parsed("http://fickle.example/");
    assert!(dialler.dial(&target, false, nobody().as_ref(), "the consumer").await.is_ok());
    allowed.accept().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1, "asked once for a dial");
    let second = dialler.dial(&target, false, nobody().as_ref(), "the consumer").await.err();
    assert!(matches!(second, Some(DialError::Address { .. })), "{second:?}");
    let nobody_came = tokio::time::timeout(Duration::from_millis(50), other.accept()).await;
    assert!(nobody_came.is_err(), "nothing was dialled");
}

#[tokio::test]
async fn only_the_addresses_that_are_allowed_are_dialled_of_those_a_name_has() {
    let allowed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let other = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await.unwrap();
    let (resolver, _) = fickle(vec![vec![other.local_addr().unwrap(), allowed.local_addr().unwrap()]]);
    let policy = CallOut { allowed: vec!["127.0.0.1/32".parse().unwrap()], ..CallOut::default() };
    let dialler = Dialler::with_resolver(policy, resolver);
    let target = parsed("http://both.example/");
    assert!(dialler.dial(&target, false, nobody().as_ref(), "the consumer").await.is_ok());
    allowed.accept().await.unwrap();
    // What came in by an uplink has a list of its own, which is empty here.
    assert!(dialler.dial(&target, true, nobody().as_ref(), "the consumer").await.is_err());
}
