//! HTTP Digest and WS-UsernameToken against each other's ends, with a clock that the test turns.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::{SignedDuration, Timestamp};
use oriel_soap::access::{Level, Levels};
use oriel_soap::auth::{
    Account, Accounts, Attempt, AuthOptions, Authenticator, DigestClient, Identity, Refusal, Secret, UsernameToken,
};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

struct Users;

impl Accounts for Users {
    fn lookup(&self, user: &str) -> Option<Account> {
        let secret = match user {
            "ann" => Secret::Password("pass: word\"\\".into()),
            "bob" => Secret::ha1("bob", "camera", "secret"),
            _ => return None,
        };
        Some(Account { secret, levels: Level::Operator.into() })
    }
}

fn ann() -> Identity {
    Identity { user: "ann".into(), levels: Levels::of(Level::Operator) }
}

fn server() -> Authenticator {
    Authenticator::new(&AuthOptions::new("camera"))
}

fn http(server: &Authenticator, authorization: &str, uri: &str, now: Timestamp) -> Result<Option<Identity>, Refusal> {
    let attempt = Attempt { authorization: Some(authorization), method: "POST", uri, token: None };
    server.authenticate(&attempt, &Users, now)
}

fn wss(server: &Authenticator, token: &UsernameToken, now: Timestamp) -> Result<Option<Identity>, Refusal> {
    let attempt = Attempt { authorization: None, method: "POST", uri: "/", token: Some(token) };
    server.authenticate(&attempt, &Users, now)
}

fn fault_text(result: Result<Option<Identity>, Refusal>) -> String {
    match result {
        Err(Refusal::Fault(fault)) => {
            assert!(fault.is("NotAuthorized"));
            assert_eq!(fault.status(), 400);
            fault.reason
        }
        other => panic!("{other:?}"),
    }
}

/// The challenge says whether another try is worth it.
fn is_stale(result: Result<Option<Identity>, Refusal>) -> bool {
    match result {
        Err(Refusal::Challenge(challenges)) => challenges[0].contains("stale=true"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_shown_is_nobody() {
    let attempt = Attempt { authorization: None, method: "POST", uri: "/", token: None };
    assert_eq!(server().authenticate(&attempt, &Users, NOW), Ok(None));
}

#[test]
fn challenges_begin_with_md5() {
    let challenges = server().challenges(NOW, false);
    assert!(challenges[0].contains("algorithm=MD5") && challenges[1].contains("algorithm=SHA-256"));
    assert!(challenges.iter().all(|challenge| challenge.starts_with("Digest realm=\"camera\", qop=\"auth\"")));
}

#[test]
fn digest_holds_with_either_hash() {
    let server = server();
    for (user, password) in [("ann", "pass: word\"\\"), ("bob", "secret")] {
        for only in 0..2 {
            let challenges = server.challenges(NOW, false);
            let mut client = DigestClient::new(user, password);
            let first = client.answer([challenges[only].as_str()], "POST", "/onvif?a=b").unwrap();
            assert!(http(&server, &first, "/onvif?a=b", NOW).is_ok(), "{user} {only}");
            let second = client.again("POST", "/onvif?a=b").unwrap();
            assert!(http(&server, &second, "/onvif?a=b", NOW + SignedDuration::from_mins(4)).is_ok());
        }
    }
}

#[test]
fn digest_is_refused_when_anything_differs() {
    let server = server();
    let challenge = &server.challenges(NOW, false)[0];
    let answer =
        |user: &str, password: &str| DigestClient::new(user, password).answer([challenge.as_str()], "POST", "/a");
    let right = answer("ann", "pass: word\"\\").unwrap();
    let wrong = [
        answer("ann", "wrong").unwrap(),
        answer("nobody", "").unwrap(),
        DigestClient::new("ann", "pass: word\"\\").answer([challenge.as_str()], "GET", "/a").unwrap(),
        right.replace("realm=\"camera\"", "realm=\"other\""),
        right.replace("qop=auth, ", ""),
        right.replace("algorithm=MD5", "algorithm=SHA-256"),
        right.replace("nc=00000001", "nc=1"),
        right.replace("nc=00000001", "nc=00000000"),
        right.replace("nc=00000001", "nc=00000002"),
        format!("{right}, username=\"bob\""),
        format!("{right}, Digest x=y"),
        "Basic YW5uOnBhc3M=".to_owned(),
        "Digest".to_owned(),
        String::new(),
        "Digest \"".to_owned(),
        "Digest ====,,=\"\\".to_owned(),
    ];
    for wrong in wrong {
        assert!(!is_stale(http(&server, &wrong, "/a", NOW)), "{wrong}");
    }
    assert!(!is_stale(http(&server, &right, "/b", NOW)), "another target");
    assert_eq!(http(&server, &right, "/a", NOW), Ok(Some(ann())), "and the right one still holds");
    let absolute =
        DigestClient::new("ann", "pass: word\"\\").answer([challenge.as_str()], "POST", "http://h/a").unwrap();
    assert!(
        is_stale(http(&server, &absolute, "/a", NOW)),
        "the absolute form is the same target, and the counter was used"
    );
}

#[test]
fn a_counter_is_taken_once_and_may_be_overtaken() {
    let server = server();
    let mut client = DigestClient::new("ann", "pass: word\"\\");
    let challenge = &server.challenges(NOW, false)[0];
    let mut answers = vec![client.answer([challenge.as_str()], "POST", "/").unwrap()];
    answers.extend((1..200).map(|_| client.again("POST", "/").unwrap()));
    for late in [2, 0, 1, 66, 65, 3, 130, 67] {
        assert_eq!(http(&server, &answers[late], "/", NOW), Ok(Some(ann())), "{late}");
        assert!(is_stale(http(&server, &answers[late], "/", NOW)), "{late} replayed");
    }
    assert!(is_stale(http(&server, &answers[4], "/", NOW)), "too far behind to know");
    assert!(http(&server, &answers[199], "/", NOW).is_ok());
}

#[test]
fn a_nonce_is_stale_when_old_or_not_ours() {
    let server = server();
    let answer = |challenge: &str| DigestClient::new("ann", "pass: word\"\\").answer([challenge], "POST", "/").unwrap();
    let old = answer(&server.challenges(NOW, false)[0]);
    assert!(is_stale(http(&server, &old, "/", NOW + SignedDuration::from_secs(301))));
    assert!(is_stale(http(&server, &old, "/", NOW - SignedDuration::from_mins(2))), "from the future");
    let other = answer(&self::server().challenges(NOW, false)[0]);
    assert!(is_stale(http(&server, &other, "/", NOW)));
    let at = other.find("nonce=\"").unwrap() + 7;
    let mut forged = other;
    forged.replace_range(at..at + 64, &"é".repeat(32));
    assert!(is_stale(http(&server, &forged, "/", NOW)));
}

/// A full memory refuses rather than forgets what was used.
#[test]
fn memory_is_bounded_and_never_lets_a_replay_through() {
    let options = AuthOptions { remembered: 8, ..AuthOptions::new("camera") };
    let server = Authenticator::new(&options);
    let at = |second: i64| NOW + SignedDuration::from_secs(second);
    let answers: Vec<String> = (0..20)
        .map(|second| {
            let challenge = &server.challenges(at(second), false)[0];
            DigestClient::new("ann", "pass: word\"\\").answer([challenge.as_str()], "POST", "/").unwrap()
        })
        .collect();
    let tokens: Vec<UsernameToken> =
        (0..20).map(|second| UsernameToken::digest("ann", "pass: word\"\\", at(second))).collect();
    for (answer, token) in answers.iter().zip(&tokens) {
        assert!(http(&server, answer, "/", at(20)).is_ok());
        assert!(wss(&server, token, at(20)).is_ok());
    }
    for (answer, token) in answers.iter().zip(&tokens) {
        assert!(is_stale(http(&server, answer, "/", at(20))));
        fault_text(wss(&server, token, at(20)));
    }
}

#[test]
fn a_token_holds_once() {
    let server = server();
    let token = UsernameToken::digest("ann", "pass: word\"\\", NOW);
    assert_eq!(wss(&server, &token, NOW), Ok(Some(ann())));
    assert!(fault_text(wss(&server, &token, NOW)).contains("used before"));
    assert!(fault_text(wss(&server, &UsernameToken::digest("ann", "wrong", NOW), NOW)).contains("wrong"));
    let unknown = fault_text(wss(&server, &UsernameToken::digest("nobody", "", NOW), NOW));
    assert!(unknown.contains("user name or password is wrong"), "unknown users look the same: {unknown}");
    assert!(fault_text(wss(&server, &UsernameToken::digest("bob", "secret", NOW), NOW)).contains("HTTP Digest only"));
}

#[test]
fn a_token_needs_digest_nonce_and_time() {
    let server = server();
    let token = || UsernameToken::digest("ann", "pass: word\"\\", NOW);
    let mut no_nonce = token();
    no_nonce.nonce = None;
    let mut no_time = token();
    no_time.created = None;
    for token in [no_nonce, no_time] {
        assert!(fault_text(wss(&server, &token, NOW)).contains("needs Nonce and Created"));
    }
    let mut plain = token();
    plain.password.as_mut().unwrap().kind = None;
    assert!(fault_text(wss(&server, &plain, NOW)).contains("PasswordDigest"));
    let mut empty = token();
    empty.nonce.as_mut().unwrap().text.clear();
    assert!(fault_text(wss(&server, &empty, NOW)).contains("base64"));
    let mut moved = token();
    moved.created = Some((NOW + SignedDuration::from_secs(1)).to_string());
    assert!(fault_text(wss(&server, &moved, NOW)).contains("password is wrong"), "the time is under the digest");
}

#[test]
fn a_password_as_text_holds_where_it_is_allowed_and_nowhere_else() {
    let text = |password| UsernameToken::text("ann", password);
    let right = text("pass: word\"\\");
    assert!(fault_text(wss(&server(), &right, NOW)).contains("needs Nonce and Created"));
    let options = AuthOptions { password_text: true, ..AuthOptions::new("camera") };
    let server = Authenticator::new(&options);
    assert_eq!(wss(&server, &right, NOW), Ok(Some(ann())));
    assert_eq!(wss(&server, &right, NOW), Ok(Some(ann())), "there is nothing in it that could be used up");
    let mut untyped = right.clone();
    untyped.password.as_mut().unwrap().kind = None;
    assert_eq!(wss(&server, &untyped, NOW), Ok(Some(ann())));
    for wrong in ["", "pass", "pass: word\"\\ "] {
        assert!(fault_text(wss(&server, &text(wrong), NOW)).contains("wrong"));
    }
    let mut old = right.clone();
    old.created = Some((NOW - SignedDuration::from_hours(1)).to_string());
    assert!(fault_text(wss(&server, &old, NOW)).contains("behind"), "a time that is there has to hold");
    let mut other = right;
    other.password.as_mut().unwrap().kind = Some("urn:other".to_owned());
    assert!(fault_text(wss(&server, &other, NOW)).contains("Nonce"), "a type that nobody knows is none");
    assert!(fault_text(wss(&server, &UsernameToken::text("nobody", ""), NOW)).contains("wrong"));
}

#[test]
fn a_wrong_guess_is_told_from_a_wrong_clock() {
    let server = server();
    let guess = |token: &UsernameToken| server.tokens().verify(token, &Users, NOW).unwrap_err().guess;
    assert!(guess(&UsernameToken::digest("ann", "wrong", NOW)));
    assert!(guess(&UsernameToken::digest("nobody", "", NOW)));
    assert!(!guess(&UsernameToken::digest("ann", "wrong", NOW - SignedDuration::from_hours(1))));
}

#[test]
fn a_skewed_clock_is_told_what_to_do() {
    let server = server();
    for (offset, words) in [(-3600, "3600 s behind"), (301, "301 s ahead of")] {
        let token = UsernameToken::digest("ann", "pass: word\"\\", NOW + SignedDuration::from_secs(offset));
        let text = fault_text(wss(&server, &token, NOW));
        assert!(text.contains(words) && text.contains("GetSystemDateAndTime"), "{text}");
    }
    for offset in [-300, 300] {
        let token = UsernameToken::digest("ann", "pass: word\"\\", NOW + SignedDuration::from_secs(offset));
        assert!(wss(&server, &token, NOW).is_ok());
    }
}

#[test]
fn if_both_are_shown_both_must_hold() {
    let server = server();
    let answer = |user: &str, password: &str| {
        DigestClient::new(user, password).answer([server.challenges(NOW, false)[0].as_str()], "POST", "/").unwrap()
    };
    let right = answer("ann", "pass: word\"\\");
    let both = |authorization: &str, token: &UsernameToken| {
        let attempt = Attempt { authorization: Some(authorization), method: "POST", uri: "/", token: Some(token) };
        server.authenticate(&attempt, &Users, NOW)
    };
    let token = UsernameToken::digest("ann", "pass: word\"\\", NOW);
    let wrong_token = UsernameToken::digest("ann", "wrong", NOW);
    assert!(!is_stale(both(&answer("ann", "wrong"), &token)), "HTTP is looked at first");
    fault_text(both(&right, &wrong_token));
    let right = answer("ann", "pass: word\"\\");
    assert_eq!(both(&right, &token), Ok(Some(ann())));
    let token = UsernameToken::digest("ann", "pass: word\"\\", NOW);
    assert!(fault_text(both(&answer("bob", "secret"), &token)).contains("different users"));
}
