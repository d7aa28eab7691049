//! The second file: the key that opens what is sealed, and the cloud's own authority, which cameras trust.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::{BackupError, file};
use crate::file::replace;

/// Files of the data folder, and their permissions.
const FILES: [(&str, u32); 3] = [("seal.key", 0o600), ("tls/ca.key", 0o600), ("tls/ca.pem", 0o644)];

type Texts = BTreeMap<String, String>;

/// Writes what there is of them to the new file `to`.
pub(super) fn write(data: &Path, to: &Path) -> Result<(), BackupError> {
    let mut texts = Texts::new();
    for (name, _) in FILES {
        match std::fs::read_to_string(data.join(name)) {
            Ok(text) => drop(texts.insert(name.to_owned(), text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(file(&data.join(name))(error)),
        }
    }
    let text = serde_json::to_string_pretty(&serde_json::json!({ "oriel_keys": 1, "files": texts }));
    let text = text.expect("plain fields are JSON");
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(file(to))?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(file(to))
}

/// Puts them into the folder `data`, where nothing else may be in their place.
pub(super) fn restore(from: &Path, data: &Path) -> Result<(), BackupError> {
    let text = std::fs::read_to_string(from).map_err(file(from))?;
    let damaged = |reason: String| BackupError::Damaged { path: from.to_owned(), line: 1, reason };
    let mut json: serde_json::Value = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    if json["oriel_keys"] != 1 {
        return Err(damaged("this is not a file of keys that this version understands".to_owned()));
    }
    let mut texts: Texts = serde_json::from_value(json["files"].take()).map_err(|error| damaged(error.to_string()))?;
    let wanted = FILES.map(|(name, mode)| (data.join(name), mode, texts.remove(name)));
    if let Some(name) = texts.keys().next() {
        return Err(damaged(format!("`{name}` is no key of ours")));
    }
    let wanted = wanted.into_iter().filter_map(|(path, mode, text)| Some((path, mode, text?)));
    let wanted: Vec<_> =
        wanted.filter(|(path, _, text)| std::fs::read_to_string(path).ok().as_ref() != Some(text)).collect();
    if let Some((path, ..)) = wanted.iter().find(|(path, ..)| path.exists()) {
        let detail = format!("{} holds another key already; move it away first", path.display());
        return Err(BackupError::Key(detail));
    }
    for (path, mode, text) in wanted {
        let folder = path.parent().expect("each lies in the folder");
        std::fs::create_dir_all(folder).and_then(|()| replace(&path, text.as_bytes(), mode)).map_err(file(&path))?;
    }
    Ok(())
}
