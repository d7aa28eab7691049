//! The bridge's own port: `/NAME/…` is the camera of this name, and anything else is nothing.

use super::slot::Slots;
use crate::door::plain;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use oriel_uplink::Body;
use std::net::SocketAddr;

/// Answers a request by the camera whose name its path begins with.
pub(super) async fn answer(
    slots: &Slots,
    request: Request<Body>,
    peer: SocketAddr,
    local: SocketAddr,
) -> Response<Body> {
    // Strangers are not told which cameras there are.
    let nothing =
        || *plain(StatusCode::NOT_FOUND, "there is nothing here; a camera's device service is below the camera's name");
    let Some((name, rest)) = split(request.uri()) else { return nothing() };
    let Some(slot) = slots.named(&name) else { return nothing() };
    let Some((camera, mut gone)) = slot.camera() else {
        return *plain(StatusCode::SERVICE_UNAVAILABLE, "this camera is not ready");
    };
    let (mut head, body) = request.into_parts();
    head.uri = rest;
    let prefix = format!("/{name}");
    let answered = camera.lan(Request::from_parts(head, body), peer, local, &prefix);
    tokio::select! {
        response = answered => response,
        _ = gone.wait_for(|gone| *gone) => *plain(StatusCode::SERVICE_UNAVAILABLE, "this camera is on its way out"),
    }
}

/// The first segment of the path, and the address without it.
fn split(uri: &Uri) -> Option<(String, Uri)> {
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let (name, rest) = target.strip_prefix('/')?.split_once('/')?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("/{rest}").parse().ok()?);
    Some((name.to_owned(), Uri::from_parts(parts).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_is_the_cameras_name() {
        let split = |text: &str| split(&text.parse().unwrap()).map(|(name, rest)| format!("{name} {rest}"));
        assert_eq!(split("/gate/onvif/device_service?x=/y").as_deref(), Some("gate /onvif/device_service?x=/y"));
        assert_eq!(split("http://bridge:8080/gate/a").as_deref(), Some("gate http://bridge:8080/a"));
        assert_eq!(split("/gate//a").as_deref(), Some("gate //a"));
        assert_eq!(split("/gate/").as_deref(), Some("gate /"));
        for nothing in ["/", "/gate", "/gate?a=/b/c", "*"] {
            assert_eq!(split(nothing).filter(|found| found.starts_with("gate ")), None, "{nothing}");
        }
    }
}
