//! The layers below HTTP: name, TCP, TLS.

use std::time::SystemTime;

use oriel_client::layers::Layers;
use oriel_trust::{Validation, client_config, expires_at, subject_and_issuer};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use url::Url;

use super::finding::Report;

/// A server's certificate that ends within this many days is worth a look.
const SOON: u64 = 14;

/// TLS for an https address.
pub(super) fn tls(url: &Url, validation: &Validation) -> anyhow::Result<Option<ClientConfig>> {
    Ok(match url.scheme() {
        "https" => Some(client_config(validation, None)?),
        _ => None,
    })
}

/// Examines them; false when one does not hold, and nothing may be sent.
pub(super) async fn examine(report: &mut Report, url: &Url, validation: &Validation) -> anyhow::Result<bool> {
    let config = tls(url, validation)?;
    let layers = Layers::new(url, config.clone())?;
    let addresses = match layers.name().await {
        Ok(addresses) => addresses,
        Err(error) => {
            report.failed("name", &error);
            report.not_reached(&["TCP", "TLS"]);
            return Ok(false);
        }
    };
    let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    match url.domain() {
        Some(name) => report.ok("name", format!("{name} is {}", list.join(", "))),
        None => report.ok("name", "it is an address already"),
    }
    let tcp = match layers.tcp(&addresses).await {
        Ok(tcp) => tcp,
        Err(error) => {
            report.failed("TCP", &error);
            report.not_reached(&["TLS"]);
            return Ok(false);
        }
    };
    report
        .ok("TCP", tcp.peer_addr().map_or_else(|_| "connected".to_owned(), |peer| format!("{peer} takes connections")));
    let Some(config) = config else {
        report.ok("TLS", "none: the address is http://, so whoever is in between reads along");
        return Ok(true);
    };
    let believed = layers.tls(tcp, config).await;
    // Once more, believing anybody and sending nothing: what is shown is worth knowing above all where it is not believed.
    let shown = match layers.tcp(&addresses).await {
        Ok(tcp) => layers.tls(tcp, client_config(&Validation::Insecure, None)?).await,
        Err(error) => Err(error),
    };
    let shown = shown.ok().and_then(|chain| chain.into_iter().next());
    let told = shown.as_ref().map(describe).unwrap_or_default();
    match believed {
        Err(error) => {
            let next = crate::exit::hint_of(&error).unwrap_or("check that the port speaks TLS");
            report.wrong("TLS", crate::exit::code_of(&error), format!("{error}{told}"), next);
            return Ok(false);
        }
        Ok(_) if *validation == Validation::Insecure => {
            let text = format!("any server is believed, by --insecure{told}");
            report.warning("TLS", text, "for more than a laboratory, name the authority of its certificate with --ca");
        }
        Ok(_) => match shown.as_ref().and_then(days_left).filter(|days| *days < SOON) {
            Some(_) => report.warning("TLS", format!("believed{told}"), "renew its certificate"),
            None => report.ok("TLS", format!("believed{told}")),
        },
    }
    Ok(true)
}

fn describe(certificate: &CertificateDer<'static>) -> String {
    let (subject, issuer) = subject_and_issuer(certificate).unwrap_or_default();
    let issued = if subject == issuer { "itself".to_owned() } else { issuer };
    let left = match days_left(certificate) {
        Some(days) => format!("for {days} more days"),
        None => "over already, by the clock of this machine".to_owned(),
    };
    format!("; the certificate is {subject}, issued by {issued}, {left}")
}

/// None for one that is over.
fn days_left(certificate: &CertificateDer<'static>) -> Option<u64> {
    let left = expires_at(certificate).ok()?.duration_since(SystemTime::now()).ok()?;
    Some(left.as_secs() / 86_400)
}
