//! One camera of a bridge's list, checked, and what two cameras of a list must not share.

use crate::store::Account;
use oriel_trust::{Policy, Validation};
use std::net::IpAddr;
use url::{Host, Url};

/// Where a device service is when an address says no path (Core §8.1.2.1 names it for everybody).
const DEVICE_SERVICE: &str = "/onvif/device_service";

/// Whom the bridge believes to be the camera, where it is asked by https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Believe {
    /// Who has a certificate of the system's authorities.
    System,
    /// Who has a certificate of these.
    Policy(Policy),
    /// Anybody: most cameras make their certificates themselves.
    Insecure,
}

impl Believe {
    /// How a server's certificate is checked then.
    pub(super) fn validation(&self) -> Validation {
        match self {
            Self::System => Validation::SystemRoots,
            Self::Policy(policy) => Validation::Policy(policy.clone()),
            Self::Insecure => Validation::Insecure,
        }
    }
}

/// One camera of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraEntry {
    /// Its folder, and its segment of the bridge's paths: letters, digits and `-`.
    pub name: String,
    /// Its device service on the LAN.
    pub address: Url,
    /// Who is believed to be it.
    pub believe: Believe,
    /// The quirk profile by name; without one it is chosen by what the camera says of itself.
    pub quirks: Option<String>,
    /// Its accounts, one a level at most.
    pub accounts: Vec<Account>,
    /// Its endpoint reference (WS-Discovery), by which it is found again when its address has changed.
    pub endpoint: Option<String>,
}

impl CameraEntry {
    /// A camera without accounts.
    pub fn new(name: impl Into<String>, address: Url) -> Self {
        let (name, accounts) = (name.into(), Vec::new());
        Self { name, address, believe: Believe::System, quirks: None, accounts, endpoint: None }
    }
}

/// Checks a camera's name.
///
/// # Errors
/// What is wrong with it.
pub fn camera_name(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if plain && (1..=64).contains(&text.len()) && !text.starts_with('-') {
        return Ok(());
    }
    Err(format!("\"{text}\" is no name; give up to 64 small letters, digits and -, beginning with a letter or a digit"))
}

/// Reads a camera's address.
///
/// # Errors
/// What is wrong with it; an account in it is not repeated.
pub fn camera_address(text: &str) -> Result<Url, String> {
    const LIKE: &str = "give one such as http://192.168.1.20/onvif/device_service";
    let mut url: Url = text.parse().map_err(|error| format!("it is no address ({error}); {LIKE}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("a camera's address begins with http:// or https://; {LIKE}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an account is given as [[camera.account]], not in the address".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("a device service's address has neither ? nor #; {LIKE}"));
    }
    let nobody = match url.host() {
        Some(Host::Ipv4(host)) => host.is_unspecified() || host.is_multicast() || host.is_broadcast(),
        Some(Host::Ipv6(host)) => host.is_unspecified() || host.is_multicast(),
        Some(Host::Domain(_)) => false,
        None => true,
    };
    if nobody {
        return Err(format!("this address is no single camera's; {LIKE}"));
    }
    if url.path() == "/" {
        url.set_path(DEVICE_SERVICE);
    }
    Ok(url)
}

/// The name of a camera that came without one, by where it is.
pub fn name_by_address(address: &Url) -> String {
    let is_loopback = match address.host() {
        Some(Host::Ipv4(host)) => host.is_loopback(),
        Some(Host::Ipv6(host)) => host.is_loopback(),
        _ => false,
    };
    let port = address.port().map(|port| format!("-{port}")).unwrap_or_default();
    if is_loopback {
        return format!("camera{port}");
    }
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let host: String = address.host_str().unwrap_or_default().chars().map(plain).collect();
    let mut name = format!("{}{port}", host.trim_matches('-'));
    name.truncate(64);
    name
}

/// Two cameras of a list that cannot both be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clash {
    /// The index of the earlier one.
    pub first: usize,
    /// The index of the later one.
    pub second: usize,
    /// What they share: `name`, `address` or `endpoint`.
    pub shared: &'static str,
}

/// The first two cameras that share a name, an address or an endpoint reference: one camera would be two devices.
pub fn clash(cameras: &[CameraEntry]) -> Option<Clash> {
    let shared = |one: &CameraEntry, other: &CameraEntry| {
        if one.name == other.name {
            Some("name")
        } else if same_place(&one.address, &other.address) {
            Some("address")
        } else if matches!((&one.endpoint, &other.endpoint), (Some(one), Some(other)) if same_endpoint(one, other)) {
            Some("endpoint")
        } else {
            None
        }
    };
    (0..cameras.len()).find_map(|second| {
        let found = |first| Some(Clash { first, second, shared: shared(&cameras[first], &cameras[second])? });
        (0..second).find_map(found)
    })
}

/// Whether two addresses lead to one camera: a second path or scheme at one host and port makes no second camera.
pub(super) fn same_place(one: &Url, other: &Url) -> bool {
    one.host() == other.host() && one.port_or_known_default() == other.port_or_known_default()
}

/// Whether two endpoint references are one. They are compared as the URIs that they are (WS-Discovery 1.1 §2.6), but UUIDs are written in either case.
pub(super) fn same_endpoint(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

/// Whether a packet's word for its sender's address may be followed: another machine in one of our own networks, each given as our address in it. What is
/// behind a router, private or not, is no neighbour; nor is what answers for machines in general, such as a cloud's metadata service.
pub(super) fn is_on_lan(address: IpAddr, own_networks: &[ipnet::IpNet]) -> bool {
    let address = address.to_canonical();
    let nobody = match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => {
            // fd00:ec2::254 is the metadata service of a large cloud.
            let metadata = v6.segments()[..2] == [0xfd00, 0x0ec2];
            v6.is_loopback() || v6.is_unicast_link_local() || metadata
        }
    };
    !nobody
        && !address.is_multicast()
        && !address.is_unspecified()
        && own_networks.iter().any(|network| network.contains(&address))
        && own_networks.iter().all(|network| network.addr() != address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, address: &str, endpoint: Option<&str>) -> CameraEntry {
        CameraEntry {
            endpoint: endpoint.map(str::to_owned),
            ..CameraEntry::new(name, camera_address(address).unwrap())
        }
    }

    #[test]
    fn names_are_folders_and_path_segments() {
        for name in ["a", "gate-2", "0", &"x".repeat(64)] {
            assert_eq!(camera_name(name), Ok(()), "{name}");
        }
        for name in ["", "-a", "A", "a.b", "..", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(camera_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn addresses_are_a_single_cameras_and_say_no_account() {
        let read = |text: &str| camera_address(text).map(|url| url.to_string());
        assert_eq!(read("http://10.0.0.5").unwrap(), "http://10.0.0.5/onvif/device_service");
        assert_eq!(read("https://Gate.local:8443/x").unwrap(), "https://gate.local:8443/x");
        assert_eq!(read("http://127.0.0.1/").unwrap(), "http://127.0.0.1/onvif/device_service");
        for (text, word) in [
            ("10.0.0.5", "no address"),
            ("ftp://10.0.0.5/", "http://"),
            ("rtsp://10.0.0.5/", "http://"),
            ("http://eve:horse@10.0.0.5/", "[[camera.account]]"),
            ("http://10.0.0.5/x?y", "neither"),
            ("http://10.0.0.5/x#y", "neither"),
            ("http://0.0.0.0/", "no single"),
            ("http://239.255.255.250/", "no single"),
            ("http://255.255.255.255/", "no single"),
            ("http://[ff02::c]/", "no single"),
            ("http://[::]/", "no single"),
        ] {
            let refused = camera_address(text).unwrap_err();
            assert!(refused.contains(word) && !refused.contains("horse"), "{text}: {refused}");
        }
    }

    #[test]
    fn who_has_no_name_is_called_by_his_place() {
        let name = |address: &str| name_by_address(&camera_address(address).unwrap());
        assert_eq!(name("http://10.0.0.5"), "10-0-0-5");
        assert_eq!(name("https://Gate.local:8443/x"), "gate-local-8443");
        assert_eq!(name("http://127.0.0.1"), "camera");
        assert_eq!(name("http://[::1]:81"), "camera-81");
        for address in ["http://[fd00::5]:80/", "http://a.b.c.d.e.example/", &format!("http://{}.x/", "y".repeat(63))] {
            camera_name(&name(address)).unwrap();
        }
    }

    #[test]
    fn one_camera_is_in_a_list_once() {
        let one = entry("a", "http://10.0.0.5", Some("urn:uuid:1"));
        let clash_with = |other: CameraEntry| clash(&[one.clone(), other]).map(|clash| clash.shared);
        assert_eq!(clash_with(entry("b", "http://10.0.0.6", Some("urn:uuid:2"))), None);
        assert_eq!(clash_with(entry("b", "http://10.0.0.6", None)), None);
        assert_eq!(clash_with(entry("a", "http://10.0.0.6", None)), Some("name"));
        assert_eq!(clash_with(entry("b", "http://10.0.0.5:80/other", None)), Some("address"));
        assert_eq!(clash_with(entry("b", "http://10.0.0.5:81", None)), None);
        assert_eq!(clash_with(entry("b", "http://10.0.0.6", Some("urn:UUID:1"))), Some("endpoint"));
    }

    #[test]
    fn what_a_packet_says_leads_to_our_own_networks_alone() {
        let own = "203.0.113.1/24 10.0.0.1/16 fd12::1/64 169.254.9.9/16 127.0.0.1/8 fe80::1/64 fd00:ec2::1/64 ::1/128";
        let own: Vec<ipnet::IpNet> = own.split_whitespace().map(|network| network.parse().unwrap()).collect();
        for address in "10.0.0.5 10.0.255.1 203.0.113.7 fd12::5 ::ffff:10.0.0.5".split_whitespace() {
            assert!(is_on_lan(address.parse().unwrap(), &own), "{address}");
        }
        let never = "127.0.0.1 127.8.8.8 0.0.0.0 255.255.255.255 169.254.169.254 169.254.1.1 239.255.255.250 8.8.8.8 \
                     203.0.112.7 ::1 :: ff02::c fe80::2 fd00:ec2::254 2606:4700::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 \
                     10.1.0.5 172.16.0.1 192.168.1.20 fd13::5 10.0.0.1 203.0.113.1 fd12::1 ::ffff:10.0.0.1";
        for address in never.split_whitespace() {
            assert!(!is_on_lan(address.parse().unwrap(), &own), "{address}");
        }
    }
}
