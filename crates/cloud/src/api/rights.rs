//! The one table of the API: every route, the right it needs, and what a repeated request gets. The door decides by it, the OpenAPI document is completed
//! from it, and a test compares it with the router.

use http::Method;

use crate::records::{Principal, Role};

/// Everything of the API is below this.
pub(crate) const BASE: &str = "/api/v1";

/// The right that a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// None: the request carries its own proof, or tells nothing.
    Anyone,
    /// A role within the caller's own organisation, or a higher one.
    Role(Role),
    /// The right to make and suspend organisations.
    Instance,
}

/// What a request with an `Idempotency-Key` gets when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The key is not looked at: sending it again changes nothing, or makes no sense.
    Unkept,
    /// The same answer.
    Answer,
    /// A refusal that names what was made: the answer held a secret, which is kept nowhere.
    Secret,
}

/// One route.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) method: Method,
    /// Below [`BASE`], with the names of its parameters.
    pub(crate) path: &'static str,
    pub(crate) needs: Needs,
    pub(crate) repeat: Repeat,
    /// Whether a token that is limited to some devices may come here; what it sees is limited to them.
    pub(crate) narrow: bool,
    /// Refusals besides those that its kind of route has anyhow.
    pub(crate) refuses: &'static [u16],
    /// Bytes of the longest body.
    pub(crate) longest: usize,
}

/// A certificate chain, or whatever else is asked for.
const BODY: usize = 64 * 1024;
/// What anybody may send.
const SHORT_BODY: usize = 4 * 1024;
/// A thousand devices with a certificate chain each.
const LONG_BODY: usize = 4 * 1024 * 1024;

impl Row {
    const fn new(method: Method, path: &'static str, needs: Needs) -> Self {
        Self {
            method,
            path,
            needs,
            repeat: Repeat::Unkept,
            narrow: false,
            refuses: &[],
            longest: if matches!(needs, Needs::Anyone) { SHORT_BODY } else { BODY },
        }
    }

    const fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    const fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refuses = statuses;
        self
    }

    const fn takes(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    const fn keeps(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }
}

const ANYONE: Needs = Needs::Anyone;
const VIEWER: Needs = Needs::Role(Role::Viewer);
const OPERATOR: Needs = Needs::Role(Role::Operator);
const ADMINISTRATOR: Needs = Needs::Role(Role::Administrator);
const INSTANCE: Needs = Needs::Instance;

/// Every route. What is not here is refused.
pub(crate) static TABLE: &[Row] = &[
    Row::new(Method::GET, "/health", ANYONE),
    Row::new(Method::GET, "/ready", ANYONE),
    Row::new(Method::GET, "/openapi.json", ANYONE),
    // Who calls.
    Row::new(Method::POST, "/session", ANYONE).refuses(&[401, 403, 429]),
    Row::new(Method::GET, "/session", VIEWER).narrow(),
    Row::new(Method::DELETE, "/session", VIEWER).narrow(),
    Row::new(Method::PUT, "/session/password", VIEWER).refuses(&[429]),
    Row::new(Method::POST, "/links/redeem", ANYONE).refuses(&[403, 404, 409, 410, 429]),
    // Organisations and their people.
    Row::new(Method::GET, "/organisation", VIEWER),
    Row::new(Method::GET, "/organisations", INSTANCE),
    Row::new(Method::POST, "/organisations", INSTANCE).keeps(Repeat::Secret),
    Row::new(Method::GET, "/organisations/{id}", INSTANCE),
    Row::new(Method::PATCH, "/organisations/{id}", INSTANCE).refuses(&[409]),
    Row::new(Method::DELETE, "/organisations/{id}", INSTANCE).refuses(&[409]),
    Row::new(Method::GET, "/users", ADMINISTRATOR),
    Row::new(Method::POST, "/users", ADMINISTRATOR).keeps(Repeat::Secret),
    Row::new(Method::GET, "/users/{id}", ADMINISTRATOR),
    Row::new(Method::PATCH, "/users/{id}", ADMINISTRATOR).refuses(&[409]),
    Row::new(Method::DELETE, "/users/{id}", ADMINISTRATOR).refuses(&[409]),
    Row::new(Method::POST, "/users/{id}/link", ADMINISTRATOR),
    // Administrators, and whoever the user is.
    Row::new(Method::GET, "/users/{id}/sessions", VIEWER),
    Row::new(Method::DELETE, "/users/{id}/sessions", VIEWER),
    // Devices.
    Row::new(Method::GET, "/devices", VIEWER).narrow(),
    Row::new(Method::POST, "/devices", ADMINISTRATOR).keeps(Repeat::Answer),
    Row::new(Method::POST, "/devices/import", ADMINISTRATOR).takes(LONG_BODY).keeps(Repeat::Answer),
    Row::new(Method::POST, "/devices/remove", ADMINISTRATOR).takes(LONG_BODY).keeps(Repeat::Answer).refuses(&[404]),
    Row::new(Method::GET, "/devices/{id}", VIEWER).narrow(),
    Row::new(Method::PATCH, "/devices/{id}", OPERATOR).narrow(),
    Row::new(Method::DELETE, "/devices/{id}", ADMINISTRATOR),
    Row::new(Method::GET, "/devices/{id}/information", VIEWER).narrow().refuses(&[502, 504]),
    Row::new(Method::POST, "/devices/{id}/revoke", ADMINISTRATOR),
    Row::new(Method::POST, "/devices/{id}/restore", ADMINISTRATOR),
    Row::new(Method::POST, "/devices/{id}/keys", ADMINISTRATOR).refuses(&[409]),
    Row::new(Method::DELETE, "/devices/{id}/keys/{fingerprint}", ADMINISTRATOR),
    Row::new(Method::POST, "/devices/{id}/tokens", ADMINISTRATOR).keeps(Repeat::Secret),
    Row::new(Method::DELETE, "/devices/{id}/tokens/{token}", ADMINISTRATOR),
    Row::new(Method::POST, "/devices/{id}/names", ADMINISTRATOR).refuses(&[409]),
    Row::new(Method::DELETE, "/devices/{id}/names/{name}", ADMINISTRATOR),
    Row::new(Method::POST, "/devices/{id}/renew", ADMINISTRATOR).refuses(&[409, 502, 504]),
    Row::new(Method::GET, "/devices/{id}/trace", ADMINISTRATOR).narrow(),
    Row::new(Method::GET, "/devices/{id}/events", VIEWER).narrow(),
    Row::new(Method::GET, "/devices/{id}/events/stream", VIEWER).narrow(),
    Row::new(Method::GET, "/devices/{id}/feed", VIEWER).narrow(),
    Row::new(Method::GET, "/events", VIEWER).narrow(),
    // Bringing cameras in.
    Row::new(Method::POST, "/enrol", ANYONE).takes(BODY).refuses(&[409, 410, 429]),
    Row::new(Method::GET, "/enrolments", ADMINISTRATOR),
    Row::new(Method::POST, "/enrolments", ADMINISTRATOR).keeps(Repeat::Secret),
    Row::new(Method::DELETE, "/enrolments/{id}", ADMINISTRATOR),
    Row::new(Method::GET, "/authorities", ADMINISTRATOR),
    Row::new(Method::POST, "/authorities", ADMINISTRATOR).keeps(Repeat::Answer),
    Row::new(Method::GET, "/authorities/{id}", ADMINISTRATOR),
    Row::new(Method::DELETE, "/authorities/{id}", ADMINISTRATOR),
    // Secrets that let somebody in.
    Row::new(Method::GET, "/access-keys", VIEWER),
    Row::new(Method::POST, "/access-keys", VIEWER).keeps(Repeat::Secret).refuses(&[404]),
    Row::new(Method::DELETE, "/access-keys/{id}", VIEWER),
    Row::new(Method::GET, "/tokens", ADMINISTRATOR),
    Row::new(Method::POST, "/tokens", ADMINISTRATOR).keeps(Repeat::Secret).refuses(&[404]),
    Row::new(Method::DELETE, "/tokens/{id}", ADMINISTRATOR),
    Row::new(Method::GET, "/audit", ADMINISTRATOR),
];

/// The rows of a path as the router matched it, [`BASE`] included.
pub(crate) fn rows(matched: &str) -> impl Iterator<Item = &'static Row> {
    let path = matched.strip_prefix(BASE);
    TABLE.iter().filter(move |row| path == Some(row.path))
}

/// The row that decides on a request; a HEAD is judged as the GET it asks about.
pub(crate) fn row(matched: &str, method: &Method) -> Option<&'static Row> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    rows(matched).find(|row| row.method == *method)
}

/// Why a caller may not use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Nobody that we know, and the route is not for anyone.
    Unknown,
    /// The role is too low.
    Role(Role),
    /// The caller belongs to one organisation.
    Instance,
    /// The token is limited to some devices.
    Narrow,
}

/// The one decision.
pub(crate) fn decide(row: &Row, principal: Option<&Principal>) -> Result<(), Denied> {
    let Some(principal) = principal else {
        return if row.needs == Needs::Anyone { Ok(()) } else { Err(Denied::Unknown) };
    };
    match row.needs {
        Needs::Anyone => return Ok(()),
        Needs::Role(role) if principal.role < role => return Err(Denied::Role(role)),
        Needs::Instance if !principal.instance => return Err(Denied::Instance),
        Needs::Role(_) | Needs::Instance => {}
    }
    if principal.devices.is_some() && !row.narrow { Err(Denied::Narrow) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::records::By;

    fn principal(role: Role, instance: bool, narrow: bool) -> Principal {
        let devices = narrow.then(Arc::default);
        Principal { organisation: "a".into(), user: None, by: By::Token("t".into()), role, instance, devices }
    }

    #[test]
    fn a_higher_role_may_what_a_lower_one_may_and_more() {
        let roles = [Role::Viewer, Role::Operator, Role::Administrator];
        let counts = roles
            .map(|role| TABLE.iter().filter(|row| decide(row, Some(&principal(role, false, false))).is_ok()).count());
        assert!(counts[0] < counts[1] && counts[1] < counts[2] && counts[2] < TABLE.len());
        let instance = principal(Role::Administrator, true, false);
        assert!(TABLE.iter().all(|row| decide(row, Some(&instance)).is_ok()));
    }

    #[test]
    fn a_token_for_some_devices_reaches_devices_alone() {
        let narrow = principal(Role::Administrator, true, true);
        for row in TABLE.iter().filter(|row| row.needs != Needs::Anyone && decide(row, Some(&narrow)).is_ok()) {
            assert!(["/devices", "/session", "/events"].iter().any(|path| row.path.starts_with(path)), "{row:?}");
            assert!(!row.path.contains("keys") && !row.path.contains("tokens"), "{row:?}");
        }
    }

    #[test]
    fn nobody_reaches_what_tells_nothing_alone() {
        let open: Vec<&str> = TABLE.iter().filter(|row| decide(row, None).is_ok()).map(|row| row.path).collect();
        assert_eq!(open, ["/health", "/ready", "/openapi.json", "/session", "/links/redeem", "/enrol"]);
    }

    #[test]
    fn a_row_is_found_by_path_and_method_and_by_nothing_else() {
        assert_eq!(row("/api/v1/devices", &Method::HEAD).map(|row| row.needs), Some(VIEWER));
        assert!(row("/api/v1/devices", &Method::PUT).is_none());
        assert!(row("/devices", &Method::GET).is_none());
        for (n, row) in TABLE.iter().enumerate() {
            assert!(!TABLE[..n].iter().any(|other| other.path == row.path && other.method == row.method), "{row:?}");
        }
    }
}
