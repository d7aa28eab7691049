//! Whose a request is: the host that it names decides, and below our own names the path.
//!
//! `https://{device}.{domain}/…` and `https://{cloud}/d/{device}/…` lead to the same gateway. A device's host name is an origin of its own for a browser;
//! the dashboard and the API never answer there, and no device answers at their names but below `/d/`.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{Request, StatusCode};

use crate::refusal::Refusal;

/// Below our own names.
const BELOW: &str = "/d/";

/// An address that leads to a device, whether there is one or not.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The device's id as the address has it.
    pub(super) device: String,
    /// Where the client asked us.
    pub(super) authority: Authority,
    /// `/d/{device}`, or nothing where the host names the device.
    pub(super) prefix: String,
    /// `/onvif/device_service?x`: the path as the device sees it.
    pub(super) target: PathAndQuery,
    /// The path as the client wrote it.
    pub(super) asked: PathAndQuery,
}

impl Route {
    /// The beginning of every address of the device, as this client reaches it.
    pub(super) fn base(&self) -> String {
        format!("https://{}{}", self.authority, self.prefix)
    }

    /// Whether the host names the device.
    pub(super) fn is_host(&self) -> bool {
        self.prefix.is_empty()
    }
}

/// The way to a device, or nothing if the request is for the cloud itself. `domain` is lower-cased.
///
/// # Errors
/// 400 for a request that does not say clearly which host it is for, 421 for the domain itself, at which nothing is.
pub(crate) fn route<B>(request: &Request<B>, domain: Option<&str>) -> Result<Option<Route>, Refusal> {
    let bad = |what: &str| Refusal::new(StatusCode::BAD_REQUEST, what);
    let unclear = || bad("the request does not say which host it is for");
    let authority = authority(request).map_err(|Unclear| unclear())?;
    let named = match (domain, &authority) {
        (Some(domain), Some(authority)) => label(authority.host(), domain)?,
        _ => None,
    };
    let asked = request.uri().path_and_query();
    let below = asked.and_then(|asked| asked.as_str().strip_prefix(BELOW));
    let (device, prefix, target) = match (named, below) {
        (Some(device), _) => {
            let target = asked.map_or("/", PathAndQuery::as_str);
            (device, String::new(), target)
        }
        (None, Some(rest)) => {
            let (device, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (device.to_owned(), format!("{BELOW}{device}"), target)
        }
        (None, None) => return Ok(None),
    };
    let parsed = if target.starts_with('/') { target.parse() } else { format!("/{target}").parse() };
    let target: PathAndQuery = parsed.map_err(|_| bad("the path cannot be passed on"))?;
    let asked = asked.cloned().unwrap_or_else(|| target.clone());
    Ok(Some(Route { device, authority: authority.ok_or_else(unclear)?, prefix, target, asked }))
}

struct Unclear;

/// The one host that the request names, in its target or in `Host`; none if there is none. Two that differ, and one that cannot be read, are how one
/// server is made to take a request for another's (RFC 9112 §3.2, RFC 9113 §8.3.1).
fn authority<B>(request: &Request<B>) -> Result<Option<Authority>, Unclear> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(Authority::try_from(host.as_bytes()).map_err(|_| Unclear)?),
        _ => return Err(Unclear),
    };
    let target = request.uri().authority();
    if let (Some(host), Some(target)) = (&host, target)
        && host != target
    {
        return Err(Unclear);
    }
    let named = target.cloned().or(host);
    // No user information: in an address that we hand out it would mislead.
    if named.as_ref().is_some_and(|named| named.as_str().contains('@') || named.host().is_empty()) {
        return Err(Unclear);
    }
    Ok(named)
}

/// What stands before `domain` in `host`.
fn label(host: &str, domain: &str) -> Result<Option<String>, Refusal> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let Some(at) = host.len().checked_sub(domain.len()) else { return Ok(None) };
    if !host.is_char_boundary(at) || !host[at..].eq_ignore_ascii_case(domain) {
        return Ok(None);
    }
    if at == 0 {
        let detail = "devices have names below this one, and there is nothing else here";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    Ok(host[..at].strip_suffix('.').map(str::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: Option<&str> = Some("cams.example.org");

    fn asked(uri: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    /// Device, base and target.
    fn led(uri: &str, hosts: &[&str]) -> Option<(String, String, String)> {
        let route = route(&asked(uri, hosts), DOMAIN).unwrap()?;
        Some((route.device.clone(), route.base(), route.target.to_string()))
    }

    fn to(device: &str, base: &str, target: &str) -> Option<(String, String, String)> {
        Some((device.to_owned(), base.to_owned(), target.to_owned()))
    }

    #[test]
    fn the_host_decides_before_the_path() {
        assert_eq!(led("/d/x/y", &["cam.cams.example.org"]), to("cam", "https://cam.cams.example.org", "/d/x/y"));
        assert_eq!(led("/api/v1", &["CAM.Cams.example.ORG:8443"]).unwrap().0, "cam");
        assert_eq!(led("/", &["cam.cams.example.org."]).unwrap().0, "cam");
        assert_eq!(led("https://cam.cams.example.org/x?y", &[]), to("cam", "https://cam.cams.example.org", "/x?y"));
        assert_eq!(led("/", &["a.cam.cams.example.org"]).unwrap().0, "a.cam", "no device has this name");
        assert_eq!(led("/d/x/y?z", &["cloud:8443"]), to("x", "https://cloud:8443/d/x", "/y?z"));
        assert_eq!(led("/d/x?z", &["[::1]:8443"]), to("x", "https://[::1]:8443/d/x", "/?z"));
        assert_eq!(led("/d/", &["cloud"]), to("", "https://cloud/d/", "/"));
        for own in ["cloud", "127.0.0.1", "notcams.example.org", "example.org", "cam.cams.example.org.evil"] {
            assert_eq!(led("/api/v1", &[own]), None, "{own}");
        }
        assert_eq!(led("/api/v1", &[]), None);
        assert!(route(&asked("/d/x/y", &["cam.cams.example.org"]), None).unwrap().unwrap().device == "x");
    }

    #[test]
    fn a_host_that_two_could_read_in_two_ways_is_refused() {
        let status = |uri: &str, hosts: &[&str]| route(&asked(uri, hosts), DOMAIN).unwrap_err().status;
        for (uri, hosts) in [
            ("/", &["a.cams.example.org", "cloud"][..]),
            ("/", &["cloud", "cloud"]),
            ("/", &["a b"]),
            ("/", &["ö"]),
            ("/", &[""]),
            ("/", &["user@cam.cams.example.org"]),
            ("https://user@cam.cams.example.org/", &[]),
            ("https://cloud/", &["cam.cams.example.org"]),
            ("https://cam.cams.example.org/", &["other.cams.example.org"]),
            ("/d/x/y", &[]),
        ] {
            assert_eq!(status(uri, hosts), StatusCode::BAD_REQUEST, "{uri} {hosts:?}");
        }
        assert!(led("https://cam.cams.example.org/", &["CAM.cams.example.org"]).is_some());
        assert_eq!(status("/", &["cams.example.org"]), StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(led("/", &[".cams.example.org"]).unwrap().0, "", "no device has no name");
    }
}
