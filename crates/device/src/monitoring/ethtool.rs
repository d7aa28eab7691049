//! Whether a link negotiates its speed, which sysfs does not tell: asked of the kernel by generic netlink, family `ethtool`
//! (Linux 5.6, Documentation/networking/ethtool-netlink). Without an answer it is not known.

use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Read as _, Write as _};
use std::time::Duration;

const AF_NETLINK: i32 = 16;
const NETLINK_GENERIC: i32 = 16;
/// The family that tells the numbers of families, and the words for that.
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// What is asked of `ethtool`, and where the answer has it.
const ETHTOOL_MSG_LINKMODES_GET: u8 = 4;
const ETHTOOL_A_LINKMODES_HEADER: u16 = 1;
const ETHTOOL_A_HEADER_DEV_NAME: u16 = 2;
const ETHTOOL_A_LINKMODES_AUTONEG: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLA_F_NESTED: u16 = 0x8000;
const NLA_TYPE_MASK: u16 = 0x3fff;
/// The heads of netlink and of generic netlink together.
const HEAD: usize = 16 + 4;
/// The kernel answers at once or not at all.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whether the interface of this name negotiates.
pub(super) fn negotiates(interface: &str) -> Option<bool> {
    let socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(Protocol::from(NETLINK_GENERIC))).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let name = attribute(CTRL_ATTR_FAMILY_NAME, b"ethtool\0");
    let family = ask(&socket, &message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &name))?;
    let family = found(attributes(&family)?, CTRL_ATTR_FAMILY_ID)?;
    let family = u16::from_ne_bytes(family.try_into().ok()?);
    let name = attribute(ETHTOOL_A_HEADER_DEV_NAME, format!("{interface}\0").as_bytes());
    let header = attribute(ETHTOOL_A_LINKMODES_HEADER | NLA_F_NESTED, &name);
    let modes = ask(&socket, &message(family, ETHTOOL_MSG_LINKMODES_GET, &header))?;
    found(attributes(&modes)?, ETHTOOL_A_LINKMODES_AUTONEG)?.first().map(|flag| *flag != 0)
}

fn ask(mut socket: &Socket, message: &[u8]) -> Option<Vec<u8>> {
    socket.write_all(message).ok()?;
    let mut answer = vec![0; 8 * 1024];
    let length = socket.read(&mut answer).ok()?;
    answer.truncate(length);
    Some(answer)
}

fn message(family: u16, command: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEAD + attributes.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEAD + attributes.len());
    message.extend(length.to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    // Number and port: one question at a time, and the kernel knows our port.
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend(attributes);
    message
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut attribute = Vec::with_capacity(8 + value.len());
    attribute.extend(length.to_ne_bytes());
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

/// The attributes of an answer that is no error.
fn attributes(answer: &[u8]) -> Option<&[u8]> {
    /// The type of an error, and of a mere acknowledgement.
    const NLMSG_ERROR: u16 = 2;
    let length = u32::from_ne_bytes(answer.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    (kind > NLMSG_ERROR).then(|| answer.get(HEAD..length.min(answer.len()))).flatten()
}

/// The value of the first attribute of this kind.
fn found(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?) & NLA_TYPE_MASK;
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u16, attributes: &[u8]) -> Vec<u8> {
        message(kind, 1, attributes)
    }

    #[test]
    fn an_attribute_is_found_behind_others_and_padding() {
        let both = [attribute(9 | NLA_F_NESTED, b"abcde"), attribute(2, &[1])].concat();
        let answer = answer(0x20, &both);
        let attributes = attributes(&answer).unwrap();
        assert_eq!(found(attributes, 2), Some(&[1][..]));
        assert_eq!(found(attributes, 9), Some(&b"abcde"[..]));
        assert_eq!(found(attributes, 3), None);
    }

    #[test]
    fn errors_and_broken_answers_say_nothing() {
        assert_eq!(attributes(&answer(2, &attribute(2, &[1]))), None);
        let whole = answer(0x20, &attribute(2, &[1]));
        for cut in 0..whole.len() {
            // Whatever is cut off, nothing is read beyond the end.
            let _ = attributes(&whole[..cut]).map(|attributes| found(attributes, 2));
        }
        assert_eq!(found(&[0, 0, 2, 0, 1, 1, 1, 1], 2), None);
        assert_eq!(found(&[0xff, 0xff, 2, 0], 2), None);
    }

    #[test]
    fn no_such_interface_is_no_answer() {
        assert_eq!(negotiates("no-such-interface"), None);
    }
}
