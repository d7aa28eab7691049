//! How fast passwords may be guessed. Failures are counted three ways: of one account from one source, of one source for any account, and of one account by
//! strangers from anywhere. Nobody is locked out for good, and a stranger's guesses do not shut out a browser that has logged in to the account before: it
//! carries a proof of that, and is counted by itself (OWASP's device cookies).

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::facts::Facts;
use crate::file;

/// Failures are forgotten this long after the first of them.
const WINDOW: Duration = Duration::from_secs(900);
/// Failures of one account from one source, or of one known browser.
const OF_PAIR: u32 = 10;
/// Failures of one source: an office behind one address mistypes too.
const OF_SOURCE: u32 = 60;
/// Failures of one account by strangers from anywhere.
const OF_ACCOUNT: u32 = 100;
/// Bytes of the key that proofs are made with.
const KEY: usize = 32;

/// The proof that a browser has logged in to an account before.
#[derive(Debug)]
pub(crate) struct KnownBrowsers(hmac::Key);

impl KnownBrowsers {
    /// Reads the key in the data folder, or makes it: browsers stay known over restarts.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let path = data.join("known-browsers.key");
        match std::fs::read(&path) {
            Ok(key) if key.len() >= KEY => Ok(Self::new(&key)),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "known-browsers.key is damaged; remove it")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = [0; KEY];
                aws_lc_rs::rand::fill(&mut key).expect("the system gives random bytes");
                file::replace(&path, &key, 0o600)?;
                Ok(Self::new(&key))
            }
            Err(error) => Err(error),
        }
    }

    /// Proofs that `key` makes are believed.
    fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// A proof for a browser that logged in to `email` just now.
    pub(crate) fn issue(&self, email: &str) -> String {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system gives random bytes");
        let nonce = URL_SAFE_NO_PAD.encode(nonce);
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, Self::signed(&nonce, email).as_bytes()));
        format!("{nonce}.{tag}")
    }

    /// The browser's own name, if `proof` is for `email`.
    pub(crate) fn check<'p>(&self, proof: &'p str, email: &str) -> Option<&'p str> {
        let (nonce, tag) = proof.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, Self::signed(nonce, email).as_bytes(), &tag).ok().map(|()| nonce)
    }

    fn signed(nonce: &str, email: &str) -> String {
        format!("known browser\n{nonce}\n{email}")
    }
}

/// One attempt to log in, counted as a failure until it is [`Attempt::forgiven`].
#[derive(Debug)]
pub(crate) struct Attempt {
    keys: Vec<String>,
}

impl Attempt {
    /// Counts one.
    ///
    /// # Errors
    /// How long to wait. What was refused for one bound does not count for the others.
    pub(crate) fn begin(
        facts: &dyn Facts,
        email: &str,
        source: IpAddr,
        browser: Option<&str>,
        now: Instant,
    ) -> Result<Self, Duration> {
        let source = network(source);
        let bounds = match browser {
            Some(browser) => vec![(format!("login/browser/{browser}"), OF_PAIR)],
            None => vec![
                (format!("login/source/{source}"), OF_SOURCE),
                (format!("login/pair/{source}/{email}"), OF_PAIR),
                (format!("login/account/{email}"), OF_ACCOUNT),
            ],
        };
        let mut attempt = Self { keys: Vec::with_capacity(bounds.len()) };
        for (key, most) in bounds {
            let count = facts.count(&key, WINDOW, now);
            attempt.keys.push(key);
            if count > most {
                let wait = attempt.keys.last().and_then(|key| facts.remaining(key, now)).unwrap_or(WINDOW);
                attempt.forgiven(facts, now);
                return Err(wait.max(Duration::from_secs(1)));
            }
        }
        Ok(attempt)
    }

    /// The password was right, or was not looked at.
    pub(crate) fn forgiven(self, facts: &dyn Facts, now: Instant) {
        for key in &self.keys {
            facts.uncount(key, now);
        }
    }
}

/// Whoever has one address of IPv6 has the whole network of 64 bits.
pub(crate) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MemoryFacts;

    fn source(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from(n).into()
    }

    struct Guesses {
        facts: MemoryFacts,
        now: Instant,
    }

    impl Guesses {
        fn new() -> Self {
            Self { facts: MemoryFacts::new(100_000), now: Instant::now() }
        }

        fn fail(&self, email: &str, from: u32, browser: Option<&str>) -> Result<Attempt, Duration> {
            Attempt::begin(&self.facts, email, source(from), browser, self.now)
        }
    }

    #[test]
    fn ten_wrong_passwords_of_one_account_from_one_source_and_then_a_wait() {
        let mut guesses = Guesses::new();
        for _ in 0..OF_PAIR {
            guesses.fail("a", 1, None).unwrap();
        }
        guesses.now += Duration::from_secs(300);
        let wait = guesses.fail("a", 1, None).unwrap_err();
        assert_eq!(wait, WINDOW - Duration::from_secs(300));
        guesses.fail("b", 1, None).unwrap();
        guesses.fail("a", 2, None).unwrap();
        guesses.now += wait;
        guesses.fail("a", 1, None).unwrap();
    }

    #[test]
    fn a_right_password_does_not_count() {
        let guesses = Guesses::new();
        for _ in 0..1000 {
            guesses.fail("a", 1, None).unwrap().forgiven(&guesses.facts, guesses.now);
        }
    }

    #[test]
    fn many_accounts_from_one_source_and_then_a_wait_for_that_source() {
        let guesses = Guesses::new();
        for n in 0..OF_SOURCE {
            guesses.fail(&n.to_string(), 1, None).unwrap();
        }
        guesses.fail("next", 1, None).unwrap_err();
        guesses.fail("next", 2, None).unwrap();
    }

    #[test]
    fn strangers_from_everywhere_do_not_shut_out_a_known_browser() {
        let guesses = Guesses::new();
        for n in 0..OF_ACCOUNT {
            guesses.fail("a", n, None).unwrap();
        }
        guesses.fail("a", 7777, None).unwrap_err();
        for _ in 0..OF_PAIR {
            guesses.fail("a", 8888, Some("mine")).unwrap();
        }
        guesses.fail("a", 8888, Some("mine")).unwrap_err();
    }

    #[test]
    fn refused_attempts_do_not_prolong_or_spread() {
        let guesses = Guesses::new();
        for _ in 0..OF_ACCOUNT * 3 {
            let _counted = guesses.fail("a", 1, None);
        }
        guesses.fail("a", 2, None).unwrap();
        guesses.fail("b", 1, None).unwrap();
    }

    #[test]
    fn a_proof_is_for_one_account_and_one_key() {
        let known = KnownBrowsers::new(b"key");
        let proof = known.issue("a");
        assert!(known.check(&proof, "a").is_some());
        assert!(known.check(&proof, "b").is_none());
        assert!(KnownBrowsers::new(b"other").check(&proof, "a").is_none());
        assert!(known.check("nonsense", "a").is_none());
        assert!(known.check("non.sense", "a").is_none());
    }

    #[test]
    fn one_household_of_ipv6_is_one_source() {
        let one = network("2001:db8::1".parse().unwrap());
        assert_eq!(one, network("2001:db8::ffff".parse().unwrap()));
        assert_ne!(one, network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network("192.0.2.1".parse().unwrap()));
    }
}
