//! WS-Addressing, as far as a device meets it: Action, MessageID, RelatesTo, To (WS-Addressing 1.0 core, §3).

use crate::fault::{Code, Fault};
use crate::ns;
use crate::xml::{Any, Element, Ns, QName, Writer, read};

/// The headers of WS-Addressing that we read and write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressing {
    /// What the message wants done.
    pub action: Option<String>,
    /// The message's own name.
    pub message_id: Option<String>,
    /// The name of the message that this one answers.
    pub relates_to: Option<String>,
    /// Where the message goes.
    pub to: Option<String>,
    /// In the namespace of August 2004, as WS-Discovery uses it.
    pub older: bool,
}

impl Addressing {
    pub(super) fn of<'d, 'input: 'd>(headers: impl Iterator<Item = Element<'d, 'input>>) -> Self {
        let mut addressing = Self::default();
        for block in headers {
            let (namespace, local) = read::name(block);
            if namespace != ns::WSA.uri && namespace != ns::WSADIS.uri {
                continue;
            }
            addressing.older = namespace == ns::WSADIS.uri;
            let slot = match local {
                "Action" => &mut addressing.action,
                "MessageID" => &mut addressing.message_id,
                "RelatesTo" => &mut addressing.relates_to,
                "To" => &mut addressing.to,
                _ => continue,
            };
            if slot.is_none() {
                *slot = read::text(block).ok().map(|text| text.trim_ascii().to_owned());
            }
        }
        addressing
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.action.is_none() && self.message_id.is_none() && self.relates_to.is_none() && self.to.is_none()
    }

    /// The headers of the answer, if the request had any: the action is the request's with `Response`, the answer relates to the
    /// request's id.
    #[must_use]
    pub(crate) fn answer(&self, action: String) -> Option<Self> {
        let asked = self.message_id.is_some() || self.action.is_some();
        asked.then(|| Self {
            action: Some(action),
            message_id: None,
            relates_to: self.message_id.clone(),
            to: None,
            older: self.older,
        })
    }

    /// The headers of the answer to an operation, if the request had any.
    #[must_use]
    pub fn answering<O: crate::operation::Operation>(&self) -> Option<Self> {
        self.answer(self.response_action(O::SERVICE, O::NAME))
    }

    /// The action of an answer to the request.
    pub(crate) fn response_action(&self, service: Ns, name: &str) -> String {
        match self.action.as_deref().and_then(|action| action.strip_suffix("Request")) {
            Some(stem) => format!("{stem}Response"),
            None => format!("{}/{name}Response", service.uri.trim_end_matches('/')),
        }
    }

    /// The action of a fault (WS-Addressing 1.0 SOAP binding, §5).
    pub(crate) fn fault_action(&self) -> String {
        format!("{}/fault", if self.older { ns::WSADIS.uri } else { "http://www.w3.org/2005/08/addressing/soap" })
    }

    /// The blocks that are given.
    pub(super) fn given(&self) -> impl Iterator<Item = (Ns, &'static str, &String)> {
        let ns = if self.older { ns::WSADIS } else { ns::WSA };
        let blocks = [
            ("Action", &self.action),
            ("MessageID", &self.message_id),
            ("RelatesTo", &self.relates_to),
            ("To", &self.to),
        ];
        blocks.into_iter().filter_map(move |(local, value)| Some((ns, local, value.as_ref()?)))
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        self.given().for_each(|(ns, local, value)| writer.element(ns, local, value));
    }
}

/// Whether an address means whoever asked. `none` wants no answer at all, but HTTP gives one to everybody.
pub(super) fn is_here(address: &str) -> bool {
    matches!(
        address.trim_ascii(),
        "http://www.w3.org/2005/08/addressing/anonymous"
            | "http://www.w3.org/2005/08/addressing/none"
            | "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
    )
}

/// The fault for a header that wants the answer elsewhere.
pub(super) fn only_anonymous(header: &str) -> Fault {
    let name = |local| QName::of(ns::WSA, local);
    let reason = format!("{header}: the answer goes back on the way that the question came, and nowhere else");
    Fault {
        code: Code::Sender,
        subcodes: vec![name("InvalidAddressingHeader"), name("OnlyAnonymousAddressSupported")],
        reason,
        detail: vec![Any::of(ns::WSA, "ProblemHeaderQName", &QName::new(ns::WSA.uri, header))],
        not_understood: Vec::new(),
    }
}

/// The namespaces that declare actions for requests of another: WS-BaseNotification has those of its WSDL beside those of its schema,
/// and ONVIF's device IO service takes two requests of device management.
const LENT: [(&str, &str); 2] = [
    ("http://docs.oasis-open.org/wsn/b-2", "http://docs.oasis-open.org/wsn/bw-2"),
    ("http://www.onvif.org/ver10/device/wsdl", "http://www.onvif.org/ver10/deviceIO/wsdl"),
];

/// Actions that ONVIF's WSDL files declare under another name than the request's: namespace, request, name in the action.
const RENAMED: [(&str, &str, &str); 3] = [
    ("http://www.onvif.org/ver20/imaging/wsdl", "Stop", "FocusStop"),
    ("http://www.onvif.org/ver20/media/wsdl", "SetEQPresetConfiguration", "SetEQPreset"),
    ("http://www.onvif.org/ver10/deviceIO/wsdl", "GetSerialPortConfiguration", "GetSerialPortConfigurations"),
];

fn bare(name: &str) -> &str {
    name.strip_suffix("Request").unwrap_or(name)
}

/// Whether an action names the operation: in the service's namespace, and ending with its name. Either may end with `Request`. Clients
/// made from the WSDL files send what stands there, so slips are taken too: a slash too many, one too few, another case in the namespace.
pub(super) fn names(action: &str, namespace: &str, name: &str) -> bool {
    let action = action.trim_ascii().trim_matches('"').trim_end_matches('/');
    if action.is_empty() {
        return true;
    }
    let is_name = |last: &str| bare(last) == bare(name) || RENAMED.contains(&(namespace, name, last));
    if !action.contains(['/', '#']) {
        return action == name;
    }
    let within = |space: &str| {
        let space = space.trim_end_matches('/');
        let Some((start, rest)) = action.split_at_checked(space.len()) else { return false };
        start.eq_ignore_ascii_case(space)
            && match rest.rsplit_once(['/', '#']) {
                Some((path, last)) => (path.is_empty() || path.starts_with('/')) && is_name(last),
                None => is_name(rest),
            }
    };
    within(namespace) || LENT.iter().any(|(of, other)| *of == namespace && within(other))
}
