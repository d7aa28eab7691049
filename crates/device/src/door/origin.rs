//! Where a request came in, and so what address its reply may name (Core §8.1.2.2: the address that the client used).

use crate::supervisor::Tunnel;
use http::uri::Authority;
use http::{HeaderMap, Request, header};
use oriel_soap::Via;
use std::fmt;
use std::net::SocketAddr;

/// Where a request came in.
#[derive(Clone)]
pub(crate) enum Origin {
    /// A connection to a port of ours.
    Lan {
        /// The other end.
        peer: SocketAddr,
        /// Our end.
        local: SocketAddr,
    },
    /// A tunnel that we dialled.
    Uplink {
        /// Which one, and its rights.
        tunnel: Tunnel,
        /// Where the LAN reaches us: the address of last resort.
        local: SocketAddr,
    },
}

impl Origin {
    /// The same, as rights are decided by it.
    pub(crate) fn via(&self) -> Via {
        match self {
            Self::Lan { peer, .. } => Via::Lan { peer: *peer },
            Self::Uplink { tunnel, .. } if tunnel.leads_out() => Via::Uplink { address: tunnel.address.clone() },
            // What was configured here is as good as what was set on the LAN.
            Self::Uplink { local, .. } => Via::Lan { peer: *local },
        }
    }
}

/// What every address in a reply begins with: `https://cloud.example/d/camera-1`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base(String);

impl Base {
    /// The address under which whoever asked reaches us.
    pub(crate) fn of<B>(request: &Request<B>, origin: &Origin) -> Self {
        let asked =
            request.uri().authority().map(Authority::as_str).or_else(|| text(request.headers(), header::HOST.as_str()));
        match origin {
            Origin::Lan { local, .. } => {
                let host = asked.and_then(authority).map_or_else(|| local.to_string(), |host| host.to_string());
                Self(format!("http://{host}"))
            }
            // Forwarded headers are believed here alone: the one who could set them is the cloud that may ask anyway.
            Origin::Uplink { local, .. } => {
                let headers = request.headers();
                let forwarded = text(headers, "x-forwarded-host").and_then(authority);
                let Some(host) = forwarded.or_else(|| asked.and_then(authority)) else {
                    return Self(format!("http://{local}"));
                };
                let scheme = text(headers, "x-forwarded-proto").filter(|scheme| ["http", "https"].contains(scheme));
                let prefix = text(headers, "x-forwarded-prefix").filter(|prefix| is_prefix(prefix)).unwrap_or_default();
                Self(format!("{}://{host}{}", scheme.unwrap_or("https"), prefix.trim_end_matches('/')))
            }
        }
    }

    /// The same, where a segment of the path says which of several devices is meant: `/gate`, or nothing.
    #[cfg(feature = "bridge")]
    pub(crate) fn below(self, prefix: &str) -> Self {
        Self(self.0 + prefix)
    }

    /// The address of one of our paths.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a header that is there once.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

/// A host with or without a port, and nothing else.
fn authority(text: &str) -> Option<Authority> {
    text.parse::<Authority>().ok().filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty())
}

/// A path of plain segments.
fn is_prefix(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%:@".contains(&byte);
    text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(plain)
        && !text.split('/').any(|segment| segment == "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::tunnel_for_tests;

    fn base(origin: &Origin, headers: &[(&str, &str)]) -> String {
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        Base::of(&request, origin).join("/x")
    }

    #[test]
    fn on_the_lan_the_host_counts_and_forwarded_headers_do_not() {
        let lan = Origin::Lan { peer: ([10, 0, 0, 9], 5).into(), local: ([10, 0, 0, 2], 8080).into() };
        assert_eq!(base(&lan, &[("host", "camera.local:8080")]), "http://camera.local:8080/x");
        assert_eq!(base(&lan, &[("host", "[fe80::1]:80")]), "http://[fe80::1]:80/x");
        let spoofed = [
            ("host", "camera"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/p"),
        ];
        assert_eq!(base(&lan, &spoofed), "http://camera/x");
        for host in ["", "user@camera", "a b", "a/b", "a<b"] {
            assert_eq!(base(&lan, &[("host", host)]), "http://10.0.0.2:8080/x", "{host:?}");
        }
        assert_eq!(base(&lan, &[("host", "a"), ("host", "b")]), "http://10.0.0.2:8080/x");
        assert_eq!(base(&lan, &[]), "http://10.0.0.2:8080/x");
    }

    #[test]
    fn in_a_tunnel_forwarded_headers_count() {
        let uplink = Origin::Uplink { tunnel: tunnel_for_tests(), local: ([10, 0, 0, 2], 8080).into() };
        let all = [
            ("host", "camera"),
            ("x-forwarded-host", "cloud.example:8443"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/d/camera-1/"),
        ];
        assert_eq!(base(&uplink, &all), "https://cloud.example:8443/d/camera-1/x");
        assert_eq!(base(&uplink, &[("host", "camera.cloud.example")]), "https://camera.cloud.example/x");
        assert_eq!(base(&uplink, &[("x-forwarded-host", "a"), ("x-forwarded-proto", "http")]), "http://a/x");
        assert_eq!(base(&uplink, &[("x-forwarded-host", "a"), ("x-forwarded-proto", "ftp")]), "https://a/x");
        assert_eq!(base(&uplink, &[]), "http://10.0.0.2:8080/x");
        for prefix in ["d", "//evil", "/a/../b", "/a\"b", "/a?b"] {
            assert_eq!(
                base(&uplink, &[("x-forwarded-host", "a"), ("x-forwarded-prefix", prefix)]),
                "https://a/x",
                "{prefix}"
            );
        }
    }
}
