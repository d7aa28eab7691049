//! One process at a time writes a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a successor waits for a predecessor that is being told to end.
const WAIT: Duration = Duration::from_secs(10);

/// The folder is ours until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock beside `path`. Blocks the thread, at most ten seconds.
    ///
    /// # Errors
    /// When another process keeps it, or the folder cannot be written.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        Self::take_within(path, WAIT)
    }

    /// As [`Lock::take`], waiting no longer than `wait`.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub(super) fn take_within(path: &Path, wait: Duration) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path.with_extension("lock"))?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if begin.elapsed() < wait => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process uses this folder"));
                }
            }
        }
    }
}
