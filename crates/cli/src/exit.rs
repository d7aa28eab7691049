//! Exit codes, stable: 0 done, 1 failed, 2 wrong usage, 3 refused by the other side's fault, 4 not reached, 5 not let in, 6 configuration.

use std::process::ExitCode;

use oriel_client::{CallError, TransportError};

/// A configuration that cannot be used.
#[derive(Debug)]
pub(crate) struct BadConfig(pub(crate) String);

impl std::fmt::Display for BadConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadConfig {}

fn code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<BadConfig>()) {
        return 6;
    }
    let call = error.chain().find_map(|cause| cause.downcast_ref::<CallError>());
    match call {
        Some(error) if error.is_refusal() => 5,
        Some(CallError::Transport(_)) => 4,
        Some(_) => 3,
        None if error.chain().any(|cause| cause.is::<TransportError>()) => 4,
        None => 1,
    }
}

/// What to do next, where we know it.
fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let call = error.chain().find_map(|cause| cause.downcast_ref::<CallError>())?;
    Some(match call {
        CallError::Transport(TransportError::Name { .. }) => "check the spelling, and the name server of this machine",
        CallError::Transport(TransportError::Tcp { .. }) => "check address and port, and that the other side runs",
        CallError::Transport(TransportError::Tls(_)) => {
            "name the authority of the server's certificate with --ca, and check the clock"
        }
        _ if call.is_refusal() => "check --user and --password for a device, --token for a cloud",
        _ => return None,
    })
}

/// Prints the error and what to do next; returns the exit code.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    let code = code(error);
    let hint = hint(error);
    if json {
        let text = serde_json::json!({ "error": format!("{error:#}"), "hint": hint, "exit": code });
        crate::output::stderr(&text.to_string());
    } else {
        crate::output::stderr(&format!("oriel: {error:#}"));
        if let Some(hint) = hint {
            crate::output::stderr(&format!("oriel: {hint}"));
        }
    }
    ExitCode::from(code)
}

/// Wrong usage that clap cannot see.
pub(crate) fn usage(text: &str) -> ExitCode {
    crate::output::stderr(&format!("oriel: {text}"));
    ExitCode::from(2)
}
