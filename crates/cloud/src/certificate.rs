//! The cloud's certificate: the operator's files, or one from an authority of its own that it makes at first start.

use std::path::{Path, PathBuf};

use oriel_trust::{Authority, ReloadingIdentity, TrustError};

use crate::config::Config;
use crate::file;

/// The identity to serve, and the file of the own authority's certificate where there is one.
pub(crate) fn identity(config: &Config) -> Result<(ReloadingIdentity, Option<PathBuf>), TrustError> {
    if let Some((certificate, key)) = &config.tls {
        return Ok((ReloadingIdentity::open(certificate.clone(), key.clone())?, None));
    }
    let folder = config.data.join("tls");
    let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    let authority = if certificate.exists() {
        Authority::load(&certificate, &key)?
    } else {
        let authority = Authority::new("Oriel cloud CA")?;
        let (certificate_pem, key_pem) = authority.to_pem();
        std::fs::create_dir_all(&folder).map_err(|source| TrustError::File { path: folder.clone(), source })?;
        // The key first: a certificate without its key would keep the next start from making both.
        write(&key, &key_pem, 0o600)?;
        write(&certificate, &certificate_pem, 0o644)?;
        authority
    };
    Ok((ReloadingIdentity::fixed(&authority.issue_server(&config.names)?), Some(certificate)))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TrustError> {
    file::replace(path, text.as_bytes(), mode).map_err(|source| TrustError::File { path: path.to_owned(), source })
}
