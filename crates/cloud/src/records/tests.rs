//! The records: what is written, read back, refused.

use super::*;

fn open() -> (tempfile::TempDir, Records) {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::open(folder.path().join("records.json")).unwrap();
    (folder, records)
}

#[test]
fn what_was_written_is_read_back() {
    let (folder, records) = open();
    let key = Fingerprint::of_key(b"key");
    let device = records.add_device("Gate", vec![key]).unwrap();
    let (_, secret) =
        records.add_token("viewer", "User".parse().unwrap(), Some([Arc::clone(&device.id)].into())).unwrap();
    records.give_up();
    let again = Records::open(folder.path().join("records.json")).unwrap();
    assert_eq!(again.device_of_key(&key).unwrap().id, device.id);
    let token = again.token(secret.expose()).unwrap();
    assert!(token.reaches(&device.id) && !token.reaches("other"));
}

#[test]
fn a_key_belongs_to_one_device() {
    let (_folder, records) = open();
    let key = Fingerprint::of_key(b"key");
    records.add_device("a", vec![key]).unwrap();
    assert!(matches!(records.add_device("b", vec![key]), Err(RecordsError::KeyTaken)));
    assert_eq!(records.devices().len(), 1);
}

#[test]
fn the_file_holds_no_secret() {
    let (folder, records) = open();
    let (_, secret) = records.add_token("t", "Administrator".parse().unwrap(), None).unwrap();
    let text = std::fs::read_to_string(folder.path().join("records.json")).unwrap();
    assert!(!text.contains(secret.expose()));
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}

#[test]
fn the_last_administrator_stays() {
    let (_folder, records) = open();
    let (first, _) = records.add_token("a", Levels::ADMINISTRATOR, None).unwrap();
    records.add_token("b", "User".parse().unwrap(), None).unwrap();
    records.add_token("c", Levels::ADMINISTRATOR, Some(HashSet::new())).unwrap();
    assert!(matches!(records.remove_token(&first.id), Err(RecordsError::LastAdministrator)));
    records.add_token("d", Levels::ADMINISTRATOR, None).unwrap();
    records.remove_token(&first.id).unwrap();
    assert!(!records.has_token(&first.id));
}

#[test]
fn one_who_gave_the_folder_up_takes_no_change() {
    let (folder, records) = open();
    records.give_up();
    assert!(matches!(records.add_device("late", Vec::new()), Err(RecordsError::Ending)));
    let successor = Records::open(folder.path().join("records.json")).unwrap();
    successor.add_device("a", Vec::new()).unwrap();
}

#[test]
fn a_change_that_cannot_be_written_is_not_seen() {
    let (folder, records) = open();
    records.add_device("a", Vec::new()).unwrap();
    std::fs::remove_dir_all(folder.path()).unwrap();
    records.add_device("b", Vec::new()).unwrap_err();
    assert_eq!(records.devices().len(), 1);
}

#[test]
fn a_damaged_file_is_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.json");
    std::fs::write(&path, "{\"version\":1,").unwrap();
    let error = Records::open(path.clone()).unwrap_err().to_string();
    assert!(error.contains("records.json is damaged"), "{error}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "{\"version\":1,");
}

#[test]
fn what_is_removed_is_gone_and_removing_it_again_says_so() {
    let (_folder, records) = open();
    let device = records.add_device("a", Vec::new()).unwrap();
    let gone = HashSet::from([device.id.to_string()]);
    records.remove_devices(&gone).unwrap();
    assert!(records.device(&device.id).is_none());
    assert_eq!(records.remove_devices(&gone).unwrap_err().to_string(), "there is no such device");
}
