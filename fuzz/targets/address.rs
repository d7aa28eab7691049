//! Addresses of clouds (Uplink §5.1): each that is taken makes an upgrade request that reads as it was meant, and nothing more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oriel_uplink::{
    AccessToken, Form, RemoteAddress,
    upgrade::request::{Judged, parse, write},
};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fuzz_target!(|text: &str| {
    let Ok(address) = text.parse::<RemoteAddress>() else { return };
    assert_eq!(address.to_string(), text.trim(), "the text is the key of the configuration");
    let bare = write(&address, None, KEY);
    assert_eq!(bare.windows(4).filter(|part| part == b"\r\n\r\n").count(), 1, "one head");
    assert!(bare.iter().filter(|byte| **byte == b'\n').count() <= 8, "no field but ours");
    match parse(&bare) {
        Judged::Uplink(request, used) => {
            assert_eq!(used, bare.len());
            assert_eq!(request.form, address.form());
            assert_eq!(request.host.as_deref(), Some(address.authority().as_str()));
            assert_eq!(request.websocket_key.as_deref(), (address.form() == Form::WebSocket).then_some(KEY));
            if request.token.is_none() && !request.target.is_empty() && !address.target().contains("access") {
                assert_eq!(request.target, address.target());
            }
        }
        // A query may hold what is no token, or two.
        Judged::Broken(error) => assert!(error.text.contains("token") && address.target().contains('?'), "{error}"),
        other => panic!("{other:?}"),
    }
    let token = AccessToken::new("a.b-c").expect("it is one");
    if !address.target().contains('?') {
        let Judged::Uplink(request, _) = parse(&write(&address, Some(&token), KEY)) else {
            panic!("a token in the head changes nothing else")
        };
        assert_eq!(request.token, Some(token));
    }
});
