//! The privilege matrix: two organisations, three roles, the right to manage organisations, a token for some devices, and nobody; every call of the API.

use std::collections::BTreeSet;

use http::Method;
use oriel_cloud::records::{CredentialKind, Identity as Named, NewToken, Role, Scope};
use oriel_trust::{Authority, Identity};
use serde_json::{Value, json};

use super::client::{Answer, request};
use super::{House, api, me};

/// Who asks: by column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Viewer,
    Operator,
    Administrator,
    Instance,
}
use Who::{Administrator, Instance, Operator, Viewer};

/// One call: the least of [`Who`] that may make it, and whether a token for some devices may. What is expected is said here a second time, and not taken from the
/// code under test.
type Row = (&'static str, &'static str, Option<Who>, bool);
const OPEN: Option<Who> = None;

const MATRIX: &[Row] = &[
    ("GET", "/health", OPEN, true),
    ("GET", "/ready", OPEN, true),
    ("GET", "/openapi.json", OPEN, true),
    ("POST", "/session", OPEN, true),
    ("POST", "/links/redeem", OPEN, true),
    ("GET", "/session", Some(Viewer), true),
    ("DELETE", "/session", Some(Viewer), true),
    ("PUT", "/session/password", Some(Viewer), false),
    ("GET", "/organisation", Some(Viewer), false),
    ("GET", "/organisations", Some(Instance), false),
    ("POST", "/organisations", Some(Instance), false),
    ("GET", "/organisations/{id}", Some(Instance), false),
    ("PATCH", "/organisations/{id}", Some(Instance), false),
    ("DELETE", "/organisations/{id}", Some(Instance), false),
    ("GET", "/users", Some(Administrator), false),
    ("POST", "/users", Some(Administrator), false),
    ("GET", "/users/{id}", Some(Administrator), false),
    ("PATCH", "/users/{id}", Some(Administrator), false),
    ("DELETE", "/users/{id}", Some(Administrator), false),
    ("POST", "/users/{id}/link", Some(Administrator), false),
    // Somebody else's: for administrators.
    ("GET", "/users/{id}/sessions", Some(Administrator), false),
    ("DELETE", "/users/{id}/sessions", Some(Administrator), false),
    ("GET", "/devices", Some(Viewer), true),
    ("POST", "/devices", Some(Administrator), false),
    ("POST", "/devices/import", Some(Administrator), false),
    ("POST", "/devices/remove", Some(Administrator), false),
    ("GET", "/devices/{id}", Some(Viewer), true),
    ("PATCH", "/devices/{id}", Some(Operator), true),
    ("DELETE", "/devices/{id}", Some(Administrator), false),
    ("GET", "/devices/{id}/information", Some(Viewer), true),
    ("POST", "/devices/{id}/revoke", Some(Administrator), false),
    ("POST", "/devices/{id}/restore", Some(Administrator), false),
    ("POST", "/devices/{id}/keys", Some(Administrator), false),
    ("DELETE", "/devices/{id}/keys/{fingerprint}", Some(Administrator), false),
    ("POST", "/devices/{id}/tokens", Some(Administrator), false),
    ("DELETE", "/devices/{id}/tokens/{token}", Some(Administrator), false),
    ("POST", "/devices/{id}/names", Some(Administrator), false),
    ("DELETE", "/devices/{id}/names/{name}", Some(Administrator), false),
    ("POST", "/devices/{id}/renew", Some(Administrator), false),
    ("GET", "/devices/{id}/trace", Some(Administrator), true),
    ("GET", "/devices/{id}/events", Some(Viewer), true),
    ("GET", "/devices/{id}/events/stream", Some(Viewer), true),
    ("GET", "/devices/{id}/feed", Some(Viewer), true),
    ("GET", "/events", Some(Viewer), true),
    ("POST", "/enrol", OPEN, true),
    ("GET", "/enrolments", Some(Administrator), false),
    ("POST", "/enrolments", Some(Administrator), false),
    ("DELETE", "/enrolments/{id}", Some(Administrator), false),
    ("GET", "/authorities", Some(Administrator), false),
    ("POST", "/authorities", Some(Administrator), false),
    ("GET", "/authorities/{id}", Some(Administrator), false),
    ("DELETE", "/authorities/{id}", Some(Administrator), false),
    ("GET", "/access-keys", Some(Viewer), false),
    ("POST", "/access-keys", Some(Viewer), false),
    ("DELETE", "/access-keys/{id}", Some(Viewer), false),
    ("GET", "/tokens", Some(Administrator), false),
    ("POST", "/tokens", Some(Administrator), false),
    ("DELETE", "/tokens/{id}", Some(Administrator), false),
    ("GET", "/audit", Some(Administrator), false),
];

/// What one organisation holds, and what is needed to name it.
struct Held {
    organisation: String,
    user: String,
    device: String,
    fingerprint: String,
    device_token: String,
    token: String,
    access_key: String,
    enrolment: String,
    authority: String,
    certified: String,
}

async fn furnish(scope: &Scope<'_>, name: &str) -> Held {
    let key = Identity::self_signed(name, &[]).unwrap().fingerprint();
    let device = scope.add_device(&me(), name, Some(key)).await.unwrap();
    let (credential, _) = scope.add_device_token(&me(), &device.id).await.unwrap();
    let (user, _) = scope.add_user(&me(), &format!("{name}@example.org"), name, Role::Viewer).await.unwrap();
    let (token, _) = scope.add_token(&me(), NewToken::of(Role::Viewer, name)).await.unwrap();
    let (access_key, _) = scope.add_access_key(&me(), &user.id, &device.id, name, Role::Viewer, None).await.unwrap();
    let (enrolment, _) = scope.add_enrolment(&me(), name, std::time::Duration::from_secs(60), 1).await.unwrap();
    let authority = scope.pin_authority(&me(), &pem(), Named::CommonName).await.unwrap();
    scope.add_name(&me(), &device.id, &authority.id, name).await.unwrap();
    let known = scope.device(&device.id).unwrap();
    let certified = known.credentials.iter().find(|held| matches!(held.kind, CredentialKind::Name { .. })).unwrap();
    Held {
        organisation: scope.id().to_string(),
        user: user.id.to_string(),
        device: device.id.to_string(),
        fingerprint: key.to_string(),
        device_token: credential.id.to_string(),
        token: token.id.to_string(),
        access_key: access_key.id.to_string(),
        enrolment: enrolment.id.to_string(),
        authority: authority.id.to_string(),
        certified: certified.id.to_string(),
    }
}

/// A certificate that can be pinned.
fn pem() -> String {
    Authority::new("somebody's").unwrap().certificate_pem()
}

/// Makes room for the next: addresses of users are unique, and authorities are few.
async fn clear(scope: &Scope<'_>, held: &Held) {
    if scope.user(&held.user).is_some() {
        scope.remove_user(&me(), &held.user).await.unwrap();
    }
    for pinned in scope.authorities().iter().filter(|authority| authority.identity.is_some()) {
        scope.remove_authority(&me(), &pinned.id).await.unwrap();
    }
}

impl Held {
    fn path(&self, template: &str) -> String {
        let id = match template.split('/').nth(1).unwrap() {
            "organisations" => &self.organisation,
            "users" => &self.user,
            "devices" => &self.device,
            "tokens" => &self.token,
            "enrolments" => &self.enrolment,
            "authorities" => &self.authority,
            _ => &self.access_key,
        };
        let path =
            template.replace("{id}", id).replace("{fingerprint}", &self.fingerprint).replace("{name}", &self.certified);
        format!("/api/v1{}", path.replace("{token}", &self.device_token))
    }

    /// A body that is good.
    fn body(&self, method: &str, template: &str) -> Value {
        let fresh = || Identity::self_signed("fresh", &[]).unwrap().fingerprint().to_string();
        match (method, template) {
            ("POST", "/session") => json!({ "email": "nobody@example.org", "password": "no password at all" }),
            ("POST", "/links/redeem") => json!({ "link": "nonsense", "password": "a long enough password" }),
            ("PUT", "/session/password") => json!({ "old": "x", "new": "a long enough password" }),
            ("POST", "/organisations") => {
                json!({ "name": "more", "administrator": format!("{}@example.org", fresh().replace(':', "")) })
            }
            ("PATCH", "/users/{id}") => json!({ "name": "renamed" }),
            ("PATCH", _) => json!({ "name": "renamed" }),
            ("POST", "/users") => {
                json!({ "email": format!("{}@example.org", fresh().replace(':', "")), "role": "viewer" })
            }
            ("POST", "/devices") => json!({ "name": "more" }),
            ("POST", "/devices/import") => json!({ "devices": [{ "name": "more" }] }),
            ("POST", "/devices/remove") => json!({ "ids": [self.device] }),
            ("POST", "/devices/{id}/keys") => json!({ "fingerprint": fresh() }),
            ("POST", "/devices/{id}/names") => json!({ "authority": self.authority, "name": fresh() }),
            ("POST", "/enrol") => json!({ "code": "nonsense", "csr": "nonsense" }),
            ("POST", "/enrolments") => json!({ "name": "more" }),
            ("POST", "/authorities") => json!({ "certificate": pem(), "identity": "common_name" }),
            ("POST", "/access-keys") => json!({ "device": self.device }),
            ("POST", "/tokens") => json!({ "role": "viewer", "devices": [self.device] }),
            _ => Value::Null,
        }
    }
}

async fn ask(house: &House, token: Option<&str>, method: &str, path: &str, body: &Value) -> Answer {
    let method: Method = method.parse().unwrap();
    let mut asked = match token {
        Some(token) => api::sent(method, path, token, body),
        None => api::sent(method, path, "", body),
    };
    if token.is_none() {
        asked.headers_mut().remove("authorization");
    }
    if path == "/api/v1/events" || path.ends_with("/events/stream") || path.ends_with("/trace") {
        // The stream has no end; its head is the answer.
        return house.ask_head(asked).await;
    }
    house.ask(asked).await
}

/// A token of each column. The instance's belongs to another organisation than what is asked for, unless it is its own.
async fn tokens(house: &House, scope: &Scope<'_>) -> Vec<(Who, String)> {
    let mut tokens = Vec::new();
    for (who, role, instance) in [
        (Viewer, Role::Viewer, false),
        (Operator, Role::Operator, false),
        (Administrator, Role::Administrator, false),
        (Instance, Role::Administrator, true),
    ] {
        let new = NewToken { instance, ..NewToken::of(role, "matrix") };
        let (_, secret) = house.cloud.records().within(scope.id()).add_token(&me(), new).await.unwrap();
        tokens.push((who, secret.expose().to_owned()));
    }
    tokens
}

#[tokio::test]
async fn the_matrix_names_every_call_of_the_api() {
    let document: Value = serde_json::from_str(&oriel_cloud::openapi()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            described.insert(format!("{} {}", method.to_uppercase(), path.strip_prefix("/api/v1").unwrap()));
        }
    }
    let named: BTreeSet<String> = MATRIX.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    assert_eq!(named, described);
}

#[tokio::test]
async fn each_call_is_for_its_role_and_those_above_it() {
    let house = House::open().await;
    let organisation = house.cloud.records().add_organisation(&me(), "ours", "chief@ours.example").await.unwrap().0;
    let scope = house.cloud.records().within(&organisation.id);
    let tokens = tokens(&house, &scope).await;
    for (method, template, least, _) in MATRIX {
        // Nobody.
        let held = furnish(&scope, &format!("n{}", method.len() + template.len())).await;
        let body = held.body(method, template);
        let nobody = ask(&house, None, method, &held.path(template), &body).await.status.as_u16();
        match (least, *template) {
            (None, "/session") => assert_eq!(nobody, 401),
            (None, "/links/redeem" | "/enrol") => assert_eq!(nobody, 410),
            (None, _) => assert_eq!(nobody, 200),
            (Some(_), _) => assert_eq!(nobody, 401, "{method} {template}"),
        }
        clear(&scope, &held).await;
        let Some(least) = least else { continue };
        for (who, token) in &tokens {
            let held = furnish(&scope, "each").await;
            // Whoever manages organisations has its own, and may not remove that.
            let body = held.body(method, template);
            let answer = ask(&house, Some(token), method, &held.path(template), &body).await;
            let status = answer.status.as_u16();
            if who < least {
                assert_eq!(status, 403, "{who:?} {method} {template}: {answer:?}");
            } else {
                let expected = match (*method, *template) {
                    // These ask for a session, a user, or a device that is connected.
                    ("DELETE", "/session") | ("PUT", "/session/password") | ("POST", "/access-keys") => 403,
                    ("DELETE", "/access-keys/{id}") if *who < Administrator => 404,
                    ("GET", "/devices/{id}/information") | ("POST", "/devices/{id}/renew") => 503,
                    ("DELETE", "/organisations/{id}") => 409,
                    (
                        "POST",
                        "/devices/remove"
                        | "/devices/{id}/revoke"
                        | "/devices/{id}/restore"
                        | "/devices/{id}/keys"
                        | "/devices/{id}/names",
                    ) => 200,
                    ("POST", _) => 201,
                    ("DELETE", _) => 204,
                    _ => 200,
                };
                assert_eq!(status, expected, "{who:?} {method} {template}: {answer:?}");
            }
            clear(&scope, &held).await;
        }
    }
}

#[tokio::test]
async fn what_is_another_organisations_answers_like_what_is_not_there() {
    let house = House::open().await;
    let theirs = house.cloud.records().add_organisation(&me(), "theirs", "chief@theirs.example").await.unwrap().0;
    let theirs = furnish(&house.cloud.records().within(&theirs.id), "theirs").await;
    let nothing = Held {
        organisation: "nothing".to_owned(),
        user: "nothing".to_owned(),
        device: "nothing".to_owned(),
        fingerprint: Identity::self_signed("nothing", &[]).unwrap().fingerprint().to_string(),
        device_token: "nothing".to_owned(),
        token: "nothing".to_owned(),
        access_key: "nothing".to_owned(),
        enrolment: "nothing".to_owned(),
        authority: "nothing".to_owned(),
        certified: "nothing".to_owned(),
    };
    let before = format!("{:?}", house.cloud.records().organisation(&theirs.organisation));
    for (method, template, least, _) in MATRIX {
        let names = template.contains('{') || template.ends_with("/remove") || *template == "/tokens";
        if least.is_none()
            || !names
            || template.starts_with("/organisations")
            || (*method, *template) == ("GET", "/tokens")
        {
            continue;
        }
        let body = |held: &Held| held.body(method, template);
        let foreign = ask(&house, Some(&house.administrator), method, &theirs.path(template), &body(&theirs)).await;
        let missing = ask(&house, Some(&house.administrator), method, &nothing.path(template), &body(&nothing)).await;
        assert_eq!(foreign.status.as_u16(), 404, "{method} {template}: {foreign:?}");
        assert_eq!((foreign.status, &foreign.text), (missing.status, &missing.text), "{method} {template}");
    }
    assert_eq!(before, format!("{:?}", house.cloud.records().organisation(&theirs.organisation)));
    // Lists hold nothing of theirs, and neither does the audit log.
    for path in
        ["/devices", "/users", "/tokens", "/access-keys", "/audit", "/organisation", "/enrolments", "/authorities"]
    {
        let listed = ask(&house, Some(&house.administrator), "GET", &format!("/api/v1{path}"), &Value::Null).await;
        assert_eq!(listed.status, 200);
        assert!(!listed.text.contains("theirs") && !listed.text.contains(&theirs.device), "{path}: {}", listed.text);
    }
}

#[tokio::test]
async fn a_token_for_some_devices_sees_those_alone() {
    let house = House::open().await;
    let scope = house.scope();
    let (one, other) = (furnish(&scope, "one").await, furnish(&scope, "other").await);
    let device = scope.device(&one.device).unwrap().id.clone();
    let new =
        NewToken { devices: Some([device].into()), instance: true, ..NewToken::of(Role::Administrator, "narrow") };
    let (_, secret) = scope.add_token(&me(), new).await.unwrap();
    for (method, template, least, narrow) in MATRIX.iter().filter(|row| row.2.is_some()) {
        let (body, path) = (one.body(method, template), one.path(template));
        let answer = ask(&house, Some(secret.expose()), method, &path, &body).await;
        let let_in = match (*method, *template) {
            ("DELETE", "/session") => 403,
            ("GET", "/devices/{id}/information") => 503,
            _ => 200,
        };
        assert_eq!(
            answer.status.as_u16(),
            if *narrow { let_in } else { 403 },
            "{method} {template} {least:?}: {answer:?}"
        );
        if *narrow && template.contains("{id}") {
            let beyond = ask(&house, Some(secret.expose()), method, &other.path(template), &body).await;
            assert_eq!(beyond.status.as_u16(), 404, "{method} {template}: {beyond:?}");
        }
    }
    let listed = house.ask(request(Method::GET, "/api/v1/devices", secret.expose())).await.json();
    let ids: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|device| &device["id"]).collect();
    assert_eq!(ids, [&json!(one.device)]);
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let house = House::open().await;
    let operator = house.person("operator@example.org", Role::Operator).await;
    let chief = house.person("chief@example.org", Role::Administrator).await;
    let device = house.scope().add_device(&me(), "camera", None).await.unwrap();
    let key = |role: &str| json!({ "device": &*device.id, "role": role });
    let made = operator.call(&house, Method::POST, "/api/v1/access-keys", &key("operator")).await;
    assert_eq!((made.status.as_u16(), &made.json()["role"]), (201, &json!("operator")));
    let more = operator.call(&house, Method::POST, "/api/v1/access-keys", &key("administrator")).await;
    assert_eq!(more.status.as_u16(), 403, "{more:?}");
    let theirs = chief.call(&house, Method::POST, "/api/v1/access-keys", &key("viewer")).await.json();
    let seen = operator.call(&house, Method::GET, "/api/v1/access-keys", &Value::Null).await.json();
    assert_eq!(seen["items"].as_array().unwrap().len(), 1, "one's own alone");
    let path = format!("/api/v1/access-keys/{}", theirs["id"].as_str().unwrap());
    assert_eq!(operator.call(&house, Method::DELETE, &path, &Value::Null).await.status.as_u16(), 404);
    let instance = json!({ "role": "viewer", "instance": true });
    assert_eq!(chief.call(&house, Method::POST, "/api/v1/tokens", &instance).await.status.as_u16(), 403);
    // Who runs the cloud is not taken over by who administers an organisation.
    let first = house.cloud.records().first_link().await.unwrap().unwrap();
    let root = super::people::Browser::of(&house.redeem(first.expose(), &json!({ "email": "root@example.org" })).await);
    for (method, path, body) in [
        (Method::POST, "/link", Value::Null),
        (Method::PATCH, "", json!({ "disabled": true })),
        (Method::DELETE, "", Value::Null),
    ] {
        let path = format!("/api/v1/users/{}{path}", root.user);
        assert_eq!(chief.call(&house, method, &path, &body).await.status.as_u16(), 403, "{path}");
    }
}
