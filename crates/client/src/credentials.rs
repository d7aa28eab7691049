//! What a device wants to be shown, as it turns out: HTTP Digest, a WS-UsernameToken by its clock, or both (Core §5.9). No IO, no clock.
//!
//! ```text
//! show ─► not refused: done
//!   │ 401 with a Digest challenge        ─► show the answer         (once; once more if the nonce is called stale)
//!   │ refused otherwise                  ─► measure the clock ─► show a token beside what is accepted (once; again with the next request only if it helped)
//!   └ refused with what it asked for     ─► the password is wrong: no further try, since devices lock accounts
//! ```

use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use oriel_soap::auth::{DigestClient, UsernameToken};
use oriel_soap::envelope::Headers;

use crate::quirks::{Quirks, Shown};

/// A clock that moved by less than this explains no refusal.
const SAME_CLOCK: SignedDuration = SignedDuration::from_secs(3);

/// An account on a camera.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).finish_non_exhaustive()
    }
}

/// An account, and what was learnt of how it is to be shown.
pub(crate) struct Credentials {
    account: Account,
    wanted: Shown,
    whole_seconds: bool,
    fixed: Option<SignedDuration>,
    learnt: Mutex<Learnt>,
}

#[derive(Default)]
struct Learnt {
    digest: Option<DigestClient>,
    /// What is no SOAP has a server of its own in many a camera: it wants a Digest where SOAP wants a token alone.
    pages: Option<DigestClient>,
    /// The device's clock less ours, once a token made by it was of use.
    token: Option<SignedDuration>,
}

impl Learnt {
    fn digest(&mut self, is_page: bool) -> &mut Option<DigestClient> {
        if is_page { &mut self.pages } else { &mut self.digest }
    }
}

/// One request and its repetitions.
pub(crate) struct Attempt<'c> {
    of: &'c Credentials,
    wanted: Shown,
    is_page: bool,
    /// The answer to a challenge of this attempt.
    authorization: Option<String>,
    /// Challenges answered in this attempt.
    answered: u8,
    /// The clock by which a token is shown.
    token: Option<SignedDuration>,
    /// Whether that was measured in this attempt.
    measured: bool,
    /// Whether the clock has to be known before anything is sent.
    unmeasured: bool,
}

impl Credentials {
    pub(crate) fn new(account: Account, quirks: &Quirks) -> Self {
        let fixed = quirks.clock_offset_s.map(SignedDuration::from_secs);
        let Quirks { credentials: wanted, whole_seconds, .. } = *quirks;
        Self { account, wanted, whole_seconds, fixed, learnt: Mutex::default() }
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn forget(&self) {
        *self.learnt() = Learnt::default();
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().expect("no holder panics")
    }

    /// For one request.
    pub(crate) fn attempt(&self) -> Attempt<'_> {
        let token = match self.wanted {
            Shown::Digest => None,
            Shown::Auto => self.learnt().token,
            Shown::UsernameToken | Shown::Both => self.fixed.or(self.learnt().token),
        };
        let unmeasured = matches!(self.wanted, Shown::UsernameToken | Shown::Both) && token.is_none();
        let (of, wanted) = (self, self.wanted);
        Attempt { of, wanted, is_page: false, authorization: None, answered: 0, token, measured: false, unmeasured }
    }

    /// For a request without an envelope.
    pub(crate) fn attempt_by_digest(&self) -> Attempt<'_> {
        Attempt { wanted: Shown::Digest, is_page: true, token: None, unmeasured: false, ..self.attempt() }
    }

    fn token(&self, offset: SignedDuration, now: Timestamp) -> UsernameToken {
        let created = now.checked_add(offset).unwrap_or(now);
        let whole = Timestamp::from_second(created.as_second()).ok().filter(|_| self.whole_seconds);
        UsernameToken::digest(&self.account.user, &self.account.password, whole.unwrap_or(created))
    }
}

impl Attempt<'_> {
    /// Whether the device's clock has to be measured before anything is shown.
    pub(crate) fn wants_clock(&self) -> bool {
        self.unmeasured
    }

    /// The device's clock less ours. False when the token that was refused was made by the same clock: then it is not the clock.
    pub(crate) fn clock(&mut self, offset: SignedDuration) -> bool {
        let refused = self.token.replace(offset);
        (self.unmeasured, self.measured) = (false, true);
        // A device that says itself what it wants may have refused for the account's rights: whether it wants a token is seen when one helps.
        if self.wanted != Shown::Auto {
            self.of.learnt().token = Some(offset);
        }
        refused.is_none_or(|refused| (refused - offset).abs() > SAME_CLOCK)
    }

    /// What goes with the request: the value of `Authorization`, and headers for the envelope.
    pub(crate) fn show(&mut self, method: &str, target: &str, now: Timestamp) -> (Option<String>, Headers) {
        let known = || self.of.learnt().digest(self.is_page).as_mut().and_then(|digest| digest.again(method, target));
        let authorization = match self.wanted {
            Shown::UsernameToken => None,
            _ => self.authorization.take().or_else(known),
        };
        let username_token = self.token.map(|offset| self.of.token(offset, now));
        (authorization, Headers { username_token, ..Headers::default() })
    }

    /// The device let us in, and may have said what it wants next (`Authentication-Info`).
    pub(crate) fn welcome(&self, info: Option<&str>) {
        if let (Some(info), Some(digest)) = (info, self.of.learnt().digest(self.is_page).as_mut()) {
            digest.told(info);
        }
    }

    /// The device did as it was asked: a token that was made for this request is shown with the next ones too.
    pub(crate) fn helped(&self) {
        if self.measured {
            self.of.learnt().token = self.token;
        }
    }

    /// The device did not let us in, perhaps with challenges of HTTP. True if something else may be shown.
    pub(crate) fn refused(&mut self, challenges: &[&str], method: &str, target: &str) -> bool {
        let challenges = || challenges.iter().copied();
        let Account { user, password } = &self.of.account;
        let mut digest = DigestClient::new(user, password);
        let answer = match self.wanted {
            Shown::UsernameToken => None,
            _ => digest.answer(challenges(), method, target),
        };
        if let Some(answer) = answer {
            let again = self.answered == 0 || (self.answered == 1 && DigestClient::stale(challenges()));
            let mut learnt = self.of.learnt();
            if !again {
                *learnt.digest(self.is_page) = None;
                return false;
            }
            // A device that wanted a token alone has changed its mind; one that wanted both wants both.
            if self.wanted == Shown::Auto && learnt.digest.is_none() {
                (self.token, learnt.token) = (None, None);
            }
            *learnt.digest(self.is_page) = Some(digest);
            (self.answered, self.authorization) = (self.answered + 1, Some(answer));
            return true;
        }
        if self.wanted == Shown::Digest || self.measured {
            return false;
        }
        match self.of.fixed {
            Some(fixed) => self.clock(fixed),
            None => {
                self.unmeasured = true;
                true
            }
        }
    }
}
