//! The SOAP 1.2 envelope: parsed once, asked often (SOAP 1.2 part 1, §5; Core §5.8).

mod addressing;
mod content_type;
mod write;

pub use addressing::Addressing;
pub use content_type::{CONTENT_TYPE, ContentType, Unsupported};
pub use write::{Headers, ReplyError, read_reply, reply, request, request_raw};

use crate::auth::UsernameToken;
use crate::fault::Fault;
use crate::ns;
use crate::operation::Operation;
use crate::xml::{Element, First, Limits, QName, XmlRead, parse, read, reserialise};
use roxmltree::{Document, NodeId};
use std::borrow::Cow;

/// A parsed envelope with exactly one element in its body.
#[derive(Debug)]
pub struct Envelope<'a> {
    document: Document<'a>,
    header: Option<NodeId>,
    operation: NodeId,
}

impl<'a> Envelope<'a> {
    /// Parses a message.
    ///
    /// # Errors
    /// The fault to answer with: not well-formed, beyond the limits, not SOAP 1.2, not one element in the body, an unsupported encoding.
    pub fn parse(message: &'a [u8], limits: &Limits) -> Result<Self, Fault> {
        let document = parse(message, limits)?;
        let (header, operation) = parts(document.root_element())?;
        Ok(Self { document, header, operation })
    }

    /// The one element of the body.
    #[must_use]
    pub fn body(&self) -> Element<'_, 'a> {
        self.document.get_node(self.operation).unwrap_or_else(|| self.document.root_element())
    }

    /// Namespace and name of the operation: those of the one element of the body, and of nothing else.
    #[must_use]
    pub fn operation(&self) -> (&str, &str) {
        read::name(self.body())
    }

    /// The header blocks.
    pub fn headers(&self) -> impl Iterator<Item = Element<'_, 'a>> {
        self.header.and_then(|header| self.document.get_node(header)).into_iter().flat_map(read::elements)
    }

    /// Reads the request.
    ///
    /// # Errors
    /// The fault to answer with.
    pub fn request<O: Operation>(&self) -> Result<O, Fault> {
        self.read(O::SERVICE, O::NAME)
    }

    /// Reads the element of the body, which has to have this name.
    ///
    /// # Errors
    /// The fault to answer with.
    pub fn read<T: XmlRead>(&self, ns: crate::xml::Ns, local: &str) -> Result<T, Fault> {
        if !read::is(self.body(), ns, local) {
            let (namespace, found) = self.operation();
            return Err(Fault::tag_mismatch(format!("{local} expected, {} found", QName::new(namespace, found))));
        }
        Ok(T::read(self.body()).map_err(|error| error.inside(local))?)
    }

    /// The fault, if the body is one.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let body = self.body();
        read::is(body, ns::ENV, "Fault").then(|| {
            Fault::read(body).unwrap_or_else(|error| Fault::action(format!("the fault itself cannot be read: {error}")))
        })
    }

    /// The UsernameToken of WS-Security, if there is one.
    ///
    /// # Errors
    /// There are several, or it cannot be read.
    pub fn username_token(&self) -> Result<Option<UsernameToken>, Fault> {
        let mut tokens = self
            .headers()
            .filter(|block| read::is(*block, ns::WSSE, "Security"))
            .flat_map(read::elements)
            .filter(|token| read::is(*token, ns::WSSE, "UsernameToken"));
        let Some(token) = tokens.next() else { return Ok(None) };
        if tokens.next().is_some() {
            return Err(Fault::not_authorized("more than one UsernameToken"));
        }
        let token = UsernameToken::read(token).map_err(|error| Fault::not_authorized(error.to_string()))?;
        Ok(Some(token))
    }

    /// The headers of WS-Addressing.
    #[must_use]
    pub fn addressing(&self) -> Addressing {
        Addressing::of(self.headers())
    }

    /// Checks that every block that must be understood is: those of WS-Security and WS-Addressing are.
    ///
    /// # Errors
    /// `env:MustUnderstand` with the names of the blocks.
    pub fn understood(&self) -> Result<(), Fault> {
        let strange: Vec<QName> = self
            .headers()
            .filter(|block| {
                let must = block.attribute((ns::ENV.uri, "mustUnderstand")).map(str::trim_ascii);
                matches!(must, Some("1" | "true"))
            })
            .filter(|block| for_us(block.attribute((ns::ENV.uri, "role"))))
            .map(read::name)
            .filter(|(namespace, _)| ![ns::WSSE.uri, ns::WSA.uri, ns::WSADIS.uri].contains(namespace))
            .map(|(namespace, local)| QName::new(namespace, local))
            .collect();
        if strange.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = strange.iter().map(QName::to_string).collect();
        let mut fault = Fault::must_understand(names.join(", "));
        fault.not_understood = strange;
        Err(fault)
    }

    /// Checks that the answer is wanted here, on the way that the question came: nobody makes us send it elsewhere (WS-Addressing 1.0
    /// SOAP binding, §5.1 and §6.4.1.4). A Subscribe is answered here whatever it wants: published clients repeat in it the address for the
    /// messages.
    ///
    /// # Errors
    /// `wsa:OnlyAnonymousAddressSupported`.
    pub fn answered_here(&self) -> Result<(), Fault> {
        if self.operation() == ("http://docs.oasis-open.org/wsn/b-2", "Subscribe") {
            return Ok(());
        }
        for block in self.headers() {
            let (namespace, local) = read::name(block);
            let space = [ns::WSA, ns::WSADIS].into_iter().find(|space| space.uri == namespace);
            let Some(space) = space.filter(|_| matches!(local, "ReplyTo" | "FaultTo")) else { continue };
            let address = read::child(block, space, "Address").and_then(|address| read::text(address).ok());
            if !address.is_some_and(|address| addressing::is_here(&address)) {
                return Err(addressing::only_anonymous(local));
            }
        }
        Ok(())
    }

    /// Checks that the action given beside the body, in HTTP or in WS-Addressing, names the operation that the body holds: whoever
    /// dispatches on the action must not do something else than what was checked here.
    ///
    /// # Errors
    /// `ter:UnknownAction`.
    pub fn agrees(&self, http_action: Option<&str>) -> Result<(), Fault> {
        let (namespace, name) = self.operation();
        let headers = self
            .headers()
            .filter(|block| read::is(*block, ns::WSA, "Action") || read::is(*block, ns::WSADIS, "Action"))
            .map(|block| read::text(block).unwrap_or(Cow::Borrowed("an element")));
        for action in http_action.map(Cow::Borrowed).into_iter().chain(headers) {
            if !addressing::names(&action, namespace, name) {
                return Err(Fault::unknown_action(format!("the action {action} does not name the request {name}")));
            }
        }
        Ok(())
    }

    /// The message written from our parse: what another parser reads from it is what this one has read. Headers of WS-Security,
    /// comments and processing instructions are left out; prefixes stay.
    #[must_use]
    pub fn reserialise(&self) -> Vec<u8> {
        self.reserialise_with(&Headers::default())
    }

    /// As [`Self::reserialise`], with headers of ours: the token in a header of WS-Security, and each block of WS-Addressing that is given in the place of
    /// the message's own. A block that is not given stays as the message has it.
    #[must_use]
    pub fn reserialise_with(&self, headers: &Headers) -> Vec<u8> {
        let mut out = String::with_capacity(self.document.input_text().len() + 256);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let root = self.document.root_element();
        let header = self.header;
        let ours = headers.addressing.as_ref();
        let keep = |element: Element<'_, '_>| {
            let in_header = header.is_some() && element.parent().map(|parent| parent.id()) == header;
            !in_header || {
                let (namespace, local) = read::name(element);
                let addressing = namespace == ns::WSA.uri || namespace == ns::WSADIS.uri;
                let replaced = addressing && ours.is_some_and(|ours| ours.given().any(|(_, given, _)| given == local));
                !(replaced || (local == "Security" && namespace == ns::WSSE.uri))
            }
        };
        let xml = headers.fragment(header.is_none());
        let first = First { into: header.unwrap_or(root.id()), xml: &xml };
        reserialise(root, &mut out, &keep, (!xml.is_empty()).then_some(&first));
        out.into_bytes()
    }
}

/// Parses a request on its way through: the envelope is sound and the action beside the body, if any, agrees with it.
///
/// # Errors
/// The fault to answer with.
pub fn inspect<'a>(message: &'a [u8], http_action: Option<&str>, limits: &Limits) -> Result<Envelope<'a>, Fault> {
    let envelope = Envelope::parse(message, limits)?;
    envelope.agrees(http_action)?;
    Ok(envelope)
}

/// Whether a header block is meant for who answers in the end (SOAP 1.2 part 1, §2.2).
fn for_us(role: Option<&str>) -> bool {
    let Some(role) = role else { return true };
    role.is_empty()
        || role == "http://www.w3.org/2003/05/soap-envelope/role/next"
        || role == "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"
}

/// Header and the one element of the body.
fn parts(root: Element<'_, '_>) -> Result<(Option<NodeId>, NodeId), Fault> {
    match read::name(root) {
        (uri, "Envelope") if uri == ns::ENV.uri => {}
        (uri, "Envelope") if uri == ns::ENV11.uri => {
            return Err(Fault::version_mismatch("SOAP 1.2 is spoken here, not 1.1"));
        }
        (uri, name) => {
            return Err(Fault::version_mismatch(format!("{} is not the envelope of SOAP 1.2", QName::new(uri, name))));
        }
    }
    plain(root)?;
    let mut header = None;
    let mut body = None;
    for part in read::elements(root) {
        match read::name(part) {
            (uri, "Header") if uri == ns::ENV.uri && header.is_none() && body.is_none() => header = Some(part),
            (uri, "Body") if uri == ns::ENV.uri && body.is_none() => body = Some(part),
            (uri, name @ ("Header" | "Body")) if uri != ns::ENV.uri => {
                return Err(Fault::namespace(format!("{name} is not in the namespace of the envelope")));
            }
            (_, name) => return Err(Fault::tag_mismatch(format!("{name} has no place in the envelope"))),
        }
    }
    if let Some(header) = header {
        plain(header)?;
        for block in read::elements(header) {
            encoding(block)?;
        }
    }
    let body = body.ok_or_else(|| Fault::tag("the envelope has no Body"))?;
    plain(body)?;
    let mut requests = read::elements(body);
    let request = requests.next().ok_or_else(|| Fault::tag("the Body is empty"))?;
    if requests.next().is_some() {
        return Err(Fault::tag_mismatch("the Body holds more than one element"));
    }
    encoding(request)?;
    Ok((header.map(|header| header.id()), request.id()))
}

/// Envelope, Header and Body hold elements alone, and SOAP 1.2 allows them no encodingStyle (part 1, §5.1.1).
fn plain(part: Element<'_, '_>) -> Result<(), Fault> {
    if part.has_attribute((ns::ENV.uri, "encodingStyle")) {
        return Err(Fault::prohib_attr(format!("encodingStyle on {}", read::name(part).1)));
    }
    let stray = part.children().any(|node| node.is_text() && !node.text().unwrap_or("").trim_ascii().is_empty());
    if stray {
        return Err(Fault::tag_mismatch(format!("text between the elements of {}", read::name(part).1)));
    }
    Ok(())
}

fn encoding(element: Element<'_, '_>) -> Result<(), Fault> {
    match element.attribute((ns::ENV.uri, "encodingStyle")) {
        None | Some("http://www.w3.org/2003/05/soap-envelope/encoding/none") => Ok(()),
        Some(other) => Err(Fault::data_encoding_unknown(other)),
    }
}
