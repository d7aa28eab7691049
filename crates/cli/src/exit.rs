//! Exit codes, stable: 0 done, 1 failed, 2 wrong usage, 3 refused by the other side's fault, 4 not reached, 5 not let in, 6 configuration.

use std::borrow::Cow;
use std::process::ExitCode;

use http::StatusCode;
use oriel_client::provision::ProvisionError;
use oriel_client::{CallError, TransportError};

macro_rules! said {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name(pub(crate) String);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::error::Error for $name {}
    )*};
}

said! {
    /// A configuration that cannot be used.
    BadConfig;
    /// Wrong usage that clap cannot see.
    BadUsage;
    /// Nobody answered to a question that went to everybody.
    NothingFound;
    /// No device runs on a data folder.
    NotReached;
    /// A device runs there, for another user.
    NotLetIn;
    /// A device of this machine refused.
    Refused;
}

/// The cloud did not enrol a camera; why stands in the cause.
#[derive(Debug)]
pub(crate) struct NotEnrolled;

impl std::fmt::Display for NotEnrolled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the cloud does not enrol the camera")
    }
}

/// The doctor found something wrong, and said what.
#[derive(Debug)]
pub(crate) struct Unwell {
    /// The code by which commands tell such a failure.
    pub(crate) exit: u8,
    /// What is wrong.
    pub(crate) checks: String,
}

impl std::fmt::Display for Unwell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wrong: {}", self.checks)
    }
}

impl std::error::Error for Unwell {}

impl BadUsage {
    /// An error that says `text`.
    pub(crate) fn error(text: impl Into<String>) -> anyhow::Error {
        Self(text.into()).into()
    }
}

/// The first cause of this type.
fn cause<E: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&E> {
    error.chain().find_map(|cause| cause.downcast_ref::<E>())
}

/// Says that the device, or what is before it, is not there at the moment: our gateway's words for an offline and for a silent device.
fn is_absent(status: StatusCode) -> bool {
    matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

pub(crate) fn code(error: &anyhow::Error) -> u8 {
    if let Some(unwell) = cause::<Unwell>(error) {
        return unwell.exit;
    }
    if cause::<BadConfig>(error).is_some() {
        return 6;
    }
    if cause::<BadUsage>(error).is_some() {
        return 2;
    }
    if cause::<NothingFound>(error).is_some() || cause::<NotReached>(error).is_some() {
        return 4;
    }
    if cause::<NotLetIn>(error).is_some() {
        return 5;
    }
    if cause::<Refused>(error).is_some() {
        return 3;
    }
    if let Some(ProvisionError::NotConnected { .. }) = cause::<ProvisionError>(error) {
        return 4;
    }
    match cause::<CallError>(error) {
        Some(call) if call.is_refusal() => 5,
        Some(CallError::Transport(transport)) => code_of(transport),
        Some(CallError::Fault { status, .. } | CallError::Status { status, .. }) if is_absent(*status) => 4,
        // No word of refusal, but none that could be understood either.
        Some(CallError::Unreadable(_)) => 1,
        Some(_) => 3,
        None => cause::<TransportError>(error).map_or(1, code_of),
    }
}

pub(crate) fn code_of(transport: &TransportError) -> u8 {
    match transport {
        TransportError::Address(_) => 2,
        _ => 4,
    }
}

/// What to do next, where we know it.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let call = cause::<CallError>(error);
    if error.is::<NotEnrolled>() && matches!(call, Some(CallError::Status { status, .. }) if status.is_client_error()) {
        return Some("ask an administrator of the cloud for a new code");
    }
    if cause::<NothingFound>(error).is_some() {
        return Some(
            "multicast does not leave a network segment: ask from the cameras' own, by its --interface; check that no firewall holds back UDP from port 3702, that the switch or access point passes multicast, and that the cameras' discovery mode is Discoverable; --wait longer on a slow network",
        );
    }
    if cause::<NotReached>(error).is_some() {
        return Some(
            "start it with `oriel device`, or name the data folder of the one that runs by --data or --config",
        );
    }
    if cause::<NotLetIn>(error).is_some() {
        return Some("run the command as the user that the device runs as");
    }
    if let Some(hint) = cause::<ProvisionError>(error).and_then(hint_of_provision) {
        return Some(hint);
    }
    if call.is_some_and(CallError::is_refusal) {
        return Some(
            "wrong or missing credentials, or too few rights: --user and --password for a device on its LAN, --token for a cloud",
        );
    }
    Some(match call {
        Some(CallError::Fault { status, .. } | CallError::Status { status, .. }) => match *status {
            StatusCode::NOT_FOUND => "check the address or the device's id, and that the token is of its cloud",
            StatusCode::SERVICE_UNAVAILABLE => {
                "`oriel uplink get`, asked on the device's LAN, says whether it dials this cloud and what stops it"
            }
            StatusCode::GATEWAY_TIMEOUT => "the device is connected and does not answer: try again, or look at its log",
            _ => return None,
        },
        Some(CallError::Unreadable(_)) => "check that the address is that of an ONVIF device service",
        Some(CallError::Transport(transport)) => return hint_of(transport),
        _ => return cause::<TransportError>(error).and_then(hint_of),
    })
}

fn hint_of_provision(error: &ProvisionError) -> Option<&'static str> {
    Some(match error {
        ProvisionError::Lacks(_) => "`oriel call CAMERA GetServices` lists what it has; a newer firmware may have more",
        ProvisionError::Exists(_) => {
            "--replace puts a new uplink in its place; `oriel uplink get` shows the one that is there"
        }
        ProvisionError::Key(_) => "try again; if it stays so, restart the camera",
        ProvisionError::NotConnected { .. } => {
            "check that the camera may reach that address, its name server and its clock; with --keep the uplink stays, and `oriel uplink get` tells how it goes on"
        }
        ProvisionError::Call { source: CallError::Fault { fault, .. }, .. } => {
            let full = |subcode: &Cow<'_, str>| subcode.starts_with("Maximum") || *subcode == "MaxUplinks";
            match fault.subcodes.iter().any(|subcode| full(&subcode.local)) {
                true => {
                    "the camera has no room: delete what nobody needs, with `oriel uplink delete`, or `oriel call` and DeleteCertPathValidationPolicy, DeleteCertificate, DeleteKey"
                }
                false => return None,
            }
        }
        _ => return None,
    })
}

pub(crate) fn hint_of(transport: &TransportError) -> Option<&'static str> {
    Some(match transport {
        TransportError::Name { .. } => "check the spelling, and the name server of this machine",
        TransportError::Tcp { .. } => "check address and port, that the other side runs, and firewalls on the way",
        TransportError::Untrusted(_) => {
            "name the authority of the server's certificate with --ca, ask by a name that the certificate has, and check the clock"
        }
        TransportError::Tls(_) => "check that the port speaks TLS; one without needs http://",
        TransportError::Http(_) | TransportError::Closed => {
            "check that the port speaks HTTP; a TLS port needs https://"
        }
        TransportError::Timeout(_) => {
            "something is there and does not answer: check the port, and firewalls on the way"
        }
        _ => return None,
    })
}

/// The causes, from what was wanted to what went wrong. Many errors repeat the text of what is below them; it is said once.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

/// Prints the error and what to do next; returns the exit code.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    let code = code(error);
    let (hint, told) = (hint(error), told(error));
    if json {
        let text = serde_json::json!({ "error": told, "hint": hint, "exit": code });
        crate::output::stderr(&text.to_string());
    } else {
        crate::output::stderr(&format!("oriel: {told}"));
        if let Some(hint) = hint {
            crate::output::stderr(&format!("oriel: {hint}"));
        }
    }
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use oriel_soap::Fault;

    use super::*;

    fn status(code: u16) -> anyhow::Error {
        let error = CallError::Status { status: StatusCode::from_u16(code).unwrap(), text: String::new() };
        Err::<(), _>(error).context("/api/v1/devices").unwrap_err()
    }

    fn fault(code: u16, fault: Fault) -> anyhow::Error {
        CallError::Fault { status: StatusCode::from_u16(code).unwrap(), fault }.into()
    }

    #[test]
    fn a_cause_is_told_once() {
        let refused = std::io::Error::other("refused");
        let error = TransportError::Tcp { address: ([127, 0, 0, 1], 1).into(), source: refused };
        let error = Err::<(), _>(error).context("/api/v1/devices").unwrap_err();
        assert_eq!(told(&error), "/api/v1/devices: TCP: 127.0.0.1:1 does not take connections: refused");
    }

    #[test]
    fn each_failure_has_its_code_and_those_with_a_next_step_a_hint() {
        let tcp = || TransportError::Tcp {
            address: ([127, 0, 0, 1], 1).into(),
            source: std::io::ErrorKind::ConnectionRefused.into(),
        };
        let table: [(&str, anyhow::Error, u8, bool); 20] = [
            ("anything else", anyhow::anyhow!("broken"), 1, false),
            ("unreadable", CallError::Unreadable("x".to_owned()).into(), 1, true),
            ("usage", BadUsage::error("x"), 2, false),
            ("address", TransportError::Address("x".to_owned()).into(), 2, false),
            ("fault", fault(400, Fault::invalid_arg_val("x")), 3, false),
            ("unknown device", fault(404, Fault::action("x")), 3, true),
            ("API, conflict", status(409), 3, false),
            ("offline", fault(503, Fault::action("x")), 4, true),
            ("device silent", status(504), 4, true),
            ("TCP, in a call", CallError::from(tcp()).into(), 4, true),
            ("TCP, elsewhere", tcp().into(), 4, true),
            ("no device", NotReached("x".to_owned()).into(), 4, true),
            ("another user's device", NotLetIn("x".to_owned()).into(), 5, true),
            ("refused by a device", Refused("x".to_owned()).into(), 3, false),
            ("nobody answered", NothingFound("x".to_owned()).into(), 4, true),
            ("not trusted", TransportError::Untrusted(std::io::Error::other("x")).into(), 4, true),
            ("API, no token", status(401), 5, true),
            ("API, not an administrator's", status(403), 5, true),
            ("fault of authorization", fault(400, Fault::not_authorized("x")), 5, true),
            ("configuration", BadConfig("x".to_owned()).into(), 6, false),
        ];
        for (name, error, expected, hinted) in table {
            assert_eq!(code(&error), expected, "{name}: {error:#}");
            assert_eq!(hint(&error).is_some(), hinted, "{name}: {error:#}");
        }
    }
}
