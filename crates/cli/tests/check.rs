//! `oriel config check`: a file is fit for use when what it points to is.

#![allow(clippy::unwrap_used)] // A test panics.
#![cfg(all(feature = "device", feature = "cloud"))]

use std::process::Command;

#[test]
fn a_file_that_names_a_certificate_without_its_key_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let [one, other] = ["one", "other"].map(|name| oriel_trust::Identity::self_signed(name, &[]).unwrap().to_pem());
    std::fs::write(at("chain.pem"), one.0).unwrap();
    let cloud = "data = \"data\"\n[tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
    let device = "data = \"data\"\n[[certificate]]\nid = \"c\"\nchain = \"chain.pem\"\nkey = \"key.pem\"\n";
    for (half, text) in [("cloud", cloud), ("device", device)] {
        let file = at(half);
        std::fs::write(&file, text).unwrap();
        let check = |key: &str| {
            std::fs::write(at("key.pem"), key).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_oriel"));
            let output = command.args(["config", "check", half]).arg(&file).output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        assert_eq!(check(&one.1), (Some(0), String::new()), "{half}");
        let (code, said) = check(&other.1);
        assert_eq!(code, Some(6), "{half}: {said}");
        assert!(said.contains("does not belong"), "{half}: {said}");
    }
}
