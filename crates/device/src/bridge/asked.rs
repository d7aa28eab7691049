//! When whoever answers at a camera's address is asked who it is. No clock, no socket.

use super::entry::CameraEntry;
use std::sync::Arc;
use url::Url;

/// After so many looks it is asked again: two cameras may have exchanged their addresses while nobody looked.
const AGAIN: u32 = 5;

/// What whoever is at a camera's address said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// It is the camera.
    Itself,
    /// It is another one.
    Another,
    /// It does not let the account in.
    Shut,
    /// Nothing of use.
    Unsaid,
}

/// Who was asked last, and what it said.
#[derive(Debug, Default)]
pub(super) struct Asked {
    last: Option<(Arc<CameraEntry>, Url, Who)>,
    looks: u32,
}

impl Asked {
    /// Whether it is to be asked at this look: for each entry, after each silence, and now and then.
    pub(super) fn is_due(&mut self, entry: &Arc<CameraEntry>, address: &Url) -> bool {
        self.looks += 1;
        match &self.last {
            Some((asked, at, who)) if asked == entry && at == address => match who {
                Who::Itself => self.looks > AGAIN,
                // Cameras lock accounts that fail too often.
                Who::Shut => false,
                Who::Another | Who::Unsaid => true,
            },
            _ => true,
        }
    }

    pub(super) fn said(&mut self, entry: Arc<CameraEntry>, address: Url, who: Who) {
        (self.last, self.looks) = (Some((entry, address, who)), 0);
    }

    /// It was silent: who answers next may be another one.
    pub(super) fn silent(&mut self) {
        self.last = None;
    }

    /// Somebody says that the camera is there. Anybody can say that, so it opens no way to have an account locked.
    pub(super) fn nudged(&mut self) {
        if !matches!(self.last, Some((_, _, Who::Shut))) {
            self.last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(address: &str) -> (Arc<CameraEntry>, Url) {
        let address: Url = address.parse().unwrap();
        (Arc::new(CameraEntry::new("a", address.clone())), address)
    }

    #[test]
    fn it_is_asked_who_it_is_for_each_entry_after_each_silence_and_now_and_then() {
        let ((one, at), (other, elsewhere)) = (entry("http://10.0.0.5/"), entry("http://10.0.0.6/"));
        let mut asked = Asked::default();
        assert!(asked.is_due(&one, &at));
        asked.said(Arc::clone(&one), at.clone(), Who::Itself);
        for _ in 0..AGAIN {
            assert!(!asked.is_due(&one, &at));
        }
        assert!(asked.is_due(&one, &at));
        for event in [Asked::silent, Asked::nudged] {
            asked.said(Arc::clone(&one), at.clone(), Who::Itself);
            event(&mut asked);
            assert!(asked.is_due(&one, &at));
        }
        asked.said(Arc::clone(&one), at.clone(), Who::Itself);
        assert!(asked.is_due(&one, &elsewhere) && asked.is_due(&other, &at));
        asked.said(Arc::clone(&one), at.clone(), Who::Another);
        assert!(asked.is_due(&one, &at));
    }

    #[test]
    fn an_account_that_is_not_let_in_is_not_tried_again_because_somebody_says_hello() {
        let (one, at) = entry("http://10.0.0.5/");
        let mut asked = Asked::default();
        asked.said(Arc::clone(&one), at.clone(), Who::Shut);
        for _ in 0..20 {
            asked.nudged();
            assert!(!asked.is_due(&one, &at));
        }
        asked.silent();
        assert!(asked.is_due(&one, &at));
    }
}
