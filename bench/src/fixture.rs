//! What every system of one run shares: a folder, one certificate that all servers show, and the cloud's records.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oriel_cloud::Records;
use oriel_soap::access::Level;
use oriel_trust::{Authority, Fingerprint, Identity, Policy, Validation};
use serde::{Deserialize, Serialize};

/// A device of a swarm, as it is written down for the role that plays it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// The folder of a run. Dropping it removes it.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
}

/// A cloud that was not started yet: its folder, its tokens, its devices.
pub(crate) struct Ground {
    pub(crate) config: PathBuf,
    pub(crate) user: String,
    pub(crate) administrator: String,
    pub(crate) ids: Vec<String>,
    /// The devices' keys, one JSON line each.
    pub(crate) members: PathBuf,
}

impl Fixture {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let fixture = Self { folder: tempfile::tempdir().context("a temporary folder")? };
        let authority = Authority::new("Oriel bench CA")?;
        let (chain, key) = authority.issue_server(&["127.0.0.1".to_owned(), "localhost".to_owned()])?.to_pem();
        let ca = authority.certificate_pem();
        // haproxy takes one file with both.
        for (name, text) in
            [("ca.pem", &ca), ("server.pem", &chain), ("server.key", &key), ("both.pem", &[&*chain, &key].concat())]
        {
            fixture.write(name, text)?;
        }
        Ok(fixture)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text, for arguments and configuration files.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Prepares a cloud with `devices` registered keys, while no process runs that is measured later.
    pub(crate) fn cloud(&self, name: &str, devices: usize) -> anyhow::Result<Ground> {
        let data = self.path(name);
        std::fs::create_dir_all(&data)?;
        let config = format!(
            "listen = \"127.0.0.1:0\"\ndata = {:?}\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
            data,
            self.path("server.pem"),
            self.path("server.key")
        );
        let config = self.write(&format!("{name}.toml"), &config)?;
        let identities = identities(devices)?;
        let records = Records::open(data.join("records.json"))?;
        let keys = |identity: &Identity| vec![identity.fingerprint()];
        let new: Vec<(String, Vec<Fingerprint>)> =
            identities.iter().enumerate().map(|(n, identity)| (format!("bench {n}"), keys(identity))).collect();
        let devices = records.add_devices(new)?;
        let (_, user) = records.add_token("bench user", Level::User.into(), None)?;
        let (_, administrator) = records.add_token("bench administrator", Level::Administrator.into(), None)?;
        let mut lines = String::new();
        for (device, identity) in devices.iter().zip(&identities) {
            let (chain, key) = identity.to_pem();
            lines += &serde_json::to_string(&Member { id: device.id.to_string(), chain, key })?;
            lines.push('\n');
        }
        Ok(Ground {
            config,
            user: user.expose().to_owned(),
            administrator: administrator.expose().to_owned(),
            ids: devices.iter().map(|device| device.id.to_string()).collect(),
            members: self.write(&format!("{name}.members"), &lines)?,
        })
    }
}

fn identities(count: usize) -> anyhow::Result<Vec<Identity>> {
    let made = (0..count).map(|n| Identity::self_signed(&format!("bench {n}"), &[]));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    let keys: HashSet<Fingerprint> = made.iter().map(Identity::fingerprint).collect();
    anyhow::ensure!(keys.len() == made.len(), "two devices have one key");
    Ok(made)
}

/// Reads what [`Fixture::cloud`] wrote.
pub(crate) fn members(path: &Path) -> anyhow::Result<Vec<(String, Identity)>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let read = |line: &str| {
        let member: Member = serde_json::from_str(line)?;
        Ok((member.id, Identity::from_pem(member.chain.as_bytes(), member.key.as_bytes())?))
    };
    text.lines().map(read).collect()
}

/// Whom every client of a run believes.
pub(crate) fn validation(ca: &Path) -> anyhow::Result<Validation> {
    let text = std::fs::read(ca).with_context(|| ca.display().to_string())?;
    Ok(Validation::Policy(Policy::from_pem(&text)?))
}
