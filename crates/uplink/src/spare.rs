//! Buffers that are needed for a moment, many times a second: a few are kept, so that neither idle connections hold any nor busy ones scatter them over
//! the heap, between what stays.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a buffer: two full TLS records.
pub(crate) const SIZE: usize = 33 * 1024;
/// Most buffers that are kept; the whole process keeps no more than about 1 MiB.
const KEPT: usize = 32;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn spare() -> MutexGuard<'static, Vec<Vec<u8>>> {
    // A list of empty buffers is right whatever a panic elsewhere interrupted.
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An empty buffer with room for [`SIZE`] bytes.
pub(crate) fn take() -> Vec<u8> {
    let kept = spare().pop();
    kept.unwrap_or_else(|| Vec::with_capacity(SIZE))
}

/// Gives a buffer back. What is in it is forgotten, not erased.
pub(crate) fn give(mut buffer: Vec<u8>) {
    buffer.clear();
    let mut kept = spare();
    if kept.len() < KEPT && buffer.capacity() >= SIZE {
        kept.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_empty_and_large_enough_and_few_are_kept() {
        for _ in 0..3 {
            let mut taken: Vec<Vec<u8>> = (0..2 * KEPT).map(|_| take()).collect();
            assert!(taken.iter().all(|buffer| buffer.is_empty() && buffer.capacity() >= SIZE));
            taken.iter_mut().for_each(|buffer| buffer.push(1));
            taken.into_iter().for_each(give);
            assert!(spare().len() <= KEPT);
        }
        give(Vec::new());
        assert!(take().capacity() >= SIZE);
    }
}
