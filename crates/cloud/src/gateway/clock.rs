//! The time by which credentials are judged, told to whoever has to make some (Core §8.3.6).
//!
//! Deviates: GetSystemDateAndTime needs no authentication at a device, and clients ask for it before they make a UsernameToken. Who has shown nothing must not
//! learn which devices there are, and a token's `Created` is held against our clock and not the camera's. So whoever shows nothing, or a UsernameToken, is
//! told our time, at every address alike. A bearer of a token and a client of HTTP Digest, whose credentials hold no time, are told the camera's. All other
//! operations need credentials here, those of access class PRE_AUTH too.

use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use jiff::Timestamp;
pub(super) use oriel_client::relay::clock::is_asked;
use oriel_soap::envelope::{self, Envelope};
use oriel_uplink::{Body, body};

/// Our time.
pub(super) fn tell(envelope: &Envelope<'_>, now: Timestamp) -> Response<Body> {
    let text = oriel_client::relay::clock::tell(envelope, now);
    let length = text.len();
    let mut answer = Response::new(body::full(text));
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(envelope::CONTENT_TYPE));
    answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    answer
}
