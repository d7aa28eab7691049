//! Who may use the port: programs, by the address that they were given. A web page that found the port, or that a name was pointed at it for (DNS
//! rebinding), would act with our token.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Request, StatusCode};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request does not go on.
pub(super) type Refusal = (StatusCode, &'static str);

/// Where the client asked us, as it stands in the addresses that it gets.
///
/// # Errors
/// The request is not for us, or not from a program.
pub(super) fn asked<B>(request: &Request<B>, exposed: bool) -> Result<Authority, Refusal> {
    let bad = |why| (StatusCode::BAD_REQUEST, why);
    let headers = request.headers();
    let host = single(headers, &HOST).ok_or_else(|| bad("the request has to name its host, once"))?;
    let host: Authority = host.parse().map_err(|_| bad("the request's Host is none"))?;
    if host.as_str().contains('@') {
        return Err(bad("the request's Host is none"));
    }
    if !exposed && !is_local(host.host()) {
        return Err((StatusCode::MISDIRECTED_REQUEST, "ask this port by its address, not by a name"));
    }
    let foreign = |why| Err((StatusCode::FORBIDDEN, why));
    match single(headers, &ORIGIN) {
        None if headers.contains_key(ORIGIN) => return foreign("the request has several origins"),
        Some(origin) if origin != format!("http://{host}") => return foreign("this port is not for web pages"),
        _ => {}
    }
    match headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes()) {
        None | Some(b"none" | b"same-origin") => {}
        Some(_) => return foreign("this port is not for web pages"),
    }
    if !is_plain(request.uri().path()) {
        return Err(bad("the path leads out of the device"));
    }
    Ok(host)
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// An address, which no name server can change the meaning of.
fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// A path that stays below the device's, whoever on the way resolves its dots.
fn is_plain(path: &str) -> bool {
    let plain =
        path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    path.starts_with('/') && !plain.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(target: &str, headers: &[(&str, &str)], exposed: bool) -> Result<String, u16> {
        let mut request = Request::post(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let asked = asked(&request.body(()).unwrap(), exposed);
        asked.map(|host| host.to_string()).map_err(|(status, _)| status.as_u16())
    }

    #[test]
    fn a_port_is_asked_by_its_address() {
        for host in ["127.0.0.1:8080", "localhost:80", "[::1]:9", "10.0.0.1"] {
            assert_eq!(ask("/onvif/device_service", &[("host", host)], false), Ok(host.to_owned()), "{host}");
        }
        assert_eq!(ask("/", &[("host", "evil.example:8080")], false), Err(421));
        assert_eq!(ask("/", &[("host", "forward:8080")], true), Ok("forward:8080".to_owned()));
        assert_eq!(ask("/", &[], false), Err(400));
        assert_eq!(ask("/", &[("host", "127.0.0.1"), ("host", "127.0.0.1")], false), Err(400));
        assert_eq!(ask("/", &[("host", "a@127.0.0.1")], false), Err(400));
    }

    #[test]
    fn a_web_page_is_kept_out() {
        let from = |name, value| ask("/", &[("host", "127.0.0.1:80"), (name, value)], true);
        from("origin", "http://127.0.0.1:80").unwrap();
        from("sec-fetch-site", "none").unwrap();
        from("sec-fetch-site", "same-origin").unwrap();
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:81"),
            ("origin", "https://127.0.0.1:80"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(from(name, value), Err(403), "{name}: {value}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_device() {
        for path in ["/", "/a/b.c/..d/e..", "/a?b=../c", "/a//b"] {
            ask(path, &[("host", "127.0.0.1")], false).unwrap();
        }
        for path in ["/../api", "/a/%2E%2e/b", "/a/..", "/a/.%2e%2fb", "/..;x/b", "/./a", "/a%5c..%5cb"] {
            assert_eq!(ask(path, &[("host", "127.0.0.1")], false), Err(400), "{path}");
        }
    }
}
