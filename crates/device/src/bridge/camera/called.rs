//! Whom a request would have the camera call: its answers come on this connection alone (WS-Addressing 1.0 core, §3), and its notifications go to nobody whom
//! the caller may not reach (WS-BaseNotification §4.2).

use crate::config::CallOut;
use oriel_soap::xml::{Element, read};
use oriel_soap::{Caller, Envelope, Fault, Level, Via, ns};
use std::borrow::Cow;
use url::{Host, Url};

/// WS-Addressing's address of whoever asks on this connection.
pub(super) const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// The same in the version before it.
const OLD_ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";

/// The camera answers us, and nobody else: an answer that is sent elsewhere would be sent by the camera, to wherever the caller says. Where the older version
/// finds no ReplyTo, it answers to From.
pub(super) fn answers_here(envelope: &Envelope<'_>) -> Result<(), Fault> {
    let elsewhere = envelope.headers().any(|block| {
        let (namespace, local) = read::name(block);
        let anonymous = match namespace {
            uri if uri == ns::WSA.uri => Some(ANONYMOUS),
            uri if uri == ns::WSADIS.uri => Some(OLD_ANONYMOUS),
            _ => None,
        };
        let address = || the_address(block).filter(|(parent, _)| *parent == block).map(|(_, text)| text);
        ["ReplyTo", "FaultTo", "From"].contains(&local)
            && !(anonymous.is_some() && address().as_deref().map(str::trim) == anonymous)
    });
    if elsewhere {
        let text = "answers and faults go to whoever asked, so ReplyTo, FaultTo and From have to be anonymous";
        return Err(Fault::invalid_args(text));
    }
    Ok(())
}

/// Subscribe makes the camera call an address. Only an administrator on the LAN may name any; by an uplink, and for others, it is one that the bridge itself
/// would dial for them. Names are refused: it is the camera that resolves them, and nobody knows to what.
pub(super) fn consumer(envelope: &Envelope<'_>, caller: &Caller, call_out: &CallOut) -> Result<(), Fault> {
    let by_uplink = matches!(caller.via, Via::Uplink { .. });
    if envelope.operation().1 != "Subscribe" || (!by_uplink && caller.levels.contains(Level::Administrator)) {
        return Ok(());
    }
    let refused =
        |why: &str| Err(Fault::invalid_args(format!("the camera would call the ConsumerReference, and {why}")));
    let address = the_address(envelope.body()).filter(|(reference, _)| {
        read::name(*reference).1 == "ConsumerReference" && reference.parent() == Some(envelope.body())
    });
    let Some((_, address)) = address else { return refused("it does not name one address") };
    let Some(host) = host(address.trim()) else {
        return refused(
            "it has to be http or https at an IP address; pull points (CreatePullPointSubscription) need none",
        );
    };
    call_out.check(host, by_uplink).or_else(|kind| refused(&format!("{kind} may not be called from here")))
}

/// What the one `Address` below an element says, and whose child it is; none where there are several, of which the camera might choose another.
fn the_address<'a, 'input>(within: Element<'a, 'input>) -> Option<(Element<'a, 'input>, Cow<'a, str>)> {
    let mut all = within.descendants().filter(|node| node.is_element() && node.tag_name().name() == "Address");
    let (address, None) = (all.next()?, all.next()) else { return None };
    Some((address.parent()?, read::text(address).ok()?))
}

/// The IP address in an address over HTTP that everybody reads alike.
fn host(address: &str) -> Option<std::net::IpAddr> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let authority = address.split_once("://")?.1.split(['/', '?']).next()?;
    let rest = authority.strip_prefix(url.host_str()?)?;
    let is_port = || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if address.contains(['@', '\\', '#']) || !(rest.is_empty() || is_port()) {
        return None;
    }
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_soap::Levels;
    use oriel_soap::xml::Limits;

    const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";

    fn message(header: &str, body: &str) -> String {
        let (wsa, old) = (ns::WSA.uri, ns::WSADIS.uri);
        format!(
            "<s:Envelope xmlns:s='{SOAP}' xmlns:a='{wsa}' xmlns:o='{old}' xmlns:v='urn:v'><s:Header>{header}</s:Header>\
             <s:Body>{body}</s:Body></s:Envelope>"
        )
    }

    #[test]
    fn answers_come_here() {
        let holds = |header: &str| {
            let message = message(header, "<v:X/>");
            answers_here(&Envelope::parse(message.as_bytes(), &Limits::REQUEST).unwrap()).is_ok()
        };
        assert!(holds("<a:To>http://x/</a:To><a:MessageID>urn:uuid:1</a:MessageID>"));
        for name in ["ReplyTo", "FaultTo", "From"] {
            let anonymous = format!("<a:Address> {ANONYMOUS}<!-- c --></a:Address>");
            assert!(holds(&format!("<a:{name}>{anonymous}</a:{name}>")));
            assert!(holds(&format!("<o:{name}><o:Address>{OLD_ANONYMOUS}</o:Address></o:{name}>")));
            for inside in [
                String::new(),
                "<a:Address>http://192.168.1.1/anonymous</a:Address>".to_owned(),
                "<a:Address>http://192.168.1.1/</a:Address>".to_owned(),
                format!("{anonymous}<a:Address>http://192.168.1.1/</a:Address>"),
                format!("<v:Address>{ANONYMOUS}</v:Address><a:Address>http://192.168.1.1/</a:Address>"),
                format!("<v:X>{anonymous}</v:X>"),
                format!("<a:Address>{OLD_ANONYMOUS}</a:Address>"),
                format!("<a:Address>{ANONYMOUS}<v:X/></a:Address>"),
            ] {
                assert!(!holds(&format!("<a:{name}>{inside}</a:{name}>")), "{name} {inside}");
            }
            let second = "<a:Address>http://192.168.1.1/</a:Address>";
            assert!(!holds(&format!("<a:{name}>{anonymous}</a:{name}><a:{name}>{second}</a:{name}>")));
            assert!(!holds(&format!("<v:{name}>{anonymous}</v:{name}>")), "a version that we do not know");
        }
    }

    fn subscribed(reference: &str, via: &Via, level: Level) -> bool {
        let body = format!("<n:Subscribe xmlns:n='http://docs.oasis-open.org/wsn/b-2'>{reference}</n:Subscribe>");
        let message = message("", &body);
        let envelope = Envelope::parse(message.as_bytes(), &Limits::REQUEST).unwrap();
        let caller = Caller { levels: Levels::of(level), user: None, via: via.clone() };
        let call_out = CallOut { allowed: vec!["192.168.7.0/24".parse().unwrap()], ..CallOut::default() };
        consumer(&envelope, &caller, &call_out).is_ok()
    }

    fn reference(address: &str) -> String {
        format!("<n:ConsumerReference><a:Address>{address}</a:Address></n:ConsumerReference>")
    }

    #[test]
    fn a_consumer_is_one_that_the_caller_may_call() {
        let uplink = Via::Uplink { address: "wss://cloud.example/".into() };
        let lan = Via::Lan { peer: ([192, 168, 7, 9], 5000).into() };
        for address in ["http://8.8.8.8/x?y", " https://8.8.8.8:8443/ ", "http://[2606:4700::1]/"] {
            for (via, level) in [(&uplink, Level::Operator), (&uplink, Level::Administrator), (&lan, Level::Operator)] {
                assert!(subscribed(&reference(address), via, level), "{address}");
            }
        }
        for address in [
            "http://192.168.1.1/",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://169.254.169.254/",
            "http://[::ffff:10.0.0.1]/",
            "http://camera.lan/",
            "http://example.com/",
            "http://8.8.8.8@192.168.1.1/",
            "http://8.8.8.8#@192.168.1.1/",
            "http://8.8.8.8\\@192.168.1.1/",
            "http:8.8.8.8",
            "//8.8.8.8/",
            "udp://8.8.8.8/",
            "",
        ] {
            for (via, level) in [(&uplink, Level::Operator), (&uplink, Level::Administrator), (&lan, Level::Operator)] {
                assert!(!subscribed(&reference(address), via, level), "{address}");
            }
            assert!(subscribed(&reference(address), &lan, Level::Administrator), "{address}");
        }
        assert!(subscribed(&reference("http://192.168.7.8/"), &lan, Level::Operator), "it is allowed on the LAN");
        assert!(!subscribed(&reference("http://192.168.7.8/"), &uplink, Level::Operator));
        let good = reference("http://8.8.8.8/");
        for strange in [String::new(), format!("{good}{good}"), format!("<v:X>{good}</v:X>")] {
            assert!(!subscribed(&strange, &uplink, Level::Operator), "{strange}");
        }
    }
}
