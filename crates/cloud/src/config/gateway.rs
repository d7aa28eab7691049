//! The keys that concern the gateway, checked.

use super::raw::{RawOrganisation, value, within};
use super::{ConfigError, OrganisationBounds};

/// What an organisation may ask that has no limits of its own.
pub(super) fn organisation(raw: &RawOrganisation) -> Result<OrganisationBounds, ConfigError> {
    let most = 1 << 40;
    let requests = within("limits.organisation.requests_per_second", raw.requests_per_second, 1, most)?;
    let kib = within("limits.organisation.kib_per_second", raw.kib_per_second, 1, most)?;
    Ok(OrganisationBounds {
        requests_per_second: requests as u64,
        streams: within("limits.organisation.streams", raw.streams, 1, most)? as u64,
        bytes_per_second: kib as u64 * 1024,
    })
}

/// The devices' domain. Where the cloud's own names are at it or below it, a device could be what the dashboard is.
pub(super) fn domain(text: &str, names: &[String]) -> Result<Option<String>, ConfigError> {
    if text.is_empty() {
        return Ok(None);
    }
    let domain = text.to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    // An id of a device and a dot stand before it.
    if domain.len() > 220 || !domain.split('.').all(label) || domain.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(value("domain", format!("`{text}` is not a name such as cams.example.org")));
    }
    let taken = |name: &&String| {
        let name = name.to_ascii_lowercase();
        name.strip_suffix(domain.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    match names.iter().find(taken) {
        Some(name) => {
            let reason = format!("`{name}` is a name of the cloud itself; devices need a domain beside it or below it");
            Err(value("domain", reason))
        }
        None => Ok(Some(domain)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use std::path::Path;

    #[test]
    fn the_domain_of_the_devices_stands_beside_the_cloud_or_below_it() {
        let domain = |text: &str| Config::parse(text, Path::new("")).unwrap().domain;
        let beside = "domain = \"Cams.Example.org\"\nnames = [\"cloud.example.org\", \"::1\", \"notcams.example.org\"]";
        assert_eq!(domain(beside).as_deref(), Some("cams.example.org"));
        assert_eq!(domain("domain = \"devices.localhost\"").as_deref(), Some("devices.localhost"));
        assert_eq!(domain(""), None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, expected) in [
            ("domain = \"a b\"", "domain: `a b` is not a name"),
            ("domain = \"*.example.org\"", "domain: `*.example.org` is not a name"),
            ("domain = \"example.org.\"", "domain: `example.org.` is not a name"),
            ("domain = \"a.example\"\nnames = [\"b.example\"]\n[acme]\ndirectory = \"https://a\"", "takes DNS-01"),
            ("domain = \"10.0.0.1\"", "domain: `10.0.0.1` is not a name"),
            ("domain = \"Example.org\"\nnames = [\"example.org\"]", "domain: `example.org` is a name of the cloud"),
            ("domain = \"example.org\"\nnames = [\"Cloud.example.org\"]", "domain: `Cloud.example.org` is a name"),
            ("[limits.organisation]\nstreams = 0", "limits.organisation.streams: 0 is not within"),
        ] {
            let error = Config::parse(text, Path::new("")).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
