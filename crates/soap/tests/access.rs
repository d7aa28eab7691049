//! The default access policy, cell by cell.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use oriel_soap::access::{AccessClass, Level, Levels, allowed};

/// Core §5.9.4.3: Administrator, Operator, User, Anonymous.
const POLICY: [(AccessClass, [bool; 4]); 8] = [
    (AccessClass::PreAuth, [true, true, true, true]),
    (AccessClass::ReadSystem, [true, true, true, false]),
    (AccessClass::ReadSystemSensitive, [true, true, false, false]),
    (AccessClass::ReadSystemSecret, [true, false, false, false]),
    (AccessClass::WriteSystem, [true, false, false, false]),
    (AccessClass::Unrecoverable, [true, false, false, false]),
    (AccessClass::ReadMedia, [true, true, true, false]),
    (AccessClass::Actuate, [true, true, false, false]),
];

#[test]
fn the_whole_policy() {
    let columns = [Level::Administrator, Level::Operator, Level::User, Level::Anonymous];
    assert_eq!(POLICY.map(|(class, _)| class), AccessClass::ALL);
    for (class, row) in POLICY {
        for (level, granted) in columns.into_iter().zip(row) {
            assert_eq!(allowed(level.into(), class), granted, "{level} {class}");
        }
    }
}

#[test]
fn several_levels_have_the_rights_of_all() {
    let levels: Levels = "Operator  User".parse().unwrap();
    assert_eq!(levels.to_string(), "User Operator");
    for class in AccessClass::ALL {
        let either = allowed(Level::Operator.into(), class) || allowed(Level::User.into(), class);
        assert_eq!(allowed(levels, class), either);
    }
    assert_eq!("onvif:Administrator".parse(), Ok(Levels::ADMINISTRATOR));
    assert_eq!("".parse(), Ok(Levels::ANONYMOUS));
    assert_eq!(Levels::ANONYMOUS.to_string(), "Anonymous");
    assert!("Operator PTZControl".parse::<Levels>().unwrap_err().to_string().contains("PTZControl"));
    assert!("operator".parse::<Levels>().is_err());
}
