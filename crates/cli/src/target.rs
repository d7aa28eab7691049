//! Which device a command is about, and what to show it.
//!
//! Secrets go where they belong and nowhere else: a token to a cloud over TLS, an account to a device on the LAN. What the environment holds for the one
//! is ignored for the other; what the command line says for the wrong one is an error.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use oriel_client::{Auth, Client};
use oriel_trust::{Policy, Validation, client_config};
use rustls::ClientConfig;
use url::Url;

use crate::exit::BadUsage;

/// A device: by address on the LAN, or by id behind a cloud.
#[derive(Args)]
pub(crate) struct Target {
    /// The device: `http://camera/onvif/device_service` on the LAN, its id behind --cloud, or the cloud's address of it.
    #[arg(value_name = "DEVICE")]
    device: String,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    trust: Trust,
}

// The environment is not read by clap, which does not tell whether a value was typed or lay around.
#[derive(Args, Default)]
struct Given {
    /// The cloud that the device is behind, https [env: ORIEL_CLOUD]
    #[arg(long, value_name = "URL")]
    cloud: Option<String>,
    /// Account on the device, on its LAN [env: ORIEL_USER]
    #[arg(long)]
    user: Option<String>,
    /// Its password; better given by the environment, where other users do not see it [env: ORIEL_PASSWORD]
    #[arg(long, allow_hyphen_values = true)]
    password: Option<String>,
    /// Token of the cloud; better given by the environment [env: ORIEL_TOKEN]
    #[arg(long, allow_hyphen_values = true)]
    token: Option<String>,
}

/// Whom to believe over TLS.
#[derive(Args)]
pub(crate) struct Trust {
    /// Authority of the server's certificate, PEM file; without it the system's [env: ORIEL_CA]
    #[arg(long, value_name = "FILE")]
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
        let (path, from) = match (&self.ca, environment("ORIEL_CA")) {
            (Some(path), _) => (path.clone(), "--ca"),
            (None, Some(path)) => (path.into(), "ORIEL_CA"),
            (None, None) => return Ok(Validation::SystemRoots),
        };
        Ok(Validation::Policy(anchors(&path, from)?))
    }
}

/// What the environment has; an empty value is none.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Target {
    /// The client for it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let (url, auth) = self.given.resolve(&self.device, &environment)?;
        let tls = match url.scheme() {
            "https" => Some(client_config(&self.trust.validation()?, None)?),
            _ => None,
        };
        Client::new(&url, tls, auth).context(url)
    }

    /// The cloud's address of it, the token, and TLS that believes the cloud.
    pub(crate) fn behind_cloud(&self) -> anyhow::Result<(Url, String, ClientConfig)> {
        let (url, auth) = self.given.resolve(&self.device, &environment)?;
        if !is_behind_cloud(&url) {
            return Err(BadUsage::error(
                "only a device behind a cloud is meant: give its id and --cloud, or https://…/d/…",
            ));
        }
        let Auth::Bearer(token) = auth else {
            return Err(BadUsage::error("a cloud wants --token or ORIEL_TOKEN"));
        };
        Ok((url, token, client_config(&self.trust.validation()?, None)?))
    }
}

/// What `oriel doctor` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SubjectKind {
    /// A camera on the LAN, at the address of its device service.
    Camera,
    /// A cloud, at the address that cameras dial.
    Cloud,
}

/// What is looked at, and what is shown there.
#[derive(Debug)]
pub(crate) enum Subject {
    Camera { url: Url, account: Option<oriel_client::camera::Account> },
    Cloud { url: Url, token: Option<String> },
    Device { url: Url, id: String, token: Option<String> },
}

impl Target {
    /// Whom to believe over TLS.
    pub(crate) fn validation(&self) -> anyhow::Result<Validation> {
        self.trust.validation()
    }

    /// What is meant: a device behind a cloud, a cloud, or a camera.
    pub(crate) fn subject(&self, kind: Option<SubjectKind>) -> Result<Subject, BadUsage> {
        self.given.subject(&self.device, kind, &environment)
    }
}

/// A camera on the LAN, and its administrator's account.
#[derive(Args)]
pub(crate) struct Camera {
    /// The camera's device service on the LAN, `http://camera/onvif/device_service`.
    #[arg(value_name = "CAMERA")]
    camera: String,
    /// Administrator's account on the camera [env: ORIEL_USER]
    #[arg(long)]
    user: Option<String>,
    /// Its password; better given by the environment, where other users do not see it [env: ORIEL_PASSWORD]
    #[arg(long, allow_hyphen_values = true)]
    password: Option<String>,
    /// Authority of the camera's own certificate, PEM file, where it is asked by https; without it the system's.
    #[arg(long, value_name = "FILE")]
    camera_ca: Option<PathBuf>,
    /// Believe any camera that is asked by https, such as one that made its certificate itself.
    #[arg(long, conflicts_with = "camera_ca")]
    camera_insecure: bool,
}

impl Camera {
    /// The client for it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let given = Given { user: self.user.clone(), password: self.password.clone(), ..Given::default() };
        let (url, auth) = given.resolve(&self.camera, &|name| environment(name).filter(|_| name != "ORIEL_CLOUD"))?;
        let validation = match &self.camera_ca {
            _ if self.camera_insecure => Validation::Insecure,
            Some(path) => Validation::Policy(anchors(path, "--camera-ca")?),
            None => Validation::SystemRoots,
        };
        let tls = match url.scheme() {
            "https" => Some(client_config(&validation, None)?),
            _ => None,
        };
        Client::new(&url, tls, auth).context(url)
    }
}

/// An account on cameras.
#[cfg(feature = "bridge")]
#[derive(Args)]
pub(crate) struct Account {
    /// Account on the cameras [env: ORIEL_USER]
    #[arg(long)]
    user: Option<String>,
    /// Its password; better given by the environment, where other users do not see it [env: ORIEL_PASSWORD]
    #[arg(long, allow_hyphen_values = true)]
    password: Option<String>,
}

#[cfg(feature = "bridge")]
impl Account {
    /// Name and password, if an account was given.
    pub(crate) fn given(&self) -> Result<Option<(String, String)>, BadUsage> {
        let given = Given { user: self.user.clone(), password: self.password.clone(), ..Given::default() };
        Ok(match given.account(&environment)? {
            Auth::Password { user, password } => Some((user, password)),
            _ => None,
        })
    }
}

fn anchors(path: &Path, from: &str) -> Result<Policy, BadUsage> {
    let unusable = |why: &dyn std::fmt::Display| BadUsage(format!("{from} {}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| unusable(&error))?;
    Policy::from_pem(&text).map_err(|error| unusable(&error))
}

/// A cloud's address: secrets go there, so it has to be https.
pub(crate) fn cloud_address(text: &str) -> Result<Url, BadUsage> {
    let bad = |why: &dyn std::fmt::Display| BadUsage(format!("--cloud {text}: {why}"));
    let url: Url = text.parse().map_err(|error| bad(&error))?;
    if url.scheme() != "https" {
        return Err(bad(&"has to be an https address, since secrets are sent there"));
    }
    without_account(url)
}

fn without_account(url: Url) -> Result<Url, BadUsage> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(url);
    }
    Err(BadUsage(format!("{}: an account is given by --user, not in the address", url.host_str().unwrap_or_default())))
}

/// Whether it is a cloud's address of a device behind it.
fn is_behind_cloud(url: &Url) -> bool {
    url.scheme() == "https" && url.path().starts_with("/d/")
}

impl Given {
    /// Where the device is and what it is shown.
    fn resolve(&self, device: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<(Url, Auth), BadUsage> {
        let no = |text: &str| Err(BadUsage(text.to_owned()));
        if self.token.is_some() && (self.user.is_some() || self.password.is_some()) {
            return no("give --token for a cloud, or --user and --password for a device on the LAN, not both");
        }
        if !device.contains("://") {
            let url = self.behind(device, env)?;
            let token = self.token.clone().or_else(|| env("ORIEL_TOKEN"));
            return Ok((url, token.map_or(Auth::None, Auth::Bearer)));
        }
        let url: Url = device.parse().map_err(|error| BadUsage(format!("`{device}` is no address ({error})")))?;
        let url = without_account(url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadUsage(format!("`{device}`: a device's address begins with http:// or https://")));
        }
        if self.cloud.is_some() {
            return no("--cloud goes with a device's id; DEVICE is an address already");
        }
        match (&self.token, is_behind_cloud(&url)) {
            (Some(token), true) => Ok((url, Auth::Bearer(token.clone()))),
            (Some(_), false) => no(
                "--token is for a cloud: give a device's id and --cloud, or the cloud's address of it, https://…/d/…",
            ),
            (None, true) if self.user.is_some() || self.password.is_some() => {
                no("--user and --password are for a device on the LAN; a cloud wants --token")
            }
            (None, true) => Ok((url, Auth::None)),
            (None, false) => Ok((url, self.account(env)?)),
        }
    }

    /// A cloud is an https address without a path, unless it was said what it is.
    fn subject(
        &self,
        device: &str,
        kind: Option<SubjectKind>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Subject, BadUsage> {
        let address = device.parse::<Url>().ok().filter(|_| device.contains("://"));
        let rootless = |url: &Url| url.scheme() == "https" && matches!(url.path(), "" | "/");
        let cloud = match kind {
            Some(kind) => kind == SubjectKind::Cloud,
            None => address.as_ref().is_some_and(rootless),
        };
        if let (true, Some(_)) = (cloud, &address) {
            if self.user.is_some() || self.password.is_some() || self.cloud.is_some() {
                let text = "of a cloud's own, --token alone can be tried; an https camera needs the path of its device service, or --as camera";
                return Err(BadUsage(text.to_owned()));
            }
            // What lies around is a user's token, and not one that a device would show.
            return Ok(Subject::Cloud { url: cloud_address(device)?, token: self.token.clone() });
        }
        let (url, auth) = self.resolve(device, env)?;
        let token = match auth {
            Auth::Password { user, password } => {
                return Ok(Subject::Camera { url, account: Some(oriel_client::camera::Account { user, password }) });
            }
            Auth::Bearer(token) => Some(token),
            Auth::None => None,
        };
        let id = url.path().strip_prefix("/d/").and_then(|rest| rest.split('/').next()).map(str::to_owned);
        Ok(match id.filter(|_| is_behind_cloud(&url)) {
            Some(id) => Subject::Device { url, id, token },
            None => Subject::Camera { url, account: None },
        })
    }

    /// The address of a device behind a cloud.
    fn behind(&self, id: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Url, BadUsage> {
        let Some(cloud) = self.cloud.clone().or_else(|| env("ORIEL_CLOUD")) else {
            return Err(BadUsage(format!(
                "`{id}` is no address of a device, such as http://camera/onvif/device_service; an id needs --cloud"
            )));
        };
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(BadUsage(format!("`{id}` is no device's id: they are of lower-case letters and digits")));
        }
        if self.user.is_some() || self.password.is_some() {
            let text = "--user and --password are for a device on the LAN, by its address; a cloud wants --token";
            return Err(BadUsage(text.to_owned()));
        }
        let mut url = cloud_address(&cloud)?;
        url.set_path(&format!("/d/{id}/onvif/device_service"));
        url.set_query(None);
        Ok(url)
    }

    fn account(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Auth, BadUsage> {
        let user = self.user.clone().or_else(|| env("ORIEL_USER"));
        let password = self.password.clone().or_else(|| env("ORIEL_PASSWORD"));
        match (user, password) {
            (Some(user), Some(password)) => Ok(Auth::Password { user, password }),
            (Some(_), None) => Err(BadUsage("--user needs --password or ORIEL_PASSWORD".to_owned())),
            (None, _) if self.password.is_some() => Err(BadUsage("--password needs --user or ORIEL_USER".to_owned())),
            (None, _) => Ok(Auth::None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAN: &str = "http://camera/onvif/device_service";

    /// The address and what is shown there, or the complaint. Both texts are lists of NAME=VALUE.
    fn resolve(device: &str, options: &str, environment: &str) -> Result<String, String> {
        let find = |text: &str, name: &str| {
            let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let option = |name| find(options, name);
        let given = Given {
            cloud: option("cloud"),
            user: option("user"),
            password: option("password"),
            token: option("token"),
        };
        let resolved = given.resolve(device, &|name| find(environment, name)).map_err(|error| error.to_string())?;
        let shown = match resolved.1 {
            Auth::None => "nothing".to_owned(),
            Auth::Bearer(token) => format!("bearer {token}"),
            Auth::Password { user, password } => format!("{user}:{password}"),
        };
        Ok(format!("{} {shown}", resolved.0))
    }

    #[test]
    fn secrets_go_where_they_belong() {
        let all = "ORIEL_CLOUD=https://cloud ORIEL_TOKEN=t ORIEL_USER=u ORIEL_PASSWORD=p";
        let http = "ORIEL_CLOUD=http://cloud ORIEL_TOKEN=t";
        let behind = "https://cloud/d/abc/onvif/device_service";
        let with = |shown: &str| format!("{behind} {shown}");
        let lan = |shown: &str| format!("{LAN} {shown}");
        let table = [
            // On the LAN: the account, and never what is there for a cloud.
            (LAN, "", "", lan("nothing")),
            (LAN, "", all, lan("u:p")),
            (LAN, "", http, lan("nothing")),
            (LAN, "user=eve password=secret", all, lan("eve:secret")),
            (LAN, "user=eve", all, lan("eve:p")),
            ("https://camera/onvif/x", "", all, "https://camera/onvif/x u:p".to_owned()),
            // Behind a cloud: the token, and never the account.
            ("abc", "", all, with("bearer t")),
            ("abc", "token=mine", all, with("bearer mine")),
            (
                "abc",
                "cloud=https://other:8443/x?y",
                all,
                "https://other:8443/d/abc/onvif/device_service bearer t".into(),
            ),
            ("abc", "cloud=https://cloud", "", with("nothing")),
            // By the cloud's address: what was typed for it, and nothing that lay around.
            (behind, "token=mine", all, with("bearer mine")),
            (behind, "", all, with("nothing")),
        ];
        for (device, options, environment, expected) in table {
            assert_eq!(resolve(device, options, environment), Ok(expected), "{device} {options} | {environment}");
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let all = "ORIEL_CLOUD=https://cloud ORIEL_TOKEN=t ORIEL_USER=u ORIEL_PASSWORD=p";
        let table = [
            (LAN, "token=t", "", "--token is for a cloud"),
            ("http://cloud/d/abc/onvif/device_service", "token=t", "", "--token is for a cloud"),
            ("https://camera/onvif/x", "token=t", "", "--token is for a cloud"),
            (LAN, "cloud=https://cloud", "", "--cloud goes with a device's id"),
            (LAN, "user=u token=t", "", "not both"),
            ("abc", "user=u token=t", all, "not both"),
            (LAN, "user=u", "", "--user needs"),
            (LAN, "", "ORIEL_USER=u", "--user needs"),
            (LAN, "password=p", "", "--password needs"),
            ("https://cloud/d/abc/x", "user=u password=p", "", "a cloud wants --token"),
            ("abc", "user=u", all, "a cloud wants --token"),
            ("abc", "", "", "an id needs --cloud"),
            ("abc", "cloud=http://cloud", "", "has to be an https address"),
            ("abc", "", "ORIEL_CLOUD=http://cloud ORIEL_TOKEN=t", "has to be an https address"),
            ("abc", "cloud=cloud", "", "--cloud cloud"),
            ("abc", "cloud=https://a:b@cloud", "", "not in the address"),
            ("http://a:b@camera/", "", "", "not in the address"),
            ("ftp://camera/", "", "", "begins with http"),
            ("http://", "", "", "is no address"),
            ("", "", all, "no device's id"),
            ("../api", "", all, "no device's id"),
            ("ABC", "", all, "no device's id"),
            ("a/b", "", all, "no device's id"),
            ("camera.local", "", all, "no device's id"),
        ];
        for (device, options, environment, expected) in table {
            let refused = resolve(device, options, environment).unwrap_err();
            assert!(refused.contains(expected), "{device} {options} | {environment}: {refused}");
            assert!(!refused.contains("a:b"), "an account is not repeated: {refused}");
        }
    }

    #[test]
    fn the_doctor_knows_what_an_address_is_of() {
        let all = |name: &str| match name {
            "ORIEL_CLOUD" => Some("https://cloud".to_owned()),
            "ORIEL_TOKEN" => Some("t".to_owned()),
            "ORIEL_USER" => Some("u".to_owned()),
            "ORIEL_PASSWORD" => Some("p".to_owned()),
            _ => None,
        };
        let subject = |device: &str, kind| match Given::default().subject(device, kind, &all).unwrap() {
            Subject::Camera { url, account } => {
                format!("camera {url} {}", account.map(|account| account.user).unwrap_or_default())
            }
            Subject::Cloud { url, token } => format!("cloud {url} {}", token.unwrap_or_default()),
            Subject::Device { url, id, token } => format!("device {url} {id} {}", token.unwrap_or_default()),
        };
        let (camera, cloud) = (Some(SubjectKind::Camera), Some(SubjectKind::Cloud));
        assert_eq!(subject(LAN, None), format!("camera {LAN} u"));
        assert_eq!(subject("https://camera/onvif/x", None), "camera https://camera/onvif/x u");
        assert_eq!(subject("https://camera", camera), "camera https://camera/ u");
        assert_eq!(subject("https://cloud:8443", None), "cloud https://cloud:8443/ ");
        assert_eq!(subject("https://cloud/up?x=1", cloud), "cloud https://cloud/up?x=1 ");
        assert_eq!(subject("abc", None), "device https://cloud/d/abc/onvif/device_service abc t");
        assert_eq!(subject("https://other/d/abc", None), "device https://other/d/abc abc ");
        let given = |user: Option<&str>, token: Option<&str>| Given {
            user: user.map(str::to_owned),
            token: token.map(str::to_owned),
            ..Given::default()
        };
        given(Some("u"), None).subject("https://cloud", None, &all).unwrap_err();
        given(None, None).subject("http://cloud", cloud, &all).unwrap_err();
        let Subject::Cloud { token, .. } = given(None, Some("mine")).subject("https://cloud", None, &all).unwrap()
        else {
            panic!("it is a cloud");
        };
        assert_eq!(token.as_deref(), Some("mine"));
    }
}
