//! The packets of MQTT 3.1.1 that one who only publishes sends and receives (MQTT 3.1.1 chapter 3). Pure.
//!
//! ```text
//!   sent:      CONNECT  PUBLISH  PUBREL  PINGREQ  DISCONNECT
//!   received:  CONNACK  PUBACK  PUBREC  PUBCOMP  PINGRESP           each of two to four bytes; anything else is an error
//! ```

use bytes::{Buf, BytesMut};

/// How surely a message arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::enum_variant_names, reason = "so MQTT names them (§4.3)")]
pub(crate) enum Qos {
    /// At most once.
    #[default]
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
    /// Exactly once.
    ExactlyOnce,
}

impl Qos {
    /// What `QoS` of the configuration says (Core §9.12.1.1).
    pub(crate) fn of(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Who connects.
#[derive(Clone)]
pub(super) struct Connect<'a> {
    /// Unique at the broker.
    pub(super) client: &'a str,
    /// The broker forgets what it knew of this client.
    pub(super) clean: bool,
    /// Seconds of silence after which the broker may hang up, and half as much again.
    pub(super) keep_alive: u16,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a str>,
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    /// The broker keeps it for those who come later; one without a payload deletes what is kept.
    pub(super) retain: bool,
}

/// What a broker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The answer to CONNECT: whether it remembers this client, and its verdict.
    Connack { session: bool, code: u8 },
    /// A message of QoS 1 has arrived.
    Puback(u16),
    /// A message of QoS 2 has arrived.
    Pubrec(u16),
    /// It is done.
    Pubcomp(u16),
    /// It is alive.
    Pingresp,
}

/// What came is no packet that a broker may send to one who only publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker sent what is no answer to one who publishes (packet type {kind}, {length} bytes)")]
pub(super) struct Strange {
    kind: u8,
    length: u8,
}

/// Room for the largest topic (MQTT 3.1.1 §1.5.3).
const MAX_TEXT: usize = 65_535;

pub(super) fn connect(out: &mut BytesMut, connect: &Connect<'_>) {
    let credentials = connect.user.map(|user| (user, connect.password));
    let mut flags = u8::from(connect.clean) << 1;
    let mut length = 10 + 2 + connect.client.len();
    if let Some((user, password)) = credentials {
        flags |= 0x80;
        length += 2 + user.len();
        if let Some(password) = password {
            flags |= 0x40;
            length += 2 + password.len();
        }
    }
    head(out, 0x10, length);
    text(out, "MQTT");
    // Level 4 is version 3.1.1.
    out.extend_from_slice(&[4, flags]);
    number(out, connect.keep_alive);
    text(out, connect.client);
    if let Some((user, password)) = credentials {
        text(out, user);
        if let Some(password) = password {
            text(out, password);
        }
    }
}

/// `again`: it may have arrived already.
pub(super) fn publish(out: &mut BytesMut, message: &Publish, qos: Qos, id: u16, again: bool) {
    let numbered = qos != Qos::AtMostOnce;
    let flags = u8::from(again) << 3 | (qos as u8) << 1 | u8::from(message.retain);
    head(out, 0x30 | flags, 2 + message.topic.len() + 2 * usize::from(numbered) + message.payload.len());
    text(out, &message.topic);
    if numbered {
        number(out, id);
    }
    out.extend_from_slice(&message.payload);
}

pub(super) fn pubrel(out: &mut BytesMut, id: u16) {
    out.extend_from_slice(&[0x62, 2]);
    number(out, id);
}

pub(super) fn pingreq(out: &mut BytesMut) {
    out.extend_from_slice(&[0xc0, 0]);
}

pub(super) fn disconnect(out: &mut BytesMut) {
    out.extend_from_slice(&[0xe0, 0]);
}

fn head(out: &mut BytesMut, first: u8, mut length: usize) {
    out.extend_from_slice(&[first]);
    loop {
        let digit = (length % 128) as u8;
        length /= 128;
        out.extend_from_slice(&[if length > 0 { digit | 0x80 } else { digit }]);
        if length == 0 {
            return;
        }
    }
}

fn number(out: &mut BytesMut, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn text(out: &mut BytesMut, text: &str) {
    debug_assert!(text.len() <= MAX_TEXT, "what configures a broker and makes topics bounds them");
    number(out, text.len() as u16);
    out.extend_from_slice(text.as_bytes());
}

/// Takes the first packet, if it is there whole.
///
/// # Errors
/// It is none that a broker may send.
pub(super) fn take(bytes: &mut BytesMut) -> Result<Option<Heard>, Strange> {
    let (Some(&first), Some(&length)) = (bytes.first(), bytes.get(1)) else { return Ok(None) };
    let strange = Strange { kind: first >> 4, length };
    let wanted = match first {
        0x20 | 0x40 | 0x50 | 0x70 => 2,
        0xd0 => 0,
        _ => return Err(strange),
    };
    if usize::from(length) != wanted {
        return Err(strange);
    }
    if bytes.len() < 2 + wanted {
        return Ok(None);
    }
    bytes.advance(2);
    let heard = match first {
        0xd0 => return Ok(Some(Heard::Pingresp)),
        0x20 => Heard::Connack { session: bytes[0] & 1 == 1, code: bytes[1] },
        0x40 => Heard::Puback(u16::from_be_bytes([bytes[0], bytes[1]])),
        0x50 => Heard::Pubrec(u16::from_be_bytes([bytes[0], bytes[1]])),
        _ => Heard::Pubcomp(u16::from_be_bytes([bytes[0], bytes[1]])),
    };
    bytes.advance(2);
    Ok(Some(heard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out);
        out.to_vec()
    }

    #[test]
    fn what_is_sent() {
        let who = Connect { client: "c", clean: true, keep_alive: 60, user: Some("u"), password: Some("pw") };
        assert_eq!(
            written(|out| connect(out, &who)),
            b"\x10\x14\0\x04MQTT\x04\xc2\0\x3c\0\x01c\0\x01u\0\x02pw",
            "user, password, clean"
        );
        let anonymous = Connect { clean: false, user: None, ..who };
        assert_eq!(
            written(|out| connect(out, &anonymous)),
            b"\x10\x0d\0\x04MQTT\x04\0\0\x3c\0\x01c",
            "no password alone"
        );
        let message = Publish { topic: "a/b".into(), payload: b"{}".to_vec(), retain: true };
        let publish = |qos, again| written(|out| publish(out, &message, qos, 258, again));
        assert_eq!(publish(Qos::AtMostOnce, false), b"\x31\x07\0\x03a/b{}");
        assert_eq!(publish(Qos::AtLeastOnce, false), b"\x33\x09\0\x03a/b\x01\x02{}");
        assert_eq!(publish(Qos::ExactlyOnce, true), b"\x3d\x09\0\x03a/b\x01\x02{}");
        assert_eq!(written(|out| pubrel(out, 258)), b"\x62\x02\x01\x02");
    }

    #[test]
    fn lengths_take_as_many_bytes_as_they_need() {
        for (payload, length) in
            [(122, &b"\x7f"[..]), (123, b"\x80\x01"), (16_378, b"\xff\x7f"), (16_379, b"\x80\x80\x01")]
        {
            let message = Publish { topic: "a/b".into(), payload: vec![b'x'; payload], retain: false };
            let bytes = written(|out| publish(out, &message, Qos::AtMostOnce, 0, false));
            assert_eq!(&bytes[1..1 + length.len()], length, "{payload}");
            assert_eq!(bytes.len(), 1 + length.len() + 5 + payload);
        }
    }

    #[test]
    fn what_is_heard_comes_in_pieces() {
        let all = b"\x20\x02\x01\x05\x40\x02\x01\x02\x50\x02\0\x07\x70\x02\0\x08\xd0\0";
        let mut bytes = BytesMut::new();
        let mut heard = Vec::new();
        for byte in all {
            bytes.extend_from_slice(&[*byte]);
            heard.extend(take(&mut bytes).unwrap());
        }
        let session = Heard::Connack { session: true, code: 5 };
        assert_eq!(heard, [session, Heard::Puback(258), Heard::Pubrec(7), Heard::Pubcomp(8), Heard::Pingresp]);
        assert!(bytes.is_empty());
    }

    #[test]
    fn what_a_broker_may_not_send_is_an_error_at_its_first_bytes() {
        // A message, a length that never ends, a wrong length, wrong flags, types that there are not.
        for bytes in
            [&b"\x30\x05"[..], b"\x20\xff\xff\xff", b"\x40\x03\0\x01\0", b"\x41\x02\0\x01", b"\0\0", b"\xf0\0", b"HTTP"]
        {
            assert!(take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
        // Whatever the first two bytes are: a packet, more to come, or an error, and never a panic.
        for first in 0..=255 {
            for second in 0..=255 {
                let _ = take(&mut BytesMut::from(&[first, second, 1, 2, 3][..]));
            }
        }
    }
}
