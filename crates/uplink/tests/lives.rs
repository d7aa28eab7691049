//! Hours and outages of an uplink in virtual time (Uplink §5.2): liveness, reconnecting, draining.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use oriel_uplink::{
    Form,
    cloud::{self, Class, CloseReason, Refusal, RequestError, Tunnel},
    device::{self, Closed, State, Uplink},
};
use support::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

#[tokio::test(start_paused = true)]
async fn a_silent_but_healthy_tunnel_stands_for_hours_in_both_forms() {
    for form in [Form::Native, Form::WebSocket] {
        let pair = pair(form).await;
        sleep(S(6 * 3600)).await;
        assert!(!pair.tunnel.is_closed());
        assert_eq!(text(pair.tunnel.request(Class::Soap, get("/ok")).await.unwrap()).await, "/ok");
        let stats = pair.tunnel.stats();
        assert!(stats.rtt.is_some() && stats.silent_for < S(11));
        // A ping there and its answer back every 10 s, and no more.
        assert!(stats.bytes_written < 6 * 360 * 80, "{stats:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_pings_is_kept_alive_by_our_pings_alone() {
    let cloud = cloud::Limits { ping_after: S(100_000), ..Default::default() };
    let ours = pair_with(Form::Native, &cloud, device::Limits::default(), 4096).await;
    let device = device::Limits { ping_after: S(100_000), ..Default::default() };
    let theirs = pair_with(Form::Native, &cloud::Limits::default(), device, 4096).await;
    sleep(S(3600)).await;
    assert!(!ours.tunnel.is_closed() && !theirs.tunnel.is_closed());
}

/// A pipe with a hole in the middle: after `cut`, bytes vanish and nobody is told.
fn holed() -> (DuplexStream, DuplexStream, tokio::sync::watch::Sender<bool>) {
    let (near, mut a) = duplex(4096);
    let (mut b, far) = duplex(4096);
    let (cut, mut seen) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut a, &mut b) => {}
            _ = seen.wait_for(|cut| *cut) => {}
        }
        // Both halves stay open, unread.
        std::future::pending::<()>().await;
        drop((a, b));
    });
    (near, far, cut)
}

#[tokio::test(start_paused = true)]
async fn a_path_that_drops_everything_is_noticed_by_both_sides_within_31_seconds() {
    for form in [Form::Native, Form::WebSocket] {
        let (near, far, cut) = holed();
        let pair = pair_over(form, &cloud::Limits::default(), device::Limits::default(), near, far).await;
        sleep(S(100)).await;
        cut.send_replace(true);
        let at = Instant::now();
        assert_eq!(pair.tunnel.closed().await, CloseReason::Silent);
        assert!(at.elapsed() <= S(31));
        assert_eq!(pair.device.await.unwrap(), Closed::Silent);
        assert!(at.elapsed() <= S(31));
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_of_an_unfinished_frame_are_a_sign_of_life() {
    let (mut io, tunnel, _task) = raw_device(&cloud::Limits::default()).await;
    // A frame of an unknown type, one byte every 20 s.
    io.write_all(&frame(0xaa, 0, 0, &[0; 100])[..9]).await.unwrap();
    for _ in 0..100 {
        sleep(S(20)).await;
        io.write_u8(0).await.unwrap();
        assert!(!tunnel.is_closed());
    }
    assert_eq!(tunnel.closed().await, CloseReason::Silent);
}

struct Camera {
    uplink: Uplink,
    pipes: mpsc::UnboundedReceiver<(DuplexStream, bool)>,
    attempts: Arc<AtomicUsize>,
}

fn camera(with_token: bool) -> Camera {
    let (out, pipes) = mpsc::unbounded_channel();
    let attempts = Arc::new(AtomicUsize::new(0));
    let token = with_token.then(|| token("t"));
    let connector = Pipes { form: Form::Native, token, out, attempts: Arc::clone(&attempts) };
    let uplink = Uplink::start_with(connector, device::Limits::default(), 42, service);
    Camera { uplink, pipes, attempts }
}

impl Camera {
    async fn accept(&mut self) -> (Tunnel, JoinHandle<CloseReason>) {
        let (io, _) = self.pipes.recv().await.unwrap();
        let (tunnel, driver) = incoming(io).await.accept(&cloud::Limits::default()).await.unwrap();
        (tunnel, tokio::spawn(driver))
    }

    async fn becomes(&self, state: State) {
        self.uplink.status().wait_for(|status| status.state == state).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_tunnel_comes_back_by_itself_and_the_status_tells() {
    let mut camera = camera(false);
    assert_eq!(camera.uplink.status().borrow().state, State::Offline);
    let (tunnel, _) = camera.accept().await;
    camera.becomes(State::Connected).await;
    tunnel.request(Class::Soap, get("/ok")).await.unwrap();
    sleep(S(120)).await;
    tunnel.close(CloseReason::Local("test".into()));
    camera.becomes(State::Offline).await;
    let status = camera.uplink.status().borrow().clone();
    assert!(status.error.unwrap().starts_with("HTTP/2: "));
    let wait = status.next_attempt_at.unwrap() - Instant::now();
    assert!(wait < S(4), "the first rung: {wait:?}");
    assert!(status.connected_since.is_none() && status.last_close.is_some());
    let (tunnel, _) = camera.accept().await;
    camera.becomes(State::Connected).await;
    assert_eq!(text(tunnel.request(Class::Soap, get("/again")).await.unwrap()).await, "/again");
    let status = camera.uplink.status().borrow().clone();
    assert_eq!((&status.error, status.attempts), (&None, 0));
    assert!(status.traffic().read > 0 && status.traffic().written > 0);
}

#[tokio::test(start_paused = true)]
async fn a_cut_tunnel_meets_the_ladder_and_its_reason_is_in_the_error() {
    let mut camera = camera(false);
    let (tunnel, _) = camera.accept().await;
    tunnel.request(Class::Soap, get("/ok")).await.unwrap();
    sleep(S(120)).await;
    tunnel.close(CloseReason::Evicted);
    camera.becomes(State::Offline).await;
    let status = camera.uplink.status().borrow().clone();
    let want = "HTTP/2: the cloud closed the tunnel: newer tunnels of the same device took its place";
    assert_eq!(status.error.as_deref(), Some(want));
    let at = Instant::now();
    camera.accept().await;
    assert!(at.elapsed() > S(1), "not at once: two tunnels would push each other out for ever");
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_cloud_is_tried_by_the_ladder() {
    let mut camera = camera(false);
    let mut times = Vec::new();
    let start = Instant::now();
    for _ in 0..8 {
        drop(camera.pipes.recv().await.unwrap());
        times.push(start.elapsed());
    }
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] >= S(1) && waits[0] <= S(4) && waits[1] > waits[0] && waits[2] > waits[1], "{waits:?}");
    assert!(waits[6] > S(26) && waits[6] <= S(30), "{waits:?}");
    assert_eq!(camera.attempts.load(SeqCst), 8);
    camera.becomes(State::Offline).await;
    let status = camera.uplink.status().borrow().clone();
    assert_eq!(status.attempts, 8);
    assert!(status.error.unwrap().starts_with("upgrade: "));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_fetched_again_at_once_and_a_named_time_is_kept() {
    let mut camera = camera(true);
    let (io, refresh) = camera.pipes.recv().await.unwrap();
    assert!(!refresh);
    incoming(io).await.refuse(Refusal::unauthorized("expired")).await.unwrap();
    let at = Instant::now();
    let (io, refresh) = camera.pipes.recv().await.unwrap();
    assert!(refresh && at.elapsed() < S(1));
    incoming(io).await.refuse(Refusal::unauthorized("still")).await.unwrap();
    let (io, refresh) = camera.pipes.recv().await.unwrap();
    assert!(refresh && at.elapsed() > S(1));
    let at = Instant::now();
    incoming(io).await.refuse(Refusal::busy(S(77))).await.unwrap();
    let (_io, refresh) = camera.pipes.recv().await.unwrap();
    assert!(!refresh && at.elapsed() >= S(77) && at.elapsed() < S(90));
}

#[tokio::test(start_paused = true)]
async fn drain_brings_a_second_tunnel_at_once_and_the_first_finishes_its_streams() {
    let mut camera = camera(false);
    let (old, _) = camera.accept().await;
    sleep(S(60)).await;
    let response = old.request(Class::Bulk, get("/down/3000000")).await.unwrap();
    old.drain();
    assert!(old.is_draining());
    let at = Instant::now();
    let (new, _) = camera.accept().await;
    assert!(at.elapsed() < S(1));
    // The old one is used until the new one stands; then it takes no more, but what runs goes on.
    assert_eq!(text(new.request(Class::Soap, get("/new")).await.unwrap()).await, "/new");
    assert_eq!(text(response).await.len(), 3_000_000);
    timeout(S(5), old.closed()).await.unwrap();
    assert!(!new.is_closed());
    assert_eq!(camera.uplink.status().borrow().state, State::Connected);
    sleep(S(3600)).await;
    assert_eq!(camera.attempts.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_drained_tunnel_serves_on_while_no_second_one_comes() {
    let mut camera = camera(false);
    let (old, _) = camera.accept().await;
    sleep(S(60)).await;
    old.request(Class::Soap, get("/ok")).await.unwrap();
    old.drain();
    // The cloud's listener is gone for two minutes.
    let at = Instant::now();
    while at.elapsed() < S(120) {
        let refused = timeout(S(1), camera.pipes.recv()).await;
        drop(refused);
        assert_eq!(text(old.request(Class::Soap, get("/ok")).await.unwrap()).await, "/ok");
    }
    let (new, _) = camera.accept().await;
    assert_eq!(text(new.request(Class::Soap, get("/ok")).await.unwrap()).await, "/ok");
    timeout(S(5), old.closed()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_request_is_lost_while_tunnels_change() {
    let mut camera = camera(false);
    let (mut current, _) = camera.accept().await;
    for _ in 0..20 {
        sleep(S(30)).await;
        current.drain();
        let mut next = Box::pin(camera.accept());
        let mut answered = 0;
        let replaced = loop {
            tokio::select! {
                biased;
                answer = current.request(Class::Soap, get("/ok")) => match answer {
                    Ok(response) => { assert_eq!(text(response).await, "/ok"); answered += 1; }
                    // Known not to be begun: sent again on the next tunnel.
                    Err(error) => { assert!(error.unprocessed(), "{error}"); break (&mut next).await; }
                },
                accepted = &mut next => break accepted,
            }
            if answered > 10_000 {
                panic!("the second tunnel never came");
            }
        };
        drop(next);
        current = replaced.0;
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_what_runs_within_its_bound_and_dials_no_more() {
    let mut first = camera(false);
    let (tunnel, _) = first.accept().await;
    first.becomes(State::Connected).await;
    let response = tunnel.request(Class::Bulk, get("/down/1000000")).await.unwrap();
    let mut status = first.uplink.status();
    let drained = tokio::spawn(first.uplink.drain(S(10)));
    assert_eq!(text(response).await.len(), 1_000_000);
    drained.await.unwrap();
    assert_eq!(status.borrow_and_update().state, State::Offline);
    let late = tunnel.request(Class::Soap, get("/late")).await;
    assert!(matches!(late, Err(RequestError::Closed(_) | RequestError::NotSent(_) | RequestError::GoingAway)));
    sleep(S(100)).await;
    assert_eq!(first.attempts.load(SeqCst), 1);

    let mut second = camera(false);
    let (tunnel, _) = second.accept().await;
    let hang = tokio::spawn(async move { tunnel.request(Class::Soap, get("/hang")).await.map(|_| ()) });
    second.becomes(State::Connected).await;
    sleep(S(1)).await;
    let at = Instant::now();
    second.uplink.drain(S(10)).await;
    assert!(at.elapsed() >= S(10) && at.elapsed() < S(11));
    assert!(hang.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn dropping_an_uplink_ends_everything_that_it_started() {
    let mut camera = camera(false);
    let (tunnel, _) = camera.accept().await;
    let hang = tokio::spawn({
        let tunnel = tunnel.clone();
        async move { tunnel.request(Class::Soap, get("/hang")).await.map(|_| ()) }
    });
    sleep(S(1)).await;
    drop(camera.uplink);
    timeout(S(1), tunnel.closed()).await.unwrap();
    assert!(hang.await.unwrap().is_err());
    assert!(camera.pipes.recv().await.is_none(), "the connector is gone too");
}

#[tokio::test(start_paused = true)]
async fn redial_replaces_a_tunnel_without_a_gap() {
    let mut camera = camera(false);
    let (old, _) = camera.accept().await;
    camera.becomes(State::Connected).await;
    camera.uplink.redial();
    let (new, _) = camera.accept().await;
    timeout(S(5), old.closed()).await.unwrap();
    assert_eq!(text(new.request(Class::Soap, get("/ok")).await.unwrap()).await, "/ok");
}

#[tokio::test(start_paused = true)]
async fn an_error_goaway_ends_the_tunnel_with_its_reason() {
    let (near, mut far) = duplex(1 << 16);
    let served = tokio::spawn(async move {
        let link = device::dial_over(near, &address(Form::Native), None, S(5)).await.unwrap();
        link.serve(service, &device::Limits::default(), device::Stop::new()).await
    });
    raw_cloud(&mut far).await;
    far.write_all(&oriel_uplink::frames::goaway(11, "calm")).await.unwrap();
    let closed = served.await.unwrap();
    assert_eq!(closed, Closed::PeerError { code: 11, text: "calm".into() });
    assert_eq!(closed.to_string(), "the cloud closed the tunnel: calm");
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
}
