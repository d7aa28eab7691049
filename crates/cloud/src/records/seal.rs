//! Secrets that are needed in the plain again, sealed with a key that lies beside the store and not in it: AES-256-GCM with the record's id as associated data.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::RecordsError;
use super::secret::random;
use crate::file;

/// Seals and opens. Its `Debug` is mute.
pub(super) struct Seal(RandomizedNonceKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// Reads the key, or makes one where `make` says that nothing was sealed yet.
    pub(super) fn open(path: &Path, make: bool) -> Result<Self, RecordsError> {
        let failed = |source| RecordsError::File { path: path.to_owned(), source };
        let bytes = match std::fs::read(path) {
            Ok(text) => STANDARD_NO_PAD.decode(text.trim_ascii()).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && make => {
                let key = random::<32>().to_vec();
                file::replace(path, STANDARD_NO_PAD.encode(&key).as_bytes(), 0o600).map_err(failed)?;
                key
            }
            Err(source) => return Err(failed(source)),
        };
        let damaged =
            |_| RecordsError::Damaged { what: path.display().to_string(), reason: "not a sealing key".into() };
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map(Self).map_err(damaged)
    }

    /// Where the key of a data folder lies.
    pub(super) fn path(data: &Path) -> PathBuf {
        data.join("seal.key")
    }

    /// Seals `secret` for the record `id`.
    pub(super) fn seal(&self, id: &str, secret: &str) -> String {
        let mut sealed = secret.as_bytes().to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(id), &mut sealed).expect("the system gives random bytes");
        STANDARD_NO_PAD.encode([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What was sealed for the record `id`; `None` when it was another record, another key, or nothing of ours.
    pub(super) fn reveal(&self, id: &str, sealed: &str) -> Option<String> {
        let mut bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, body) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.0.open_in_place(nonce, Aad::from(id), body).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }

    /// As much work as [`Seal::reveal`], for a record that is not there.
    pub(super) fn reveal_nothing(&self) {
        // As long as a sealed password.
        std::hint::black_box(self.reveal("nobody", &NOTHING));
    }
}

static NOTHING: LazyLock<String> = LazyLock::new(|| STANDARD_NO_PAD.encode([0; NONCE_LEN + 43 + 16]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_record_and_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = Seal::path(folder.path());
        assert!(Seal::open(&path, false).is_err(), "a lost key is not replaced in silence");
        let seal = Seal::open(&path, true).unwrap();
        let sealed = seal.seal("key1", "pässword");
        assert_ne!(sealed, seal.seal("key1", "pässword"));
        assert_eq!(Seal::open(&path, false).unwrap().reveal("key1", &sealed).as_deref(), Some("pässword"));
        assert_eq!(seal.reveal("key2", &sealed), None);
        let other = Seal::open(&folder.path().join("other"), true).unwrap();
        assert_eq!(other.reveal("key1", &sealed), None);
        assert_eq!(seal.reveal("key1", "AAAA"), None);
    }
}
