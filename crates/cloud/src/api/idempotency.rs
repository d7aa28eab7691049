//! A request with an `Idempotency-Key` is done once: sent again within a day, it gets the answer of the first time.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;

use super::input::Caller;
use super::rights::{Repeat, Row};
use crate::Shared;
use crate::records::KeptAnswer;
use crate::refusal::Refusal;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 128;

/// Runs the request, unless its key says that it was run.
pub(super) async fn once(
    row: &'static Row,
    caller: Caller,
    shared: Arc<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let key = match key(&request) {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(refusal) => return refusal.answer(),
    };
    // It goes on to its end when the client leaves: what was done has to be kept with what was answered.
    let owner = Arc::clone(&shared);
    let done = shared.tasks.spawn(async move {
        kept_or_run(row, &caller, &owner, &key, request, next).await.unwrap_or_else(Refusal::answer)
    });
    done.await.unwrap_or_else(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the request broke off").answer())
}

fn key(request: &Request) -> Result<Option<String>, Refusal> {
    let mut values = request.headers().get_all(KEY).iter();
    let (Some(value), more) = (values.next(), values.next()) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let good =
        more.is_none() && (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let bad =
        || Refusal::new(StatusCode::BAD_REQUEST, format!("{KEY}: one text of 1 to {LONGEST} printable characters"));
    if good { Ok(Some(text.to_owned())) } else { Err(bad()) }
}

async fn kept_or_run(
    row: &Row,
    caller: &Caller,
    shared: &Shared,
    key: &str,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let gone = |_| Refusal::new(StatusCode::BAD_REQUEST, "the request's body broke off");
    let bytes = body.collect().await.map_err(gone)?.to_bytes();
    let mut hash = Context::new(&SHA256);
    hash.update(format!("{} {}\n", parts.method, parts.uri.path()).as_bytes());
    hash.update(&bytes);
    let hash = URL_SAFE_NO_PAD.encode(hash.finish());
    let (scope, who) = (caller.scope(shared), caller.actor().label);
    if let Some(kept) = scope.reserve(&who, key, &hash).await? {
        return again(&kept, &hash);
    }
    let (head, body) = next.run(Request::from_parts(parts, Body::from(bytes))).await.into_parts();
    let broken = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer broke off");
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    let settled = match (head.status.is_success(), row.repeat) {
        // Nothing was done: the key is free again.
        (false, _) => scope.settle(&who, key, None, "").await,
        (true, Repeat::Secret) => {
            let refusal = made_already(&text);
            scope.settle(&who, key, Some(refusal.status.as_u16()), &refusal.detail).await
        }
        (true, _) => scope.settle(&who, key, Some(head.status.as_u16()), &text).await,
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "an answer could not be kept; its key answers 409 from now on");
    }
    Ok(Response::from_parts(head, Body::from(bytes)))
}

/// What a repeated request gets.
fn again(kept: &KeptAnswer, hash: &str) -> Result<Response, Refusal> {
    if kept.request != hash {
        let detail = format!("{KEY}: this key was used for another request");
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let Ok(status) = StatusCode::from_u16(kept.status) else {
        let detail = "a request with this key is at work, or broke off: look whether it was done, then use another key";
        return Err(Refusal::new(StatusCode::CONFLICT, detail));
    };
    let mut response = if status.is_success() {
        let json = HeaderValue::from_static("application/json");
        let mut response = (status, kept.body.clone()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    } else {
        Refusal::new(status, &*kept.body).answer()
    };
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// The refusal that stands for an answer with a secret.
fn made_already(answer: &str) -> Refusal {
    let made: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    let id = made["id"].as_str().unwrap_or("unknown");
    Refusal::new(StatusCode::CONFLICT, format!("this was made already, as {id}; its secret was shown once"))
}
