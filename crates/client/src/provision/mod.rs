//! Provisioning: a camera gets a key, a certificate, trust anchors, a policy and an uplink, by ONVIF calls alone (Security §5.2, Uplink §5.3 and §6.3).
//!
//! ```text
//! begin ─► request ─► install ─► connected ─► finish
//!   │         └──────────┴───────────┴──► undo
//!   └─ what an earlier run left behind: its key is used again, the rest is removed
//! ```
//!
//! All that is made here bears one alias, and what bears it and no uplink needs is removed: at the beginning what an earlier run left that was killed, at
//! the end what a former uplink needed, on failure what this run made. So nothing has to be remembered between runs, and a call of which no answer came
//! back is undone as well. The client may speak to the camera on its LAN or through a tunnel.

use std::time::Duration;

use oriel_onvif::uplink::{Configuration, ConnectionStatus, DeleteUplink, GetUplinks, SetUplink};
use oriel_soap::xml::List;
use oriel_soap::{Operation, With as _};
use tokio::time::Instant;
use url::Url;

use crate::{CallError, Client};
use survey::Survey;

mod keystore;
mod survey;

/// Between two looks at the uplink.
const LOOK: Duration = Duration::from_millis(100);

/// What shall be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The name of everything that is made on the camera; nobody else may use it.
    pub alias: String,
    /// The cloud: an uplink to this host and port is one to it.
    pub cloud: Url,
    /// Rights of requests that come by the uplink.
    pub levels: Vec<String>,
    /// Put the new uplink in the place of one that is there already.
    pub replace: bool,
}

impl Plan {
    /// The plan of everybody who enrols a camera: what is made is named after the cloud, so that whoever comes next finds it.
    #[must_use]
    pub fn new(cloud: Url, levels: Vec<String>, replace: bool) -> Self {
        let port = cloud.port().map(|port| format!(":{port}")).unwrap_or_default();
        let alias = format!("oriel-{}{port}", cloud.host_str().unwrap_or_default());
        Self { alias, cloud, levels, replace }
    }
}

/// What the cloud gave for the camera's request; certificates are X.509 in DER.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The camera's certificate.
    pub certificate: Vec<u8>,
    /// Whom the camera has to believe to reach the cloud.
    pub anchors: Vec<Vec<u8>>,
    /// Where the camera shall dial.
    pub remote_address: String,
}

/// One step, as it is told to whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which step: `services`, `key`, `request`, `anchor`, `policy`, `certificate`, `uplink`, `waiting`, `connected`, `removed`, `left`.
    pub step: &'static str,
    /// The id that the camera gave to the object, or the uplink's address.
    pub id: Option<String>,
    /// For people.
    pub text: String,
}

/// Who is told of each step.
pub type Watcher = Box<dyn Fn(Note) + Send + Sync>;

/// Why a camera is not provisioned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// A call failed.
    #[error("{operation}: {source}")]
    Call {
        /// Which.
        operation: &'static str,
        /// How.
        source: CallError,
    },
    /// The camera cannot be provisioned by ONVIF.
    #[error("the camera {0}")]
    Lacks(String),
    /// There is an uplink to the cloud that is none of ours.
    #[error("the camera has an uplink to this cloud already, {0}, which was not made by this command")]
    Exists(String),
    /// The key did not come to be.
    #[error("the camera did not make its key: {0}")]
    Key(String),
    /// The uplink did not come to be.
    #[error("the camera is not connected: {status}{}", error.as_ref().map(|error| format!(", {error}")).unwrap_or_default())]
    NotConnected {
        /// Its status.
        status: String,
        /// What the camera says went wrong.
        error: Option<String>,
    },
}

/// How a camera was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The uplink of an earlier run is there: what is left is to wait for it.
    Set,
    /// There is all to do.
    Fresh,
}

/// A camera that is being provisioned.
pub struct Provision<'c> {
    client: &'c Client,
    plan: Plan,
    watcher: Watcher,
    survey: Survey,
    /// The key that the request is made for.
    key: Option<String>,
    /// The uplink's address, once it is known.
    address: String,
    before: Before,
}

/// What stood at the address of the uplink before we set it.
enum Before {
    /// We did not set it.
    Untouched,
    Nothing,
    Uplink(Box<Configuration>),
}

impl<'c> Provision<'c> {
    /// Looks at the camera, and removes what an earlier run left there.
    ///
    /// # Errors
    /// [`ProvisionError`].
    pub async fn begin(client: &'c Client, plan: Plan, watcher: Watcher) -> Result<(Self, Start), ProvisionError> {
        let survey = Survey::take(client).await?;
        watcher(Note {
            step: "services",
            id: None,
            text: "the camera has the services Security and Uplink".to_owned(),
        });
        let mut provision =
            Self { client, plan, watcher, survey, key: None, address: String::new(), before: Before::Untouched };
        let existing = provision.survey.uplinks_to(&provision.plan);
        if !provision.plan.replace && !existing.is_empty() {
            let own = existing.iter().find(|uplink| provision.survey.is_own(uplink, &provision.plan.alias));
            let Some(own) = own else {
                return Err(ProvisionError::Exists(existing[0].remote_address.clone()));
            };
            provision.note("uplink", Some(&own.remote_address), "set by an earlier run");
            provision.address = own.remote_address.clone();
            return Ok((provision, Start::Set));
        }
        provision.key = provision.survey.spare_key(&provision.plan.alias);
        provision.sweep().await?;
        provision.survey = Survey::take(client).await?;
        Ok((provision, Start::Fresh))
    }

    /// A certification request (PKCS#10 in DER) for the camera's key, which is made unless an earlier run made it.
    ///
    /// # Errors
    /// [`ProvisionError`].
    pub async fn request(&mut self) -> Result<Vec<u8>, ProvisionError> {
        let key = match self.key.clone() {
            Some(key) => {
                self.note("key", Some(&key), "made by an earlier run");
                key
            }
            None => self.make_key().await?,
        };
        self.key_is_ok(&key).await?;
        let request = self.certification_request(&key).await?;
        self.note("request", None, "certification request made");
        Ok(request)
    }

    /// Uploads what the cloud gave, and sets the uplink.
    ///
    /// # Errors
    /// [`ProvisionError`].
    pub async fn install(&mut self, issued: &Issued) -> Result<(), ProvisionError> {
        let policy = self.trust(&issued.anchors).await?;
        let certificate = self.upload(&issued.certificate).await?;
        let wanted = Configuration::with(|wanted| {
            wanted.remote_address.clone_from(&issued.remote_address);
            wanted.certificate_id = Some(certificate);
            wanted.cert_path_validation_policy_id = Some(policy);
            wanted.user_level = self.plan.levels.iter().cloned().collect::<List<String>>();
        });
        let before = self.survey.uplinks.iter().find(|uplink| same(&uplink.remote_address, &issued.remote_address));
        // Noted first: the call may succeed and its answer be lost.
        self.before = before.map_or(Before::Nothing, |before| Before::Uplink(Box::new(before.clone())));
        self.address.clone_from(&issued.remote_address);
        self.call(SetUplink::with(|set| set.configuration = wanted)).await?;
        self.note("uplink", Some(&issued.remote_address), "set");
        Ok(())
    }

    /// Waits until the camera says that it is connected.
    ///
    /// # Errors
    /// [`ProvisionError::NotConnected`] after `patience`; [`ProvisionError::Call`].
    pub async fn connected(&self, patience: Duration) -> Result<(), ProvisionError> {
        let address = self.address.as_str();
        let end = Instant::now() + patience;
        let mut told = None;
        loop {
            let (status, error) = match self.call(GetUplinks::default()).await {
                Ok(answer) => standing(&answer.configuration, address),
                // It may be busy with what it was told, or between two addresses.
                Err(ProvisionError::Call { source: CallError::Transport(error), .. }) => {
                    ("unknown".to_owned(), Some(error.to_string()))
                }
                Err(error) => return Err(error),
            };
            if status == "Connected" {
                self.note("connected", Some(address), "the camera is connected");
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(ProvisionError::NotConnected { status, error });
            }
            if told.as_ref() != Some(&(status.clone(), error.clone())) {
                let said = error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
                self.note("waiting", Some(address), &format!("{status}{said}"));
                told = Some((status, error));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Removes what the new uplink is in the place of.
    ///
    /// # Errors
    /// [`ProvisionError::Call`].
    pub async fn finish(mut self) -> Result<(), ProvisionError> {
        if self.plan.replace {
            let uplinks = self.survey.uplinks_to(&self.plan).into_iter().map(|uplink| uplink.remote_address.clone());
            for former in uplinks.filter(|former| !same(former, &self.address)).collect::<Vec<_>>() {
                self.call(DeleteUplink::with(|delete| delete.remote_address.clone_from(&former))).await?;
                self.note("removed", Some(&former), "the former uplink");
            }
        }
        self.key = None;
        self.sweep().await
    }

    /// Keeps what was made, and removes what no uplink needs any more; other uplinks to the same cloud stay.
    ///
    /// # Errors
    /// [`ProvisionError::Call`].
    pub async fn settle(mut self) -> Result<(), ProvisionError> {
        self.key = None;
        self.sweep().await
    }

    /// Leaves the camera as it was found.
    ///
    /// # Errors
    /// [`ProvisionError::Call`], and then something of ours is left there.
    pub async fn undo(mut self) -> Result<(), ProvisionError> {
        match std::mem::replace(&mut self.before, Before::Untouched) {
            Before::Untouched => {}
            Before::Nothing => self.delete_uplink().await?,
            Before::Uplink(mut before) => {
                (before.status, before.error) = (None, None);
                self.call(SetUplink::with(|set| set.configuration = *before)).await?;
                self.note("uplink", Some(&self.address), "set back to what it was");
            }
        }
        self.key = None;
        self.sweep().await
    }

    /// It may not be there: SetUplink may have failed.
    async fn delete_uplink(&self) -> Result<(), ProvisionError> {
        let uplinks = self.call(GetUplinks::default()).await?.configuration;
        for uplink in uplinks.into_iter().filter(|uplink| same(&uplink.remote_address, &self.address)) {
            let address = uplink.remote_address;
            self.call(DeleteUplink::with(|delete| delete.remote_address.clone_from(&address))).await?;
            self.note("removed", Some(&address), "uplink");
        }
        Ok(())
    }

    async fn call<O: Operation>(&self, operation: O) -> Result<O::Response, ProvisionError> {
        call(self.client, operation).await
    }

    /// Where the camera dials, once that is known.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Tells whoever watches of a step.
    pub fn note(&self, step: &'static str, id: Option<&str>, text: &str) {
        (self.watcher)(Note { step, id: id.map(str::to_owned), text: text.to_owned() });
    }
}

async fn call<O: Operation>(client: &Client, operation: O) -> Result<O::Response, ProvisionError> {
    client.call(operation).await.map_err(|source| ProvisionError::Call { operation: O::NAME, source })
}

/// Whether two addresses are one: cameras write them back in their own way, with a slash at the end or without.
fn same(one: &str, other: &str) -> bool {
    match (one.parse::<Url>(), other.parse::<Url>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The schema's word for the status, and what the camera says went wrong.
fn standing(uplinks: &[Configuration], address: &str) -> (String, Option<String>) {
    let Some(uplink) = uplinks.iter().find(|uplink| same(&uplink.remote_address, address)) else {
        return ("the uplink is not there any more".to_owned(), None);
    };
    let status = match &uplink.status {
        Some(ConnectionStatus::Connected) => "Connected",
        Some(ConnectionStatus::Connecting) => "Connecting",
        Some(ConnectionStatus::Offline) => "Offline",
        Some(ConnectionStatus::Other(other)) => other,
        _ => "unknown",
    };
    (status.to_owned(), uplink.error.clone().filter(|error| !error.is_empty()))
}
