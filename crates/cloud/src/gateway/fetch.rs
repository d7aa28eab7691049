//! What is no SOAP carries no access class that we could check: it passes if the device gave the address out, or to an administrator where camera pages are
//! switched on.

use http::{Method, Request, Response, StatusCode};
use oriel_client::relay::given_out::Resource;
use oriel_soap::access::{AccessClass, allowed};
use oriel_uplink::cloud::Class;
use oriel_uplink::{Body, body};

use super::limits::{Metered, Way};
use super::stall::Upload;
use super::{Call, Content, OTHER_ANSWER, hygiene, refused, too_late, watched};
use crate::Shared;
use crate::refusal::Refusal;

/// What the caller may fetch or send there.
///
/// # Errors
/// 403 with what is missing: the right, the address, or the switch.
pub(super) fn permitted(method: &Method, call: &Call, shared: &Shared) -> Result<Content, Refusal> {
    let refused = |detail: &str| Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    let reads = [Method::GET, Method::HEAD].contains(method);
    let given = shared.given_out.resource(&call.device, &call.route.target);
    if given == Some(Resource::Media) && reads && allowed(call.caller.levels(), AccessClass::ReadMedia) {
        return Ok(Content::Resource);
    }
    if !call.is_administrator() {
        return refused(
            "only an administrator may ask a device for anything but SOAP, and snapshots and streams that it has named",
        );
    }
    match given {
        Some(_) => Ok(Content::Resource),
        None if shared.config.camera_pages => Ok(Content::Page),
        None => {
            refused("the device has not named this address, and pages of cameras are switched off here (camera_pages)")
        }
    }
}

/// Asks the device and passes its answer on as it comes.
pub(super) async fn fetch(request: Request<Body>, call: &Call, shared: &Shared) -> Result<Response<Body>, Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "CONNECT leads to WebSockets of a device alone (RFC 8441)",
        ));
    }
    let content = permitted(request.method(), call, shared)?;
    let way = shared.registry.find(&call.device).await.map_err(|_| Refusal::offline())?;
    let (head, incoming) = hygiene::request(request, call).into_parts();
    let tap = super::tap(call, shared);
    tap.iter().for_each(|tap| tap.asked(super::by(call), &head.method, &head.uri, None));
    let metered = body::boxed(Metered::new(incoming, call.place.clone(), Way::In));
    let (upload, ended) = Upload::new(metered);
    let answer = way.request(Class::Bulk, Request::from_parts(head, body::boxed(upload)));
    // A device answers an upload when it has it: its time begins then.
    let late = async {
        let _ended_or_dropped = ended.await;
        tokio::time::sleep(OTHER_ANSWER).await;
    };
    let answer = tokio::select! {
        answer = answer => answer.map_err(|error| refused(&error)),
        () = late => Err(too_late(OTHER_ANSWER)),
    };
    tap.iter().for_each(|tap| tap.ended(&answer, None, |refusal| refusal.detail.clone()));
    let answer = answer?;
    Ok(hygiene::response(answer, call, content)?.map(|body| watched(body, call, shared)))
}
