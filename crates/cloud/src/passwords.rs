//! Users' passwords: the rules for new ones (NIST SP 800-63B-4 §3.1.1), and Argon2id with OWASP's parameters.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::refusal::Refusal;

/// Fewer characters are guessed too soon; there are no rules of composition.
pub(crate) const SHORTEST: usize = 12;
/// Characters; longer ones gain nothing.
pub(crate) const LONGEST: usize = 256;

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes that may wait for their turn; whoever comes then is asked to come again.
const QUEUE: usize = 64;
/// The hash that is checked when there is no user of that name, so that the answer takes as long: of the same parameters, and of no password known to anybody.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$b3JpZWwvbm9ib2R5J3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and verifies, a few at a time: each takes a core and its memory.
#[derive(Debug)]
pub(crate) struct Passwords {
    at_once: Arc<Semaphore>,
    queue: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // A flood of logins leaves half of the machine to the cameras.
        Self { at_once: Arc::new(Semaphore::new((cores / 2).max(1))), queue: Semaphore::new(QUEUE) }
    }
}

impl Passwords {
    /// The PHC string of a new password.
    ///
    /// # Errors
    /// 422 when the password breaks a rule, 503 when too many are asking.
    pub(crate) async fn hash(&self, password: String, email: &str) -> Result<String, Refusal> {
        allowed(&password, email)?;
        self.blocking(move || argon2().hash_password(password.as_bytes()).map(|hash| hash.to_string()))
            .await?
            .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the password could not be hashed"))
    }

    /// Whether `password` is the one that was hashed; `None` takes as long and is never right.
    ///
    /// # Errors
    /// 503 when too many are asking.
    pub(crate) async fn verify(&self, password: String, hash: Option<Arc<str>>) -> Result<bool, Refusal> {
        let text = hash.clone().unwrap_or_else(|| NOBODYS.into());
        // A password that could never have been set is not worth a core, but the answer takes as long.
        let password: String = password.chars().take(LONGEST + 1).collect();
        let right = self
            .blocking(move || {
                PasswordHash::new(&text).is_ok_and(|kept| argon2().verify_password(password.as_bytes(), &kept).is_ok())
            })
            .await?;
        Ok(right && hash.is_some())
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many people log in at this moment; try again");
        let _queued = self.queue.try_acquire().map_err(|_| busy())?;
        let turn = Arc::clone(&self.at_once).acquire_owned().await.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            // Held by the work and not by the caller, who may leave before it is done.
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the check of the password broke off"))
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("OWASP's parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The rules: long enough, not too long, and not the account's own name.
fn allowed(password: &str, email: &str) -> Result<(), Refusal> {
    let refused = |detail: String| Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return refused(format!("password: it has {length} characters; {SHORTEST} to {LONGEST} are asked for"));
    }
    if password.eq_ignore_ascii_case(email) {
        return refused("password: it is the address you log in with".to_owned());
    }
    let mut letters = password.chars();
    let first = letters.next();
    if letters.all(|letter| Some(letter) == first) {
        return refused("password: it is one character, again and again".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let passwords = Passwords::default();
        let hash: Arc<str> = passwords.hash("correct horse battery".to_owned(), "a@b").await.unwrap().into();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let again = passwords.hash("correct horse battery".to_owned(), "a@b").await.unwrap();
        assert_ne!(*hash, *again, "each has its own salt");
        assert!(passwords.verify("correct horse battery".to_owned(), Some(Arc::clone(&hash))).await.unwrap());
        assert!(!passwords.verify("correct horse batterY".to_owned(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("correct horse battery".to_owned(), Some("damaged".into())).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_hash_takes_as_long_and_is_never_right() {
        let kept = PasswordHash::new(NOBODYS).unwrap();
        let real = argon2().hash_password(b"some password").unwrap().to_string();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!((&kept.algorithm, &kept.params), (&real.algorithm, &real.params));
        assert_eq!(kept.hash.unwrap().as_ref().len(), real.hash.unwrap().as_ref().len());
        assert!(!Passwords::default().verify(String::new(), None).await.unwrap());
    }

    #[test]
    fn rules_are_about_length_and_the_obvious() {
        for (password, word) in [
            ("elevenchars", "11 characters"),
            ("aaaaaaaaaaaaaa", "again and again"),
            ("Someone@Example.org", "log in with"),
            (&"x y".repeat(100), "300 characters"),
        ] {
            let refusal = allowed(password, "someone@example.org").unwrap_err();
            assert!(refusal.detail.contains(word), "{}", refusal.detail);
        }
        for password in ["twelve chars", "ßßßßßßßßßßßé", &"ab".repeat(128)] {
            allowed(password, "someone@example.org").unwrap();
        }
    }

    #[tokio::test]
    async fn a_flood_is_asked_to_come_again() {
        let passwords = Passwords::default();
        let all: Vec<_> = (0..QUEUE + 1).map(|_| passwords.queue.try_acquire()).collect();
        assert!(all.last().unwrap().is_err());
        let refusal = passwords.verify("x".to_owned(), None).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
