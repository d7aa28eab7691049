//! From a bridge's raw configuration to the checked one; every refusal names key and line and says what to do.

use super::raw::{Raw, RawAccount, RawCamera, RawCloud, RawDiscover};
use super::{BridgeCloud, BridgeConfig, Discover, MOST_CAMERAS};
use crate::accounts::check_name;
use crate::bridge::{Believe, CameraEntry, camera_address, camera_name, clash};
use crate::config::check::Place;
use crate::config::raw::RawSecret;
use crate::config::{CallOut, ConfigError};
use crate::store::{Account, Role, Secret};
use oriel_client::quirks::Profile;
use oriel_trust::Policy;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// The longest secret in bytes, in the file or in one of its own.
const LONGEST_SECRET: usize = 256;
/// How many names of interfaces, scopes and things to ignore there may be.
const LONGEST_LIST: usize = 1000;

/// Whether the text is a bridge's.
pub(super) fn is_meant(text: &str) -> bool {
    let table: Option<toml::Table> = text.parse().ok();
    table.is_some_and(|table| ["bridge", "camera", "discover"].iter().any(|key| table.contains_key(*key)))
}

/// Reads and checks the text of a configuration file.
pub(super) fn parse(text: &str, folder: &Path) -> Result<BridgeConfig, ConfigError> {
    let place = Place(text);
    let raw: Raw = toml::from_str(text).map_err(|error| place.parser_error(&error))?;
    let mut config = BridgeConfig::new(folder.join(raw.data.unwrap_or_else(|| "oriel-bridge".into())));
    if let Some(listen) = raw.listen {
        config.listen = place.listen(listen)?;
    }
    config.max_uplinks = place.number("max_uplinks", raw.max_uplinks, 1..=64, 8)? as usize;
    config.max_connections = place.number("max_connections", raw.max_connections, 4..=4096, 256)? as usize;
    config.max_body = place.number("max_body_bytes", raw.max_body_bytes, 4096..=16 * 1024 * 1024, 256 * 1024)? as usize;
    let tolerance = place.number("clock_tolerance_seconds", raw.clock_tolerance_seconds, 5..=86_400, 300)?;
    config.clock_tolerance = Duration::from_secs(tolerance);
    config.insecure_uplinks = raw.insecure_uplinks;
    config.call_out = CallOut {
        allowed: place.networks("allow_private_addresses", &raw.allow_private_addresses)?,
        allowed_by_uplink: place
            .networks("allow_private_addresses_by_uplink", &raw.allow_private_addresses_by_uplink)?,
    };
    let reader = Reader { place, folder };
    if let Some(bridge) = raw.bridge {
        config.camera_pages = bridge.camera_pages;
        config.cloud = bridge.cloud.map(|cloud| reader.cloud(cloud)).transpose()?;
    }
    config.discover = raw.discover.map(|discover| reader.discover(discover)).transpose()?;
    config.cameras = reader.cameras(raw.camera)?;
    Ok(config)
}

/// Checks the tables that only bridges have.
struct Reader<'a> {
    place: Place<'a>,
    folder: &'a Path,
}

impl Reader<'_> {
    fn cameras(&self, given: Vec<RawCamera>) -> Result<Vec<CameraEntry>, ConfigError> {
        let places: Vec<_> = given.iter().map(|camera| (camera.name.span(), camera.address.span())).collect();
        if let Some((at, _)) = places.get(MOST_CAMERAS) {
            let problem = format!("there are more than {MOST_CAMERAS} cameras; run another bridge for the rest");
            return Err(self.place.error("camera", at, problem));
        }
        let endpoints: Vec<_> =
            given.iter().map(|camera| camera.endpoint.as_ref().map_or(0..0, Spanned::span)).collect();
        let cameras = given.into_iter().map(|camera| self.camera(camera)).collect::<Result<Vec<_>, _>>()?;
        let Some(clash) = clash(&cameras) else { return Ok(cameras) };
        let (key, at) = match clash.shared {
            "name" => ("camera.name", &places[clash.second].0),
            "address" => ("camera.address", &places[clash.second].1),
            _ => ("camera.endpoint", &endpoints[clash.second]),
        };
        let first = self.place.line(&places[clash.first].0);
        let problem =
            format!("the camera of line {first} has the same {}; one camera is in the list once", clash.shared);
        Err(self.place.error(key, at, problem))
    }

    fn camera(&self, given: RawCamera) -> Result<CameraEntry, ConfigError> {
        camera_name(given.name.get_ref())
            .map_err(|problem| self.place.error("camera.name", &given.name.span(), problem))?;
        let address = camera_address(given.address.get_ref())
            .map_err(|problem| self.place.error("camera.address", &given.address.span(), problem))?;
        Ok(CameraEntry {
            name: given.name.into_inner(),
            address,
            believe: self.believe("camera.ca", given.ca, given.insecure)?,
            quirks: self.quirks(given.quirks)?,
            accounts: self.accounts("camera.account", given.account)?,
            endpoint: self.word("camera.endpoint", given.endpoint)?,
        })
    }

    fn quirks(&self, given: Option<Spanned<String>>) -> Result<Option<String>, ConfigError> {
        if let Some(given) = given.as_ref().filter(|given| Profile::named(given.get_ref()).is_none()) {
            let names: Vec<&str> = Profile::all().iter().map(|profile| profile.name.as_str()).collect();
            let problem = format!("there is no profile \"{}\"; give one of {}", given.get_ref(), names.join(", "));
            return Err(self.place.error("camera.quirks", &given.span(), problem));
        }
        Ok(given.map(Spanned::into_inner))
    }

    /// A text without blanks that is there when its key is.
    fn word(&self, key: &str, given: Option<Spanned<String>>) -> Result<Option<String>, ConfigError> {
        let Some(given) = given else { return Ok(None) };
        let text = given.get_ref();
        if text.is_empty()
            || text.len() > 255
            || text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        {
            let problem = "it is empty, too long, or has blanks; correct it, or remove the line";
            return Err(self.place.error(key, &given.span(), problem));
        }
        Ok(Some(given.into_inner()))
    }

    fn words(&self, key: &str, given: Vec<Spanned<String>>) -> Result<Vec<String>, ConfigError> {
        if let Some(more) = given.get(LONGEST_LIST) {
            return Err(self.place.error(
                key,
                &more.span(),
                format!("these are more than {LONGEST_LIST}; remove some"),
            ));
        }
        let words = given.into_iter().map(|one| self.word(key, Some(one))).collect::<Result<Vec<_>, _>>()?;
        Ok(words.into_iter().flatten().collect())
    }

    fn accounts(&self, table: &str, given: Vec<RawAccount>) -> Result<Vec<Account>, ConfigError> {
        let mut accounts: Vec<Account> = Vec::new();
        for given in given {
            let key = |name: &str| format!("{table}.{name}");
            let (at, name) = (given.user.span(), given.user.into_inner());
            // The camera chose the password; whether it is a good one is not asked here.
            check_name(&name).map_err(|unfit| self.place.error(&key("user"), &at, format!("{unfit}; correct it")))?;
            let password = self.secret(&key("password"), &at, given.password, given.password_file)?;
            let (level_at, level) = match given.level {
                Some(level) => (level.span(), self.role(&key("level"), &level)?),
                None => (at, Role::Administrator),
            };
            if accounts.iter().any(|account| account.level == level) {
                let problem = format!("there is an account with the level {} already; give one a level", level.name());
                return Err(self.place.error(&key("level"), &level_at, problem));
            }
            accounts.push(Account { name, password, level });
        }
        Ok(accounts)
    }

    fn role(&self, key: &str, given: &Spanned<String>) -> Result<Role, ConfigError> {
        given.get_ref().parse().map_err(|error| self.place.error(key, &given.span(), format!("{error}")))
    }

    /// A secret from the file or from one of its own; no error quotes it.
    fn secret(
        &self,
        key: &str,
        at: &std::ops::Range<usize>,
        here: Option<Spanned<RawSecret>>,
        file: Option<Spanned<PathBuf>>,
    ) -> Result<Secret, ConfigError> {
        let (at, secret) = match (here, file) {
            (Some(here), None) => (here.span(), here.into_inner().0),
            (None, Some(file)) => (file.span(), self.secret_file(key, &file)?),
            (None, None) => {
                return Err(self.place.error(key, at, format!("it is missing; add it, or {}_file", last(key))));
            }
            (Some(here), Some(_)) => {
                let problem = format!("it is given twice; remove this line, or that of {}_file", last(key));
                return Err(self.place.error(key, &here.span(), problem));
            }
        };
        let text = secret.reveal();
        if text.is_empty() || text.len() > LONGEST_SECRET || text.chars().any(char::is_control) {
            let problem = format!("it is empty, longer than {LONGEST_SECRET} bytes, or has control characters");
            return Err(self.place.error(key, &at, problem));
        }
        Ok(secret)
    }

    fn secret_file(&self, key: &str, given: &Spanned<PathBuf>) -> Result<Secret, ConfigError> {
        let file = self.folder.join(given.get_ref());
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let problem = format!("{}: {error}; give a file with nothing but the secret in it", file.display());
            self.place.error(&format!("{key}_file"), &given.span(), problem)
        })?;
        Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
    }

    fn believe(&self, key: &str, ca: Option<Spanned<PathBuf>>, insecure: bool) -> Result<Believe, ConfigError> {
        let Some(ca) = ca else { return Ok(if insecure { Believe::Insecure } else { Believe::System }) };
        if insecure {
            let problem = "whom to believe is given twice; remove this line, or insecure";
            return Err(self.place.error(key, &ca.span(), problem));
        }
        let file = self.folder.join(ca.get_ref());
        let read = std::fs::read(&file).map_err(|error| error.to_string());
        let policy = read.and_then(|text| Policy::from_pem(&text).map_err(|error| error.to_string()));
        policy.map(Believe::Policy).map_err(|error| {
            let problem = format!("{}: {error}; give a PEM file with one certificate or more", file.display());
            self.place.error(key, &ca.span(), problem)
        })
    }

    fn discover(&self, given: RawDiscover) -> Result<Discover, ConfigError> {
        let (ipv4, ipv6) = (given.ipv4.as_ref().is_none_or(|given| *given.get_ref()), given.ipv6.unwrap_or(true));
        if let (Some(at), false, false) = (&given.ipv4, ipv4, ipv6) {
            let problem = "neither IPv4 nor IPv6 is left; remove [discover] to look for no cameras";
            return Err(self.place.error("discover.ipv4", &at.span(), problem));
        }
        Ok(Discover {
            interfaces: self.words("discover.interfaces", given.interfaces)?,
            ipv4,
            ipv6,
            scopes: self.words("discover.scopes", given.scopes)?,
            ignore: self.words("discover.ignore", given.ignore)?,
            every: Duration::from_secs(self.place.number(
                "discover.every_seconds",
                given.every_seconds,
                10..=86_400,
                60,
            )?),
            most: self.place.number("discover.most", given.most, 1..=MOST_CAMERAS as i64, 256)? as usize,
            believe: self.believe("discover.ca", given.ca, given.insecure)?,
            accounts: self.accounts("discover.account", given.account)?,
        })
    }

    fn cloud(&self, given: RawCloud) -> Result<BridgeCloud, ConfigError> {
        let at = given.url.span();
        let bad = |problem: String| self.place.error("bridge.cloud.url", &at, problem);
        let url: url::Url = given.url.get_ref().parse().map_err(|error| bad(format!("it is no address ({error})")))?;
        if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
            return Err(bad("give an https address without an account, such as https://cloud.example:8443".to_owned()));
        }
        let code = self.secret("bridge.cloud.code", &at, given.code, given.code_file)?;
        let mut cloud = BridgeCloud::new(url, code);
        cloud.believe = self.believe("bridge.cloud.ca", given.ca, given.insecure)?;
        if let Some(levels) = given.levels {
            if levels.get_ref().is_empty() {
                let problem = "it is empty; give Administrator, Operator or User";
                return Err(self.place.error("bridge.cloud.levels", &levels.span(), problem));
            }
            let role = |level: &Spanned<String>| self.role("bridge.cloud.levels", level);
            cloud.levels = levels.get_ref().iter().map(role).collect::<Result<_, _>>()?;
        }
        Ok(cloud)
    }
}

/// The last part of a key.
fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
