//! The scopes of the device (Core §7.3.2.2, §8.3.14): what cannot be changed, since it is so, and what people set.

use crate::config::Information;
use crate::interfaces;
use crate::store::State;
use oriel_soap::Fault;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// What stays as it is in a scope: RFC 3986's unreserved characters, the slashes of a path value, and the colons of a hardware address.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');
/// What the loopback interface says.
const NO_MAC: &str = "00:00:00:00:00:00";

/// How many scopes people can set, and how long all of them may be together, in bytes: they have to fit into an answer by UDP.
pub(crate) const MAX_SCOPES: usize = 32;
const MAX_TOGETHER: usize = 4096;
/// The longest scope, in bytes.
const MAX_SCOPE: usize = 256;

/// The scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scopes {
    /// Those that people set; until they do, name and location as configured.
    pub(crate) configurable: Vec<String>,
    /// Those of the device itself.
    pub(crate) fixed: Vec<String>,
}

impl Scopes {
    /// All of them, what people set first: clients show the first name that they find.
    #[cfg_attr(not(feature = "discovery"), allow(dead_code, reason = "read by discovery alone"))]
    pub(crate) fn all(self) -> Vec<String> {
        let Self { configurable, fixed } = self;
        configurable.into_iter().chain(fixed).collect()
    }
}

/// The scopes of this moment.
pub(crate) fn scopes(information: &Information, state: &State) -> Scopes {
    // Deviates: Core §7.3.2.2 wants a profile here too, but this device conforms to none yet and does not say so.
    let serial = information.serial_number.as_ref().unwrap_or(&state.serial);
    let mac = interfaces::interfaces().unwrap_or_default().into_iter().map(|interface| interface.mac);
    let mac = mac.into_iter().find(|mac| !mac.is_empty() && mac != NO_MAC);
    let fixed = [
        Some(item("name", &information.model)),
        Some(item("hardware", &information.model)),
        Some(item("type", "Network_Video_Transmitter")),
        Some(item("SerialNumber", serial)),
        mac.map(|mac| item("MacAddress", &mac)),
    ];
    let fixed: Vec<String> = fixed.into_iter().flatten().collect();
    let mut configurable = state.discovery.scopes.clone().unwrap_or_else(|| {
        let location = information.location.as_ref().map(|location| item("location", location));
        [Some(item("name", &information.name)), location].into_iter().flatten().collect()
    });
    // Set once, it may have become one of the device's own since.
    configurable.retain(|scope| !fixed.contains(scope));
    Scopes { configurable, fixed }
}

fn item(category: &str, value: &str) -> String {
    format!("onvif://www.onvif.org/{category}/{}", utf8_percent_encode(value, PLAIN))
}

/// Adds scopes to a list; those that are there already stay as they are.
pub(crate) fn add(list: &mut Vec<String>, fixed: &[String], more: Vec<String>) -> Result<(), Fault> {
    for scope in more {
        check(&scope)?;
        if !list.contains(&scope) && !fixed.contains(&scope) {
            list.push(scope);
        }
        if list.len() > MAX_SCOPES || list.iter().map(String::len).sum::<usize>() > MAX_TOGETHER {
            let bounds = format!("this device keeps {MAX_SCOPES} scopes, of {MAX_TOGETHER} bytes together");
            return Err(Fault::action(bounds).subcode("TooManyScopes"));
        }
    }
    Ok(())
}

/// Removes scopes from a list: all of them, or none.
pub(crate) fn remove(list: &mut Vec<String>, fixed: &[String], gone: &[String]) -> Result<(), Fault> {
    for scope in gone {
        if fixed.contains(scope) {
            let fault = Fault::operation_prohibited(format!("{scope:?} is the device's own, and stays"));
            return Err(fault.subcode("FixedScope"));
        }
        if !list.contains(scope) {
            return Err(Fault::invalid_arg_val(format!("there is no scope {scope:?}")).subcode("NoScope"));
        }
    }
    list.retain(|scope| !gone.contains(scope));
    Ok(())
}

/// A URI: in a message they stand in a row, with spaces between them.
fn check(scope: &str) -> Result<(), Fault> {
    let plain = scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if !plain || scope.len() > MAX_SCOPE || Url::parse(scope).is_err() {
        let wanted =
            format!("{:?} is no URI of up to {MAX_SCOPE} characters", scope.chars().take(64).collect::<String>());
        return Err(Fault::invalid_arg_val(wanted));
    }
    Ok(())
}
