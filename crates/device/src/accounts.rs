//! The rules for accounts (Core §8.4.3), for the configuration file and for the wire alike.

use crate::store::{Account, Role};
use aws_lc_rs::rand;

/// How many accounts there may be.
pub(crate) const MAX_USERS: usize = 32;
/// The longest user name in characters.
pub(crate) const MAX_NAME: usize = 64;
/// The shortest password in characters.
pub(crate) const MIN_PASSWORD: usize = 8;
/// The longest password in characters; Core asks for at least 28 bytes.
pub(crate) const MAX_PASSWORD: usize = 64;

/// Why a name or a password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// No name.
    #[error("the user name is empty")]
    NameTooShort,
    /// Too long a name.
    #[error("the user name is longer than {MAX_NAME} characters")]
    NameTooLong,
    /// HTTP Digest and XML cannot carry the name.
    #[error("the user name has a control character, a colon or a quotation mark, which HTTP Digest cannot carry")]
    NameUnusable,
    /// Too long a password.
    #[error("the password is longer than {MAX_PASSWORD} characters")]
    PasswordTooLong,
    /// A password that is guessed.
    #[error(
        "the password is too weak: it needs {MIN_PASSWORD} characters or more, at least 4 different ones, and must not be the user name"
    )]
    PasswordTooWeak,
}

/// Checks the name of a new account.
pub(crate) fn check_name(name: &str) -> Result<(), Unfit> {
    if name.trim().is_empty() {
        return Err(Unfit::NameTooShort);
    }
    if name.chars().count() > MAX_NAME {
        return Err(Unfit::NameTooLong);
    }
    // RFC 7617 and 7616: a colon ends the name in HA1; a quotation mark would end it in the header.
    if name.chars().any(|c| c.is_control() || c == ':' || c == '"' || c == '\\') {
        return Err(Unfit::NameUnusable);
    }
    Ok(())
}

/// Checks a new password of an account.
pub(crate) fn check_password(name: &str, password: &str) -> Result<(), Unfit> {
    let length = password.chars().count();
    if length > MAX_PASSWORD {
        return Err(Unfit::PasswordTooLong);
    }
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if length < MIN_PASSWORD || different.len() < 4 || password.eq_ignore_ascii_case(name) {
        return Err(Unfit::PasswordTooWeak);
    }
    Ok(())
}

/// Whether nobody could administrate the device any more.
pub(crate) fn nobody_administrates(accounts: &[Account]) -> bool {
    !accounts.iter().any(|account| account.level == Role::Administrator)
}

/// A password of 20 letters and digits that are not mistaken for each other: 100 bits.
pub(crate) fn random_password() -> Result<String, aws_lc_rs::error::Unspecified> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    rand::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_judged() {
        assert_eq!(check_name("admin"), Ok(()));
        assert_eq!(check_name("Ünal 日本"), Ok(()));
        assert_eq!(check_name(&"x".repeat(64)), Ok(()));
        assert_eq!(check_name(&"x".repeat(65)), Err(Unfit::NameTooLong));
        assert_eq!(check_name("  "), Err(Unfit::NameTooShort));
        for name in ["a:b", "a\"b", "a\nb", "a\\b"] {
            assert_eq!(check_name(name), Err(Unfit::NameUnusable), "{name:?}");
        }
        assert_eq!(check_password("admin", "correct horse"), Ok(()));
        assert_eq!(check_password("admin", &"abcd".repeat(16)), Ok(()));
        assert_eq!(check_password("admin", &"abcd5".repeat(13)), Err(Unfit::PasswordTooLong));
        for password in ["", "abcdefg", "aaaaaaaaaaaa", "Administrator"] {
            assert_eq!(check_password("administrator", password), Err(Unfit::PasswordTooWeak), "{password}");
        }
    }

    #[test]
    fn random_passwords_are_fit_and_differ() {
        let (one, two) = (random_password().unwrap(), random_password().unwrap());
        assert_eq!(check_password("admin", &one), Ok(()));
        assert_eq!(one.len(), 20);
        assert_ne!(one, two);
    }
}
