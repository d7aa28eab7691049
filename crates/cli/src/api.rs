//! The cloud's API, as far as commands need it.

use anyhow::Context as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use oriel_client::{CallError, Direct, Transport as _};
use oriel_trust::{Validation, client_config};
use serde_json::Value;
use url::Url;

/// A cloud, and the token that is shown there, if any.
pub(crate) struct Api {
    transport: Direct,
    authorization: Option<http::HeaderValue>,
}

impl Api {
    pub(crate) fn new(cloud: &Url, validation: &Validation, token: Option<&str>) -> anyhow::Result<Self> {
        let transport = Direct::new(cloud, Some(client_config(validation, None)?))?;
        let authorization = token.map(|token| format!("Bearer {token}").parse().context("--token")).transpose()?;
        let sensitive = |mut value: http::HeaderValue| {
            value.set_sensitive(true);
            value
        };
        Ok(Self { transport, authorization: authorization.map(sensitive) })
    }

    /// Posts JSON. A refusal is [`CallError::Status`] with the cloud's reason.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut request = http::Request::post(path).header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let answer = self.transport.send(request.body(bytes::Bytes::from(body.to_string()))?).await?;
        let text = String::from_utf8_lossy(answer.body());
        if !answer.status().is_success() {
            let problem = serde_json::from_str::<Value>(&text).ok();
            let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or(&text);
            let refused = CallError::Status { status: answer.status(), text: detail.to_owned() };
            return Err(refused).context(path.to_owned());
        }
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }
}
