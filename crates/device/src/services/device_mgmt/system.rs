//! Who the device is and what time it has (Core §8.3).

use super::super::{Call, Shared};
use super::clock::Zone;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use oriel_onvif::device_mgmt::*;
use oriel_soap::{Fault, With};

pub(super) async fn get_device_information(
    call: Call,
    _: GetDeviceInformation,
) -> Result<GetDeviceInformationResponse, Fault> {
    let information = &call.shared.information;
    Ok(GetDeviceInformationResponse::with(|response| {
        response.manufacturer.clone_from(&information.manufacturer);
        response.model.clone_from(&information.model);
        response.firmware_version.clone_from(&information.firmware_version);
        response.serial_number = serial_number(&call.shared);
        response.hardware_id.clone_from(&information.hardware_id);
    }))
}

fn serial_number(shared: &Shared) -> String {
    shared.information.serial_number.clone().unwrap_or_else(|| shared.store.state().serial.clone())
}

pub(super) async fn get_system_date_and_time(
    _: Call,
    _: GetSystemDateAndTime,
) -> Result<GetSystemDateAndTimeResponse, Fault> {
    let (now, zone) = (Timestamp::now(), Zone::of_this_machine());
    Ok(GetSystemDateAndTimeResponse::with(|response| {
        response.system_date_and_time = SystemDateTime::with(|told| {
            // Who sets the clock is the operating system's business; over ONVIF nobody does.
            told.date_time_type = SetDateTimeType::Manual;
            told.daylight_savings = zone.has_summer_time();
            told.utc_date_time = Some(date_time(TimeZone::UTC.to_datetime(now)));
            told.local_date_time = Some(date_time(zone.local(now)));
            told.time_zone = Some(oriel_onvif::device_mgmt::TimeZone::with(|shown| shown.tz = zone.posix));
        });
    }))
}

fn date_time(at: civil::DateTime) -> DateTime {
    DateTime::with(|shown| {
        shown.time = Time::with(|time| {
            (time.hour, time.minute, time.second) = (at.hour().into(), at.minute().into(), at.second().into());
        });
        shown.date = Date::with(|date| {
            (date.year, date.month, date.day) = (at.year().into(), at.month().into(), at.day().into());
        });
    })
}
