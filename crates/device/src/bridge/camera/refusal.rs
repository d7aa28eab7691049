//! How the bridge says no, and that the camera did not answer: a fault to those who asked by SOAP, plain text to the others.

use super::way::Failure;
use crate::door::{Refused, faulty, plain};
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use oriel_client::{TransportError, relay};
use oriel_soap::Fault;
use oriel_uplink::Body;

/// In which language whoever asked is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Soap,
    Plain,
}

impl Language {
    /// A refusal with this status and text.
    pub(super) fn say(self, status: StatusCode, text: impl Into<String>) -> Refused {
        let text = text.into();
        if self == Self::Plain {
            return plain(status, text);
        }
        let mut response = faulty(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::not_authorized(text),
            status if status.is_client_error() => Fault::invalid_args(text),
            _ => Fault::action(text),
        });
        *response.status_mut() = status;
        response
    }

    /// That the camera did not answer.
    pub(super) fn failed(self, failure: &Failure) -> Refused {
        let (status, text) = match failure {
            Failure::Silent(why) => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("the camera did not answer a moment ago: {why}"))
            }
            Failure::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the camera answers as many requests as it takes at one time; try again".to_owned(),
            ),
            Failure::ShutOut(user) => {
                return self.shut_out(Some(user), " (it refused it a moment ago, and is not shown it again yet)");
            }
            Failure::Transport(error @ TransportError::Timeout(_)) => {
                (StatusCode::GATEWAY_TIMEOUT, format!("the camera did not answer: {error}"))
            }
            Failure::Transport(error) => (StatusCode::BAD_GATEWAY, format!("the camera did not answer: {error}")),
        };
        let mut response = self.say(status, text);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }

    /// That the camera does not let the bridge in, with whose credentials. It says nothing about those of whoever asked, so it is no 401.
    pub(super) fn shut_out(self, account: Option<&str>, why: &str) -> Refused {
        let text = match account {
            Some(user) => format!(
                "the camera does not take the bridge's account {user:?}{why}; set its name and password, and see that it may do this"
            ),
            None => format!("the camera wants credentials, and the bridge has no account for it{why}"),
        };
        self.say(StatusCode::BAD_GATEWAY, text)
    }
}

/// What the relay decided, in SOAP's words.
pub(super) fn refused(refused: relay::Refused) -> Refused {
    match refused {
        relay::Refused::Fault(fault) => faulty(*fault),
        relay::Refused::Status(status, detail) => Language::Soap.say(status, detail),
    }
}

/// Answers of a camera that are for nobody but us.
pub(super) fn unfit(response: &Response<Body>) -> Option<&'static str> {
    let status = response.status();
    if status.is_informational() {
        return Some("the camera wants to change the protocol, which was not asked for");
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Some("the camera speaks as a proxy does");
    }
    let redirect = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
    redirect.then_some(
        "the camera redirects elsewhere, where the bridge does not follow; give the address that it leads to",
    )
}
