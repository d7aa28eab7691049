//! What every system of one run shares: a folder, one certificate that all servers show, and the cloud's records.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oriel_cloud::records::{Actor, NewDevice, NewToken, Role};
use oriel_cloud::{Clock, Records};
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
        let identities = identities(devices)?;
        let keys = identities.iter().enumerate().map(|(n, identity)| (format!("bench {n}"), identity.fingerprint()));
        let mut ground = self.cloud_with(name, keys.collect())?;
        let mut lines = String::new();
        for (id, identity) in ground.ids.iter().zip(&identities) {
            let (chain, key) = identity.to_pem();
            lines += &serde_json::to_string(&Member { id: id.clone(), chain, key })?;
            lines.push('\n');
        }
        ground.members = self.write(&format!("{name}.members"), &lines)?;
        Ok(ground)
    }

    /// Prepares a cloud with devices of these names and keys.
    pub(crate) fn cloud_with(&self, name: &str, devices: Vec<(String, Fingerprint)>) -> anyhow::Result<Ground> {
        let data = self.path(name);
        std::fs::create_dir_all(&data)?;
        let config = format!(
            "listen = \"127.0.0.1:0\"\ndata = {:?}\ncamera_pages = true\n[tls]\ncertificate = {:?}\nkey = {:?}\n\
             [limits.organisation]\nrequests_per_second = 10000000\nstreams = 1000000\nkib_per_second = 1000000000\n\
             [enrolment]\nanchors = {:?}\n",
            data,
            self.path("server.pem"),
            self.path("server.key"),
            self.path("ca.pem")
        );
        let config = self.write(&format!("{name}.toml"), &config)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (ids, user, administrator) = runtime.block_on(register(&data, devices))?;
        Ok(Ground { config, user, administrator, ids, members: PathBuf::new() })
    }
}

/// Fills a store. Returns the devices' ids, a viewer's token and an administrator's.
async fn register(data: &Path, devices: Vec<(String, Fingerprint)>) -> anyhow::Result<(Vec<String>, String, String)> {
    let (records, actor) = (Records::open(data, None, Clock::default()).await?, Actor::system());
    records.first_link().await?;
    let organisation = records.first_organisation().context("a new store has an organisation")?;
    let scope = records.within(&organisation);
    let new = devices.into_iter().map(|(name, key)| NewDevice { name, key: Some(key) });
    let added = scope.add_devices(&actor, new.collect()).await?;
    let (_, user) = scope.add_token(&actor, NewToken::of(Role::Viewer, "bench user")).await?;
    let (_, administrator) = scope.add_token(&actor, NewToken::of(Role::Administrator, "bench administrator")).await?;
    let ids = added.iter().map(|device| device.id.to_string()).collect();
    Ok((ids, user.expose().to_owned(), administrator.expose().to_owned()))
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
