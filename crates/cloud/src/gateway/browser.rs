//! What is asked of browsers, which send what they know to whoever a page names: credentials of one place must not work for the pages of another.
//!
//! A browser keeps the answer to a Digest challenge and sends it with every request to that origin, whichever page makes it. So the challenge is made on a
//! device's own host name alone, where nothing else lives; below `/d/`, at the dashboard's origin, a browser is offered none and believed none. On the host
//! name, Fetch Metadata and `Origin` tell the device's own pages from others. Service workers would outlive the right that installed them: none is served.

use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

use super::route::Route;
use crate::refusal::Refusal;

/// In every request that a browser makes of a secure origin (Fetch Metadata §2).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// In the request for a worker's script (Service Workers §5.1).
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

fn says(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Refuses what no device may serve.
///
/// # Errors
/// 403 for a service worker.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let worker =
        headers.contains_key(SERVICE_WORKER) || says(headers, &SEC_FETCH_DEST).as_deref() == Some("serviceworker");
    if worker {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "no device may install a service worker"));
    }
    Ok(())
}

/// Whether the caller is asked for Digest, which a browser would keep.
pub(super) fn is_offered_digest(headers: &HeaderMap, route: &Route) -> bool {
    let browser = headers.contains_key(SEC_FETCH_MODE) || headers.contains_key(SEC_FETCH_SITE);
    route.is_host() || !browser
}

/// Whether Digest is believed in this request.
///
/// # Errors
/// 401 for a browser where it was not asked for it, 403 where another origin's page makes it.
pub(super) fn may_use_digest(headers: &HeaderMap, method: &Method, route: &Route) -> Result<(), Refusal> {
    if !is_offered_digest(headers, route) {
        return Err(Refusal::unauthorized());
    }
    let origin = says(headers, &ORIGIN);
    let own = origin.is_none_or(|origin| origin.eq_ignore_ascii_case(&format!("https://{}", route.authority)));
    let site = says(headers, &SEC_FETCH_SITE);
    let near = site.as_deref().is_none_or(|site| ["same-origin", "none"].contains(&site));
    // A link may lead to the device's first page, and to nothing that a request could set off.
    let link = *method == Method::GET
        && route.target.as_str() == "/"
        && says(headers, &SEC_FETCH_MODE).as_deref() == Some("navigate")
        && says(headers, &SEC_FETCH_DEST).as_deref() == Some("document");
    if own && (near || link) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "a page of another origin made this request; begin at the device's own address",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    /// Asked at a host of its own, or below `/d/`.
    fn may(path: &str, host: &str, method: &Method, headers: &[(&'static str, &str)]) -> Result<(), StatusCode> {
        let mut request = Request::builder().method(method).uri(path).header("host", host).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let route = super::super::route::route(&request, Some("cams.example")).unwrap().unwrap();
        check(request.headers())
            .and_then(|()| may_use_digest(request.headers(), method, &route))
            .map_err(|refusal| refusal.status)
    }

    #[test]
    fn digest_of_a_browser_is_for_the_devices_own_pages() {
        let on_host = |method: &Method, path: &str, headers: &[(&'static str, &str)]| {
            may(path, "cam.cams.example", method, headers)
        };
        let (get, post) = (&Method::GET, &Method::POST);
        assert_eq!(on_host(post, "/onvif/x", &[]), Ok(()), "no browser");
        assert_eq!(
            on_host(post, "/x", &[("sec-fetch-site", "same-origin"), ("origin", "https://cam.cams.example")]),
            Ok(())
        );
        assert_eq!(on_host(get, "/x", &[("sec-fetch-site", "none")]), Ok(()), "typed by hand");
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(on_host(get, "/", &link), Ok(()));
        assert_eq!(on_host(get, "/reboot", &link), Err(StatusCode::FORBIDDEN));
        assert_eq!(on_host(post, "/", &link), Err(StatusCode::FORBIDDEN));
        assert_eq!(on_host(get, "/", &[("sec-fetch-site", "same-site")]), Err(StatusCode::FORBIDDEN), "an image");
        for origin in ["https://cloud.example", "null", "http://cam.cams.example", "https://cam2.cams.example"] {
            assert_eq!(on_host(post, "/x", &[("origin", origin)]), Err(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[test]
    fn at_the_dashboards_origin_no_browser_has_digest() {
        let below = |headers: &[(&'static str, &str)]| may("/d/cam/x", "cloud.example", &Method::GET, headers);
        assert_eq!(below(&[]), Ok(()));
        assert_eq!(below(&[("sec-fetch-mode", "navigate")]), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(below(&[("sec-fetch-site", "same-origin")]), Err(StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn no_service_worker_anywhere() {
        for worker in [("service-worker", "script"), ("sec-fetch-dest", "serviceworker")] {
            let host = may("/sw.js", "cam.cams.example", &Method::GET, &[worker]);
            assert_eq!(host, Err(StatusCode::FORBIDDEN), "{worker:?}");
        }
    }
}
