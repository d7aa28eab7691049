//! The data folder: made for one owner, used by one process, with the device's own key and certificate in it.

use super::{Disk, Files, StoreError, replace};
use oriel_trust::{Identity, TrustError};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The folder of the device's own certificate inside the data folder.
const CERTIFICATES: &str = "certificates";

/// A data folder that no other process uses as long as this value lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if there is none, and takes it for this process.
    ///
    /// # Errors
    /// [`StoreError::File`], or [`StoreError::InUse`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make_folder(&path.join(CERTIFICATES))?;
        Ok(Self { path: path.to_owned(), _lock: Self::take(path)? })
    }

    /// Makes the folder if there is none, and takes it for this process, as long as the file is open.
    pub(crate) fn take(path: &Path) -> Result<File, StoreError> {
        make_folder(path)?;
        // The folder's own name must be as durable as what is in it.
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Files.sync_folder(parent).map_err(|source| StoreError::File { path: parent.to_owned(), source })?;
        }
        let lock = path.join("lock");
        let file_error = |source| StoreError::File { path: lock.clone(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock).map_err(file_error)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(file_error(source)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The device's own certificate chain, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.path.join(CERTIFICATES).join("device.pem")
    }

    fn key(&self) -> PathBuf {
        self.path.join(CERTIFICATES).join("device.key")
    }

    /// Makes and stores the device's own key and certificate. Part of the first start: the document that makes the start complete is
    /// written after this, so a power cut before it means that both are made again.
    ///
    /// # Errors
    /// When they cannot be made or stored.
    pub fn make_identity<E: From<StoreError> + From<TrustError>>(&self, disk: &dyn Disk, name: &str) -> Result<(), E> {
        let (chain, key) = Identity::self_signed(name, &[])?.to_pem();
        for (path, text) in [(self.key(), key), (self.certificate(), chain)] {
            replace(disk, &path, text.as_bytes()).map_err(|source| StoreError::File { path, source })?;
        }
        Ok(())
    }

    /// Reads the device's own key and certificate.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn identity(&self) -> Result<Identity, TrustError> {
        Identity::load(&self.certificate(), &self.key())
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Problem {
        Store(#[expect(dead_code, reason = "shown by Debug when the test fails")] StoreError),
        Trust(#[expect(dead_code, reason = "shown by Debug when the test fails")] TrustError),
    }

    impl From<StoreError> for Problem {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }

    impl From<TrustError> for Problem {
        fn from(error: TrustError) -> Self {
            Self::Trust(error)
        }
    }

    #[test]
    fn a_folder_is_used_by_one_process_and_read_by_one_user() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("deep/data");
        let folder = Folder::open(&path).unwrap();
        assert!(matches!(Folder::open(&path), Err(StoreError::InUse(_))));
        folder.make_identity::<Problem>(&Files, "OD1").unwrap();
        let identity = folder.identity().unwrap();
        drop(folder);
        let again = Folder::open(&path).unwrap();
        assert_eq!(again.identity().unwrap().fingerprint(), identity.fingerprint());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o700);
            assert_eq!(mode(&again.key()), 0o600);
        }
    }
}
