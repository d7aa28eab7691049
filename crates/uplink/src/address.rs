//! `RemoteAddress` of an uplink configuration (Uplink §5.1, §6.1): where to dial and in which form.

use std::{fmt, net::IpAddr, str::FromStr};

/// How HTTP/2 travels after the upgrade. The scheme of the address decides (Uplink §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `https`: HTTP/2 directly on the upgraded connection.
    Native,
    /// `wss`: HTTP/2 inside binary WebSocket messages.
    WebSocket,
}

impl Form {
    /// The URL scheme that asks for this form.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Native => "https",
            Self::WebSocket => "wss",
        }
    }
}

/// The host of a remote address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name to be resolved.
    Name(String),
    /// An address literal.
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// A parsed `RemoteAddress`. [`fmt::Display`] gives the text back that was parsed: it is the configuration's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteAddress {
    text: String,
    form: Form,
    host: Host,
    port: u16,
    target: String,
}

/// Why a text is no remote address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not a URL at all.
    #[error("not a URL: {0}")]
    Url(String),
    /// A URL with a scheme other than https and wss.
    #[error("protocol {0:?} is not supported, only https and wss")]
    Protocol(String),
    /// A URL with a user name or password in it.
    #[error("the address must not hold a user name or password")]
    UserInfo,
    /// A URL without a host.
    #[error("the address has no host")]
    Host,
}

impl RemoteAddress {
    /// The form that the scheme asks for.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The host to dial and to check the certificate for.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port; 443 where none is given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, `/` if empty. A query may hold a token: do not log it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Host and, unless it is 443, port: what `Host` carries.
    pub fn authority(&self) -> String {
        if self.port == 443 { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl FromStr for RemoteAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let url = url::Url::parse(text.trim()).map_err(|error| AddressError::Url(error.to_string()))?;
        let form = match url.scheme() {
            "https" => Form::Native,
            "wss" => Form::WebSocket,
            other => return Err(AddressError::Protocol(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::UserInfo);
        }
        let host = match url.host() {
            Some(url::Host::Domain(name)) => Host::Name(name.to_owned()),
            Some(url::Host::Ipv4(ip)) => Host::Ip(ip.into()),
            Some(url::Host::Ipv6(ip)) => Host::Ip(ip.into()),
            None => return Err(AddressError::Host),
        };
        let mut target = url.path().to_owned();
        if let Some(query) = url.query() {
            target.push('?');
            target.push_str(query);
        }
        let port = url.port_or_known_default().unwrap_or(443);
        Ok(Self { text: text.trim().to_owned(), form, host, port, target })
    }
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Form, String, u16, String, String) {
        let a: RemoteAddress = text.parse().unwrap();
        (a.form(), a.host().to_string(), a.port(), a.target().to_owned(), a.authority())
    }

    #[test]
    fn the_scheme_decides_the_form_and_an_empty_path_is_a_slash() {
        let got = parsed("https://cloud.example");
        assert_eq!(got, (Form::Native, "cloud.example".into(), 443, "/".into(), "cloud.example".into()));
        let got = parsed("wss://cloud.example:8443/up?x=1&y=%20#frag");
        let want = (Form::WebSocket, "cloud.example".into(), 8443, "/up?x=1&y=%20".into(), "cloud.example:8443".into());
        assert_eq!(got, want);
    }

    #[test]
    fn address_literals_keep_their_brackets_in_the_authority() {
        let got = parsed("https://[2001:db8::1]:444/a");
        assert_eq!(got, (Form::Native, "[2001:db8::1]".into(), 444, "/a".into(), "[2001:db8::1]:444".into()));
        assert_eq!(parsed("wss://192.0.2.7").1, "192.0.2.7");
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_with_its_reason() {
        let fails = |text: &str| text.parse::<RemoteAddress>().unwrap_err();
        assert_eq!(fails("http://cloud.example"), AddressError::Protocol("http".into()));
        assert_eq!(fails("ws://cloud.example"), AddressError::Protocol("ws".into()));
        assert_eq!(fails("https://user:secret@cloud.example"), AddressError::UserInfo);
        assert!(matches!(fails("cloud.example"), AddressError::Url(_)));
        assert!(matches!(fails("https://"), AddressError::Url(_)));
        assert!(matches!(fails("https://a:99999/"), AddressError::Url(_)));
    }

    #[test]
    fn the_text_that_was_configured_is_given_back_unchanged() {
        let text = "HTTPS://Cloud.Example:443/Path";
        assert_eq!(text.parse::<RemoteAddress>().unwrap().to_string(), text);
    }
}
