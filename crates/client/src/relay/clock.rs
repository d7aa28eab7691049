//! GetSystemDateAndTime answered by whoever stands before a device (Core §8.3.6): where it checks credentials by its own clock, that is the time to tell.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oriel_onvif::device_mgmt::{
    Date, DateTime, GetSystemDateAndTime, GetSystemDateAndTimeResponse, SetDateTimeType, SystemDateTime, Time,
};
use oriel_soap::envelope::{self, Envelope};
use oriel_soap::{Operation as _, With as _};

/// Whether the time is asked for.
#[must_use]
pub fn is_asked(envelope: &Envelope<'_>) -> bool {
    envelope.operation() == (GetSystemDateAndTime::SERVICE.uri, GetSystemDateAndTime::NAME)
}

/// The answer that tells `now`.
#[must_use]
pub fn tell(envelope: &Envelope<'_>, now: Timestamp) -> Vec<u8> {
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
    envelope::reply(GetSystemDateAndTime::SERVICE, GetSystemDateAndTime::RESPONSE, &response, addressing)
}
