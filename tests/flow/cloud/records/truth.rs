//! Everything that is written is there after the next start; nothing of one organisation is seen from another.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oriel_cloud::Clock;
use oriel_cloud::records::{
    Actor, AuditQuery, CredentialKind, Identity as Named, Issue, LinkKind, NewToken, OrganisationId, Records,
    RecordsError, Role, UserChange,
};
use oriel_trust::{Authority, Fingerprint, Identity};

use super::postgres::Postgres;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn me() -> Actor {
    Actor::system()
}

fn key(name: &str) -> Fingerprint {
    Identity::self_signed(name, &[]).unwrap().fingerprint()
}

/// Opens a store, with a first organisation.
async fn open(data: &Path, url: Option<&str>) -> Records {
    let records = Records::open(data, url, Clock::default()).await.unwrap();
    records.first_link().await.unwrap();
    records
}

/// Runs a story in SQLite, and in PostgreSQL where it is installed.
async fn in_both<F: Future<Output = ()>>(story: impl Fn(tempfile::TempDir, Option<String>) -> F) {
    story(tempfile::tempdir().unwrap(), None).await;
    if let Some(postgres) = Postgres::start() {
        story(tempfile::tempdir().unwrap(), Some(postgres.url())).await;
    }
}

async fn everything(records: &Records, organisation: &OrganisationId) -> String {
    let scope = records.within(organisation);
    let mut lines = format!("{:?}\n{:?}\n", scope.organisation(), scope.devices(None, 99, |_| true));
    for user in scope.users(None, 99) {
        lines += &format!("{user:?} {} {} {:?} {:?}\n", user.email, user.name, user.password, scope.sessions(&user.id));
    }
    lines += &format!("{:?}\n{:?}\n", scope.tokens(None, 99), scope.access_keys(None, 99, |_| true));
    lines += &format!("{:?}\n{:?}\n", scope.authorities(), scope.enrolments(None, 99));
    lines + &format!("{:?}", scope.audit(&AuditQuery::default(), 99).await.unwrap())
}

fn issue(expires: u64) -> Issue {
    Issue { expires, anchors: "ours".into() }
}

#[tokio::test]
async fn what_is_written_is_there_after_the_next_start() {
    in_both(|folder, url| async move {
        let records = open(folder.path(), url.as_deref()).await;
        let first = records.first_organisation().unwrap();
        let link = records.first_link().await.unwrap().unwrap();
        let alice =
            records.redeem(&me(), link.expose(), Some("Alice@Example.org"), Some("Alice"), "phc").await.unwrap();
        assert!(alice.instance && alice.role == Role::Administrator && alice.email == "alice@example.org");
        let scope = records.within(&first);
        let camera = scope.add_device(&me(), "Gate", Some(key("gate"))).await.unwrap();
        scope.rename_device(&me(), &camera.id, "Back gate").await.unwrap();
        scope.add_key(&me(), &camera.id, key("second"), Some(issue(u64::MAX / 4))).await.unwrap();
        let (_, device_token) = scope.add_device_token(&me(), &camera.id).await.unwrap();
        let authority = Authority::new("external").unwrap();
        let pinned = scope.pin_authority(&me(), &authority.certificate_pem(), Named::SerialNumber).await.unwrap();
        scope.add_name(&me(), &camera.id, &pinned.id, "S/N 7").await.unwrap();
        scope.add_issuer(&me(), &Authority::new("own").unwrap()).await.unwrap();
        let (bob, invitation) = scope.add_user(&me(), "bob@example.org", "Bob", Role::Operator).await.unwrap();
        assert_eq!(records.link(invitation.expose()).await.unwrap().kind, LinkKind::Invitation);
        let new = NewToken { user: Some(Arc::clone(&bob.id)), ..NewToken::of(Role::Administrator, "wall") };
        let (_, token) = scope.add_token(&me(), new).await.unwrap();
        let (access, password) =
            scope.add_access_key(&me(), &bob.id, &camera.id, "recorder", Role::Viewer, None).await.unwrap();
        let (_, cookie) = scope.add_session(&alice, None, "browser", DAY).await.unwrap();
        let (_, code) = scope.add_enrolment(&me(), "new one", DAY, 3).await.unwrap();
        let (enrolled, _) =
            records.enrol(&me(), code.expose(), key("enrolled"), issue(u64::MAX / 4), "").await.unwrap();
        let (gone, _) = records.enrol(&me(), code.expose(), key("gone"), issue(u64::MAX / 4), "").await.unwrap();
        scope.remove_devices(&me(), &[gone.id.to_string()].into()).await.unwrap();
        let before = everything(&records, &first).await;
        drop(records);

        let records = Records::open(folder.path(), url.as_deref(), Clock::default()).await.unwrap();
        assert!(records.first_link().await.unwrap().is_none(), "there is an administrator");
        assert_eq!(everything(&records, &first).await, before);
        assert_eq!(records.device_of_key(&key("none")).map(|device| device.name.clone()), None);
        assert_eq!(records.token(token.expose()).unwrap().role, Role::Operator, "no more than its user");
        let (found, caller) = records.access_key(&access.id).unwrap();
        assert_eq!((records.password(&found).as_deref(), caller.role), (Some(password.expose()), Role::Viewer));
        assert!(records.session(cookie.expose()).is_some());
        assert_eq!(
            records.device_of_token(&oriel_cloud::records::SecretHash::of(device_token.expose())).unwrap().id,
            camera.id
        );
        let enrolment = records.enrolment(code.expose()).unwrap();
        assert_eq!(enrolment.devices.values().collect::<Vec<_>>(), [&enrolled.id]);
        assert_eq!((enrolment.uses, enrolment.used), (3, 2), "a device that was removed has used it");
        assert!(records.within(&first).issuer().is_some());
        let name = CredentialKind::Name { authority: Arc::clone(&pinned.id), name: "S/N 7".to_owned() };
        assert_eq!(records.device_of(&name).unwrap().id, camera.id);
        // No secret lies in the store or beside it in the plain.
        for file in walk(folder.path()) {
            let bytes = std::fs::read(&file).unwrap();
            for secret in [&device_token, &token, &password, &cookie, &code, &invitation] {
                let found = bytes.windows(secret.expose().len()).any(|window| window == secret.expose().as_bytes());
                assert!(!found, "{}", file.display());
            }
        }
    })
    .await;
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

#[tokio::test]
async fn nothing_of_one_organisation_is_seen_or_changed_from_another() {
    in_both(|folder, url| async move {
        let records = open(folder.path(), url.as_deref()).await;
        let ours = records.first_organisation().unwrap();
        let (other, _, _) = records.add_organisation(&me(), "Others", "eve@example.org").await.unwrap();
        let (a, b) = (records.within(&ours), records.within(&other.id));
        let shared = key("shared");
        let device = a.add_device(&me(), "camera", Some(shared)).await.unwrap();
        let (user, _) = a.add_user(&me(), "a@example.org", "A", Role::Administrator).await.unwrap();
        let (token, _) = a.add_token(&me(), NewToken::of(Role::Viewer, "t")).await.unwrap();
        let (access, _) = a.add_access_key(&me(), &user.id, &device.id, "k", Role::Viewer, None).await.unwrap();
        let (session, _) = a.add_session(&user, None, "", DAY).await.unwrap();
        let (enrolment, _) = a.add_enrolment(&me(), "e", DAY, 1).await.unwrap();
        let pinned =
            a.pin_authority(&me(), &Authority::new("x").unwrap().certificate_pem(), Named::CommonName).await.unwrap();
        let before = everything(&records, &ours).await;

        assert!(b.device(&device.id).is_none() && b.user(&user.id).is_none() && b.authority(&pinned.id).is_none());
        assert!(b.devices(None, 9, |_| true).is_empty() && b.tokens(None, 9).is_empty());
        assert!(b.access_keys(None, 9, |_| true).is_empty() && b.enrolments(None, 9).is_empty());
        assert!(b.sessions(&user.id).is_empty());
        let unknown =
            |result: Result<(), RecordsError>| assert!(matches!(result, Err(RecordsError::Unknown(_))), "{result:?}");
        unknown(b.rename_device(&me(), &device.id, "mine").await);
        unknown(b.set_revoked(&me(), &device.id, true).await);
        unknown(b.add_key(&me(), &device.id, key("mine"), None).await);
        unknown(b.add_name(&me(), &device.id, &pinned.id, "n").await);
        unknown(b.remove_credential(&me(), &device.id, |_| true).await.map(drop));
        unknown(b.remove_devices(&me(), &[device.id.to_string()].into()).await.map(drop));
        unknown(b.add_device_token(&me(), &device.id).await.map(drop));
        unknown(b.change_user(&me(), &user.id, UserChange::default()).await.map(drop));
        unknown(b.remove_user(&me(), &user.id).await);
        unknown(b.reset_link(&me(), &user.id).await.map(drop));
        unknown(b.set_password(&me(), &user.id, "x", None).await);
        unknown(b.remove_token(&me(), &token.id).await);
        unknown(b.remove_access_key(&me(), &access.id).await);
        unknown(b.remove_session(&me(), &session.id).await);
        unknown(b.remove_sessions(&me(), &user.id, None).await);
        unknown(b.remove_enrolment(&me(), &enrolment.id).await);
        unknown(b.remove_authority(&me(), &pinned.id).await);
        unknown(b.add_access_key(&me(), &user.id, &device.id, "k", Role::Viewer, None).await.map(drop));
        assert!(matches!(b.add_device(&me(), "copy", Some(shared)).await, Err(RecordsError::KeyTaken)));
        assert!(matches!(b.add_user(&me(), "A@example.ORG", "", Role::Viewer).await, Err(RecordsError::EmailTaken)));
        assert_eq!(everything(&records, &ours).await, before);
        let seen = b.audit(&AuditQuery::default(), 99).await.unwrap();
        assert!(seen.iter().all(|line| line.target != *device.id && line.target != *user.id), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn whoever_opens_the_store_last_owns_it() {
    in_both(|folder, url| async move {
        let old = open(folder.path(), url.as_deref()).await;
        let first = old.first_organisation().unwrap();
        let device = old.within(&first).add_device(&me(), "camera", None).await.unwrap();
        // It was told to end, and a write of it is still on its way.
        old.give_up();
        let new = Records::open(folder.path(), url.as_deref(), Clock::default()).await.unwrap();
        let late = old.within(&first).rename_device(&me(), &device.id, "late").await;
        assert!(matches!(late, Err(RecordsError::Ending)), "{late:?}");
        new.within(&first).rename_device(&me(), &device.id, "new").await.unwrap();
        assert!(matches!(old.ready().await, Err(RecordsError::Ending)));
        assert!(old.within(&first).device(&device.id).is_some(), "it still reads");
    })
    .await;
}

#[tokio::test]
async fn a_second_process_on_one_database_takes_it_over_and_the_first_says_so() {
    let Some(postgres) = Postgres::start() else { return };
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = open(here.path(), Some(&postgres.url())).await;
    let first = old.first_organisation().unwrap();
    std::fs::copy(here.path().join("seal.key"), there.path().join("seal.key")).unwrap();
    let new = Records::open(there.path(), Some(&postgres.url()), Clock::default()).await.unwrap();
    new.within(&first).add_device(&me(), "new", None).await.unwrap();
    let late = old.within(&first).add_device(&me(), "late", None).await;
    assert!(matches!(late, Err(RecordsError::Ending)), "{late:?}");
}

#[tokio::test]
async fn a_lost_sealing_key_is_not_replaced_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path(), None).await);
    std::fs::remove_file(folder.path().join("seal.key")).unwrap();
    let refused = Records::open(folder.path(), None, Clock::default()).await.unwrap_err().to_string();
    assert!(refused.contains("seal.key"), "{refused}");
}

#[tokio::test]
async fn what_ends_ends_by_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path(), None).await;
    let scope = records.within(&records.first_organisation().unwrap());
    let (user, invitation) = scope.add_user(&me(), "u@example.org", "", Role::Administrator).await.unwrap();
    let device = scope.add_device(&me(), "camera", None).await.unwrap();
    let end = Some(records.clock().now() + 1000);
    let renewed = key("renewed");
    scope.add_key(&me(), &device.id, renewed, end.map(issue)).await.unwrap();
    let (_, token) =
        scope.add_token(&me(), NewToken { expires: end, ..NewToken::of(Role::Viewer, "t") }).await.unwrap();
    let (access, _) = scope.add_access_key(&me(), &user.id, &device.id, "k", Role::Viewer, end).await.unwrap();
    let (_, cookie) = scope.add_session(&user, None, "", Duration::from_secs(1)).await.unwrap();
    let (_, code) = scope.add_enrolment(&me(), "e", Duration::from_secs(1), 1).await.unwrap();
    let caller = records.token(token.expose()).unwrap();
    assert!(records.stands(&caller) && records.access_key(&access.id).is_some());
    assert!(records.session(cookie.expose()).is_some() && records.enrolment(code.expose()).is_ok());
    assert!(records.device_of_key(&renewed).is_some());
    records.clock().shift(2 * DAY);
    assert!(records.token(token.expose()).is_none() && records.access_key(&access.id).is_none());
    assert!(records.session(cookie.expose()).is_none() && records.enrolment(code.expose()).is_err());
    assert!(!records.stands(&caller) && records.device_of_key(&renewed).is_none());
    assert!(matches!(records.link(invitation.expose()).await, Err(RecordsError::Spent(_))));
}

#[tokio::test]
async fn a_code_lets_one_key_in_and_the_last_administrator_stays() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path(), None).await;
    let link = records.first_link().await.unwrap().unwrap();
    let root = records.redeem(&me(), link.expose(), Some("root@example.org"), None, "phc").await.unwrap();
    assert!(matches!(records.link(link.expose()).await, Err(RecordsError::Spent(_))), "once");
    let scope = records.within(&root.organisation);
    let refused =
        scope.change_user(&me(), &root.id, UserChange { role: Some(Role::Viewer), ..UserChange::default() }).await;
    assert!(matches!(refused, Err(RecordsError::LastAdministrator)));
    assert!(matches!(scope.remove_user(&me(), &root.id).await, Err(RecordsError::LastAdministrator)));

    let (_, code) = scope.add_enrolment(&me(), "gate", DAY, 1).await.unwrap();
    let (first, second) = (key("one"), key("two"));
    let (device, _) = records.enrol(&me(), code.expose(), first, issue(1 << 50), "").await.unwrap();
    let (again, _) = records.enrol(&me(), code.expose(), first, issue(1 << 51), "").await.unwrap();
    assert_eq!((&again.id, again.credentials.len()), (&device.id, 1));
    assert_eq!(again.credentials[0].expires, Some(1 << 51), "the newest certificate counts");
    let other = records.enrol(&me(), code.expose(), second, issue(1 << 50), "").await;
    assert!(matches!(other, Err(RecordsError::Spent(_))), "{other:?}");
    let (_, code) = scope.add_enrolment(&me(), "copy", DAY, 1).await.unwrap();
    assert!(matches!(
        records.enrol(&me(), code.expose(), first, issue(1 << 50), "").await,
        Err(RecordsError::KeyTaken)
    ));
    let kept = records.enrol(&me(), code.expose(), second, issue(1 << 50), "").await;
    assert!(kept.is_ok(), "a refusal does not use the code up: {kept:?}");
}

#[tokio::test]
async fn a_code_for_several_lets_so_many_keys_in_and_tells_each_by_the_name_it_came_with() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path(), None).await;
    let scope = records.within(&records.first_organisation().unwrap());
    let (_, code) = scope.add_enrolment(&me(), "warehouse", DAY, 3).await.unwrap();
    let actor = me();
    let enrol = |key, hint| records.enrol(&actor, code.expose(), key, issue(1 << 50), hint);
    let keys = ["one", "two", "three", "four", "five"].map(key);
    let (first, _) = enrol(keys[0], "ramp").await.unwrap();
    let (second, _) = enrol(keys[1], "").await.unwrap();
    assert_eq!((first.name.as_str(), second.name.as_str()), ("ramp", "warehouse"));
    let (again, enrolment) = enrol(keys[0], "another name").await.unwrap();
    assert_eq!((&again.id, again.name.as_str(), enrolment.used), (&first.id, "ramp", 2), "the same key is no new use");
    // Removing a device gives no use back: a code that is known too widely does not live for ever.
    scope.remove_devices(&me(), &[second.id.to_string()].into()).await.unwrap();
    // All that come at once: one use is left.
    let crowd = keys[2..].iter().map(|key| enrol(*key, ""));
    let let_in = futures_util::future::join_all(crowd).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(let_in, 1);
    let spent = enrol(key("six"), "").await;
    assert!(matches!(spent, Err(RecordsError::Spent(why)) if why.contains("as many devices")), "{spent:?}");
    let uses = scope.audit(&AuditQuery::default(), 99).await.unwrap();
    assert_eq!(uses.iter().filter(|line| line.action == "enrolment.use").count(), 3, "a line each");

    // A code for one camera was made with that camera in mind.
    let (_, code) = scope.add_enrolment(&me(), "gate", DAY, 1).await.unwrap();
    let (gate, _) = records.enrol(&me(), code.expose(), key("gate"), issue(1 << 50), "mine").await.unwrap();
    assert_eq!(gate.name, "gate");
    let (_, code) = scope.add_enrolment(&me(), "", DAY, 1).await.unwrap();
    let (named, _) = records.enrol(&me(), code.expose(), key("nameless"), issue(1 << 50), "mine").await.unwrap();
    assert_eq!(named.name, "mine");
}
