//! `oriel discover`: the cameras on the networks of this machine, by WS-Discovery.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use oriel_client::discovery::{Discovery, Found, Heard, Options, Probe};
use oriel_onvif::discovery::{key, printable};
use oriel_onvif::ns;
use oriel_soap::xml::QName;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use url::{Host, Url};

use crate::exit::{BadUsage, NothingFound};
use crate::output::Output;

/// Find the cameras on the networks of this machine, by WS-Discovery.
///
/// The question goes out on each interface, by IPv4 and IPv6. ADDRESS is one that the camera itself named for itself; what it says of other hosts is not taken.
#[derive(Args)]
pub(crate) struct Discover {
    /// Ask on this interface; several may be given. Without, on every one that is up and can multicast, but for loopback.
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// How long to wait for answers, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    wait: u64,
    /// Types to ask for, each by itself, such as tds:Device or {namespace}Name; `any` asks for whatever answers, printers too.
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',', default_value = "dn:NetworkVideoTransmitter,tds:Device")]
    types: Vec<String>,
    /// Only devices with this scope: a URI, or what comes behind onvif://www.onvif.org/, such as location/city. Of several, a device has to have all.
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Only the device of this endpoint reference, `urn:uuid:…`: where it is now.
    #[arg(long, value_name = "URN", conflicts_with_all = ["types", "scope", "watch"])]
    endpoint: Option<String>,
    /// Go on, and tell who comes (Hello) and who leaves (Bye). Ends on Ctrl-C.
    #[arg(long)]
    watch: bool,
    /// By IPv4 alone.
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// By IPv6 alone.
    #[arg(short = '6', long)]
    ipv6: bool,
}

impl Discover {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut signals = super::Signals::new()?;
        let mut probe = Probe::default();
        probe.wait = Duration::from_secs(self.wait);
        probe.types = types(&self.types)?;
        probe.scopes = self.scope.iter().map(|scope| whole_scope(scope)).collect();
        let discovery = self.open()?;
        if self.watch {
            return tokio::select! {
                watched = watch(&discovery, &probe, output) => watched,
                () = signals.asked_to_end() => Ok(()),
            };
        }
        let answers = async {
            match &self.endpoint {
                Some(endpoint) => discovery.resolve(endpoint, probe.wait).await.into_iter().collect(),
                None => discovery.probe(&probe).await,
            }
        };
        let found: Vec<Found> = tokio::select! {
            found = answers => found,
            () = signals.asked_to_end() => return Ok(()),
        };
        if found.is_empty() {
            // A program gets its list, empty as it is.
            if output.json {
                output.print(&json!([]), "");
            }
            let on = discovery.interfaces().join(", ");
            let who = self
                .endpoint
                .as_ref()
                .map_or_else(|| "no device".to_owned(), |endpoint| format!("no device with the endpoint {endpoint}"));
            return Err(NothingFound(format!("{who} answered within {} s on {on}", self.wait)).into());
        }
        output.print(&found.iter().map(as_json).collect(), &table(&found));
        Ok(())
    }

    fn open(&self) -> anyhow::Result<Discovery> {
        let mut options = Options::default();
        options.interfaces.clone_from(&self.interface);
        (options.ipv4, options.ipv6) = (!self.ipv6, !self.ipv4);
        options.listen = self.watch;
        let discovery = Discovery::open(&options).context("cannot open sockets for discovery")?;
        let there = discovery.interfaces();
        if let Some(absent) = self.interface.iter().find(|name| !there.contains(name)) {
            return Err(BadUsage::error(format!(
                "--interface {absent}: there is none of this name with an address to ask by"
            )));
        }
        if there.is_empty() {
            return Err(NothingFound("no interface is up, has an address and can multicast".to_owned()).into());
        }
        Ok(discovery)
    }
}

/// `prefix:Name` with a prefix that we know, or `{namespace}Name`; `any` is none.
fn types(words: &[String]) -> anyhow::Result<Vec<QName>> {
    if words == ["any"] {
        return Ok(Vec::new());
    }
    words.iter().map(|word| qualified(word).ok_or_else(|| unknown_type(word))).collect()
}

fn qualified(word: &str) -> Option<QName> {
    let is_local = |local: &str| !local.is_empty() && local.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    let (namespace, local) = match word.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((namespace, local)) => (namespace, local),
        None => {
            let (prefix, local) = word.split_once(':')?;
            ([ns::TDS, ns::DN].into_iter().find(|ns| ns.prefix == prefix)?.uri, local)
        }
    };
    (is_local(local) && !namespace.is_empty()).then(|| QName::new(namespace, local))
}

fn unknown_type(word: &str) -> anyhow::Error {
    BadUsage::error(format!(
        "--types {word}: a type is tds:Device, dn:NetworkVideoTransmitter or another of these prefixes, or {{namespace}}Name; or `any` alone"
    ))
}

fn whole_scope(scope: &str) -> String {
    if scope.contains("://") {
        scope.to_owned()
    } else {
        format!("onvif://www.onvif.org/{}", scope.trim_start_matches('/'))
    }
}

/// Who answers, and then who comes and goes.
async fn watch(discovery: &Discovery, probe: &Probe, output: Output) -> anyhow::Result<()> {
    let mut heard = discovery.hear();
    let on = discovery.interfaces();
    output.print(
        &json!({ "event": "watching", "interfaces": on }),
        &format!("watching {}; Ctrl-C ends it", on.join(", ")),
    );
    let mut names = HashMap::new();
    let mut answers = Some(Box::pin(discovery.probe(probe)));
    loop {
        let event = tokio::select! {
            found = async { answers.as_mut().expect("it is asked for while it is there").await }, if answers.is_some() => {
                answers = None;
                found.iter().for_each(|found| tell("found", found, &mut names, output));
                continue;
            }
            heard = heard.recv() => heard,
        };
        match event {
            // Windows and printers say Hello as well.
            Ok(Heard::Hello(found)) if found.is_onvif() || probe.types.is_empty() => {
                tell("hello", &found, &mut names, output);
            }
            Ok(Heard::Bye(endpoint)) => {
                let name = names.get(&key(&endpoint)).map_or("-", String::as_str);
                let text = format!("bye    {name}  {}", printable(&endpoint));
                output.print(&json!({ "event": "bye", "endpoint": endpoint }), &text);
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "more was said than could be printed"),
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

/// Names that are remembered for those who leave.
const NAMES: usize = 4096;

fn tell(event: &str, found: &Found, names: &mut HashMap<String, String>, output: Output) {
    let mut json = as_json(found);
    json["event"] = event.into();
    let name = found.name().unwrap_or_else(|| "-".to_owned());
    let address = found.address().map_or("-", Url::as_str);
    let text = format!("{event:<6} {name}  {address}  {}  ({})", printable(&found.endpoint), found.interface);
    output.print(&json, &text);
    if names.len() < NAMES {
        names.insert(key(&found.endpoint), name);
    }
}

fn as_json(found: &Found) -> Value {
    let urls = |urls: &[Url]| urls.iter().map(Url::to_string).collect::<Vec<_>>();
    let also = found.also.iter().map(|seen| {
        json!({ "source": seen.source.to_string(), "interface": seen.interface, "addresses": urls(&seen.addresses) })
    });
    json!({
        "endpoint": found.endpoint,
        "name": found.name(),
        "hardware": found.hardware(),
        "location": found.location(),
        "mac": found.mac(),
        "address": found.address().map(Url::as_str),
        "addresses": urls(&found.addresses),
        "types": found.types.iter().map(QName::to_string).collect::<Vec<_>>(),
        "scopes": found.scopes,
        "metadata_version": found.metadata_version,
        "source": found.source.to_string(),
        "interface": found.interface,
        "also": also.collect::<Vec<_>>(),
    })
}

fn table(found: &[Found]) -> String {
    let mut found: Vec<&Found> = found.iter().collect();
    found.sort_by_key(|found| (found.name().map(|name| name.to_lowercase()), found.source.ip()));
    let mut rows = vec![["NAME", "HARDWARE", "ADDRESS", "ENDPOINT", "LOCATION"].map(str::to_owned)];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    rows.extend(found.iter().map(|found| {
        let address = or_dash(found.address().map(Url::to_string));
        [
            or_dash(found.name()),
            or_dash(found.hardware()),
            address,
            printable(&found.endpoint),
            or_dash(found.location()),
        ]
    }));
    let widths: [usize; 5] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let notes = found.iter().filter_map(|found| note(found));
    rows.iter().map(line).chain(notes).collect::<Vec<_>>().join("\n")
}

/// What a person should know of an answer that is not as it should be.
fn note(found: &Found) -> Option<String> {
    let endpoint = printable(&found.endpoint);
    let candidates = found.candidates();
    if candidates.is_empty() {
        let named: Vec<&str> = found.addresses.iter().map(Url::as_str).collect();
        return Some(match named.is_empty() {
            true => format!("{endpoint}: {} names no address", found.source.ip()),
            false => format!("{endpoint}: {} names no address of its own, but {}", found.source.ip(), named.join(", ")),
        });
    }
    let is_v4 = |url: &Url| matches!(url.host(), Some(Host::Ipv4(_)));
    let first = candidates[0];
    // A camera with an address of each family is one host still.
    let other = candidates.iter().any(|url| is_v4(url) == is_v4(first) && url.host() != first.host());
    other.then(|| {
        let urls: Vec<&str> = candidates.iter().map(|url| url.as_str()).collect();
        format!("{endpoint}: several hosts say that they are it, perhaps not all of them truly: {}", urls.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use oriel_client::discovery::Sighting;

    use super::*;

    fn found(name: &str, source: &str, address: &str) -> Found {
        Found {
            endpoint: format!("urn:uuid:{name}"),
            types: Vec::new(),
            scopes: vec![format!("onvif://www.onvif.org/name/{name}"), "onvif://www.onvif.org/hardware/X1".to_owned()],
            addresses: vec![address.parse().unwrap()],
            metadata_version: 1,
            source: SocketAddr::new(source.parse().unwrap(), 3702),
            interface: "eth0".to_owned(),
            also: Vec::new(),
        }
    }

    #[test]
    fn the_table_is_aligned_and_says_what_is_not_as_it_should_be() {
        let mut claimed = found("b", "192.0.2.8", "http://192.0.2.8/onvif/device_service");
        let sighting = |source: &str, address: &str| Sighting {
            addresses: vec![address.parse().unwrap()],
            source: SocketAddr::new(source.parse().unwrap(), 3702),
            interface: "eth0".to_owned(),
        };
        claimed.also.push(sighting("2001:db8::8", "http://[2001:db8::8]/"));
        assert_eq!(note(&claimed), None, "both families of one camera");
        claimed.also.push(sighting("192.0.2.66", "http://192.0.2.66/"));
        let liar = found("Kü\u{9b}che", "192.0.2.66", "http://192.0.2.1/");
        let text = table(&[liar, claimed]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        let column = |line: &str, word: &str| line.split(word).next().map(|before| before.chars().count()).unwrap();
        assert_eq!(column(lines[0], "ADDRESS"), column(lines[1], "http://"));
        assert_eq!(column(lines[0], "ENDPOINT"), column(lines[2], "urn:"));
        assert!(lines[1].starts_with("b ") && lines[2].starts_with("Kü\u{fffd}che  X1        - "), "{text}");
        assert!(lines[3].contains("http://192.0.2.8/") && lines[3].contains("http://192.0.2.66/"), "{text}");
        assert!(lines[4].contains("192.0.2.66 names no address of its own, but http://192.0.2.1/"), "{text}");
    }

    #[test]
    fn types_and_scopes_are_written_as_people_do() {
        let words = |words: &[&str]| types(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(words(&["any"]).unwrap(), []);
        let some = words(&["tds:Device", "{urn:x}Y"]).unwrap();
        assert_eq!(some, [QName::of(ns::TDS, "Device"), QName::new("urn:x", "Y")]);
        for bad in ["Device", "xx:Device", "tds:", "{}Y", "{urn:x}", "tds:a b", "any,tds:Device"] {
            assert!(words(&[bad]).unwrap_err().is::<BadUsage>(), "{bad}");
        }
        assert_eq!(whole_scope("location/city"), "onvif://www.onvif.org/location/city");
        assert_eq!(whole_scope("onvif://www.onvif.org/name/a"), "onvif://www.onvif.org/name/a");
    }
}
