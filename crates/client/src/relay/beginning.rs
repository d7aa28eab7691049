//! Reading what an answer begins with: a short one is read whole, a long one goes on as it comes.

use std::pin::Pin;

use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::camera::Body;

/// The body and true, or its first bytes and false; `None` when it broke off.
type Beginning = Option<(Bytes, bool)>;

/// The body and true, or its first bytes, more than `most`, and false; `None` when it broke off. Boxed: within an `async fn` the compiler cannot see that the
/// plain future may move between threads.
#[must_use]
pub fn beginning(body: &mut Body, most: usize) -> Pin<Box<dyn Future<Output = Beginning> + Send + '_>> {
    Box::pin(async move {
        let (mut frames, mut length) = (Vec::new(), 0);
        let is_whole = loop {
            let data = match body.frame().await.map(|frame| frame.map_err(drop)) {
                None => break true,
                Some(Err(())) => return None,
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            length += data.len();
            frames.push(data);
            if length > most {
                break false;
            }
        };
        // One frame, as most answers are, is passed on without a copy.
        let bytes = if frames.len() == 1 { frames.remove(0) } else { frames.concat().into() };
        Some((bytes, is_whole))
    })
}
