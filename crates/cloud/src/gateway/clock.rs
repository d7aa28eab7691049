//! The time by which credentials are judged, told to whoever has to make some (Core §8.3.6).
//!
//! Deviates: GetSystemDateAndTime needs no authentication at a device, and clients ask for it before they make a UsernameToken. Who has shown nothing must not
//! learn which devices there are, and a token's `Created` is held against our clock and not the camera's. So whoever shows nothing, or a UsernameToken, is
//! told our time, at every address alike. A bearer of a token and a client of HTTP Digest, whose credentials hold no time, are told the camera's. All other
//! operations need credentials here, those of access class PRE_AUTH too.

use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use oriel_onvif::device_mgmt::{
    Date, DateTime, GetSystemDateAndTime, GetSystemDateAndTimeResponse, SetDateTimeType, SystemDateTime, Time,
};
use oriel_soap::envelope::{self, Envelope};
use oriel_soap::{Operation as _, With as _};
use oriel_uplink::{Body, body};

/// Whether the time is asked for.
pub(super) fn is_asked(envelope: &Envelope<'_>) -> bool {
    envelope.operation() == (GetSystemDateAndTime::SERVICE.uri, GetSystemDateAndTime::NAME)
}

/// Our time.
pub(super) fn tell(envelope: &Envelope<'_>, now: Timestamp) -> Response<Body> {
    let utc = TimeZone::UTC.to_datetime(now);
    let told = DateTime::with(|told| {
        told.time = Time::with(|time| {
            (time.hour, time.minute, time.second) = (utc.hour().into(), utc.minute().into(), utc.second().into());
        });
        told.date = Date::with(|date| {
            (date.year, date.month, date.day) = (utc.year().into(), utc.month().into(), utc.day().into());
        });
    });
    let response = GetSystemDateAndTimeResponse::with(|response| {
        response.system_date_and_time = SystemDateTime::with(|system| {
            system.date_time_type = SetDateTimeType::Ntp;
            system.time_zone = Some(oriel_onvif::device_mgmt::TimeZone::with(|zone| "UTC0".clone_into(&mut zone.tz)));
            system.utc_date_time = Some(told);
            system.local_date_time = Some(told);
        });
    });
    let addressing = envelope.addressing().answering::<GetSystemDateAndTime>();
    let text = envelope::reply(GetSystemDateAndTime::SERVICE, GetSystemDateAndTime::RESPONSE, &response, addressing);
    let length = text.len();
    let mut answer = Response::new(body::full(text));
    answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(envelope::CONTENT_TYPE));
    answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    answer
}
