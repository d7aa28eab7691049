//! The people of an organisation, and their sessions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Asked, Caller, Email, Here, Input, Label, Named};
use super::page::{Page, Window};
use crate::Shared;
use crate::records::{By, RecordsError, Role, Session, User, UserChange};
use crate::refusal::Refusal;

/// A person.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct View {
    id: String,
    email: String,
    name: String,
    role: Role,
    /// Whether it may manage organisations.
    instance: bool,
    /// Whether it is shut out.
    disabled: bool,
    /// Whether it has set a password: not before its link was used.
    has_password: bool,
    /// Unix milliseconds.
    created: u64,
}

impl View {
    fn of(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.clone(),
            name: user.name.clone(),
            role: user.role,
            instance: user.instance,
            disabled: user.disabled,
            has_password: user.password.is_some(),
            created: user.created,
        }
    }
}

/// A user who was invited.
#[derive(Serialize, ToSchema)]
#[schema(as = NewUser)]
pub(super) struct Made {
    #[serde(flatten)]
    user: View,
    /// By this one-time link the user sets a password. It is shown this once.
    link: String,
}

/// A one-time link.
#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
pub(super) struct LinkView {
    /// It is shown this once, and stands for a day.
    link: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddUser)]
pub(super) struct New {
    email: Email,
    #[serde(default)]
    name: Label,
    role: Role,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeUser)]
pub(super) struct Change {
    name: Option<Label>,
    role: Option<Role>,
    /// Shut out, or let in again. The user's sessions end.
    disabled: Option<bool>,
}

/// A browser that is logged in.
#[derive(Serialize, ToSchema)]
#[schema(as = UserSession)]
pub(super) struct SessionView {
    id: String,
    /// Where the login came from.
    address: String,
    /// With which program.
    agent: String,
    /// Unix milliseconds.
    created: u64,
    /// When it ends at the latest.
    expires: u64,
    /// Whether it is the one that asks.
    current: bool,
}

const UNKNOWN: RecordsError = RecordsError::Unknown("user");

/// Lists users.
#[utoipa::path(get, path = "/users", tag = "users", operation_id = "listUsers", params(Window), responses(
    (status = 200, description = "A page of them.", body = Page<View>),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Asked(window): Asked<Window>,
) -> Result<Json<Page<View>>, Refusal> {
    let limit = window.limit()?;
    let read = caller.scope(&shared).users(window.after(), limit + 1);
    Ok(Json(Page::of(read, limit, |user| &user.id, |user| View::of(user))))
}

/// Invites somebody.
#[utoipa::path(post, path = "/users", tag = "users", operation_id = "addUser", request_body = New, responses(
    (status = 201, description = "The user, who has no password yet.", body = Made),
))]
pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    here: Here,
    Input(New { email: Email(email), name: Label(name), role }): Input<New>,
) -> Result<(StatusCode, Json<Made>), Refusal> {
    let (user, secret) = caller.scope(&shared).add_user(&caller.actor(), &email, &name, role).await?;
    Ok((StatusCode::CREATED, Json(Made { user: View::of(&user), link: here.link(&secret) })))
}

/// Shows a user.
#[utoipa::path(get, path = "/users/{id}", tag = "users", operation_id = "showUser", params(("id" = String, Path)), responses(
    (status = 200, description = "The user.", body = View),
))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<View>, Refusal> {
    Ok(Json(View::of(&*caller.scope(&shared).user(&id).ok_or(UNKNOWN)?)))
}

/// Changes a user: what is given. The last administrator stays one.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", operation_id = "changeUser", params(("id" = String, Path)), request_body = Change, responses(
    (status = 200, description = "As it is now.", body = View),
))]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    Input(change): Input<Change>,
) -> Result<Json<View>, Refusal> {
    above(&caller, &id, &shared)?;
    let change = UserChange { name: change.name.map(|Label(name)| name), role: change.role, disabled: change.disabled };
    Ok(Json(View::of(&*caller.scope(&shared).change_user(&caller.actor(), &id, change).await?)))
}

/// Forgets a user with its sessions, tokens and access keys.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", operation_id = "removeUser", params(("id" = String, Path)), responses(
    (status = 204, description = "The user is gone."),
))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Refusal> {
    above(&caller, &id, &shared)?;
    caller.scope(&shared).remove_user(&caller.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a one-time link by which a user sets a new password.
#[utoipa::path(post, path = "/users/{id}/link", tag = "users", operation_id = "addUserLink", params(("id" = String, Path)), responses(
    (status = 201, description = "The link. One that was made before is good no more.", body = LinkView),
))]
pub(super) async fn link(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    here: Here,
    Named(id): Named<String>,
) -> Result<(StatusCode, Json<LinkView>), Refusal> {
    above(&caller, &id, &shared)?;
    let secret = caller.scope(&shared).reset_link(&caller.actor(), &id).await?;
    Ok((StatusCode::CREATED, Json(LinkView { link: here.link(&secret) })))
}

/// Who manages organisations is not taken over by who administers one: only their like touches them.
fn above(caller: &Caller, id: &str, shared: &Shared) -> Result<(), Refusal> {
    let user = caller.scope(shared).user(id).ok_or(UNKNOWN)?;
    if user.instance && !caller.principal.instance {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this user manages organisations; only another such user may do that",
        ));
    }
    Ok(())
}

/// Lists the sessions of a user: for administrators, and for the user itself.
#[utoipa::path(get, path = "/users/{id}/sessions", tag = "users", operation_id = "listUserSessions", params(("id" = String, Path), Window), responses(
    (status = 200, description = "Those that stand, newest last.", body = Page<SessionView>),
))]
pub(super) async fn sessions(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(window): Asked<Window>,
) -> Result<Json<Page<SessionView>>, Refusal> {
    oneself_or_administrator(&caller, &id)?;
    let limit = window.limit()?;
    let scope = caller.scope(&shared);
    scope.user(&id).ok_or(UNKNOWN)?;
    let mut read = scope.sessions(&id);
    if let Some(after) = window.after() {
        let place = read.iter().position(|session| *session.id == *after).map_or(read.len(), |place| place + 1);
        read.drain(..place);
    }
    let current = |session: &Session| caller.principal.by == By::Session(Arc::clone(&session.id));
    let view = |session: &Arc<Session>| SessionView {
        id: session.id.to_string(),
        address: session.address.clone(),
        agent: session.agent.clone(),
        created: session.created,
        expires: session.expires,
        current: current(session),
    };
    Ok(Json(Page::of(read, limit, |session| &session.id, view)))
}

/// Ends all sessions of a user: for administrators, and for the user itself, whose current session stays.
#[utoipa::path(delete, path = "/users/{id}/sessions", tag = "users", operation_id = "endUserSessions", params(("id" = String, Path)), responses(
    (status = 204, description = "They have ended."),
))]
pub(super) async fn end_sessions(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Refusal> {
    oneself_or_administrator(&caller, &id)?;
    if caller.principal.user.as_deref() != Some(&*id) {
        above(&caller, &id, &shared)?;
    }
    let current = match &caller.principal.by {
        By::Session(session) => Some(&**session),
        _ => None,
    };
    caller.scope(&shared).remove_sessions(&caller.actor(), &id, current).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn oneself_or_administrator(caller: &Caller, id: &str) -> Result<(), Refusal> {
    if caller.principal.role == Role::Administrator || caller.principal.user.as_deref() == Some(id) {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "this needs the role of administrator, or to be that user"))
}
