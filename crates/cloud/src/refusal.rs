//! One way to say no: problem+json (RFC 9457) to API clients, a SOAP fault to SOAP clients.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use oriel_client::relay;
use oriel_soap::Fault;
use oriel_uplink::{Body, body};

/// A refused request: its status and a text that a person understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP's word.
    pub(crate) status: StatusCode,
    /// What was wrong and what to do.
    pub(crate) detail: String,
    /// SOAP's own words, where the envelope was at fault.
    fault: Option<Box<Fault>>,
    /// When to come again.
    retry_after: Option<Duration>,
    /// How else than by a bearer token the caller may say who it is.
    challenges: Vec<String>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            status: fault.status(),
            detail: fault.reason.clone(),
            fault: Some(Box::new(fault)),
            retry_after: None,
            challenges: Vec::new(),
        }
    }
}

impl From<relay::Refused> for Refusal {
    fn from(refused: relay::Refused) -> Self {
        match refused {
            relay::Refused::Status(status, detail) => Self::new(status, detail),
            relay::Refused::Fault(fault) => (*fault).into(),
        }
    }
}

/// In which language the caller is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// application/problem+json.
    Problem,
    /// application/soap+xml.
    Soap,
}

impl Refusal {
    /// A refusal with `status`.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), fault: None, retry_after: None, challenges: Vec::new() }
    }

    /// 401 that offers `challenges` before the bearer token.
    #[must_use]
    pub(crate) fn challenged(challenges: Vec<String>, detail: impl Into<String>) -> Self {
        Self { challenges, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// Says when to come again.
    #[must_use]
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// 401: nobody we know.
    #[must_use]
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "send a valid token: `Authorization: Bearer …`")
    }

    /// 404, alike for devices that do not exist and devices that the caller may not see.
    #[must_use]
    pub(crate) fn unknown_device() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such device, or this token does not reach it")
    }

    /// 503: registered, and not connected.
    #[must_use]
    pub(crate) fn offline() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the device is offline: it has no uplink to this cloud at the moment",
        )
    }

    /// The response.
    #[must_use]
    pub(crate) fn into_response(self, language: Language) -> Response<Body> {
        let (kind, text) = match language {
            Language::Problem => {
                let title = self.status.canonical_reason().unwrap_or("Refused");
                let problem =
                    serde_json::json!({ "title": title, "status": self.status.as_u16(), "detail": self.detail });
                ("application/problem+json", problem.to_string().into_bytes())
            }
            Language::Soap => ("application/soap+xml; charset=utf-8", self.fault().to_envelope(None)),
        };
        let mut response = Response::new(body::full(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                // In the order of preference; many clients look at the first alone (RFC 7616 §3.7).
                for challenge in self.challenges {
                    headers.append(
                        WWW_AUTHENTICATE,
                        HeaderValue::try_from(challenge).expect("a challenge is visible text"),
                    );
                }
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"oriel\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)));
        }
        response
    }

    fn fault(&self) -> Fault {
        if let Some(fault) = &self.fault {
            return (**fault).clone();
        }
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::not_authorized(self.detail.clone()),
            // The request was right; another time it will do.
            StatusCode::TOO_MANY_REQUESTS => Fault::action(self.detail.clone()),
            status if status.is_client_error() => Fault::invalid_args(self.detail.clone()),
            _ => Fault::action(self.detail.clone()),
        }
    }
}
