//! Every operation against every level: the access class decides, on the LAN by the account, in a tunnel by the uplink.

use super::cloud_end::Cloud;
use super::*;
use oriel_onvif::ns;
use oriel_soap::access::{Level, allowed};
use oriel_soap::xml::{Any, Limits};

/// A request for any operation of the tables, without arguments.
fn bare(row: &oriel_soap::Row) -> Any {
    Any::from_xml(&format!("<x:{} xmlns:x=\"{}\"/>", row.name, row.service.uri), &Limits::REQUEST).unwrap()
}

/// The operations of the services that the device has; others are unknown to it whoever asks.
fn served() -> impl Iterator<Item = &'static oriel_soap::Row> {
    [ns::TDS, ns::TUP, ns::TAS].into_iter().flat_map(|service| oriel_onvif::table(service.uri).unwrap().rows)
}

/// What keeps a request without arguments from doing anything must not be taken for a lack of rights.
fn was_let_in(answer: &Answer) -> bool {
    answer.status == StatusCode::OK || !fault_of(answer).is("NotAuthorized")
}

#[tokio::test]
async fn on_the_lan_the_account_counts() {
    let camera = Camera::start().await;
    let mut refused = 0;
    for row in served() {
        let message = envelope::request_raw(&bare(row), &Headers::default());
        let nobody = camera.post(DEVICE, message).await;
        assert_eq!(
            nobody.status != StatusCode::UNAUTHORIZED,
            allowed(Level::Anonymous.into(), row.access),
            "nobody {}",
            row.name
        );
        for (user, role) in USERS {
            let token = UsernameToken::digest(user, &password(user), Timestamp::now());
            let headers = Headers { username_token: Some(token), ..Headers::default() };
            let answer = camera.post(DEVICE, envelope::request_raw(&bare(row), &headers)).await;
            let expected = allowed(Level::from(role).into(), row.access);
            assert_eq!(was_let_in(&answer), expected, "{user} {}: {}", row.name, answer.text);
            refused += usize::from(!expected);
        }
    }
    assert!(refused > 50, "the tables have operations for administrators: {refused}");
}

#[tokio::test]
async fn in_a_tunnel_the_uplink_counts_and_several_levels_are_their_union() {
    let cloud = Cloud::listen().await;
    let camera = cloud.camera().await;
    let mut tunnel = None;
    for levels in [
        &[Level::User][..],
        &[Level::Operator],
        &[Level::Administrator],
        &[Level::User, Level::Operator],
        &[Level::Anonymous],
    ] {
        let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
        cloud.set(&camera, &names).await;
        // Only the rights change, so the tunnel that stands stays.
        let tunnel = match &tunnel {
            Some(tunnel) => tunnel,
            None => tunnel.insert(cloud.tunnel().await),
        };
        for row in served() {
            let answer = tunnel.post(DEVICE, envelope::request_raw(&bare(row), &Headers::default())).await;
            let expected = allowed(levels.iter().copied().collect(), row.access);
            assert_eq!(was_let_in(&answer), expected, "{names:?} {}: {}", row.name, answer.text);
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "there is nobody to ask in a tunnel");
        }
    }
}
