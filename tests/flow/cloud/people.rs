//! People at the API: browsers with sessions, in one organisation or another.

use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use http::{Method, Request, StatusCode};
use oriel_cloud::records::Role;
use serde_json::{Value, json};

use super::api::sent;
use super::client::Answer;
use super::{House, me};

pub(super) const PASSWORD: &str = "a user's long password";
pub(super) const SESSION: &str = "/api/v1/session";
pub(super) const REDEEM: &str = "/api/v1/links/redeem";

/// A browser that is logged in.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    pub(super) cookies: String,
    pub(super) csrf: String,
    pub(super) user: String,
}

impl Browser {
    /// The browser after an answer that began a session.
    pub(super) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let view = answer.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { cookies: cookies(answer), csrf: text(&view["csrf"]), user: text(&view["user"]["id"]) }
    }

    /// A request as a page of the cloud's sends it.
    pub(super) fn request(&self, house: &House, method: Method, path: &str, body: &Value) -> Request<Vec<u8>> {
        let mut asked = page(house, method, path, body);
        let headers = asked.headers_mut();
        headers.insert(COOKIE, self.cookies.parse().unwrap());
        headers.insert("x-oriel-csrf", self.csrf.parse().unwrap());
        asked
    }

    pub(super) async fn call(&self, house: &House, method: Method, path: &str, body: &Value) -> Answer {
        house.ask(self.request(house, method, path, body)).await
    }
}

/// What a browser would send back.
pub(super) fn cookies(answer: &Answer) -> String {
    let set = answer.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    set.map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

/// A request of a page of the cloud's, of nobody in particular.
pub(super) fn page(house: &House, method: Method, path: &str, body: &Value) -> Request<Vec<u8>> {
    let mut asked = sent(method, path, "", body);
    asked.headers_mut().remove("authorization");
    let origin = format!("https://localhost:{}", house.address.port());
    asked.headers_mut().insert(ORIGIN, origin.parse().unwrap());
    asked.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
    asked
}

impl House {
    /// Uses a one-time link.
    pub(super) async fn redeem(&self, link: &str, more: &Value) -> Answer {
        let secret = link.rsplit('/').next().unwrap();
        let mut body = json!({ "link": secret, "password": PASSWORD });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.ask(page(self, Method::POST, REDEEM, &body)).await
    }

    pub(super) async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.ask(page(self, Method::POST, SESSION, &json!({ "email": email, "password": password }))).await
    }

    /// A user of the first organisation, logged in.
    pub(super) async fn person(&self, email: &str, role: Role) -> Browser {
        let (_, link) = self.scope().add_user(&me(), email, "Somebody", role).await.unwrap();
        Browser::of(&self.redeem(link.expose(), &Value::Null).await)
    }
}
