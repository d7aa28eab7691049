//! SOAP 1.2 envelopes (Core §5.8): whatever parses has one reading, and written again it stays as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_onvif::device_mgmt::{CreateUsers, DeleteUsers, GetServices, GetServicesResponse, SetUser, User};
use oriel_onvif::ns;
use oriel_onvif::uplink::{Configuration, DeleteUplink, GetUplinksResponse, SetUplink};
use oriel_soap::envelope::{Headers, inspect, reply, request, request_raw};
use oriel_soap::xml::{Any, Limits, Ns, QName, XmlRead, XmlWrite};
use oriel_soap::{Envelope, Operation};

fuzz_target!(|message: &[u8]| {
    let Ok(envelope) = Envelope::parse(message, &Limits::REQUEST) else { return };
    passed_on(&envelope, message);
    let _ = envelope.username_token();
    match envelope.operation().1 {
        "SetUplink" => operation::<SetUplink>(&envelope),
        "DeleteUplink" => operation::<DeleteUplink>(&envelope),
        "CreateUsers" => operation::<CreateUsers>(&envelope),
        "SetUser" => operation::<SetUser>(&envelope),
        "DeleteUsers" => operation::<DeleteUsers>(&envelope),
        "GetServices" => operation::<GetServices>(&envelope),
        "GetServicesResponse" => words::<GetServicesResponse>(&envelope, ns::TDS, "GetServicesResponse"),
        "GetUplinksResponse" => words::<GetUplinksResponse>(&envelope, ns::TUP, "GetUplinksResponse"),
        "Fault" => fault(&envelope),
        _ => anything(&envelope),
    }
});

/// What a gateway sends on reads as what it has decided on, but for WS-Security.
fn passed_on(envelope: &Envelope<'_>, message: &[u8]) {
    let passed = envelope.reserialise();
    let again = Envelope::parse(&passed, &Limits::REPLY).expect("what is written from a parse parses");
    assert_eq!(again.operation(), envelope.operation());
    assert_eq!(again.addressing(), envelope.addressing());
    assert_eq!(again.understood(), envelope.understood());
    assert_eq!(again.agrees(None), envelope.agrees(None));
    assert_eq!(again.username_token(), Ok(None), "the credentials are not passed on");
    assert_eq!(again.reserialise(), passed, "once written, it stays as it is");
    let inspected = inspect(message, None, &Limits::REQUEST);
    assert_eq!(inspected.map(|_| ()), envelope.agrees(None));
}

/// A request that can be read is written and read again as the same.
fn operation<O: Operation + Words + PartialEq>(envelope: &Envelope<'_>) {
    words::<O>(envelope, O::SERVICE, O::NAME);
    if let Ok(read) = envelope.request::<O>() {
        let written = request(&read, &Headers::default());
        let again = Envelope::parse(&written, &Limits::REPLY).expect("what we write parses");
        assert_eq!(again.operation(), (O::SERVICE.uri, O::NAME));
        assert_eq!(again.username_token(), Ok(None), "no value becomes a header");
    }
}

fn words<T: XmlRead + XmlWrite + Words + PartialEq>(envelope: &Envelope<'_>, ns: Ns, local: &str) {
    let Ok(mut read) = envelope.read::<T>(ns, local) else { return };
    let mut once = through::<T>(&read, ns, local);
    let twice = through::<T>(&once, ns, local);
    assert!(once == twice, "extensions too stay as they are once they are written");
    // An extension written elsewhere may carry other declarations.
    let (before, after) = (read.take_extensions(), once.take_extensions());
    assert_eq!(before, after);
    assert!(read == once, "what was read is what is written");
}

fn through<T: XmlRead + XmlWrite>(value: &T, ns: Ns, local: &str) -> T {
    let written = reply(ns, local, value, None);
    let envelope = Envelope::parse(&written, &Limits::REPLY).expect("what we write parses");
    envelope.read(ns, local).expect("what we write can be read")
}

/// A fault of somebody else, passed to a client of ours.
fn fault(envelope: &Envelope<'_>) {
    let Some(fault) = envelope.fault() else { return };
    let written = fault.to_envelope(None);
    let again =
        Envelope::parse(&written, &Limits::REPLY).expect("what we write parses").fault().expect("it is a fault");
    assert_eq!((again.code, &again.reason), (fault.code, &fault.reason));
    let depth = fault.subcodes.len().min(8);
    // A subcode that was no QName is kept as text, for people.
    if fault.subcodes.iter().all(|name| !name.local.is_empty() && !name.local.contains([':', ' ', '\t', '\n', '\r'])) {
        assert_eq!(again.subcodes, fault.subcodes[..depth]);
    }
    assert_eq!(names(&again.detail), names(&fault.detail));
}

/// An operation without structs is sent as the element that it is.
fn anything(envelope: &Envelope<'_>) {
    let any = Any::from_element(envelope.body());
    let written = request_raw(&any, &Headers::default());
    let again = Envelope::parse(&written, &Limits::REPLY).expect("an element kept is complete in itself");
    assert_eq!(again.operation(), envelope.operation());
    let alone = Any::from_xml(any.as_xml(), &Limits::REPLY).expect("an element kept is complete in itself");
    assert_eq!(alone.name(), any.name());
}

/// Words whose extensions can be taken out, to be compared by name alone.
trait Words {
    fn take_extensions(&mut self) -> Vec<QName>;
}

fn names(any: &[Any]) -> Vec<QName> {
    any.iter().map(|any| any.name().clone()).collect()
}

fn take(any: &mut Vec<Any>) -> Vec<QName> {
    names(&std::mem::take(any))
}

impl Words for Configuration {
    fn take_extensions(&mut self) -> Vec<QName> {
        take(&mut self.any)
    }
}

impl Words for SetUplink {
    fn take_extensions(&mut self) -> Vec<QName> {
        self.configuration.take_extensions()
    }
}

impl Words for GetUplinksResponse {
    fn take_extensions(&mut self) -> Vec<QName> {
        self.configuration.iter_mut().flat_map(Words::take_extensions).collect()
    }
}

impl Words for User {
    fn take_extensions(&mut self) -> Vec<QName> {
        self.extension.as_mut().map(|extension| take(&mut extension.any)).unwrap_or_default()
    }
}

impl Words for CreateUsers {
    fn take_extensions(&mut self) -> Vec<QName> {
        self.user.iter_mut().flat_map(Words::take_extensions).collect()
    }
}

impl Words for SetUser {
    fn take_extensions(&mut self) -> Vec<QName> {
        self.user.iter_mut().flat_map(Words::take_extensions).collect()
    }
}

impl Words for GetServicesResponse {
    fn take_extensions(&mut self) -> Vec<QName> {
        let one = |service: &mut oriel_onvif::device_mgmt::Service| {
            let mut names = take(&mut service.any);
            names.extend(service.capabilities.as_mut().map(|found| take(&mut found.any)).unwrap_or_default());
            names
        };
        self.service.iter_mut().flat_map(one).collect()
    }
}

macro_rules! without_extensions {
    ($($ty:ty),*) => {$(
        impl Words for $ty {
            fn take_extensions(&mut self) -> Vec<QName> {
                Vec::new()
            }
        }
    )*};
}

without_extensions!(DeleteUplink, DeleteUsers, GetServices);
