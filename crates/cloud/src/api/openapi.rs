//! The description of the API (OpenAPI 3.1). Handlers describe what they take and what they answer; what all routes have in common is added here, from the
//! table of rights: who may come, and which refusals there are.

use http::{Method, StatusCode};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::problem::Problem;
use super::rights::{BASE, Needs, Repeat, Row, TABLE};
use super::session;

const ABOUT: &str = "Devices, their credentials, and who may reach them. A caller shows a token (`Authorization: Bearer …`), or is a browser with a session. \
    Every refusal is a problem (RFC 9457). Lists come in pages: ask again with `after` set to the `next` of the page before.";

/// The document before the routes are added.
pub(super) fn begin() -> OpenApi {
    let info = InfoBuilder::new().title("Oriel cloud").version("1").description(Some(ABOUT)).build();
    OpenApiBuilder::new().info(info).components(Some(components())).build()
}

fn components() -> utoipa::openapi::Components {
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of the API.")).build();
    let cookie =
        ApiKey::Cookie(ApiKeyValue::with_description(session::COOKIE, "A browser's session; POST /session sets it."));
    let csrf =
        ApiKey::Header(ApiKeyValue::with_description(session::CSRF, "With a session: the `csrf` of GET /session."));
    let mut components = ComponentsBuilder::new()
        .security_scheme("token", SecurityScheme::Http(token))
        .security_scheme("session", SecurityScheme::ApiKey(cookie))
        .security_scheme("csrf", SecurityScheme::ApiKey(csrf))
        .schema(Problem::name(), Problem::schema());
    for status in REFUSALS {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response = ResponseBuilder::new().description(meaning(status)).content("application/problem+json", content);
        components = components.response(name(status), response.build());
    }
    components.build()
}

const REFUSALS: [u16; 16] = [400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504, 507];

fn name(status: u16) -> String {
    let words = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    words.replace(' ', "")
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be read.",
        401 => "Nobody we know: no valid token or session.",
        403 => "Somebody we know, who may not do this.",
        404 => "There is no such thing, or it is another organisation's.",
        408 => "The request's body came too slowly.",
        409 => "What is there already forbids it.",
        410 => "It was used before, or its time is over.",
        413 => "The request's body is too long.",
        415 => "The request's body is not JSON.",
        422 => "The request's body is not what is asked for.",
        429 => "Too many attempts; `Retry-After` says when to come again.",
        502 => "The device did not answer properly.",
        504 => "The device did not answer in time.",
        503 => "Not at this moment; `Retry-After` says when to come again.",
        507 => "The change could not be stored; nothing was changed.",
        _ => "A fault of the cloud.",
    }
}

/// Adds to every operation what the table says of it.
pub(super) fn complete(document: &mut OpenApi) {
    for row in TABLE {
        let path = format!("{BASE}{}", row.path);
        let Some(operation) = document.paths.paths.get_mut(&path).and_then(|item| operation_of(item, &row.method))
        else {
            continue;
        };
        operation.security = Some(security(row));
        operation.description = Some(described(row, operation.description.take()));
        if row.repeat != Repeat::Unkept {
            operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
        }
        for status in refusals(row, operation) {
            let refusal = RefOr::Ref(Ref::from_response_name(name(status)));
            operation.responses.responses.entry(status.to_string()).or_insert(refusal);
        }
    }
}

/// The operation of a method.
pub(super) fn operation_of<'i>(item: &'i mut PathItem, method: &Method) -> Option<&'i mut Operation> {
    match method.as_str() {
        "GET" => item.get.as_mut(),
        "PUT" => item.put.as_mut(),
        "POST" => item.post.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

fn security(row: &Row) -> Vec<SecurityRequirement> {
    let none = || std::iter::empty::<String>();
    if row.needs == Needs::Anyone {
        return Vec::new();
    }
    let session = SecurityRequirement::new("session", none());
    let session = if row.method == Method::GET { session } else { session.add("csrf", none()) };
    vec![SecurityRequirement::new("token", none()), session]
}

fn described(row: &Row, description: Option<String>) -> String {
    let needs = match row.needs {
        Needs::Anyone => "For anyone.".to_owned(),
        Needs::Role(role) => format!("Needs the role of {role}."),
        Needs::Instance => "Needs the right to manage organisations.".to_owned(),
    };
    match description {
        Some(text) if !text.is_empty() => format!("{text}\n\n{needs}"),
        _ => needs,
    }
}

fn refusals(row: &Row, operation: &Operation) -> Vec<u16> {
    let mut refusals = vec![500, 503];
    refusals.extend(row.refuses);
    if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        refusals.push(400);
    }
    if row.needs != Needs::Anyone {
        refusals.extend([401, 403]);
    }
    if row.path.contains('{') {
        refusals.push(404);
    }
    if operation.request_body.is_some() {
        refusals.extend([400, 408, 413, 415, 422]);
    }
    if row.repeat != Repeat::Unkept {
        refusals.extend([409, 422]);
    }
    if row.method != Method::GET {
        refusals.push(507);
    }
    refusals
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(128));
    let text = text.pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A name for this request, new for each: sent again within a day, it gets the same answer, and nothing is done twice. \
             An answer that held a secret is not repeated: 409 says what was made.",
        ))
        .schema(Some(text.build()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_operation_and_every_operation_its_row() {
        let (_, mut document) = super::super::routes().split_for_parts();
        for row in TABLE {
            let item = document.paths.paths.get_mut(&format!("{BASE}{}", row.path));
            assert!(
                item.and_then(|item| operation_of(item, &row.method)).is_some(),
                "{} {} is described nowhere",
                row.method,
                row.path
            );
        }
        let count = |item: &PathItem| {
            [&item.get, &item.put, &item.post, &item.patch, &item.delete, &item.head, &item.options, &item.trace]
                .into_iter()
                .flatten()
                .count()
        };
        assert_eq!(document.paths.paths.values().map(count).sum::<usize>(), TABLE.len(), "an operation is in no row");
    }

    #[test]
    fn the_kept_document_is_the_one_that_is_served() {
        let served = serde_json::to_string_pretty(&super::super::document()).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ref/openapi.json");
        if std::env::var_os("ORIEL_WRITE_DOCS").is_some() {
            std::fs::write(path, &served).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == served,
            "docs/ref/openapi.json is old: ORIEL_WRITE_DOCS=1 cargo test -p oriel-cloud the_kept_document"
        );
    }
}
