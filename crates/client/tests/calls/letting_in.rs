//! What it takes to be let in by cameras that ask for it in their own ways.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use oriel_client::camera::Account;
use oriel_client::quirks::{Quirks, Shown};
use oriel_onvif::device_mgmt::{GetDeviceInformation, GetUsers};
use oriel_soap::Fault;
use oriel_soap::auth::{Attempt, AuthOptions, Authenticator};
use oriel_soap::envelope::Envelope;
use oriel_soap::xml::Limits;

use super::rough::{Deed, Heard, Rough, answer, eve, say};
use super::{OneAccount, clock, information};

const WHO: &str = "WWW-Authenticate: ";

fn told() -> Vec<u8> {
    answer("200 OK", "", &String::from_utf8_lossy(information().body()))
}

fn refusal(headers: &str) -> Deed {
    say(answer("401 Unauthorized", headers, "<html>who are you?</html>"))
}

fn fault(status: &str) -> Vec<u8> {
    answer(status, "", &String::from_utf8_lossy(&Fault::not_authorized("who").to_envelope(None)))
}

fn quirks(credentials: Shown) -> Quirks {
    let mut quirks = Quirks::default();
    quirks.credentials = credentials;
    quirks
}

/// What was shown with each request: `D` Digest, `T` a token, `c` a question for the time; and the number of connections.
fn shown(rough: &Rough) -> (String, usize) {
    let heard = rough.heard();
    let connections = heard.iter().map(|heard| heard.connection).max().map_or(0, |last| last + 1);
    let one = |heard: &Heard| {
        assert!(!heard.head.contains("Basic") && !heard.body.contains("secret"), "{heard:?}");
        let digest = if heard.header("Authorization").is_some() { "D" } else { "" };
        let token = if heard.body.contains("UsernameToken") { "T" } else { "" };
        let clock = if heard.body.contains("GetSystemDateAndTime") { "c" } else { "" };
        format!("{digest}{token}{clock}.")
    };
    (heard.iter().map(one).collect(), connections)
}

async fn asks(rough: &Rough, quirks: Quirks, account: Account, times: usize) -> Result<String, String> {
    let client = rough.camera(quirks).client(Some(account));
    let mut last = Ok(String::new());
    for _ in 0..times {
        last = client
            .call(GetDeviceInformation::default())
            .await
            .map(|told| told.serial_number)
            .map_err(|error| error.to_string());
    }
    last
}

#[tokio::test]
async fn digest_in_its_kinds_and_the_refusal_is_read_so_that_one_connection_does() {
    let kinds = [
        ("Digest realm=\"r\", nonce=\"n\"", "response="),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5", "nc=00000001"),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256", "algorithm=SHA-256"),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5-sess", "algorithm=MD5-sess"),
        ("Basic realm=\"r\"\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=auth", "qop=auth"),
        ("Basic realm=\"r\", Digest realm=\"r\", nonce=\"n\", algorithm=md5", "nonce=\"n\""),
        ("Digest realm=\"Kamera Tür 玄関\", nonce=\"n\", qop=\"auth\"", "realm=\"Kamera Tür 玄関\""),
    ];
    for (challenge, sign) in kinds {
        let rough = Rough::start(move |heard| match heard.header("Authorization") {
            Some(answered) if answered.contains(sign) || heard.number > 1 => say(told()),
            Some(_) => say(fault("400 Bad Request")),
            None => refusal(&format!("{WHO}{challenge}\r\n")),
        })
        .await;
        assert_eq!(asks(&rough, Quirks::default(), eve(), 2).await.as_deref(), Ok("7"), "{challenge}");
        assert_eq!(shown(&rough), (".D.D.".to_owned(), 1), "{challenge}");
    }
}

#[tokio::test]
async fn basic_alone_is_never_answered() {
    let rough = Rough::start(|heard| match heard.body.contains("GetSystemDateAndTime") {
        true => say(answer("200 OK", "", &String::from_utf8_lossy(clock(Timestamp::now()).body()))),
        false => refusal(&format!("{WHO}Basic realm=\"r\"\r\n")),
    })
    .await;
    let refused = asks(&rough, Quirks::default(), eve(), 1).await.unwrap_err();
    assert!(refused.contains("401"), "{refused}");
    assert_eq!(shown(&rough).0, ".c.T.");
    asks(&rough, quirks(Shown::Digest), eve(), 1).await.unwrap_err();
    assert_eq!(shown(&rough).0, ".", "a token is not shown to a camera that wants Digest");
}

#[tokio::test]
async fn a_nonce_that_grew_old_is_answered_anew_and_a_wrong_password_is_not_repeated() {
    let fresh = |heard: &Heard, stale: &str| {
        let nonce = heard.number;
        refusal(&format!("{WHO}Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"{stale}\r\n"))
    };
    // Every request is answered for a nonce of just before, and only then; half of the servers say why.
    for stale in ["", ", stale=true"] {
        let rough = Rough::start(move |heard| {
            let known = format!("nonce=\"{}\"", heard.number.wrapping_sub(1));
            let good = heard.header("Authorization").is_some_and(|answered| answered.contains(&known));
            // The nonce that was good for the last request is not for this one.
            if good && heard.number % 2 == 1 { say(told()) } else { fresh(heard, stale) }
        })
        .await;
        assert_eq!(asks(&rough, Quirks::default(), eve(), 3).await.as_deref(), Ok("7"), "{stale}");
        assert_eq!(shown(&rough).0, ".D.D.D.D.D.", "{stale}");
    }
    // New nonces all the time, and never let in.
    let rough = Rough::start(move |heard| fresh(heard, "")).await;
    asks(&rough, Quirks::default(), eve(), 2).await.unwrap_err();
    assert_eq!(shown(&rough).0, ".D..D.", "one try a call: cameras lock accounts");
    let rough = Rough::start(move |heard| fresh(heard, ", stale=true")).await;
    asks(&rough, Quirks::default(), eve(), 1).await.unwrap_err();
    assert_eq!(shown(&rough).0, ".D.D.", "a camera that calls everything stale does not keep us");
}

#[tokio::test]
async fn the_nonce_of_the_next_request_may_come_with_an_answer() {
    let rough = Rough::start(|heard| {
        let good = format!("nonce=\"{}\"", heard.number);
        let next = format!("Authentication-Info: nextnonce=\"{}\"\r\n", heard.number + 1);
        match heard.header("Authorization") {
            Some(answered) if answered.contains(&good) => {
                say(answer("200 OK", &next, &String::from_utf8_lossy(information().body())))
            }
            _ => refusal(&format!("{WHO}Digest realm=\"r\", nonce=\"{}\", qop=\"auth\"\r\n", heard.number + 1)),
        }
    })
    .await;
    assert_eq!(asks(&rough, Quirks::default(), eve(), 4).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, ".D.D.D.D.");
}

/// A camera that wants a UsernameToken, with its clock so many seconds off ours; `digest`: and HTTP Digest before that.
async fn token_camera(offset: Arc<AtomicI64>, digest: bool, tells: bool, status: &'static str) -> Rough {
    let mut options = AuthOptions::new("camera");
    options.skew = SignedDuration::from_secs(60);
    let authenticator = Mutex::new(Authenticator::new(&options));
    Rough::start(move |heard| {
        let now = Timestamp::now() + SignedDuration::from_secs(offset.load(Ordering::SeqCst));
        if heard.body.contains("GetSystemDateAndTime") && tells {
            return say(answer("200 OK", "", &String::from_utf8_lossy(clock(now).body())));
        }
        if digest && heard.header("Authorization").is_none() {
            return refusal(&format!("{WHO}Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n"));
        }
        let message = Envelope::parse(heard.body.as_bytes(), &Limits::REQUEST).unwrap();
        let token = message.username_token().unwrap();
        let attempt = Attempt { authorization: None, method: "POST", uri: "/", token: token.as_ref() };
        match authenticator.lock().unwrap().authenticate(&attempt, &OneAccount, now) {
            Ok(Some(_)) if !heard.body.contains("GetSystemDateAndTime") => say(told()),
            _ => {
                let date = now.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string();
                let text = String::from_utf8(fault(status)).unwrap();
                say(text.replacen("Content-Length", &format!("{date}Content-Length"), 1))
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_token_is_made_by_the_cameras_clock_and_by_its_new_one_after_it_was_set() {
    for status in ["400 Bad Request", "200 OK", "500 Internal Server Error", "401 Unauthorized"] {
        let offset = Arc::new(AtomicI64::new(-400));
        let rough = token_camera(Arc::clone(&offset), false, true, status).await;
        let client = rough.camera(Quirks::default()).client(Some(eve()));
        let call = || client.call(GetDeviceInformation::default());
        call().await.unwrap();
        call().await.unwrap();
        assert_eq!(shown(&rough).0, ".c.T.T.", "{status}");
        offset.store(86_400, Ordering::SeqCst);
        call().await.unwrap();
        call().await.unwrap();
        assert_eq!(shown(&rough).0, "T.c.T.T.", "{status}");
        let wrong = Account { password: "wrong".to_owned(), ..eve() };
        let client = rough.camera(Quirks::default()).client(Some(wrong));
        for _ in 0..2 {
            client.call(GetDeviceInformation::default()).await.unwrap_err();
            assert_eq!(shown(&rough).0, ".c.T.", "{status}: one try a call: cameras lock accounts");
        }
    }
}

#[tokio::test]
async fn a_camera_that_does_not_tell_its_time_tells_it_in_the_date() {
    let rough = token_camera(Arc::new(AtomicI64::new(7_000)), false, false, "401 Unauthorized").await;
    assert_eq!(asks(&rough, Quirks::default(), eve(), 2).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, ".c.T.T.");
}

#[tokio::test]
async fn both_are_shown_to_a_camera_that_wants_both() {
    let rough = token_camera(Arc::new(AtomicI64::new(-400)), true, true, "400 Bad Request").await;
    assert_eq!(asks(&rough, Quirks::default(), eve(), 2).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, ".D.c.DT.DT.");
    assert_eq!(asks(&rough, quirks(Shown::Both), eve(), 2).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, "c.T.DT.DT.");
}

#[tokio::test]
async fn a_token_alone_and_a_clock_that_is_known() {
    let rough = token_camera(Arc::new(AtomicI64::new(-400)), false, true, "401 Unauthorized").await;
    assert_eq!(asks(&rough, quirks(Shown::UsernameToken), eve(), 2).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, "c.T.T.");
    let mut known = quirks(Shown::UsernameToken);
    known.clock_offset_s = Some(-400);
    assert_eq!(asks(&rough, known, eve(), 2).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, "T.T.");
    let mut known = Quirks::default();
    known.clock_offset_s = Some(-400);
    assert_eq!(asks(&rough, known.clone(), eve(), 1).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, ".T.");
    known.clock_offset_s = Some(4_000);
    asks(&rough, known, eve(), 2).await.unwrap_err();
    assert_eq!(shown(&rough).0, ".T..T.", "a clock that is given is believed");
}

#[tokio::test]
async fn a_time_of_whole_seconds() {
    for (whole, dot) in [(true, 0), (false, 1)] {
        let rough = token_camera(Arc::default(), false, true, "400 Bad Request").await;
        let mut quirks = quirks(Shown::UsernameToken);
        (quirks.whole_seconds, quirks.clock_offset_s) = (whole, Some(0));
        let mut dots = 0;
        // A time that happens to be whole has no fraction either.
        for _ in 0..3 {
            asks(&rough, quirks.clone(), eve(), 1).await.unwrap();
            let created = rough.heard()[0].body.split("Created>").nth(1).unwrap().to_owned();
            dots = dots.max(created.matches('.').count());
        }
        assert_eq!(dots, dot);
    }
}

#[tokio::test]
async fn accounts_do_not_share_what_was_learnt_and_without_one_nothing_is_shown() {
    let rough = token_camera(Arc::default(), false, true, "400 Bad Request").await;
    let camera = rough.camera(Quirks::default());
    camera.client(Some(eve())).call(GetDeviceInformation::default()).await.unwrap();
    camera.client(Some(eve())).call(GetDeviceInformation::default()).await.unwrap();
    assert_eq!(shown(&rough).0, ".c.T.T.", "one account, whoever asks with it");
    camera.client(None).call(GetDeviceInformation::default()).await.unwrap_err();
    assert_eq!(shown(&rough).0, ".");
    camera.forget();
    camera.client(Some(eve())).call(GetDeviceInformation::default()).await.unwrap();
    assert_eq!(shown(&rough).0, ".c.T.");
    assert!(!format!("{:?}", eve()).contains("secret"));
}

/// One operation is above the account's level, and a token beside Digest is a fault of another kind, or none.
#[tokio::test]
async fn a_refusal_for_the_accounts_rights_does_not_make_a_token_be_shown_from_then_on() {
    let other = |status| {
        let mut fault = Fault::not_authorized("");
        (fault.subcodes, fault.reason) = (Vec::new(), "mustUnderstand".to_owned());
        answer(status, "", &String::from_utf8_lossy(&fault.to_envelope(None)))
    };
    for for_a_token in [fault("400 Bad Request"), other("400 Bad Request"), other("200 OK"), told()] {
        let text = for_a_token.clone();
        let rough = Rough::start(move |heard| {
            if heard.body.contains("GetSystemDateAndTime") {
                return say(answer("200 OK", "", &String::from_utf8_lossy(clock(Timestamp::now()).body())));
            }
            let has_token = heard.body.contains("UsernameToken");
            match heard.header("Authorization") {
                None => refusal(&format!("{WHO}Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n")),
                Some(_) if has_token => say(&text),
                Some(_) if heard.body.contains("GetUsers") => say(fault("400 Bad Request")),
                Some(_) => say(told()),
            }
        })
        .await;
        let client = rough.camera(Quirks::default()).client(Some(eve()));
        client.call(GetDeviceInformation::default()).await.unwrap();
        for _ in 0..2 {
            client.call(GetUsers::default()).await.unwrap_err();
        }
        client.call(GetDeviceInformation::default()).await.unwrap();
        let helps = for_a_token == told();
        let expected = if helps { ".D.D.c.DT.DT.DT." } else { ".D.D.c.DT.D.c.DT.D." };
        assert_eq!(shown(&rough).0, expected, "{}", String::from_utf8_lossy(&for_a_token));
    }
}

#[tokio::test]
async fn a_token_that_helped_is_shown_again_and_one_that_the_same_clock_would_make_is_not() {
    let rough = Rough::start(|heard| {
        if heard.body.contains("GetSystemDateAndTime") {
            return say(answer("200 OK", "", &String::from_utf8_lossy(clock(Timestamp::now()).body())));
        }
        let is_good = heard.body.contains("UsernameToken") && !heard.body.contains("GetUsers");
        say(if is_good { told() } else { fault("400 Bad Request") })
    })
    .await;
    let client = rough.camera(Quirks::default()).client(Some(eve()));
    client.call(GetDeviceInformation::default()).await.unwrap();
    client.call(GetUsers::default()).await.unwrap_err();
    client.call(GetDeviceInformation::default()).await.unwrap();
    assert_eq!(shown(&rough).0, ".c.T.T.c.T.", "it is not the clock, so it is not tried again");
}

#[tokio::test]
async fn a_page_that_wants_digest_does_not_make_soap_want_it() {
    let rough = Rough::start(|heard| {
        let is_page = heard.head.starts_with("GET ");
        match (is_page, heard.header("Authorization"), heard.body.contains("UsernameToken")) {
            (_, None, false) if heard.body.contains("GetSystemDateAndTime") => {
                say(answer("200 OK", "", &String::from_utf8_lossy(clock(Timestamp::now()).body())))
            }
            (true, None, _) => refusal(&format!("{WHO}Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n")),
            (true, Some(_), _) => say(answer("200 OK", "", "a picture")),
            (false, None, true) => say(told()),
            (false, ..) => say(fault("400 Bad Request")),
        }
    })
    .await;
    let camera = Arc::new(rough.camera(Quirks::default()));
    let client = camera.client(Some(eve()));
    for _ in 0..2 {
        client.call(GetDeviceInformation::default()).await.unwrap();
        let picture = http::Request::get("/picture").body(oriel_client::camera::Body::default()).unwrap();
        let picture = camera.fetch(picture, Some(&eve()), super::rough::SOON).await.unwrap();
        assert_eq!(picture.status(), 200);
    }
    assert_eq!(shown(&rough).0, ".c.T..D.T.D.");
}

#[tokio::test]
async fn a_camera_that_asks_for_a_token_in_words_alone_gets_one() {
    let rough = Rough::start(|heard| {
        if heard.body.contains("GetSystemDateAndTime") {
            return say(answer("200 OK", "", &String::from_utf8_lossy(clock(Timestamp::now()).body())));
        }
        if heard.body.contains("UsernameToken") {
            return say(told());
        }
        let mut fault = Fault::not_authorized("");
        (fault.subcodes, fault.reason) = (Vec::new(), "WS-Security header required but not provided".to_owned());
        say(answer("500 Internal Server Error", "", &String::from_utf8_lossy(&fault.to_envelope(None))))
    })
    .await;
    assert_eq!(asks(&rough, Quirks::default(), eve(), 2).await.as_deref(), Ok("7"));
    assert_eq!(shown(&rough).0, ".c.T.T.");
}
