//! The API of an Oriel cloud, as far as clients need it: JSON, and enrolment.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{HeaderValue, Request};
use oriel_trust::{certificates, pem};
use rustls::ClientConfig;
use serde_json::{Value, json};
use url::Url;

use crate::provision::Issued;
use crate::{CallError, Direct, Transport, TransportError};

/// The longest reason of a refusal that is kept, in characters.
const REASON: usize = 1000;

/// A cloud, and the token that is shown there, if any.
pub struct Api {
    transport: Box<dyn Transport>,
    authorization: Option<HeaderValue>,
}

/// What a cloud gave for a code and a camera's request.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The id under which the cloud knows the camera.
    pub device: String,
    /// What the camera needs to dial in.
    pub issued: Issued,
}

impl Api {
    /// The API at this address, https; secrets go there.
    ///
    /// # Errors
    /// [`TransportError::Address`], also for a token that no header can carry.
    pub fn new(cloud: &Url, tls: ClientConfig, token: Option<&str>) -> Result<Self, TransportError> {
        let unfit = |_| TransportError::Address("the token has characters that no header can carry".to_owned());
        let mut authorization =
            token.map(|token| HeaderValue::try_from(format!("Bearer {token}"))).transpose().map_err(unfit)?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        Ok(Self { transport: Box::new(Direct::new(cloud, Some(tls))?), authorization })
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// [`CallError`]; a refusal is [`CallError::Status`] with the cloud's reason.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.send(path, request, Bytes::from(body.to_string())).await
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// [`CallError`]; a refusal is [`CallError::Status`] with the cloud's reason.
    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.send(path, Request::get(path), Bytes::new()).await
    }

    async fn send(&self, path: &str, mut request: Builder, body: Bytes) -> Result<Value, CallError> {
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let request = request.body(body).map_err(|error| TransportError::Address(error.to_string()))?;
        let answer = self.transport.send(request).await?;
        let text = String::from_utf8_lossy(answer.body());
        if !answer.status().is_success() {
            let problem = serde_json::from_str::<Value>(&text).ok();
            let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or(&text);
            let text = detail.chars().take(REASON).collect();
            return Err(CallError::Status { status: answer.status(), text });
        }
        serde_json::from_str(&text).map_err(|error| CallError::Unreadable(format!("{path}: {error}")))
    }

    /// Uses a code for a camera's request (PKCS#10 in DER). The same code with the same key gives the same device again. `name` is what the device may be
    /// called where the code does not say so.
    ///
    /// # Errors
    /// [`CallError`]; what is not as it should be in the answer is [`CallError::Unreadable`], and reaches no camera.
    pub async fn enrol(&self, code: &str, request: &[u8], name: Option<&str>) -> Result<Enrolled, CallError> {
        let mut body = json!({ "code": code, "csr": pem("CERTIFICATE REQUEST", request) });
        if let Some(name) = name {
            body["name"] = name.into();
        }
        read(&self.post("/api/v1/enrol", &body).await?)
    }
}

/// The answer of `/api/v1/enrol`, checked.
fn read(answer: &Value) -> Result<Enrolled, CallError> {
    let bad = |why: String| CallError::Unreadable(format!("the cloud's answer: {why}"));
    let text = |name: &str| answer[name].as_str().ok_or_else(|| bad(format!("it has no {name}")));
    let read = |name: &str| {
        let list = certificates(text(name)?.as_bytes()).map_err(|error| bad(format!("{name}: {error}")))?;
        Ok::<_, CallError>(list.into_iter().map(|certificate| certificate.to_vec()).collect::<Vec<_>>())
    };
    let certificate = read("certificate")?.swap_remove(0);
    let remote_address = text("remote_address")?.to_owned();
    let url: Url = remote_address.parse().map_err(|error| bad(format!("remote_address: {error}")))?;
    if !matches!(url.scheme(), "https" | "wss") {
        return Err(bad(format!("remote_address: {url} is neither https nor wss")));
    }
    let issued = Issued { certificate, anchors: read("anchors")?, remote_address };
    Ok(Enrolled { device: text("device")?.to_owned(), issued })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_reaches_no_camera() {
        let (chain, key) = oriel_trust::Identity::self_signed("x", &[]).unwrap().to_pem();
        let good = json!({ "device": "d", "certificate": chain, "anchors": chain, "remote_address": "https://c/" });
        let enrolled = read(&good).unwrap();
        assert_eq!((enrolled.device.as_str(), enrolled.issued.remote_address.as_str()), ("d", "https://c/"));
        assert_eq!(vec![enrolled.issued.certificate], enrolled.issued.anchors);
        for (name, value) in [
            ("device", Value::Null),
            ("certificate", json!("none")),
            ("certificate", json!(key)),
            ("anchors", json!("")),
            ("remote_address", json!("http://c/")),
            ("remote_address", json!("c")),
            ("remote_address", json!(7)),
        ] {
            let mut bad = good.clone();
            bad[name] = value;
            let refused = read(&bad).unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }
}
