//! From the raw configuration to the checked one; every refusal names key and line and says what to do.

use super::raw::{Raw, RawCertificate, RawDiscovery, RawPolicy, RawUser};
use super::{CallOut, Config, ConfigError, DEVICE_CERTIFICATE, DiscoveryConfig, IpNet, network};
use crate::accounts::{MAX_USERS, Unfit, check_name, check_password, nobody_administrates};
use crate::store::Account;
use oriel_trust::{Identity, Policy};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;
use toml::Spanned;

/// Names the places of a text.
pub(super) struct Place<'a>(pub(super) &'a str);

impl Place<'_> {
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        1 + self.0.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()
    }

    pub(super) fn error(&self, key: &str, span: &Range<usize>, problem: impl Into<String>) -> ConfigError {
        ConfigError { file: None, line: Some(self.line(span)), key: Some(key.to_owned()), problem: problem.into() }
    }

    /// What the parser says, with the key that it means.
    pub(super) fn parser_error(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span();
        let message = error.message();
        let quoted = message.split('`').nth(1);
        let named = ["unknown field", "missing field", "duplicate"].iter().any(|start| message.starts_with(start));
        let line = span.as_ref().map(|span| self.line(span));
        let key = quoted.filter(|_| named).map(str::to_owned).or_else(|| line.and_then(|line| self.key_on(line)));
        let advice = match message {
            message if message.starts_with("unknown field") => "; correct the name, or remove the line",
            message if message.starts_with("missing field") => "; add it",
            _ => "",
        };
        ConfigError { file: None, line, key, problem: format!("{}{advice}", message.replace("field", "key")) }
    }

    fn key_on(&self, line: usize) -> Option<String> {
        let (key, _) = self.0.lines().nth(line - 1)?.split_once('=')?;
        Some(key.trim().to_owned())
    }

    pub(super) fn number(
        &self,
        key: &str,
        given: Option<Spanned<i64>>,
        allowed: RangeInclusive<i64>,
        default: u64,
    ) -> Result<u64, ConfigError> {
        let Some(given) = given else { return Ok(default) };
        u64::try_from(*given.get_ref()).ok().filter(|_| allowed.contains(given.get_ref())).ok_or_else(|| {
            let problem = format!(
                "{} is out of range; give a number from {} to {}",
                given.get_ref(),
                allowed.start(),
                allowed.end()
            );
            self.error(key, &given.span(), problem)
        })
    }

    pub(super) fn networks(&self, key: &str, given: &[Spanned<String>]) -> Result<Vec<IpNet>, ConfigError> {
        let parse = |text: &Spanned<String>| {
            network::parse(text.get_ref()).ok_or_else(|| {
                let problem = format!(
                    "\"{}\" is no range of addresses; give one such as 192.168.0.0/16 or fd00::/8",
                    text.get_ref()
                );
                self.error(key, &text.span(), problem)
            })
        };
        given.iter().map(parse).collect()
    }

    pub(super) fn listen(&self, given: Spanned<Vec<Spanned<String>>>) -> Result<Vec<SocketAddr>, ConfigError> {
        if given.get_ref().is_empty() {
            let problem = "it is empty; give an address and a port such as \"0.0.0.0:8080\"";
            return Err(self.error("listen", &given.span(), problem));
        }
        let parse = |text: Spanned<String>| {
            let problem =
                || format!("\"{}\" is no address with a port; give one such as \"0.0.0.0:8080\"", text.get_ref());
            text.get_ref().parse().map_err(|_| self.error("listen", &text.span(), problem()))
        };
        given.into_inner().into_iter().map(parse).collect()
    }

    fn text(&self, key: &str, given: Option<Spanned<String>>, default: &mut String) -> Result<(), ConfigError> {
        let Some(given) = given else { return Ok(()) };
        if given.get_ref().trim().is_empty() || given.get_ref().chars().any(char::is_control) {
            return Err(self.error(
                key,
                &given.span(),
                "it is empty or has control characters; write a name, or remove the line",
            ));
        }
        *default = given.into_inner();
        Ok(())
    }

    fn discovery(&self, given: RawDiscovery) -> Result<DiscoveryConfig, ConfigError> {
        if let Some(on) = given.enabled.as_ref().filter(|on| *on.get_ref() && !cfg!(feature = "discovery")) {
            let problem = "this program was built without discovery; remove the line";
            return Err(self.error("discovery.enabled", &on.span(), problem));
        }
        let mut config = DiscoveryConfig { enabled: given.enabled.map(Spanned::into_inner), ..Default::default() };
        for name in given.interfaces {
            let (at, name) = (name.span(), name.into_inner());
            // Linux: 15 bytes, and a name in its folders.
            if name.is_empty() || name.len() > 15 || name.contains(['/', ' ']) {
                let problem = format!("\"{name}\" is no name of an interface; give one such as \"eth0\"");
                return Err(self.error("discovery.interfaces", &at, problem));
            }
            config.interfaces.push(name);
        }
        Ok(config)
    }

    fn users(&self, given: Vec<RawUser>) -> Result<Vec<Account>, ConfigError> {
        let mut accounts: Vec<Account> = Vec::new();
        let first = given.first().map(|user| user.level.span());
        for user in given {
            let (at, name) = (user.name.span(), user.name.into_inner());
            check_name(&name).map_err(|unfit| self.error("user.name", &at, format!("{unfit}; choose another one")))?;
            if accounts.iter().any(|account| account.name == name) {
                return Err(self.error("user.name", &at, format!("\"{name}\" is there twice; remove one of the two")));
            }
            let (at, password) = (user.password.span(), user.password.into_inner().0);
            check_password(&name, password.reveal())
                .map_err(|unfit: Unfit| self.error("user.password", &at, format!("{unfit}; choose another one")))?;
            let level = user.level.get_ref().parse();
            let level = level.map_err(|error| self.error("user.level", &user.level.span(), format!("{error}")))?;
            accounts.push(Account { name, password, level });
        }
        if let Some(first) = first {
            if nobody_administrates(&accounts) {
                return Err(self.error("user.level", &first, "nobody is Administrator; give one user this level"));
            }
            if accounts.len() > MAX_USERS {
                return Err(self.error("user", &first, format!("there are more than {MAX_USERS} users; remove some")));
            }
        }
        Ok(accounts)
    }

    /// The security service shows the id, and its schema has names of 64 characters there; our anchors have a few more than their policy.
    fn name_of_schema(&self, key: &str, at: &Range<usize>, id: &str) -> Result<(), ConfigError> {
        let first = id.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        let rest = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if first && rest && id.len() <= 48 {
            return Ok(());
        }
        let problem =
            format!("\"{id}\" is no name; give up to 48 letters, digits, -, _ and ., beginning with a letter");
        Err(self.error(key, at, problem))
    }

    fn certificates(
        &self,
        given: Vec<RawCertificate>,
        folder: &Path,
    ) -> Result<BTreeMap<String, Identity>, ConfigError> {
        let mut certificates = BTreeMap::new();
        for entry in given {
            let (at, id) = (entry.id.span(), entry.id.into_inner());
            if id.is_empty() || id == DEVICE_CERTIFICATE {
                let problem = format!(
                    "\"{DEVICE_CERTIFICATE}\" is the device's own certificate; give this one another id, which is not empty"
                );
                return Err(self.error("certificate.id", &at, problem));
            }
            self.name_of_schema("certificate.id", &at, &id)?;
            let identity =
                Identity::load(&folder.join(entry.chain.get_ref()), &folder.join(&entry.key)).map_err(|error| {
                    let problem = format!("{error}; give PEM files of a certificate chain and of its private key");
                    self.error("certificate.chain", &entry.chain.span(), problem)
                })?;
            if certificates.insert(id, identity).is_some() {
                return Err(self.error("certificate.id", &at, "this id is there twice; rename one of the two"));
            }
        }
        Ok(certificates)
    }

    fn policies(&self, given: Vec<RawPolicy>, folder: &Path) -> Result<BTreeMap<String, Policy>, ConfigError> {
        let mut policies = BTreeMap::new();
        for entry in given {
            let (at, id) = (entry.id.span(), entry.id.into_inner());
            if id.is_empty() {
                return Err(self.error("policy.id", &at, "it is empty; give it an id for SetUplink to name"));
            }
            self.name_of_schema("policy.id", &at, &id)?;
            let file = folder.join(entry.anchors.get_ref());
            let anchors = std::fs::read(&file)
                .map_err(|error| error.to_string())
                .and_then(|text| Policy::from_pem(&text).map_err(|error| error.to_string()));
            let policy = anchors.map_err(|error| {
                let problem = format!("{}: {error}; give a PEM file with one certificate or more", file.display());
                self.error("policy.anchors", &entry.anchors.span(), problem)
            })?;
            if policies.insert(id, policy).is_some() {
                return Err(self.error("policy.id", &at, "this id is there twice; rename one of the two"));
            }
        }
        Ok(policies)
    }
}

impl Place<'_> {
    fn known_policy(
        &self,
        key: &str,
        given: Option<Spanned<String>>,
        policies: &BTreeMap<String, Policy>,
    ) -> Result<Option<String>, ConfigError> {
        let Some(given) = given else { return Ok(None) };
        if !policies.contains_key(given.get_ref()) {
            let problem = format!("there is no policy \"{}\"; give the id of a [[policy]]", given.get_ref());
            return Err(self.error(key, &given.span(), problem));
        }
        Ok(Some(given.into_inner()))
    }
}

/// Reads and checks the text of a configuration file.
pub(super) fn parse(text: &str, folder: &Path) -> Result<Config, ConfigError> {
    let place = Place(text);
    let raw: Raw = toml::from_str(text).map_err(|error| place.parser_error(&error))?;
    let mut config = Config::new(folder.join(raw.data.unwrap_or_else(|| "oriel-device".into())));

    if let Some(listen) = raw.listen {
        config.listen = place.listen(listen)?;
    }

    let information = &mut config.information;
    place.text("manufacturer", raw.manufacturer, &mut information.manufacturer)?;
    place.text("model", raw.model, &mut information.model)?;
    place.text("firmware", raw.firmware, &mut information.firmware_version)?;
    place.text("hardware", raw.hardware, &mut information.hardware_id)?;
    place.text("name", raw.name, &mut information.name)?;
    for (key, given, wanted) in
        [("serial", raw.serial, &mut information.serial_number), ("location", raw.location, &mut information.location)]
    {
        let mut text = String::new();
        place.text(key, given, &mut text)?;
        *wanted = Some(text).filter(|text| !text.is_empty());
    }

    config.max_uplinks = place.number("max_uplinks", raw.max_uplinks, 1..=64, 8)? as usize;
    config.max_event_brokers = place.number("max_event_brokers", raw.max_event_brokers, 0..=16, 4)? as usize;
    config.insecure_event_brokers = raw.insecure_event_brokers;
    config.max_connections = place.number("max_connections", raw.max_connections, 4..=4096, 192)? as usize;
    config.max_body = place.number("max_body_bytes", raw.max_body_bytes, 4096..=16 * 1024 * 1024, 256 * 1024)? as usize;
    let tolerance = place.number("clock_tolerance_seconds", raw.clock_tolerance_seconds, 5..=86_400, 300)?;
    config.clock_tolerance = Duration::from_secs(tolerance);
    config.insecure_uplinks = raw.insecure_uplinks;
    config.call_out = CallOut {
        allowed: place.networks("allow_private_addresses", &raw.allow_private_addresses)?,
        allowed_by_uplink: place
            .networks("allow_private_addresses_by_uplink", &raw.allow_private_addresses_by_uplink)?,
    };
    config.discovery = place.discovery(raw.discovery)?;
    if let Some(events) = raw.events {
        config.sources = events.check(&place)?;
    }
    config.users = place.users(raw.user)?;
    config.certificates = place.certificates(raw.certificate, folder)?;
    config.policies = place.policies(raw.policy, folder)?;
    config.consumer_policy = place.known_policy("consumer_policy", raw.consumer_policy, &config.policies)?;
    Ok(config)
}
