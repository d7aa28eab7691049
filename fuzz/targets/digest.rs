//! HTTP Digest (RFC 7616): no text opens the door by itself, any challenge can be answered or not, and the two ends understand each
//! other whatever names and passwords are made of.

#![no_main]

use std::sync::OnceLock;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use oriel_soap::access::{Level, Levels};
use oriel_soap::auth::{
    Account, Accounts, Attempt, AuthOptions, Authenticator, DigestClient, Identity, Refusal, Secret,
};
use oriel_soap::envelope::ContentType;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// One account.
struct Only<'a> {
    user: &'a str,
    password: &'a str,
}

impl Accounts for Only<'_> {
    fn lookup(&self, user: &str) -> Option<Account> {
        let secret = Secret::Password(self.password.to_owned());
        (user == self.user).then_some(Account { secret, levels: Levels::of(Level::User) })
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match first & 3 {
        0 => shown(text),
        1 => challenged(text),
        2 => both_ends(text),
        _ => content_type(text),
    }
});

/// A field as anybody may send it; `@` stands for a nonce that holds.
fn shown(text: &str) {
    static SERVER: OnceLock<(Authenticator, String)> = OnceLock::new();
    let (server, nonce) = SERVER.get_or_init(|| {
        let server = Authenticator::new(&AuthOptions::new("camera"));
        let challenge = server.challenges(NOW, false).remove(0);
        let (_, nonce) = challenge.split_once("nonce=\"").expect("a challenge has a nonce");
        let nonce = nonce.trim_end_matches('"').to_owned();
        (server, nonce)
    });
    let field = text.replace('@', nonce);
    let attempt = Attempt { authorization: Some(&field), method: "POST", uri: "/", token: None };
    let accounts = Only { user: "ann", password: "secret" };
    let refused = server.authenticate(&attempt, &accounts, NOW);
    assert!(matches!(refused, Err(Refusal::Challenge(_))), "{refused:?}");
}

/// A challenge as any device may send it; what answers it is one line if the challenge was.
fn challenged(text: &str) {
    let mut client = DigestClient::new("ann", "secret");
    if let Some(answer) = client.answer([text], "POST", "/") {
        assert!(answer.starts_with("Digest "));
        assert!(text.contains('\n') || !answer.contains('\n'));
        assert!(client.again("POST", "/").is_some(), "a challenge can be answered again");
    }
}

/// Realm, user, password and target, one a line.
fn both_ends(text: &str) {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or("");
    let (realm, user, password, uri) = (next(), next(), next(), next());
    let server = Authenticator::new(&AuthOptions::new(realm));
    let accounts = Only { user, password };
    let challenges = server.challenges(NOW, false);
    let mut client = DigestClient::new(user, password);
    let answer =
        client.answer(challenges.iter().map(String::as_str), "POST", uri).expect("our challenge can be answered");
    let attempt = |field| Attempt { authorization: Some(field), method: "POST", uri, token: None };
    let identity = server.authenticate(&attempt(answer.as_str()), &accounts, NOW);
    assert_eq!(identity, Ok(Some(Identity { user: user.to_owned(), levels: Levels::of(Level::User) })));
    let replayed = server.authenticate(&attempt(answer.as_str()), &accounts, NOW);
    assert!(matches!(replayed, Err(Refusal::Challenge(_))), "an answer holds once");
}

/// `Content-Type`, and after a line end `SOAPAction`.
fn content_type(text: &str) {
    let (kind, action) = text.split_once('\n').map_or((text, None), |(kind, action)| (kind, Some(action)));
    let Ok(found) = ContentType::parse(Some(kind), action) else { return };
    if let Some(found) = found.action.filter(|found| !found.contains(['"', '\\', ';']) && found.trim() == found) {
        let written = format!("application/soap+xml; charset=utf-8; action=\"{found}\"");
        assert_eq!(ContentType::parse(Some(&written), None).map(|again| again.action), Ok(Some(found)));
    }
}
