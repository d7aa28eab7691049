//! Where the socket is, and the shortest way to say it: the address of a Unix socket has 108 bytes, a path may have 4096.

use super::SOCKET;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// The longest path that fits into an address, its closing zero left out (unix(7)).
const LONGEST: usize = 107;

/// A socket's path that fits into an address, and what has to stay open for it.
pub(super) struct Place {
    path: PathBuf,
    _folder: Option<File>,
}

impl Place {
    /// The socket in this data folder.
    ///
    /// # Errors
    /// The folder cannot be opened; or its path is too long, and the system has no `/proc` to say it shorter.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self { path, _folder: None });
        }
        // The open folder has a short name, as long as it is open.
        let folder = File::open(folder)?;
        let names = Path::new("/proc/self/fd");
        if !names.is_dir() {
            let text = format!("{}: the path is longer than the {LONGEST} bytes of a socket's address", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, text));
        }
        Ok(Self { path: names.join(folder.as_raw_fd().to_string()).join(SOCKET), _folder: Some(folder) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
