//! A host that a test made up: a folder with the files that are read.

use super::Root;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The made-up host; it goes when this value does.
pub(in crate::monitoring) struct MadeUp(TempDir);

impl MadeUp {
    pub(in crate::monitoring) fn with(files: &[(&str, &str)]) -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, text)| made.set(path, text));
        made
    }

    pub(in crate::monitoring) fn set(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // Files of sysfs end with a line feed.
        fs::write(file, format!("{text}\n")).unwrap();
    }

    pub(in crate::monitoring) fn remove(&self, path: &str) {
        let path = self.0.path().join(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    pub(in crate::monitoring) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(in crate::monitoring) fn root(&self) -> Root {
        Root::new(self.path())
    }
}
