//! The dashboard: files of `web/site`, embedded, at `/` and below `/assets/`, with the response headers of OWASP's secure headers list.
//!
//! A debug build reads the files from the source folder at each request, so that a page can be changed without a build.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::refusal::Refusal;

#[derive(RustEmbed)]
#[folder = "../../web/site"]
struct Site;

/// Scripts, styles and answers from here alone, none of them inline; no string becomes markup or code (Trusted Types), nobody frames us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// All that the list names is off, but for writing to the clipboard: secrets are shown once and have a button to copy them. Left out are two names that Chromium does
/// not know on every system (interest-cohort, web-share): it would complain in each page's console.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), cross-origin-isolated=(), display-capture=(), \
    encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), keyboard-map=(), magnetometer=(), \
    microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), sync-xhr=(), \
    unload=(), usb=(), xr-spatial-tracking=()";

const HEADERS: [(HeaderName, HeaderValue); 9] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS)),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), HeaderValue::from_static("none")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// Deviates from the list: without `includeSubDomains`, since other hosts below the cloud's name are not ours to decide about.
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// The routes. `lasting`: the cloud serves a certificate that it was given, and no makeshift of its own that a person may have to get past, so browsers may
/// be told to come by https alone.
pub(crate) fn router(lasting: bool) -> Router {
    let asset = move |Path(path): Path<String>, headers: HeaderMap| async move {
        serve(&format!("assets/{path}"), &headers, lasting)
    };
    Router::new()
        .route("/", get(async move |headers: HeaderMap| serve("index.html", &headers, lasting)))
        .route("/robots.txt", get(async move |headers: HeaderMap| serve("robots.txt", &headers, lasting)))
        .route("/assets/{*path}", get(asset))
}

fn serve(name: &str, asked: &HeaderMap, lasting: bool) -> Response {
    // In a debug build the name meets a file system.
    let plain = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains('\\'));
    let Some(file) = plain.then(|| Site::get(name)).flatten() else {
        return IntoResponse::into_response(Refusal::new(StatusCode::NOT_FOUND, "there is no such page"));
    };
    let tag = tag(&file);
    let known = asked.get_all(IF_NONE_MATCH).iter().any(|tags| matches(tags, &tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, HeaderValue::from_static(kind(name)))], file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    // Kept, and asked about each time: after an upgrade nobody runs old scripts against a new API.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.extend(HeaderValue::try_from(tag).map(|tag| (ETAG, tag)));
    if lasting {
        headers.insert(STRICT_TRANSPORT_SECURITY, TRANSPORT);
    }
    response
}

/// The first half of the content's SHA-256, as an entity tag.
fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex = hash[..16].iter().fold(String::with_capacity(32), |mut hex, byte| {
        hex.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
        hex
    });
    format!("\"{hex}\"")
}

/// RFC 9110 §13.1.2, by weak comparison.
fn matches(tags: &HeaderValue, tag: &str) -> bool {
    let tags = tags.to_str().unwrap_or_default();
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Method, Request};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(method: Method, path: &str, tag: Option<&HeaderValue>, lasting: bool) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        router(lasting).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_comes_with_every_header_of_the_list() {
        let page = ask(Method::GET, "/", None, true).await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        for (name, value) in HEADERS {
            assert_eq!(page.headers()[&name], value);
        }
        assert_eq!(page.headers()[STRICT_TRANSPORT_SECURITY], "max-age=63072000");
        for loose in ["unsafe-inline", "unsafe-eval", "*", "http:"] {
            assert!(!POLICY.contains(loose), "{loose}");
        }
    }

    #[tokio::test]
    async fn a_makeshift_certificate_binds_no_browser_to_https() {
        let page = ask(Method::GET, "/", None, false).await;
        assert!(!page.headers().contains_key(STRICT_TRANSPORT_SECURITY));
    }

    #[tokio::test]
    async fn an_asset_that_is_known_is_not_sent_again() {
        let first = ask(Method::GET, "/assets/app.js", None, true).await;
        assert_eq!(first.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
        let tag = first.headers()[ETAG].clone();
        assert!(text(first).await.contains("import "));
        let again = ask(Method::GET, "/assets/app.js", Some(&tag), true).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[ETAG], tag);
        assert_eq!(again.headers()[CACHE_CONTROL], "no-cache");
        assert_eq!(text(again).await, "");
        let other = HeaderValue::from_static("\"0\", W/\"1\"");
        assert_eq!(ask(Method::GET, "/assets/app.js", Some(&other), true).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn only_the_site_is_served() {
        for path in [
            "/assets/",
            "/assets/../index.html",
            "/assets/%2e%2e/index.html",
            "/assets/..%2f..%2ftsconfig.json",
            "/assets/none.js",
            "/index.html",
        ] {
            assert_eq!(ask(Method::GET, path, None, true).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(ask(Method::POST, "/", None, true).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    /// A module that is not named in the page would be found only when the one that imports it has arrived.
    #[tokio::test]
    async fn the_page_names_every_module_and_asks_nobody_else() {
        let page = text(ask(Method::GET, "/", None, true).await).await;
        for name in Site::iter().filter(|name| name.ends_with(".js")) {
            assert!(page.contains(&format!("\"/{name}\"")), "{name}");
        }
        for name in Site::iter() {
            let content = String::from_utf8(Site::get(&name).unwrap().data.to_vec()).unwrap();
            for outside in ["src=\"http", "href=\"http", "url(http", "from 'http", "import('http"] {
                assert!(!content.contains(outside), "{name}: {outside}");
            }
            assert!(!content.contains("innerHTML"), "{name}");
        }
    }
}
