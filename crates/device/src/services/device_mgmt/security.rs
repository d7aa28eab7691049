//! The accounts (Core §8.4). All changes of a request are made, or none; passwords go in and never out.

use super::super::Call;
use crate::accounts::{MAX_USERS, Unfit, check_name, check_password, nobody_administrates};
use crate::events::Owner;
use crate::store::{Account, Role, Secret, State};
use oriel_onvif::device_mgmt::*;
use oriel_soap::{Fault, With};

pub(super) async fn get_users(call: Call, _: GetUsers) -> Result<GetUsersResponse, Fault> {
    let state = call.shared.store.state();
    let show = |account: &Account| {
        User::with(|user| {
            user.username.clone_from(&account.name);
            user.user_level = match account.level {
                Role::Administrator => UserLevel::Administrator,
                Role::Operator => UserLevel::Operator,
                Role::User => UserLevel::User,
            };
        })
    };
    Ok(GetUsersResponse::with(|response| {
        response.user = state.users.iter().map(show).collect();
    }))
}

pub(super) async fn create_users(call: Call, request: CreateUsers) -> Result<CreateUsersResponse, Fault> {
    at_least_one(&request.user, "User")?;
    call.change(move |state| request.user.into_iter().try_for_each(|user| create(state, user))).await?;
    Ok(CreateUsersResponse::default())
}

fn create(state: &mut State, user: User) -> Result<(), Fault> {
    let password = user.password.unwrap_or_default();
    check_name(&user.username).and_then(|()| check_password(&user.username, &password)).map_err(
        |unfit| match unfit {
            Unfit::NameTooShort => prohibited(unfit, "UsernameTooShort"),
            Unfit::NameTooLong => prohibited(unfit, "UsernameTooLong"),
            Unfit::NameUnusable => Fault::invalid_arg_val(unfit.to_string()),
            Unfit::PasswordTooLong => prohibited(unfit, "PasswordTooLong"),
            Unfit::PasswordTooWeak => prohibited(unfit, "Password"),
        },
    )?;
    let level = role(user.user_level)?;
    if state.users.iter().any(|account| account.name == user.username) {
        let fault = Fault::operation_prohibited(format!("there is a user {:?} already", user.username));
        return Err(fault.subcode("UsernameClash"));
    }
    if state.users.len() >= MAX_USERS {
        return Err(Fault::action(format!("this device keeps {MAX_USERS} users at most")).subcode("TooManyUsers"));
    }
    state.users.push(Account { name: user.username, password: Secret::new(password), level });
    Ok(())
}

pub(super) async fn delete_users(call: Call, request: DeleteUsers) -> Result<DeleteUsersResponse, Fault> {
    at_least_one(&request.username, "Username")?;
    let gone = request.username.clone();
    call.change(move |state| {
        request.username.iter().try_for_each(|name| find(state, name).map(drop))?;
        state.users.retain(|account| !request.username.contains(&account.name));
        keep_an_administrator(state)
    })
    .await?;
    gone.into_iter().for_each(|name| call.shared.events.forget(&Owner::Account(name)));
    Ok(DeleteUsersResponse::default())
}

pub(super) async fn set_user(call: Call, request: SetUser) -> Result<SetUserResponse, Fault> {
    at_least_one(&request.user, "User")?;
    let others = call.change(move |state| {
        let others = request.user.into_iter().map(|user| set(state, user)).collect::<Result<Vec<_>, _>>()?;
        keep_an_administrator(state)?;
        Ok(others)
    });
    // What is sent was asked for once, by somebody who may not be who logs in from now on, or may do less.
    for name in others.await?.into_iter().flatten() {
        call.shared.events.withdraw(&Owner::Account(name));
    }
    Ok(SetUserResponse::default())
}

/// The name is answered if its account is another one now, or may do less.
fn set(state: &mut State, user: User) -> Result<Option<String>, Fault> {
    let account = find(state, &user.username)?;
    // §8.4.6: no password means an empty one, and that is too weak here.
    let password = user.password.unwrap_or_default();
    check_password(&user.username, &password).map_err(|unfit| match unfit {
        Unfit::PasswordTooLong => prohibited(unfit, "PasswordTooLong"),
        unfit => prohibited(unfit, "PasswordTooWeak"),
    })?;
    let level = role(user.user_level)?;
    let may_less = matches!(
        (account.level, level),
        (Role::Administrator, Role::Operator | Role::User) | (Role::Operator, Role::User)
    );
    let is_other = may_less || account.password.reveal() != password;
    account.level = level;
    account.password = Secret::new(password);
    Ok(is_other.then_some(user.username))
}

pub(super) async fn get_endpoint_reference(
    call: Call,
    _: GetEndpointReference,
) -> Result<GetEndpointReferenceResponse, Fault> {
    Ok(GetEndpointReferenceResponse::with(|response| {
        response.guid = call.shared.store.state().uuid.urn().to_string();
    }))
}

/// A list that the schema wants to have one entry or more.
pub(super) fn at_least_one<T>(list: &[T], name: &str) -> Result<(), Fault> {
    if list.is_empty() {
        return Err(Fault::invalid_args(format!("{name} is missing")));
    }
    Ok(())
}

fn find<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Account, Fault> {
    let missing = || Fault::invalid_arg_val(format!("there is no user {name:?}")).subcode("UsernameMissing");
    state.users.iter_mut().find(|account| account.name == name).ok_or_else(missing)
}

fn role(level: UserLevel) -> Result<Role, Fault> {
    match level {
        UserLevel::Administrator => Ok(Role::Administrator),
        UserLevel::Operator => Ok(Role::Operator),
        UserLevel::User => Ok(Role::User),
        UserLevel::Anonymous => {
            let fault = Fault::operation_prohibited("nobody can be made Anonymous: that is who shows nothing");
            Err(fault.subcode("AnonymousNotAllowed"))
        }
        _ => Err(Fault::invalid_arg_val("the level Extended needs roles, and this device has none")),
    }
}

/// Who locked everybody out could not undo it.
fn keep_an_administrator(state: &State) -> Result<(), Fault> {
    if nobody_administrates(&state.users) {
        return Err(Fault::invalid_arg_val("the last Administrator has to stay").subcode("FixedUser"));
    }
    Ok(())
}

fn prohibited(unfit: Unfit, subcode: &'static str) -> Fault {
    Fault::operation_prohibited(unfit.to_string()).subcode(subcode)
}
