//! Which device a command is about, and what to show it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use oriel_client::{Auth, Client};
use oriel_trust::{Policy, Validation, client_config};
use url::Url;

use crate::exit::BadConfig;

/// A device: by address on the LAN, or by id behind a cloud.
#[derive(Args)]
pub(crate) struct Target {
    /// The device: `http://camera/onvif/device_service`, or its id when --cloud is given.
    #[arg(value_name = "DEVICE")]
    device: String,
    /// The cloud that the device is behind.
    #[arg(long, value_name = "URL", env = "ORIEL_CLOUD")]
    cloud: Option<Url>,
    /// Account on the device.
    #[arg(long, env = "ORIEL_USER")]
    user: Option<String>,
    /// Its password; better given by the environment, where other users do not see it.
    #[arg(long, env = "ORIEL_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Token of the cloud.
    #[arg(long, env = "ORIEL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    trust: Trust,
}

/// Whom to believe over TLS.
#[derive(Args)]
pub(crate) struct Trust {
    /// Authority of the server's certificate, PEM file; without it the system's.
    #[arg(long, value_name = "FILE", env = "ORIEL_CA")]
    ca: Option<PathBuf>,
    /// Believe any server. For laboratories: whoever is in between reads and changes everything.
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,
}

impl Trust {
    /// The validation that was asked for.
    pub(crate) fn validation(&self) -> anyhow::Result<Validation> {
        if self.insecure {
            return Ok(Validation::Insecure);
        }
        let Some(path) = &self.ca else { return Ok(Validation::SystemRoots) };
        let text = std::fs::read(path).with_context(|| format!("--ca {}", path.display()))?;
        Ok(Validation::Policy(Policy::from_pem(&text).with_context(|| format!("--ca {}", path.display()))?))
    }
}

impl Target {
    /// The client for it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let url = self.url()?;
        let tls = match url.scheme() {
            "https" => Some(client_config(&self.trust.validation()?, None)?),
            _ => None,
        };
        Ok(Client::new(&url, tls, self.auth()?).map_err(oriel_client::CallError::from)?)
    }

    fn url(&self) -> anyhow::Result<Url> {
        match &self.cloud {
            None => self.device.parse().map_err(|error| {
                BadConfig(format!("`{}` is no address of a device ({error}); an id needs --cloud", self.device)).into()
            }),
            Some(cloud) => {
                let path = format!("/d/{}/onvif/device_service", self.device);
                cloud.join(&path).map_err(|error| BadConfig(format!("--cloud {cloud}: {error}")).into())
            }
        }
    }

    fn auth(&self) -> anyhow::Result<Auth> {
        match (&self.token, &self.user, &self.password) {
            (Some(_), Some(_), _) => Err(BadConfig("give --token or --user, not both".to_owned()).into()),
            (Some(token), None, _) => Ok(Auth::Bearer(token.clone())),
            (None, Some(user), Some(password)) => Ok(Auth::Password { user: user.clone(), password: password.clone() }),
            (None, Some(_), None) => Err(BadConfig("--user needs --password or ORIEL_PASSWORD".to_owned()).into()),
            (None, None, _) => Ok(Auth::None),
        }
    }
}
