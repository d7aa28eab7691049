//! What the log tells of a request: where it came in, by what name the cloud's log calls it, how it ended.

use super::Origin;
use crate::config::JoinTrace;
use http::{HeaderMap, HeaderValue, Response};
use oriel_uplink::Body;
use std::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// The longest name of a request that is taken over.
const LONGEST: usize = 64;

/// The span of a request. Its name and its trace are the other side's words, so they count in a tunnel alone.
pub(crate) fn span(headers: &HeaderMap, origin: &Origin, join_trace: Option<JoinTrace>) -> Span {
    // Of the highest level, so that it is there with every filter. A value given at once is written once.
    match origin {
        Origin::Lan { peer, .. } => tracing::error_span!("operation", %peer),
        Origin::Uplink { tunnel, .. } => {
            let span = tracing::error_span!("operation", id = Empty, uplink = Empty);
            // Without its query, which may hold a token.
            span.record("uplink", tunnel.address.split('?').next().unwrap_or_default());
            if let Some(id) = headers.get("x-request-id").and_then(name) {
                span.record("id", id);
            }
            if let Some(join) = join_trace {
                join(&span, headers);
            }
            span
        }
    }
}

/// A name that can stand in a log: nobody writes lines of their own into it.
fn name(value: &HeaderValue) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain))
}

/// Answers within `span`, and says so.
pub(crate) async fn answered(answer: impl Future<Output = Response<Body>>, span: Span) -> Response<Body> {
    let started = Instant::now();
    let response = answer.instrument(span.clone()).await;
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, milliseconds, "answered"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_forge_a_line_is_not_taken_over() {
        let taken = |text: &str| name(&HeaderValue::from_bytes(text.as_bytes()).unwrap()).map(str::to_owned);
        assert_eq!(taken("4bf92f3577b34da6"), Some("4bf92f3577b34da6".to_owned()));
        for forged in ["", "a b", "a\tb", "id=1}", "\"", &"a".repeat(LONGEST + 1)] {
            assert_eq!(taken(forged), None, "{forged:?}");
        }
    }
}
