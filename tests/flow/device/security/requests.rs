//! Certification requests: what goes in comes out, openssl agrees, and each mistake has its fault (Security §5.2.6.3.1).

use super::*;
use std::io::Write;
use std::process::{Command, Stdio};

/// A request with a common name.
pub(super) fn named(common_name: &str, key_id: &str) -> CreatePKCS10CSR {
    CreatePKCS10CSR::with(|request| {
        request.key_id = key_id.to_owned();
        request.subject = DistinguishedName::with(|name| name.common_name = vec![common_name.to_owned()]);
        request.signature_algorithm = algorithm(ECDSA);
    })
}

fn algorithm(oid: &str) -> AlgorithmIdentifier {
    AlgorithmIdentifier::with(|algorithm| algorithm.algorithm = oid.to_owned())
}

fn extension(oid: &str, critical: bool, value: &[u8]) -> CSRAttribute {
    CSRAttribute::with(|attribute| {
        attribute.x509v3_extension = Some(X509v3Extension::with(|extension| {
            extension.extn_oid = oid.to_owned();
            extension.critical = Some(critical);
            extension.extn_value = Base64(value.to_vec());
        }));
    })
}

fn basic(oid: &str, value: &[u8]) -> CSRAttribute {
    CSRAttribute::with(|attribute| {
        attribute.basic_request_attribute = Some(BasicRequestAttribute::with(|basic| {
            basic.oid = oid.to_owned();
            basic.value = Base64(value.to_vec());
        }));
    })
}

fn typed(kind: &str, value: &str) -> DNAttributeTypeAndValue {
    DNAttributeTypeAndValue::with(|pair| {
        pair.attribute_type = kind.to_owned();
        pair.value = value.to_owned();
    })
}

/// A subject with every kind of part that the schema has.
fn whole_name() -> DistinguishedName {
    let one = |text: &str| vec![text.to_owned()];
    DistinguishedName::with(|name| {
        name.country = one("DE");
        name.organization = one("Fenster & Söhne");
        name.organizational_unit = vec!["Roof".to_owned(), "North".to_owned()];
        name.distinguished_name_qualifier = one("Q1");
        name.state_or_province_name = one("Hessen");
        name.common_name = one("camera 1");
        name.serial_number = one("OD-4711");
        name.locality = one("Giessen");
        name.title = one("Dr");
        name.surname = one("S");
        name.given_name = one("G");
        name.initials = one("I");
        name.pseudonym = one("P");
        name.generation_qualifier = one("III");
        name.generic_attribute = vec![typed("emailAddress", "camera@example.org"), typed("2.5.4.15", "#0c026162")];
        name.multi_valued_rdn =
            vec![MultiValuedRDN::with(|several| several.attribute = vec![typed("UID", "u"), typed("cn", "second")])];
        name.any_attribute = Some(DistinguishedNameMore::with(|more| more.domain_component = one("example")));
    })
}

/// What openssl says of a request; nothing where there is no openssl.
fn openssl(der: &[u8]) -> Option<String> {
    let mut child = Command::new("openssl")
        .args(["req", "-inform", "DER", "-verify", "-noout", "-text", "-nameopt", "sep_comma_plus,sname,utf8"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(der).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    Some(text)
}

#[tokio::test]
async fn openssl_reads_in_a_request_what_was_asked_for() {
    let camera = Camera::start().await;
    let key_id = camera.elliptic_key().await;
    // extendedKeyUsage: clientAuth; challengePassword.
    let usage = [0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];
    let request = but(named("", &key_id), |request| {
        request.subject = whole_name();
        request.csr_attribute = vec![
            extension("2.5.29.37", true, &usage),
            extension("2.5.29.15", false, &[3, 2, 7, 0x80]),
            basic("1.2.840.113549.1.9.7", &[0x0c, 4, b'o', b'n', b'c', b'e']),
        ];
    });
    let der = camera.get(&request).await.pkcs10_csr;
    let read = RequestedCertificate::read(&der).unwrap();
    assert_eq!(read.common_names(), ["camera 1", "second"]);
    let Some(text) = openssl(&der) else {
        println!("openssl is not there, its opinion is not asked");
        return;
    };
    for expected in [
        "verify OK",
        "C=DE,O=Fenster & Söhne,OU=Roof,OU=North,dnQualifier=Q1,ST=Hessen,CN=camera 1,serialNumber=OD-4711,L=Giessen",
        "emailAddress=camera@example.org,businessCategory=ab,",
        "UID=u",
        "DC=example",
        "X509v3 Extended Key Usage: critical",
        "TLS Web Client Authentication",
        "Digital Signature",
        "challengePassword",
        "ecdsa-with-SHA256",
        "prime256v1",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[tokio::test]
async fn each_kind_of_key_signs_with_its_algorithms_and_no_other() {
    let camera = Camera::start().await;
    let p384 = camera.get(&curve("secp384r1")).await.key_id;
    let rsa = camera.get(&rsa(2048)).await.key_id;
    let p256 = camera.elliptic_key().await;
    camera.ready(&p384).await;
    camera.ready(&rsa).await;
    let told = camera.get(&security::GetServiceCapabilities::default()).await.capabilities.keystore_capabilities;
    for offered in told.signature_algorithms {
        let mut fits = Vec::new();
        for (kind, key_id) in [("p256", &p256), ("p384", &p384), ("rsa", &rsa), ("own", &"device".to_owned())] {
            let request = but(named("camera", key_id), |request| request.signature_algorithm = offered.clone());
            match camera.ask(ADMINISTRATOR, &request).await {
                Ok(answer) => {
                    RequestedCertificate::read(&answer.pkcs10_csr).unwrap();
                    openssl(&answer.pkcs10_csr);
                    fits.push(kind);
                }
                Err(fault) => {
                    let expected = "env:Sender/ter:InvalidArgVal/ter:KeySignatureAlgorithmMismatch";
                    assert_eq!(name(&fault), expected, "{kind} {offered:?}");
                }
            }
        }
        match offered.algorithm.as_str() {
            ECDSA => assert_eq!(fits, ["p256", "own"]),
            "1.2.840.10045.4.3.3" => assert_eq!(fits, ["p384"]),
            _ => assert_eq!(fits, ["rsa"], "{offered:?}"),
        }
    }
}

type Change = fn(&mut CreatePKCS10CSR);

#[tokio::test]
async fn each_mistake_has_its_fault() {
    const UNSUPPORTED: &str = "UnsupportedSignatureAlgorithm";
    const SUBJECT: &str = "InvalidSubject";
    const ATTRIBUTE: &str = "InvalidAttribute";
    let camera = Camera::start().await;
    let cases: &[(&str, Change)] = &[
        (UNSUPPORTED, |request| request.signature_algorithm = algorithm("1.2.840.113549.1.1.5")),
        (UNSUPPORTED, |request| request.signature_algorithm = algorithm("ecdsa-with-SHA256")),
        (UNSUPPORTED, |request| request.signature_algorithm.parameters = Some(Base64(vec![0x30, 0]))),
        ("KeySignatureAlgorithmMismatch", |request| request.signature_algorithm = algorithm("1.2.840.113549.1.1.11")),
        (SUBJECT, |request| request.subject = DistinguishedName::default()),
        (SUBJECT, |request| request.subject.common_name = vec![String::new()]),
        (SUBJECT, |request| request.subject.common_name = vec!["x".repeat(65)]),
        (SUBJECT, |request| request.subject.common_name = vec!["x".to_owned(); 65]),
        (SUBJECT, |request| request.subject.common_name = vec!["#0c0".to_owned()]),
        (SUBJECT, |request| request.subject.common_name = vec!["#zz".to_owned()]),
        (SUBJECT, |request| request.subject.common_name = vec!["#0c056162".to_owned()]),
        (SUBJECT, |request| request.subject.country = vec!["GER".to_owned()]),
        (SUBJECT, |request| request.subject.country = vec!["Ä".to_owned()]),
        (SUBJECT, |request| request.subject.serial_number = vec!["4711@home".to_owned()]),
        (SUBJECT, |request| request.subject.generic_attribute = vec![typed("nonsense", "x")]),
        (SUBJECT, |request| request.subject.generic_attribute = vec![typed("9.9.9", "x")]),
        (SUBJECT, |request| request.subject.generic_attribute = vec![typed("DC", "ö")]),
        (SUBJECT, |request| request.subject.multi_valued_rdn = vec![MultiValuedRDN::default()]),
        (ATTRIBUTE, |request| request.csr_attribute = vec![CSRAttribute::default()]),
        (ATTRIBUTE, |request| request.csr_attribute = vec![extension("no oid", false, &[5, 0])]),
        (ATTRIBUTE, |request| request.csr_attribute = vec![extension("2.5.29.37", false, b"")]),
        (ATTRIBUTE, |request| request.csr_attribute = vec![extension("2.5.29.37", false, &[0x30, 5, 0])]),
        (ATTRIBUTE, |request| request.csr_attribute = vec![basic("1.2.3", &[5, 0, 5, 0])]),
        (ATTRIBUTE, |request| request.csr_attribute = vec![basic("1.2.3", &[5, 0]); 2]),
        (ATTRIBUTE, |request| request.csr_attribute = vec![extension("2.5.29.37", false, &[0x30, 0]); 2]),
        (ATTRIBUTE, |request| request.csr_attribute = (0..33).map(|n| basic(&format!("1.2.{n}"), &[5, 0])).collect()),
    ];
    for (expected, change) in cases {
        let mut request = named("camera", "device");
        change(&mut request);
        let fault = camera.refused(&request).await;
        assert_eq!(fault, format!("env:Sender/ter:InvalidArgVal/ter:{expected}"), "{request:?}");
    }
    // A key without its private half cannot sign.
    let public = camera.get(&certificates::upload(Authority::new("A").unwrap().certificate())).await.key_id;
    assert_eq!(camera.refused(&named("camera", &public)).await, "env:Receiver/ter:Action/ter:CSRCreationFailed");
    camera.get(&named("camera", "device")).await;
}
