//! What is no SOAP carries no access class that we could check: it passes if the camera gave the address out, or to an administrator where camera pages are
//! switched on.

use super::door::{Asked, Door, OURS};
use super::refusal::{Language, unfit};
use super::relayed;
use crate::door::{Refused, plain};
use http::header::{self, ALLOW, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use oriel_client::relay::given_out::Resource;
use oriel_client::relay::headers;
use oriel_soap::access::allowed;
use oriel_soap::{AccessClass, Caller, Level};
use oriel_uplink::{Body, body};
use std::time::Duration;

/// How long a camera may take to begin its answer.
const ANSWER: Duration = Duration::from_secs(30);
/// The same, with the time in which it is sent something long, such as its firmware.
const UPLOAD: Duration = Duration::from_secs(15 * 60);
/// A camera's content runs nowhere: at the bridge's own port all cameras share one origin. A cloud that has an origin for each says so itself.
const NOTHING_RUNS: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

impl Door {
    /// Asks the camera for what is no SOAP, and passes its answer on as it comes.
    pub(super) async fn fetch(&self, asked: Asked, incoming: Body) -> Result<Response<Body>, Refused> {
        let method = asked.head.method.clone();
        let reads = [Method::GET, Method::HEAD].contains(&method);
        if asked.target.path().starts_with(OURS) || !(reads || [Method::POST, Method::PUT].contains(&method)) {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "this is not asked for here in this way");
            let allowed = if asked.target.path().starts_with(OURS) { "POST" } else { "GET, HEAD, POST, PUT" };
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return Err(refused);
        }
        let caller = self.caller(&asked, None, false)?;
        self.permitted(&asked, &caller, reads)?;
        self.may_pass(&asked.origin, Language::Plain)?;
        let current = self.way.current();
        let account = current.account(caller.levels);
        let body = if reads { body::empty() } else { relayed::sent(incoming) };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = asked.target.clone().into();
        *request.headers_mut() = headers::of_request(asked.head.headers, 4);
        if reads {
            request.headers_mut().remove(header::CONTENT_LENGTH);
            request.headers_mut().remove(header::CONTENT_TYPE);
        }
        let answer = if reads { ANSWER } else { UPLOAD };
        let asking = Box::pin(self.way.fetch(request, account.as_ref(), answer));
        let (mut response, permit) = asking.await.map_err(|failure| Language::Plain.failed(&failure))?;
        if let Some(why) = unfit(&response) {
            return Err(plain(StatusCode::BAD_GATEWAY, why));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(Language::Plain.shut_out(account.as_ref().map(|account| account.user.as_str()), ""));
        }
        let came = std::mem::take(response.headers_mut());
        *response.headers_mut() = headers::of_response(came, 5);
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, NOTHING_RUNS);
        // What was asked for with credentials is for nobody else.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        response.extensions_mut().clear();
        *response.version_mut() = http::Version::default();
        Ok(response.map(|body| relayed::held(body, permit)))
    }

    /// Whether the caller may fetch or send something there.
    fn permitted(&self, asked: &Asked, caller: &Caller, reads: bool) -> Result<(), Refused> {
        let given = self.way.known().resource(&asked.target);
        if given == Some(Resource::Media) && reads && allowed(caller.levels, AccessClass::ReadMedia) {
            return Ok(());
        }
        let refused = |text: &str| Err(plain(StatusCode::FORBIDDEN, text));
        if !caller.levels.contains(Level::Administrator) {
            return refused(
                "only an administrator may ask a camera for anything but SOAP, and snapshots and streams that it has named",
            );
        }
        if given.is_some() || self.common.camera_pages {
            return Ok(());
        }
        refused("the camera has not named this address, and pages of cameras are switched off here (camera_pages)")
    }
}
