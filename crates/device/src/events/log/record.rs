//! One message as bytes: length, checksum, and what it takes to tell the message again.
//!
//! ```text
//!   length u32 │ CRC-32 of what follows u32 │ number u64 │ seconds i64 │ nanoseconds i32 │ topic and message
//! ```
//! Numbers are little-endian; a text is its length as u32 and its bytes; a list is its length as u16 and its items.

use crate::events::Notification;
use jiff::Timestamp;
use oriel_onvif::events::{ElementItem, ItemList, Message, PropertyOperation, SimpleItem};
use oriel_onvif::notification::Topic;
use oriel_onvif::ns::TNS1;
use oriel_soap::With;
use oriel_soap::xml::{Any, AnyAttribute, Limits, QName};

/// Before each record: its length and its checksum.
const FRAME: usize = 8;
/// Number and time.
const HEAD: usize = 20;
/// The longest record; the hub takes no message that comes near it.
const LONGEST: usize = 1 << 20;

/// The place of a message in the order of time; of two at one time the one that was told first is first.
pub(super) type Place = (Timestamp, u64);

/// Appends the record of a message, or nothing if it is longer than a record may be.
pub(super) fn write(notification: &Notification, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME]);
    let time = notification.message.utc_time;
    out.extend_from_slice(&notification.number.to_le_bytes());
    out.extend_from_slice(&time.as_second().to_le_bytes());
    out.extend_from_slice(&time.subsec_nanosecond().to_le_bytes());
    list(&notification.topic.0, out, |step, out| {
        match step.namespace.as_ref() {
            "" => out.push(0),
            uri if uri == TNS1.uri => out.push(1),
            uri => {
                out.push(2);
                text(uri, out);
            }
        }
        text(&step.local, out);
    });
    message(&notification.message, out);
    let length = out.len() - start - FRAME;
    if length > LONGEST {
        return out.truncate(start);
    }
    let sum = crc32fast::hash(&out[start + FRAME..]);
    out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
    out[start + 4..start + FRAME].copy_from_slice(&sum.to_le_bytes());
}

fn message(message: &Message, out: &mut Vec<u8>) {
    out.push(match message.property_operation {
        None => 0,
        Some(PropertyOperation::Initialized) => 1,
        Some(PropertyOperation::Changed) => 2,
        Some(PropertyOperation::Deleted) => 3,
    });
    for group in [&message.source, &message.key, &message.data] {
        out.push(u8::from(group.is_some()));
        let Some(group) = group else { continue };
        list(&group.simple_item, out, |item, out| {
            text(&item.name, out);
            text(&item.value, out);
        });
        list(&group.element_item, out, |item, out| {
            text(&item.name, out);
            elements(&item.any, out);
        });
        elements(&group.any, out);
        attributes(&group.any_attributes, out);
    }
    elements(&message.any, out);
    attributes(&message.any_attributes, out);
}

fn list<T>(items: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    // More items than a message of the hub's size can have.
    let items = &items[..items.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&(items.len() as u16).to_le_bytes());
    items.iter().for_each(|item| write(item, out));
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn elements(any: &[Any], out: &mut Vec<u8>) {
    list(any, out, |any, out| text(any.as_xml(), out));
}

fn attributes(all: &[AnyAttribute], out: &mut Vec<u8>) {
    list(all, out, |attribute, out| {
        out.push(u8::from(attribute.namespace.is_some()));
        if let Some(namespace) = &attribute.namespace {
            text(namespace, out);
        }
        text(&attribute.name, out);
        text(&attribute.value, out);
    });
}

/// A record whose checksum is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// Number of the message.
    pub(super) number: u64,
    /// Its time.
    pub(super) time: Timestamp,
    body: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the beginning of the bytes, and what is behind it. Nothing if there is no whole record, or a damaged one.
    pub(super) fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader(bytes);
        let length = usize::try_from(reader.u32()?).ok().filter(|length| (HEAD..=LONGEST).contains(length))?;
        let sum = reader.u32()?;
        let record = reader.take(length)?;
        if crc32fast::hash(record) != sum {
            return None;
        }
        let rest = reader.0;
        let mut reader = Reader(record);
        let number = reader.u64()?;
        let time = Timestamp::new(reader.u64()?.cast_signed(), reader.u32()?.cast_signed()).ok()?;
        Some((Self { number, time, body: reader.0 }, rest))
    }

    pub(super) fn place(&self) -> Place {
        (self.time, self.number)
    }

    /// What it takes in the file.
    pub(super) fn length(&self) -> u64 {
        (FRAME + HEAD + self.body.len()) as u64
    }

    /// The bytes to read the message from later.
    pub(super) fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// The message at a place. Nothing if the bytes are none, which a right checksum makes impossible but for another program's.
pub(super) fn read((time, number): Place, body: &[u8]) -> Option<Notification> {
    let mut reader = Reader(body);
    let topic = Topic(reader.list(|reader| {
        let namespace = match reader.u8()? {
            0 => String::new(),
            1 => TNS1.uri.to_owned(),
            _ => reader.text()?,
        };
        Some(QName::new(&namespace, &reader.text()?))
    })?);
    let message = reader.message(time)?;
    reader.0.is_empty().then(|| Notification::new(number, topic, message))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.u32()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = u16::from_le_bytes(self.array()?);
        (0..length).map(|_| one(self)).collect()
    }

    fn elements(&mut self) -> Option<Vec<Any>> {
        self.list(|reader| Any::from_xml(&reader.text()?, &Limits::REPLY).ok())
    }

    fn attributes(&mut self) -> Option<Vec<AnyAttribute>> {
        self.list(|reader| {
            let namespace = if reader.u8()? > 0 { Some(reader.text()?) } else { None };
            Some(AnyAttribute { namespace, name: reader.text()?, value: reader.text()? })
        })
    }

    fn group(&mut self) -> Option<Option<ItemList>> {
        if self.u8()? == 0 {
            return Some(None);
        }
        let mut group = ItemList::default();
        group.simple_item = self.list(|reader| Some(SimpleItem { name: reader.text()?, value: reader.text()? }))?;
        group.element_item = self.list(|reader| {
            let name = reader.text()?;
            let any = reader.elements()?;
            Some(ElementItem::with(|item| (item.name, item.any) = (name, any)))
        })?;
        group.any = self.elements()?;
        group.any_attributes = self.attributes()?;
        Some(Some(group))
    }

    fn message(&mut self, time: Timestamp) -> Option<Message> {
        let mut message = Message::default();
        message.utc_time = time;
        message.property_operation = match self.u8()? {
            0 => None,
            1 => Some(PropertyOperation::Initialized),
            2 => Some(PropertyOperation::Changed),
            _ => Some(PropertyOperation::Deleted),
        };
        (message.source, message.key, message.data) = (self.group()?, self.group()?, self.group()?);
        message.any = self.elements()?;
        message.any_attributes = self.attributes()?;
        Some(message)
    }
}
