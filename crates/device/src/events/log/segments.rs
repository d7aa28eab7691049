//! The files of the log: each holds messages in the order in which they were told, and the oldest file goes when there is too much.
//!
//! What is known of a file in memory is its summary alone; whoever reads in it reads it anew. Since clocks go back, the times of two
//! files may overlap, and the messages of one be out of the order of time.

use super::Bounds;
use super::medium::Medium;
use super::record::{Place, Record};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// What a file begins with: the format and its version.
const MAGIC: &[u8; 8] = b"OrielEv\x01";
/// What the names of files end with.
const SUFFIX: &str = ".events";

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number in its name; at most that of its first message.
    pub(super) name: u64,
    /// The last number in it.
    pub(super) last: u64,
    /// Messages in it.
    pub(super) count: u64,
    /// Bytes that hold.
    pub(super) length: u64,
    /// The earliest time in it.
    pub(super) earliest: Timestamp,
    /// The latest time in it.
    pub(super) latest: Timestamp,
}

impl Segment {
    fn new(name: u64) -> Self {
        let length = MAGIC.len() as u64;
        // With nothing in it, it has no times: no question finds it.
        Self { name, last: 0, count: 0, length, earliest: Timestamp::MAX, latest: Timestamp::MIN }
    }

    fn add(&mut self, (time, number): Place) {
        self.last = number;
        self.count += 1;
        self.earliest = self.earliest.min(time);
        self.latest = self.latest.max(time);
    }

    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{:020}{SUFFIX}", self.name))
    }

    /// The messages of a file's bytes, as far as they are whole, in the order in which they were told.
    pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
        let mut rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
        let mut last = 0;
        std::iter::from_fn(move || {
            let (record, behind) = Record::first(rest)?;
            // What is out of order was left over from an earlier life of the file's bytes.
            if record.number <= last {
                return None;
            }
            (rest, last) = (behind, record.number);
            Some(record)
        })
    }

    /// What a file holds; nothing if it is none of ours. The second number is the length of what does not hold.
    fn scan(name: u64, bytes: &[u8]) -> Option<(Self, u64)> {
        bytes.strip_prefix(MAGIC)?;
        let mut segment = Self::new(name);
        for record in Self::records(bytes) {
            segment.add(record.place());
            segment.length += record.length();
        }
        let damaged = bytes.len() as u64 - segment.length;
        Some((segment, damaged))
    }
}

/// A file that cannot be read is left out.
fn readable(medium: &dyn Medium, path: &Path) -> Option<Vec<u8>> {
    let failed = |error: io::Error| {
        tracing::warn!(path = %path.display(), %error, "a file of the event log cannot be read, its messages are left out");
    };
    medium.read(path, u64::MAX).map_err(failed).ok()
}

/// Empty, made when the power failed, or nothing of ours under a name of ours.
fn remove_empty(medium: &dyn Medium, path: &Path) {
    tracing::warn!(path = %path.display(), "a file of the event log holds no message and is removed");
    if let Err(error) = medium.remove(path) {
        tracing::warn!(path = %path.display(), %error, "it cannot be removed");
    }
}

/// All files.
pub(super) struct Segments {
    folder: PathBuf,
    bounds: Bounds,
    all: VecDeque<Segment>,
    /// Messages up to this number were removed.
    pub(super) removed: u64,
}

impl Segments {
    /// Looks through the files that there are. A damaged end is left out and written over; a file that is none is removed.
    pub(super) fn open(medium: &dyn Medium, folder: &Path, bounds: Bounds) -> io::Result<Self> {
        let mut names: Vec<u64> =
            medium.list(folder)?.iter().filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok()).collect();
        names.sort_unstable();
        let mut segments = Self { folder: folder.to_owned(), bounds, all: VecDeque::new(), removed: 0 };
        for name in names {
            let path = Segment::new(name).path(folder);
            let Some(bytes) = readable(medium, &path) else { continue };
            match Segment::scan(name, &bytes).filter(|(segment, _)| segment.count > 0) {
                Some((segment, damaged)) => {
                    if damaged > 0 {
                        tracing::warn!(path = %path.display(), bytes = damaged, "the end of a file of the event log is damaged and left out");
                    }
                    segments.found(medium, segment);
                }
                _ => remove_empty(medium, &path),
            }
        }
        segments.removed = segments.all.front().map_or(0, |first| first.name - 1);
        Ok(segments)
    }

    /// A file was found. One before it that has numbers of it is what a disk left that refused to take it back.
    fn found(&mut self, medium: &dyn Medium, segment: Segment) {
        while let Some(before) = self.all.pop_back_if(|before| before.last >= segment.name) {
            if let Err(error) = medium.remove(&before.path(&self.folder)) {
                tracing::warn!(%error, "a file of the event log that another one replaced cannot be removed");
            }
        }
        self.all.push_back(segment);
    }

    /// The last number that is kept, 0 if none is.
    pub(super) fn last(&self) -> u64 {
        self.all.back().map_or(0, |segment| segment.last)
    }

    /// The summaries, oldest file first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Segment> {
        self.all.iter()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Which file the next messages go to, and where in it.
    pub(super) fn tail(&self, first: u64) -> Segment {
        let room = |segment: &&Segment| segment.length < self.bounds.segment();
        self.all.back().filter(room).cloned().unwrap_or_else(|| Segment::new(first))
    }

    /// How much more goes into the tail.
    pub(super) fn room(&self, tail: &Segment) -> u64 {
        self.bounds.segment().saturating_sub(tail.length)
    }

    /// What was written to the tail is there.
    pub(super) fn written(&mut self, tail: Segment) {
        match self.all.back_mut().filter(|last| last.name == tail.name) {
            Some(last) => *last = tail,
            None => self.all.push_back(tail),
        }
    }

    /// The files that are too many: they are known no more, and can be removed. The last one stays.
    pub(super) fn trim(&mut self) -> Vec<PathBuf> {
        let mut gone = Vec::new();
        let (mut bytes, mut count) =
            self.all.iter().fold((0, 0), |(bytes, count), segment| (bytes + segment.length, count + segment.count));
        while self.all.len() > 1 && (bytes > self.bounds.bytes || count > self.bounds.messages) {
            let Some(oldest) = self.all.pop_front() else { break };
            bytes -= oldest.length;
            count -= oldest.count;
            self.removed = oldest.last;
            gone.push(oldest.path(&self.folder));
        }
        gone
    }
}

/// Writes records behind a tail: the file is what it was, or has them all.
pub(super) fn append(
    medium: &dyn Medium,
    folder: &Path,
    tail: &mut Segment,
    places: &[Place],
    records: &[u8],
) -> io::Result<()> {
    let path = tail.path(folder);
    let fresh = tail.count == 0;
    if fresh {
        let made = medium.write(&path, 0, &[MAGIC.as_slice(), records].concat());
        if let Err(error) = made.and_then(|()| medium.sync_folder(folder)) {
            // By the next try it may be another name.
            let _ = medium.remove(&path);
            return Err(error);
        }
    } else {
        medium.write(&path, tail.length, records)?;
    }
    places.iter().for_each(|place| tail.add(*place));
    tail.length += records.len() as u64;
    Ok(())
}
