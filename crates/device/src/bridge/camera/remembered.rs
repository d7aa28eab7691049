//! The camera's own list of services as it was last told, for the time in which the camera is away: whoever has to look after the virtual device, such as a
//! cloud that renews its certificate, asks GetServices first. On disk, since no camera is worth its list in memory.

use crate::store::{Disk as _, Files, replace};
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A longer list is not kept.
const LONGEST: usize = 64 * 1024;
/// A list is not written more often than this, whatever changes in it.
const PAUSE: Duration = Duration::from_secs(600);

/// The last list without capabilities, and the last one with them.
pub(super) struct Remembered {
    files: [PathBuf; 2],
    /// What stands there, as a hash, and since when.
    kept: Mutex<[Option<(u64, Instant)>; 2]>,
}

impl Remembered {
    pub(super) fn new(folder: &std::path::Path) -> Self {
        let files = ["services.xml", "services-with-capabilities.xml"].map(|name| folder.join(name));
        Self { files, kept: Mutex::default() }
    }

    /// Keeps the camera's own reply.
    pub(super) async fn keep(&self, include: bool, reply: &Bytes) {
        if reply.len() > LONGEST || !self.is_news(usize::from(include), reply) {
            return;
        }
        let (file, reply) = (self.files[usize::from(include)].clone(), reply.clone());
        let written = tokio::task::spawn_blocking(move || replace(&Files, &file, &reply)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the camera's list of services cannot be kept");
        }
    }

    fn is_news(&self, which: usize, reply: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        reply.hash(&mut hasher);
        let (hash, now) = (hasher.finish(), Instant::now());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept[which].is_some_and(|(before, since)| before == hash || now < since + PAUSE) {
            return false;
        }
        kept[which] = Some((hash, now));
        true
    }

    /// The last reply; one of the other kind, where none of this kind was ever told.
    pub(super) async fn last(&self, include: bool) -> Option<Bytes> {
        let mut files = self.files.clone();
        if include {
            files.reverse();
        }
        let read = move || files.iter().find_map(|file| Files.read(file).ok().flatten());
        tokio::task::spawn_blocking(read).await.ok().flatten().map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_list_outlives_the_bridge_and_is_not_written_for_every_question() {
        let folder = tempfile::tempdir().unwrap();
        let remembered = Remembered::new(folder.path());
        assert_eq!(remembered.last(false).await, None);
        let list = |text: &'static str| Bytes::from_static(text.as_bytes());
        remembered.keep(true, &list("one")).await;
        assert_eq!(remembered.last(false).await, Some(list("one")), "better than nothing");
        remembered.keep(false, &list("two")).await;
        remembered.keep(false, &list("three")).await;
        remembered.keep(false, &Bytes::from(vec![b'x'; LONGEST + 1])).await;
        let again = Remembered::new(folder.path());
        assert_eq!((again.last(false).await, again.last(true).await), (Some(list("two")), Some(list("one"))));
        tokio::time::advance(PAUSE).await;
        remembered.keep(false, &list("three")).await;
        assert_eq!(again.last(false).await, Some(list("three")));
    }
}
