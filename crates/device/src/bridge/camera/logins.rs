//! Accounts that the camera does not take: a wrong password is not tried with every request, for many a camera locks out whoever does. No clock, no socket.

use super::refusal::Language;
use std::time::Duration;
use tokio::time::Instant;

/// How long an account is not shown again at first.
const HOLD: Duration = Duration::from_secs(60);
/// And at last.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// A try that did not end by then does not keep the next one from trying.
const TRIED: Duration = Duration::from_secs(60);
/// An account that was taken before may be refused this often in a row: a camera also refuses what the account may not do.
const IN_A_ROW: u32 = 4;

/// The accounts of one camera that were shown to it.
#[derive(Debug, Default)]
pub(super) struct Logins(Vec<Login>);

#[derive(Debug)]
struct Login {
    user: String,
    /// A camera's pages may have accounts of their own.
    language: Language,
    taken: bool,
    /// Refusals in a row.
    refused: u32,
    held: Option<Held>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    hold: Duration,
    /// From then on one may try.
    until: Instant,
    /// One does.
    tried: bool,
}

impl Logins {
    /// Whether the account may be shown now, which is then about to be done.
    pub(super) fn admit(&mut self, user: &str, language: Language, now: Instant) -> bool {
        let Some(held) = &mut self.of(user, language).held else { return true };
        if now < held.until {
            return false;
        }
        (held.until, held.tried) = (now + TRIED, true);
        true
    }

    /// The camera refused it, or what was asked as this account.
    pub(super) fn refused(&mut self, user: &str, language: Language, now: Instant) {
        let login = self.of(user, language);
        login.refused += 1;
        if login.taken && login.refused < IN_A_ROW {
            return;
        }
        login.taken = false;
        let hold = match login.held {
            // Shown at the same time as the one that was refused first.
            Some(held) if now < held.until && !held.tried => return,
            Some(held) => (held.hold * 2).min(LONGEST),
            None => HOLD,
        };
        login.held = Some(Held { hold, until: now + hold, tried: false });
    }

    /// The camera did what needs an account.
    pub(super) fn taken(&mut self, user: &str, language: Language) {
        let login = self.of(user, language);
        (login.taken, login.refused, login.held) = (true, 0, None);
    }

    /// As few as the entry has accounts.
    fn of(&mut self, user: &str, language: Language) -> &mut Login {
        let known = self.0.iter().position(|login| login.user == user && login.language == language);
        let at = known.unwrap_or(self.0.len());
        if known.is_none() {
            self.0.push(Login { user: user.to_owned(), language, taken: false, refused: 0, held: None });
        }
        &mut self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Plain, Soap};

    #[tokio::test(start_paused = true)]
    async fn a_refused_account_is_shown_again_more_and_more_seldom() {
        let (mut logins, start) = (Logins::default(), Instant::now());
        let (mut shown, mut last) = (0, start);
        for second in 0..7200 {
            let now = start + Duration::from_secs(second);
            if logins.admit("root", Soap, now) {
                logins.refused("root", Soap, now);
                // Another one that was under way.
                logins.refused("root", Soap, now);
                (shown, last) = (shown + 1, now);
            }
        }
        assert_eq!(shown, 8, "at 0, 1, 3, 7, 15, 31, 61, 91 minutes");
        assert_eq!(last, start + Duration::from_secs(91 * 60));
        assert!(logins.admit("oper", Soap, last) && logins.admit("root", Plain, last), "others are others");
        logins.taken("root", Soap);
        assert!(logins.admit("root", Soap, last));
    }

    #[tokio::test(start_paused = true)]
    async fn one_tries_when_the_hold_is_over() {
        let (mut logins, start) = (Logins::default(), Instant::now());
        logins.refused("root", Soap, start);
        let later = start + HOLD;
        assert!(!logins.admit("root", Soap, start) && logins.admit("root", Soap, later));
        assert!(!logins.admit("root", Soap, later), "one tries already");
        assert!(logins.admit("root", Soap, later + TRIED), "it never ended");
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_account_may_not_do_does_not_bar_it() {
        let (mut logins, now) = (Logins::default(), Instant::now());
        for _ in 0..10 {
            logins.taken("view", Soap);
            (1..IN_A_ROW).for_each(|_| logins.refused("view", Soap, now));
            assert!(logins.admit("view", Soap, now));
        }
        logins.refused("view", Soap, now);
        assert!(!logins.admit("view", Soap, now), "its password is another now");
    }
}
