//! HTTP Digest at the client (RFC 7616).

use super::digest::{Algorithm, Exchange, Scheme, ha1, hex, quote, schemes};
use super::digest_server::random;
use std::fmt;

/// Ends the name of an algorithm whose secret is made for a session.
const SESSION: &str = "-sess";

/// One client's credentials at one server, and the challenge that it answers.
#[derive(Clone)]
pub struct DigestClient {
    user: String,
    password: String,
    challenge: Option<Challenge>,
}

#[derive(Clone)]
struct Challenge {
    algorithm: Algorithm,
    /// `MD5-sess` and its like: the secret is hashed once more, with both nonces of the session (RFC 7616, §3.4.2).
    session: bool,
    /// One for all requests under this challenge: servers differ in which of them a session's secret is made of.
    cnonce: String,
    /// Whether the server named it; some from before RFC 7616 do not know the parameter.
    named: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    qop: bool,
    count: u32,
}

impl fmt::Debug for DigestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestClient").field("user", &self.user).finish_non_exhaustive()
    }
}

impl DigestClient {
    /// Credentials, no challenge yet.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into(), challenge: None }
    }

    /// Answers a 401: the value of `Authorization` for the same request. Of several challenges it takes the first that it can
    /// answer, since the server's order is its preference (RFC 7616, §3.7). None if there is none, or if the server refuses what was
    /// already an answer.
    pub fn answer<'h>(
        &mut self,
        challenges: impl IntoIterator<Item = &'h str>,
        method: &str,
        uri: &str,
    ) -> Option<String> {
        let schemes = digests(challenges);
        let challenge = schemes.iter().find_map(Challenge::of)?;
        // The same nonce again without `stale` says that user or password are wrong.
        let refused = |old: &Challenge| old.nonce == challenge.nonce && old.count > 0;
        if self.challenge.as_ref().is_some_and(refused) && !schemes.iter().any(is_stale) {
            self.challenge = None;
            return None;
        }
        self.challenge = Some(challenge);
        self.again(method, uri)
    }

    /// Whether a server refuses an answer for the age of its nonce alone (RFC 7616, §3.3).
    pub fn stale<'h>(challenges: impl IntoIterator<Item = &'h str>) -> bool {
        digests(challenges).iter().any(is_stale)
    }

    /// The value of `Authorization` for a further request under the last challenge, so that it needs no 401 of its own.
    pub fn again(&mut self, method: &str, uri: &str) -> Option<String> {
        let challenge = self.challenge.as_mut()?;
        challenge.count = challenge.count.checked_add(1)?;
        Some(challenge.authorization(&self.user, &self.password, method, uri))
    }

    /// Reads `Authentication-Info` of an answer: the server may name the nonce of the next request in it (RFC 7616, §3.5).
    pub fn told(&mut self, info: &str) {
        let info = format!("Digest {info}");
        let info = schemes(&info);
        let next = info.first().and_then(|info| info.get("nextnonce")).filter(|nonce| !nonce.is_empty());
        if let (Some(challenge), Some(nonce)) = (self.challenge.as_mut(), next)
            && challenge.nonce != nonce
        {
            nonce.clone_into(&mut challenge.nonce);
            challenge.count = 0;
        }
    }
}

fn digests<'h>(challenges: impl IntoIterator<Item = &'h str>) -> Vec<Scheme<'h>> {
    challenges.into_iter().flat_map(schemes).filter(Scheme::is_digest).collect()
}

fn is_stale(scheme: &Scheme<'_>) -> bool {
    scheme.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
}

impl Challenge {
    fn authorization(&self, user: &str, password: &str, method: &str, uri: &str) -> String {
        let Self { algorithm, realm, nonce, cnonce, .. } = self;
        let nc = format!("{:08x}", self.count);
        let plain = ha1(*algorithm, user, realm, password);
        let ha1 = if self.session { algorithm.hash(&[&plain, nonce, cnonce]) } else { plain };
        let count = self.qop.then_some((nc.as_str(), cnonce.as_str()));
        let response = Exchange { nonce, count, method, uri }.response(*algorithm, &ha1);
        let mut field = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quote(user),
            quote(realm),
            quote(nonce),
            quote(uri),
        );
        if self.named {
            field += &format!(", algorithm={}{}", algorithm.name(), if self.session { SESSION } else { "" });
        }
        if let Some((nc, cnonce)) = count {
            field += &format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\"");
        } else if self.session {
            field += &format!(", cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            field += &format!(", opaque={}", quote(opaque));
        }
        field
    }

    fn of(scheme: &Scheme<'_>) -> Option<Self> {
        let qop = scheme.get("qop");
        if qop.is_some_and(|qop| !qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth"))) {
            return None;
        }
        let name = scheme.get("algorithm");
        // Byte by byte, since a name from outside may have any letters.
        let cut = name.and_then(|name| name.len().checked_sub(SESSION.len()));
        let session = name.zip(cut).and_then(|(name, cut)| name.split_at_checked(cut));
        let session = session.filter(|(_, end)| end.eq_ignore_ascii_case(SESSION)).map(|(name, _)| name);
        Some(Self {
            algorithm: Algorithm::of(session.or(name))?,
            session: session.is_some(),
            cnonce: hex(random::<16>()),
            named: scheme.get("algorithm").is_some(),
            realm: scheme.get("realm")?.to_owned(),
            nonce: scheme.get("nonce")?.to_owned(),
            opaque: scheme.get("opaque").map(str::to_owned),
            qop: qop.is_some(),
            count: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::DigestClient;

    /// RFC 7616, §3.9.1: the same exchange with MD5 and with SHA-256.
    #[test]
    fn answers_as_the_example_of_rfc_7616() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let vectors = [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ];
        for (algorithm, response) in vectors {
            let mut client = DigestClient::new("Mufasa", "Circle of Life");
            client.answer([challenge(algorithm).as_str()], "GET", "/other").unwrap();
            let challenge = client.challenge.as_mut().unwrap();
            challenge.count = 0;
            challenge.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".to_owned();
            let field = client.again("GET", "/dir/index.html").unwrap();
            assert!(field.contains(&format!("response=\"{response}\"")), "{field}");
            assert!(field.contains("nc=00000001"), "{field}");
            assert!(field.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{field}");
        }
    }

    #[test]
    fn takes_the_first_challenge_it_can_answer_and_counts_on() {
        let both = "Basic realm=\"x\", Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth\", \
                    Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"";
        let mut client = DigestClient::new("u", "p");
        let first = client.answer([both], "POST", "/").unwrap();
        assert!(first.contains("algorithm=SHA-256"), "{first}");
        assert!(client.again("POST", "/").unwrap().contains("nc=00000002"));
        assert_eq!(client.answer([both], "POST", "/"), None, "refused again: the password is wrong");
    }

    /// RFC 2069 servers give no qop; the response is then hashed without counter and client nonce.
    #[test]
    fn answers_servers_without_qop() {
        let mut client = DigestClient::new("Mufasa", "CircleOfLife");
        let challenge = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let field = client.answer([challenge], "GET", "/dir/index.html").unwrap();
        // From the erratum to RFC 2069.
        assert!(field.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{field}");
        assert!(!field.contains("cnonce"), "{field}");
    }

    /// The example of RFC 2617 §3.5, with the secret of a session: worked out by hand from its §3.2.2.2.
    #[test]
    fn makes_the_secret_of_a_session() {
        let mut client = DigestClient::new("Mufasa", "Circle Of Life");
        let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", algorithm=md5-SESS, \
                         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        client.answer([challenge], "GET", "/dir/index.html").unwrap();
        let held = client.challenge.as_mut().unwrap();
        (held.count, held.cnonce) = (0, "0a4f113b".to_owned());
        let field = client.again("GET", "/dir/index.html").unwrap();
        assert!(field.contains("response=\"8e3825c57e897f5a0dec6c2d4e5059d0\""), "{field}");
        assert!(field.contains("algorithm=MD5-sess"), "{field}");
        let (first, second) = (cnonce(&field), cnonce(&client.again("GET", "/b").unwrap()));
        assert_eq!(first, second, "one for the session");
    }

    fn cnonce(field: &str) -> String {
        field.split("cnonce=").nth(1).unwrap().split(',').next().unwrap().to_owned()
    }

    #[test]
    fn takes_the_nonce_that_the_server_names_for_the_next_request() {
        let mut client = DigestClient::new("u", "p");
        client.answer(["Digest realm=\"r\", nonce=\"one\", qop=\"auth\""], "POST", "/").unwrap();
        client.told("qop=auth, rspauth=\"00\", nextnonce=\"two\"");
        let next = client.again("POST", "/").unwrap();
        assert!(next.contains("nonce=\"two\"") && next.contains("nc=00000001"), "{next}");
        client.told("nextnonce=\"two\"");
        client.told("rspauth=\"00\"");
        assert!(client.again("POST", "/").unwrap().contains("nc=00000002"), "the same nonce counts on");
    }
}
