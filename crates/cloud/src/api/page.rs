//! Lists, a page at a time: in the order of ids, so that what is added or removed meanwhile moves nothing that is still to come.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::input::Label;
use crate::refusal::Refusal;

/// Entries of a page, unless the caller says otherwise.
const USUAL: usize = 50;
/// Entries of a page at most.
const MOST: usize = 200;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Window {
    /// Entries of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<usize>,
    /// The `next` of the page before.
    #[param(inline)]
    after: Option<Label>,
}

impl Window {
    /// How many were asked for.
    ///
    /// # Errors
    /// 400.
    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        limit(self.limit)
    }

    /// The id after which the page begins.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_ref().map(|Label(id)| id.as_str())
    }
}

/// As [`Window::limit`].
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Refusal> {
    let limit = asked.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Refusal::new(StatusCode::BAD_REQUEST, format!("limit: {limit} is not within 1 to {MOST}")))
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The entries.
    items: Vec<T>,
    /// What to ask `after` for the next page; null at the end.
    next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` entries out of the `limit + 1` that were read.
    pub(super) fn of<R>(mut read: Vec<R>, limit: usize, id: impl Fn(&R) -> &str, view: impl Fn(&R) -> T) -> Self {
        let more = read.len() > limit;
        read.truncate(limit);
        let next = read.last().filter(|_| more).map(|last| id(last).to_owned());
        Self { items: read.iter().map(view).collect(), next }
    }

    /// The same of what is shown already, each with its id.
    pub(super) fn taken(mut read: Vec<(String, T)>, limit: usize) -> Self {
        let more = read.len() > limit;
        read.truncate(limit);
        let next = read.last().filter(|_| more).map(|(id, _)| id.clone());
        Self { items: read.into_iter().map(|(_, view)| view).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_last_entry_when_there_are_more() {
        let page = |count: usize| {
            let read: Vec<String> = (0..count).map(|n| format!("id{n}")).collect();
            Page::of(read, 3, |id| id, Clone::clone)
        };
        assert_eq!((page(3).items.len(), page(3).next), (3, None));
        assert_eq!((page(4).items.len(), page(4).next), (3, Some("id2".to_owned())));
        assert_eq!((page(0).items.len(), page(0).next), (0, None));
    }

    #[test]
    fn a_page_has_bounds() {
        let asked = |limit| Window { limit, after: None }.limit().map_err(|refusal| refusal.status.as_u16());
        assert_eq!(
            [None, Some(1), Some(200), Some(0), Some(201)].map(asked),
            [Ok(USUAL), Ok(1), Ok(MOST), Err(400), Err(400)]
        );
    }
}
