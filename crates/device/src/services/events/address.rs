//! Where a subscription is asked: at an address of its own, and by a header that says which one it is (WS-Addressing 1.0 core, §2.1, §3.3).
//!
//! Its endpoint reference has both, the address with the id at its end and the id as a reference parameter. A request that brings either
//! is understood, at every path of the device's: clients exist that keep the address alone, and others that send each request to
//! the event service.

use crate::door::Base;
use oriel_onvif::notification::{EndpointReference, ReferenceParameters};
use oriel_soap::xml::{Any, Ns, read};
use oriel_soap::{Envelope, With};

/// What the path of a subscription begins with; its id follows.
pub(crate) const PATH: &str = "/onvif/subscription/";
/// The namespace of the reference parameter.
const OURS: Ns = Ns::new("oriel", "urn:oriel:events");
/// Its name.
const PARAMETER: &str = "Subscription";
/// The length of an id.
const LENGTH: usize = 32;

/// Which subscription a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Addressed {
    /// None.
    Nothing,
    /// This one.
    To(String),
    /// Several.
    Several,
}

impl Addressed {
    /// What the request names by its path, by a header, and by `wsa:To`.
    pub(crate) fn of(path: &str, envelope: &Envelope<'_>) -> Self {
        let parameters = envelope.headers().filter(|block| read::is(*block, OURS, PARAMETER));
        let parameters = parameters.map(|block| read::text(block).unwrap_or_default().trim().to_owned());
        let to = envelope.addressing().to;
        let to = to.as_deref().and_then(|to| Some(to.split_once(PATH)?.1));
        let named = id(path).into_iter().chain(to).map(str::to_owned).chain(parameters);
        named.fold(Self::Nothing, |so_far, id| match so_far {
            Self::Nothing => Self::To(id),
            Self::To(other) if other == id => Self::To(other),
            Self::To(_) | Self::Several => Self::Several,
        })
    }

    /// Whether it is the path of a subscription.
    pub(crate) fn is_path(path: &str) -> bool {
        id(path).is_some()
    }

    /// The id, if it is one and there is one alone.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::To(id) => Some(id),
            Self::Nothing | Self::Several => None,
        }
    }
}

fn id(path: &str) -> Option<&str> {
    let id = path.strip_prefix(PATH)?;
    (id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

/// The endpoint reference of a subscription, for who asked at `base`.
pub(crate) fn reference(base: &Base, id: &str) -> EndpointReference {
    EndpointReference::with(|reference| {
        reference.address = base.join(&format!("{PATH}{id}"));
        reference.reference_parameters = Some(ReferenceParameters::with(|parameters| {
            parameters.any = vec![Any::of(OURS, PARAMETER, &id.to_owned())];
        }));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_soap::xml::Limits;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "ffffffffffffffffffffffffffffffff";

    fn addressed(path: &str, headers: &str) -> Addressed {
        let text = format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://www.w3.org/2005/08/addressing\">\
             <s:Header>{headers}</s:Header><s:Body><x/></s:Body></s:Envelope>"
        );
        Addressed::of(path, &Envelope::parse(text.as_bytes(), &Limits::REQUEST).unwrap())
    }

    #[test]
    fn a_subscription_is_named_by_path_by_header_and_by_to() {
        let path = format!("{PATH}{ONE}");
        let to = |id: &str| format!("<a:To>https://cloud.example/d/7{PATH}{id}</a:To>");
        let header = |id: &str| format!("<o:Subscription xmlns:o=\"urn:oriel:events\"> {id} </o:Subscription>");
        let one = Addressed::To(ONE.to_owned());
        assert_eq!(addressed(&path, ""), one);
        assert_eq!(addressed("/onvif/event_service", &to(ONE)), one);
        assert_eq!(addressed("/onvif/event_service", &header(ONE)), one);
        assert_eq!(addressed(&path, &(to(ONE) + &header(ONE))), one);
        assert_eq!(addressed(&path, &header(TWO)), Addressed::Several);
        assert_eq!(addressed(&path, &to(TWO)), Addressed::Several);
        assert_eq!(
            addressed("/onvif/event_service", "<a:To>http://camera/onvif/event_service</a:To>"),
            Addressed::Nothing
        );
        assert_eq!(addressed("/onvif/event_service", "").id(), None);
    }

    #[test]
    fn only_ids_make_paths() {
        assert!(Addressed::is_path(&format!("{PATH}{ONE}")));
        for path in ["/onvif/subscription/", "/onvif/subscription/7", "/onvif/event_service"] {
            assert!(!Addressed::is_path(path), "{path}");
        }
        assert!(!Addressed::is_path(&format!("{PATH}{ONE}/x")));
        assert!(!Addressed::is_path(&format!("{PATH}{}", ONE.replace('a', "g"))));
    }
}
