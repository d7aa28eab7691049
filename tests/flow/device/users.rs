//! The accounts (Core §8.4.3 to §8.4.6): every fault, all or nothing, and never a password in an answer.

use super::*;
use oriel_onvif::device_mgmt::*;
use oriel_soap::With;

const ADMINISTRATOR: As<'_> = As::Digest("administrator");

fn user(name: &str, password: Option<&str>, level: UserLevel) -> User {
    User::with(|user| {
        user.username = name.to_owned();
        user.password = password.map(str::to_owned);
        user.user_level = level;
    })
}

fn create(users: &[User]) -> CreateUsers {
    CreateUsers::with(|request| request.user = users.to_vec())
}

fn set(users: &[User]) -> SetUser {
    SetUser::with(|request| request.user = users.to_vec())
}

fn delete(names: &[&str]) -> DeleteUsers {
    DeleteUsers::with(|request| request.username = names.iter().map(|name| (*name).to_owned()).collect())
}

async fn names(camera: &Camera) -> Vec<String> {
    let told = camera.ask(ADMINISTRATOR, &GetUsers::default()).await.unwrap();
    told.user.into_iter().map(|user| user.username).collect()
}

#[tokio::test]
async fn users_come_change_and_go_and_can_log_in_meanwhile() {
    let camera = Camera::start().await;
    let guest = "guest";
    camera.ask(ADMINISTRATOR, &create(&[user(guest, Some(&password(guest)), UserLevel::User)])).await.unwrap();
    camera.ask(As::Token(guest), &GetDeviceInformation::default()).await.unwrap();
    camera.ask(As::Digest(guest), &GetDeviceInformation::default()).await.unwrap();
    assert!(camera.ask(As::Token(guest), &GetUsers::default()).await.unwrap_err().is("NotAuthorized"));

    camera.ask(ADMINISTRATOR, &set(&[user(guest, Some(&password(guest)), UserLevel::Administrator)])).await.unwrap();
    let told = camera.answer(As::Token(guest), &GetUsers::default()).await;
    assert_eq!(told.status, StatusCode::OK);
    assert!(!told.text.contains("secret") && !told.text.contains("Password"), "{}", told.text);

    camera.ask(ADMINISTRATOR, &set(&[user(guest, Some("a different one"), UserLevel::User)])).await.unwrap();
    assert!(camera.ask(As::Token(guest), &GetDeviceInformation::default()).await.is_err(), "the old password is gone");
    camera.ask(ADMINISTRATOR, &delete(&[guest])).await.unwrap();
    assert_eq!(names(&camera).await, ["administrator", "operator", "user"]);
}

#[tokio::test]
async fn each_mistake_has_its_fault_and_nothing_of_the_request_is_done() {
    let camera = Camera::start().await;
    let good = || user("good", Some("a good password"), UserLevel::User);
    let long = "x1y2".repeat(17);
    let creates = [
        ("ter:OperationProhibited/ter:UsernameClash", user("operator", Some("a good password"), UserLevel::User)),
        ("ter:OperationProhibited/ter:UsernameClash", good()),
        ("ter:OperationProhibited/ter:PasswordTooLong", user("new", Some(&long), UserLevel::User)),
        ("ter:OperationProhibited/ter:UsernameTooLong", user(&long, Some("a good password"), UserLevel::User)),
        ("ter:OperationProhibited/ter:UsernameTooShort", user("", Some("a good password"), UserLevel::User)),
        ("ter:OperationProhibited/ter:Password", user("new", Some("short"), UserLevel::User)),
        ("ter:OperationProhibited/ter:Password", user("new", None, UserLevel::User)),
        ("ter:OperationProhibited/ter:AnonymousNotAllowed", user("new", Some("a good password"), UserLevel::Anonymous)),
        ("ter:InvalidArgVal", user("new", Some("a good password"), UserLevel::Extended)),
        ("ter:InvalidArgVal", user("a:b", Some("a good password"), UserLevel::User)),
    ];
    for (expected, bad) in creates {
        let fault = camera.ask(ADMINISTRATOR, &create(&[good(), bad.clone()])).await.unwrap_err();
        assert_eq!(name(&fault), format!("env:Sender/{expected}"), "{bad:?}");
    }
    let sets = [
        ("ter:InvalidArgVal/ter:UsernameMissing", user("nobody", Some("a good password"), UserLevel::User)),
        ("ter:OperationProhibited/ter:PasswordTooLong", user("user", Some(&long), UserLevel::User)),
        ("ter:OperationProhibited/ter:PasswordTooWeak", user("user", None, UserLevel::User)),
        (
            "ter:OperationProhibited/ter:AnonymousNotAllowed",
            user("user", Some("a good password"), UserLevel::Anonymous),
        ),
        ("ter:InvalidArgVal/ter:FixedUser", user("administrator", Some("a good password"), UserLevel::User)),
    ];
    for (expected, bad) in sets {
        let also = user("operator", Some("a good password"), UserLevel::Administrator);
        // Were the operator made an administrator, the last one would not be the last.
        let request =
            if expected.ends_with("FixedUser") { set(std::slice::from_ref(&bad)) } else { set(&[also, bad.clone()]) };
        assert_eq!(
            name(&camera.ask(ADMINISTRATOR, &request).await.unwrap_err()),
            format!("env:Sender/{expected}"),
            "{bad:?}"
        );
    }
    let deletes = [
        ("ter:InvalidArgVal/ter:UsernameMissing", delete(&["user", "nobody"])),
        ("ter:InvalidArgVal/ter:FixedUser", delete(&["user", "administrator"])),
        ("ter:InvalidArgs", delete(&[])),
    ];
    for (expected, request) in deletes {
        assert_eq!(name(&camera.ask(ADMINISTRATOR, &request).await.unwrap_err()), format!("env:Sender/{expected}"));
    }
    assert_eq!(name(&camera.ask(ADMINISTRATOR, &create(&[])).await.unwrap_err()), "env:Sender/ter:InvalidArgs");
    assert_eq!(name(&camera.ask(ADMINISTRATOR, &set(&[])).await.unwrap_err()), "env:Sender/ter:InvalidArgs");

    assert_eq!(names(&camera).await, ["administrator", "operator", "user"]);
    camera.ask(As::Token("operator"), &GetDeviceInformation::default()).await.unwrap();
    assert!(camera.ask(As::Token("operator"), &GetUsers::default()).await.is_err(), "still no administrator");
}

#[tokio::test]
async fn no_more_users_than_announced() {
    let camera = Camera::start().await;
    let told = camera.ask(As::Nobody, &GetServiceCapabilities::default()).await.unwrap().capabilities.security;
    let room = usize::try_from(told.max_users.unwrap()).unwrap() - USERS.len();
    let many = |count| {
        create(
            &(0..count).map(|n| user(&format!("u{n}"), Some("a good password"), UserLevel::User)).collect::<Vec<_>>(),
        )
    };
    let fault = camera.ask(ADMINISTRATOR, &many(room + 1)).await.unwrap_err();
    assert_eq!(name(&fault), "env:Receiver/ter:Action/ter:TooManyUsers");
    assert_eq!(names(&camera).await.len(), USERS.len());
    camera.ask(ADMINISTRATOR, &many(room)).await.unwrap();
}
