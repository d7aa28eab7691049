//! A SOAP message as an outline without secrets: headers and body by name, one line an element.

use std::borrow::Cow;
use std::fmt::Write as _;

use oriel_soap::AccessClass;
use oriel_soap::envelope::Envelope;
use oriel_soap::xml::{Element, Limits};

use oriel_onvif::discovery::printable;

use super::Message;

/// The longest outline in bytes.
const LONGEST: usize = 32 * 1024;
/// Of a text or an attribute as much is shown.
const LONGEST_TEXT: usize = 200;
/// Deeper elements are not shown.
const DEEPEST: usize = 32;

/// A text of so many characters of base64 may be a key, whatever it is called.
const BASE64: usize = 64;

const HIDDEN: &str = "(hidden)";

/// Elements and attributes whose text is nobody's business, in lower case: those of ONVIF's services, and what vendors call theirs.
const SECRET: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "psk",
    "privatekey",
    "keyinfo",
    "accesstoken",
    "authorizationcode",
    "sharetoken",
    "credential",
    "nonce",
    "pkcs12",
    "keypair",
];
/// Secret only when this is the whole name: a `Key` is one of a wireless network, a `KeyID` is none.
const SECRET_WHOLE: [&str; 6] = ["key", "pin", "pass", "pkcs8", "certwithprivatekey", "signature"];

impl Message {
    /// Reads a message; `None` for what is no SOAP, or beyond what a client reads.
    #[must_use]
    pub fn of(message: &[u8]) -> Option<Self> {
        let envelope = Envelope::parse(message, &Limits::REPLY).ok()?;
        let (namespace, name) = envelope.operation();
        let mut outline = Outline { text: String::new() };
        for block in envelope.headers() {
            outline.header(block);
        }
        // Of a reply that reads what only administrators may, nothing is told but that it came.
        let asked = name.strip_suffix("Response").and_then(|asked| oriel_onvif::lookup(namespace, asked));
        let confidential = asked.is_some_and(|row| row.access == AccessClass::ReadSystemSecret);
        if confidential {
            outline.line(
                0,
                name,
                &[],
                Some(Cow::Borrowed("(hidden: only its access class, READ_SYSTEM_SECRET, is told)")),
            );
        } else {
            outline.element(envelope.body());
        }
        Some(Self { namespace: printable(namespace), name: printable(name), outline: outline.text })
    }
}

struct Outline {
    text: String,
}

impl Outline {
    fn header(&mut self, block: Element<'_, '_>) {
        if block.tag_name().name() != "Security" {
            self.element(block);
            return;
        }
        // Who asks is told, and nothing of how it is proved.
        let user = block.descendants().find(|node| node.tag_name().name() == "Username");
        let user = user.and_then(|user| user.text()).map_or(HIDDEN, str::trim);
        self.line(0, "Security", &[], Some(Cow::Owned(format!("of {:?}", shortened(user)))));
    }

    fn element(&mut self, root: Element<'_, '_>) {
        // Without recursion: what is nested deeply costs a line, not the stack.
        let mut level = 0;
        let mut node = root;
        loop {
            let open = node.is_element() && self.one(node, level);
            if let Some(child) = node.first_child().filter(|_| open && level < DEEPEST) {
                node = child;
                level += 1;
                continue;
            }
            loop {
                if node == root {
                    return;
                }
                if let Some(next) = node.next_sibling() {
                    node = next;
                    break;
                }
                let Some(parent) = node.parent() else { return };
                node = parent;
                level -= 1;
            }
        }
    }

    /// One element's line. Returns whether what is in it may be shown.
    fn one(&mut self, element: Element<'_, '_>, level: usize) -> bool {
        let name = element.tag_name().name();
        // A `SimpleItem` says by its attribute what it is.
        let called = element.attribute("Name").is_some_and(is_secret);
        let attributes: Vec<(&str, Cow<'_, str>)> = element
            .attributes()
            .map(|attribute| {
                let hidden = is_secret(attribute.name()) || (called && attribute.name() != "Name");
                (attribute.name(), if hidden { HIDDEN.into() } else { told(attribute.value()) })
            })
            .collect();
        if is_secret(name) || called {
            self.line(level, name, &attributes, Some(HIDDEN.into()));
            return false;
        }
        let text: String =
            element.children().filter(|child| child.is_text()).filter_map(|child| child.text()).collect();
        let text = text.trim();
        self.line(level, name, &attributes, (!text.is_empty()).then(|| told(text)));
        true
    }

    fn line(&mut self, level: usize, name: &str, attributes: &[(&str, Cow<'_, str>)], text: Option<Cow<'_, str>>) {
        const REST: &str = "(the rest is left out)\n";
        if self.text.len() > LONGEST {
            if !self.text.ends_with(REST) {
                self.text.push_str(REST);
            }
            return;
        }
        let _infallible = write!(self.text, "{:indent$}{}", "", printable(name), indent = 2 * level);
        for (name, value) in attributes {
            let _infallible = write!(self.text, " {}={:?}", printable(name), value);
        }
        if let Some(text) = text {
            let _infallible = write!(self.text, ": {}", printable(&text));
        }
        self.text.push('\n');
    }
}

pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WHOLE.contains(&name.as_str()) || SECRET.iter().any(|part| name.contains(part))
}

/// A text as it may be told: short, without what looks like a key, and addresses without the account, the query or the password that may be in them.
fn told(text: &str) -> Cow<'_, str> {
    if text.len() >= BASE64 && text.bytes().all(is_base64) {
        return Cow::Owned(format!("({} characters of base64)", text.len()));
    }
    if !text.contains(['/', '?', '#', '=']) {
        return shortened(text);
    }
    let words = text.split_whitespace().map(address);
    Cow::Owned(shortened(&words.collect::<Vec<_>>().join(" ")).into_owned())
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || matches!(byte, b'+' | b'/' | b'=')
}

fn address(word: &str) -> String {
    let (scheme, rest) = word.split_once("://").map_or(("", word), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = if scheme.is_empty() { ("", rest) } else { rest.split_at(end) };
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // What is behind a `#` is as good as a query to those who put tokens there.
    let (path, query) = match path.find(['?', '#']).filter(|at| path[*at..].contains('=') || !scheme.is_empty()) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    };
    let colon = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{colon}{authority}{}", super::target(path, query))
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}… ({} bytes)", &text[..at], text.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enclosed(header: &str, body: &str) -> Message {
        let message = format!(
            "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope' xmlns:w='urn:w'><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
        );
        Message::of(message.as_bytes()).unwrap()
    }

    #[test]
    fn a_message_is_an_outline() {
        let message = enclosed(
            "<w:To>http://10.0.0.5/onvif/x?a=b</w:To>",
            "<p:Move xmlns:p='urn:p'><p:Token> one </p:Token><p:V><p:PanTilt x='1' y='0.5'/></p:V></p:Move>",
        );
        assert_eq!((message.namespace.as_str(), message.name.as_str()), ("urn:p", "Move"));
        let expected =
            "To: http://10.0.0.5/onvif/x?(3 bytes)\nMove\n  Token: one\n  V\n    PanTilt x=\"1\" y=\"0.5\"\n";
        assert_eq!(message.outline, expected);
    }

    #[test]
    fn secrets_are_left_out_wherever_they_stand() {
        let secrets = [
            "<Password>hunter2</Password>",
            "<x:UserPassword xmlns:x='urn:vendor'>hunter2</x:UserPassword>",
            "<Passphrase>hunter2</Passphrase>",
            "<PSK><Key>hunter2</Key></PSK>",
            "<Key>hunter2</Key>",
            "<PrivateKey><Deep>hunter2</Deep></PrivateKey>",
            "<User pwd='hunter2'>ana</User>",
            "<Uri>rtsp://admin:hunter2@10.0.0.5/s</Uri>",
            "<Uri>http://10.0.0.5/s?token=hunter2</Uri>",
            "<AccessToken>hunter2</AccessToken>",
            "<CertificateWithPrivateKey>hunter2</CertificateWithPrivateKey>",
            "<KeyPair>hunter2</KeyPair>",
            "<SimpleItem Name='FtpPassword' Value='hunter2'/>",
            "<Item Name='Secret'>hunter2</Item>",
            "<Uri>rtsp://10.0.0.5/user=admin_password=hunter2_channel=1.sdp</Uri>",
            "<Uri>/snap.cgi?user=admin&amp;pwd=hunter2</Uri>",
            "<Uri>http://10.0.0.5/x#access_token=hunter2</Uri>",
            "<Text>see http://10.0.0.5/a?b=hunter2 there</Text>",
        ];
        for secret in secrets {
            let message = enclosed("", &format!("<Set>{secret}<After>x</After></Set>"));
            assert!(!message.outline.contains("hunter2"), "{}", message.outline);
            assert!(message.outline.contains("  After: x\n"), "{}", message.outline);
        }
        let key = format!("<Set><Blob>{}</Blob></Set>", "hunter2/".repeat(12));
        assert_eq!(enclosed("", &key).outline, "Set\n  Blob: (96 characters of base64)\n");
        assert_eq!(enclosed("", "<Set><Why>what? a/b</Why></Set>").outline, "Set\n  Why: what? a/b\n");
        for open in ["<ProfileToken>p1</ProfileToken>", "<KeyID>p1</KeyID>", "<CertificateID>p1</CertificateID>"] {
            assert!(enclosed("", &format!("<Set>{open}</Set>")).outline.contains(": p1\n"), "{open}");
        }
        let token = "<s:Security xmlns:s='urn:s'><s:UsernameToken><s:Username>ana</s:Username><s:Password>hunter2</s:Password><s:Nonce>bm9uY2U=</s:Nonce></s:UsernameToken></s:Security>";
        assert_eq!(enclosed(token, "<Get/>").outline, "Security: of \"ana\"\nGet\n");
    }

    #[test]
    fn what_only_administrators_may_read_is_not_told() {
        let body = "<t:GetSystemBackupResponse xmlns:t='http://www.onvif.org/ver10/device/wsdl'><t:Data>hunter2</t:Data></t:GetSystemBackupResponse>";
        let row = oriel_onvif::lookup("http://www.onvif.org/ver10/device/wsdl", "GetSystemBackup").unwrap();
        assert_eq!(row.access, AccessClass::ReadSystemSecret);
        assert!(!enclosed("", body).outline.contains("hunter2"));
    }

    #[test]
    fn an_outline_has_an_end_and_steers_no_terminal() {
        let many = format!("<Get>{}</Get>", "<A>b</A>".repeat(20_000));
        let outline = enclosed("", &many).outline;
        assert!(outline.len() < LONGEST + 200 && outline.ends_with("(the rest is left out)\n"));
        let long = format!("<Get>{}</Get>", "x".repeat(10_000));
        assert!(enclosed("", &long).outline.len() < 300);
        let deep = format!("{}{}", "<A>".repeat(100), "</A>".repeat(100));
        assert_eq!(enclosed("", &deep).outline.lines().count(), DEEPEST + 1);
        assert!(!enclosed("", "<Get>\u{9b}31m&#9;x</Get>").outline.contains(['\u{9b}', '\t']));
        assert_eq!(Message::of(b"GIF89a"), None);
    }
}
