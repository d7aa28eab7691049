//! The few file operations that the store needs, as a trait, so that a test can cut the power between any two of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The file layer under the store. Every method does one thing that can fail on its own.
pub trait Disk: Send + Sync + 'static {
    /// The content of a file, or nothing when there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Makes the file (or empties it) and writes the bytes, readable by its owner alone. Not durable until [`Disk::sync`].
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes the content of a file durable.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, replacing what had that name, at once for every reader. Not durable until [`Disk::sync_folder`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a file; no error when there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl Disk for Files {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Replaces a file so that a reader, whenever the power fails, finds either the old content or the new one.
///
/// On success the new content is durable. On an error the old content is still in place, or, when only the last step failed
/// and could not be undone either, the new one: never a mixture.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let before = disk.read(path)?;
    let result = write_and_rename(disk, path, bytes);
    if result.is_err() && disk.read(path).is_ok_and(|now| now != before) {
        // The name already leads to the new content but that may not be durable, and the caller will be told that nothing
        // happened: put the old content back, so that a restart agrees with what was said.
        let _ = match before {
            Some(before) => write_and_rename(disk, path, &before),
            None => disk.remove(path).and_then(|()| disk.sync_folder(folder_of(path))),
        };
    }
    result
}

fn write_and_rename(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let written = disk.write(&fresh, bytes).and_then(|()| disk.sync(&fresh)).and_then(|()| disk.rename(&fresh, path));
    if let Err(error) = written {
        // A full disk should get back what the attempt took.
        let _ = disk.remove(&fresh);
        return Err(error);
    }
    disk.sync_folder(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
