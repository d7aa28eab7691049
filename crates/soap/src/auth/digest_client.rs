//! HTTP Digest at the client (RFC 7616).

use super::digest::{Algorithm, Exchange, Scheme, ha1, hex, quote, schemes};
use super::digest_server::random;
use std::fmt;

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
        let schemes: Vec<Scheme> = challenges.into_iter().flat_map(schemes).filter(Scheme::is_digest).collect();
        let challenge = schemes.iter().find_map(Challenge::of)?;
        let stale =
            schemes.iter().any(|scheme| scheme.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")));
        // The same nonce again without `stale` says that user or password are wrong.
        if self.challenge.as_ref().is_some_and(|old| old.nonce == challenge.nonce && old.count > 0 && !stale) {
            self.challenge = None;
            return None;
        }
        self.challenge = Some(challenge);
        self.again(method, uri)
    }

    /// The value of `Authorization` for a further request under the last challenge, so that it needs no 401 of its own.
    pub fn again(&mut self, method: &str, uri: &str) -> Option<String> {
        self.authorization(method, uri, &hex(&random::<16>()))
    }

    fn authorization(&mut self, method: &str, uri: &str, cnonce: &str) -> Option<String> {
        let challenge = self.challenge.as_mut()?;
        challenge.count = challenge.count.checked_add(1)?;
        let nc = format!("{:08x}", challenge.count);
        let ha1 = ha1(challenge.algorithm, &self.user, &challenge.realm, &self.password);
        let count = challenge.qop.then_some((nc.as_str(), cnonce));
        let response = Exchange { nonce: &challenge.nonce, count, method, uri }.response(challenge.algorithm, &ha1);
        let mut field = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quote(&self.user),
            quote(&challenge.realm),
            quote(&challenge.nonce),
            quote(uri),
        );
        if challenge.named {
            field += &format!(", algorithm={}", challenge.algorithm.name());
        }
        if let Some((nc, cnonce)) = count {
            field += &format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &challenge.opaque {
            field += &format!(", opaque={}", quote(opaque));
        }
        Some(field)
    }
}

impl Challenge {
    fn of(scheme: &Scheme) -> Option<Self> {
        let qop = scheme.get("qop");
        if qop.is_some_and(|qop| !qop.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth"))) {
            return None;
        }
        Some(Self {
            algorithm: Algorithm::of(scheme.get("algorithm"))?,
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
            client.challenge.as_mut().unwrap().count = 0;
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let field = client.authorization("GET", "/dir/index.html", cnonce).unwrap();
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
}
