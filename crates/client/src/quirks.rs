//! What is odd about a camera, as data: what is sent differently, and how much is asked of it at once.
//!
//! A [`Profile`] is a named set of quirks; those of `quirks.toml` come with the program.

use std::sync::LazyLock;

use serde::Deserialize;

/// What is odd about a camera. The default is a camera without oddities: it says what it wants, and gets it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Quirks {
    /// What stands in `Host`, for a camera that answers to the name alone that it has for itself. Else the host that it is asked at.
    pub authority: Option<String>,
    /// What is shown of an account, for a camera that does not say it, or says it wrongly.
    pub credentials: Shown,
    /// Whether the action stands beside the envelope: some cameras dispatch on it alone, as all clients made from WSDL send it; others stumble over it.
    pub action: Action,
    /// `"1.0"` for a camera that breaks off answers to HTTP/1.1.
    pub http_version: HttpVersion,
    /// False for a camera that answers once on a connection and then neither closes it nor answers again.
    pub keep_alive: bool,
    /// How many requests it takes at one time: small web servers answer the next one with a reset.
    pub connections: u16,
    /// The camera's clock less ours in seconds, for one that does not tell its time without credentials, or tells another than it checks tokens by.
    pub clock_offset_s: Option<i64>,
    /// True for a camera that cannot read fractions of a second in a token's `Created`.
    pub whole_seconds: bool,
    /// Shortest wait for an answer in seconds, for a camera that needs longer than others.
    pub patience_s: u64,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            authority: None,
            credentials: Shown::Auto,
            action: Action::Always,
            http_version: HttpVersion::Http11,
            keep_alive: true,
            connections: 10,
            clock_offset_s: None,
            whole_seconds: false,
            patience_s: 0,
        }
    }
}

/// What is shown of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// What the camera asks for: HTTP Digest, a UsernameToken, or both.
    #[default]
    Auto,
    /// HTTP Digest alone.
    Digest,
    /// A UsernameToken alone, from the first request on: the camera's web server challenges although its SOAP wants a token.
    UsernameToken,
    /// Both, from the first request on.
    Both,
}

/// Whether the action stands in `Content-Type`, or in the header of SOAP 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// In `Content-Type`, if whoever asks gave one.
    Given,
    /// Nowhere.
    Never,
    /// In `Content-Type`, made from the envelope where none was given.
    #[default]
    Always,
    /// As [`Action::Always`], and in `SOAPAction` as well.
    Header,
}

/// The version in the request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum HttpVersion {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "1.1")]
    Http11,
    /// HTTP/1.0.
    #[serde(rename = "1.0")]
    Http10,
}

/// A named set of quirks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// By which a configuration chooses it.
    pub name: String,
    /// What cameras of this kind do, in one line.
    pub reason: String,
    /// Cameras that are of this kind by what they say of themselves.
    #[serde(default)]
    cameras: Vec<Cameras>,
    /// What is done about it.
    pub quirks: Quirks,
}

/// Cameras by GetDeviceInformation: each text that is given begins theirs, in whatever case.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Cameras {
    manufacturer: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    firmware: String,
}

impl Cameras {
    fn has(&self, manufacturer: &str, model: &str, firmware: &str) -> bool {
        let begins = |text: &str, with: &str| {
            text.trim_start().get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
        };
        begins(manufacturer, &self.manufacturer) && begins(model, &self.model) && begins(firmware, &self.firmware)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: Vec<Profile>,
}

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let file: File =
        toml::from_str(include_str!("quirks.toml")).expect("it comes with the program, and a test reads it");
    file.profile
});

impl Profile {
    /// Those that come with the program.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &PROFILES
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }

    /// The first that knows the camera by what GetDeviceInformation says.
    #[must_use]
    pub fn of(manufacturer: &str, model: &str, firmware: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.cameras.iter().any(|known| known.has(manufacturer, model, firmware)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_profile_that_comes_along_says_why_and_does_something() {
        let names: HashSet<&str> = Profile::all().iter().map(|profile| &*profile.name).collect();
        assert_eq!(names.len(), Profile::all().len(), "a name is for one");
        for profile in Profile::all() {
            assert!(profile.reason.len() > 20, "{}", profile.name);
            assert_ne!(profile.quirks, Quirks::default(), "{}", profile.name);
            assert!(profile.quirks.connections > 0, "{}", profile.name);
            assert!(std::ptr::eq(Profile::named(&profile.name).unwrap(), profile));
        }
        assert!(Profile::named("none of them").is_none());
    }

    #[test]
    fn a_camera_is_known_by_what_it_says_of_itself() {
        let file: File = toml::from_str(
            r#"
            [[profile]]
            name = "old"
            reason = "x"
            cameras = [{ manufacturer = "Maker", model = "M1", firmware = "1." }, { manufacturer = "Other" }]
            quirks = { http-version = "1.0", authority = "cam", clock-offset-s = -3600, patience-s = 5, action = "always" }
            "#,
        )
        .unwrap();
        let known = |manufacturer, model, firmware| {
            file.profile[0].cameras.iter().any(|cameras| cameras.has(manufacturer, model, firmware))
        };
        assert!(known("MAKER", "m1-PTZ", "1.2.3") && known("Other GmbH", "", "") && known(" other", "x", "y"));
        assert!(
            !known("Maker", "M2", "1.0") && !known("Maker", "M1", "2.0") && !known("", "", "") && !known("Mäk", "", "")
        );
        assert_eq!(file.profile[0].quirks.clock_offset_s, Some(-3600));
        for wrong in ["keepalive = true", "http-version = \"2\"", "credentials = \"basic\""] {
            assert!(toml::from_str::<Quirks>(wrong).is_err(), "{wrong}");
        }
    }
}
