//! Places, owners and memory.

use super::*;
use crate::events::Follow;
use crate::events::owner::Owner;
use crate::events::queue::BUDGET;
use crate::events::{MAX_PRODUCERS, MAX_PULL_POINTS, Next};

#[test]
fn all_places_that_are_told_are_there_for_one_and_one_more_is_not() {
    for (kind, told) in [(Kind::PullPoint, MAX_PULL_POINTS), (Kind::Producer, MAX_PRODUCERS)] {
        for one in [lan("user", Level::User), lan("operator", Level::Operator), uplink("https://cloud.example/")] {
            let mut house = House::new();
            let mut make = || house.make(&one, Wanted { kind, ..wanted(None) }).map(|made| made.lasts);
            assert!((0..told).all(|_| make().is_ok()), "{kind:?}");
            assert_eq!(make(), Err(Refused::TooManyOfOne(told)));
        }
    }
}

#[test]
fn all_places_are_there_and_one_more_is_not() {
    let mut house = House::new();
    let mut points: Vec<_> = (0..86).map(|_| house.pull_point(60)).collect();
    let refused = house.make(&admin(), wanted(None)).map(|made| made.lasts);
    assert_eq!(refused, Err(Refused::TooMany(86)));
    let ended = points.pop().unwrap();
    house.hub.unsubscribe(house.now, &ended.id, &admin()).unwrap();
    points.push(house.pull_point(30));
    // Those whose time is over make room.
    house.pass(seconds(30));
    house.pull_point(60);
    let mut ids: Vec<_> = points.iter().map(|point| point.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 86, "each has an address of its own");
}

#[test]
fn one_cloud_takes_neither_the_lans_places_nor_all_of_the_other_clouds() {
    let mut house = House::new();
    let bad = uplink("https://bad.example/");
    let taken = (0..100).take_while(|_| house.make(&bad, wanted(None)).is_ok()).count();
    assert_eq!(taken, 64);
    let other = uplink("wss://good.example/");
    assert_eq!((0..100).take_while(|_| house.make(&other, wanted(None)).is_ok()).count(), 22);
    assert_eq!((0..100).take_while(|_| house.make(&admin(), wanted(None)).is_ok()).count(), 86);
}

#[test]
fn one_account_leaves_places_for_an_administrator() {
    let mut house = House::new();
    let user = lan("user", Level::User);
    assert_eq!((0..100).take_while(|_| house.make(&user, wanted(None)).is_ok()).count(), 64);
    assert_eq!((0..100).take_while(|_| house.make(&admin(), wanted(None)).is_ok()).count(), 22);
}

#[test]
fn nobody_gets_at_what_is_anothers() {
    let mut house = House::new();
    let user = lan("user", Level::User);
    let point = house.make(&user, wanted(None)).unwrap();
    let now = house.now;
    for stranger in [lan("other", Level::Operator), uplink("https://cloud.example/")] {
        let refused = Err(Refused::Unknown);
        assert_eq!(house.hub.begin_pull(now, &point.id, &stranger, seconds(1), 1).map(drop), refused);
        assert_eq!(house.hub.renew(now, &point.id, &stranger, None).map(drop), refused);
        assert_eq!(house.hub.unsubscribe(now, &point.id, &stranger), refused);
        assert_eq!(house.hub.synchronise(now, &point.id, &stranger), refused);
    }
    assert_eq!(house.hub.renew(now, &point.id, &user, None).map(drop), Ok(()));
    assert_eq!(house.hub.renew(now, &point.id, &admin(), None).map(drop), Ok(()));
}

#[test]
fn who_is_no_more_hears_no_more() {
    let mut house = House::new();
    let (user, cloud) = (lan("user", Level::User), uplink("https://cloud.example/"));
    let points = [house.make(&user, wanted(None)).unwrap(), house.make(&cloud, wanted(None)).unwrap()];
    house.hub.forget(&Owner::of(&user));
    assert!(!house.is_there(&points[0]));
    assert!(house.is_there(&points[1]));
    house.hub.forget(&Owner::cloud("wss://cloud.example/elsewhere"));
    assert!(!house.is_there(&points[1]));
}

#[test]
fn who_has_less_than_before_is_sent_nothing_more_and_may_still_pull() {
    let mut house = House::new();
    let (user, other) = (lan("user", Level::Operator), lan("other", Level::Operator));
    let producer = || Wanted { kind: Kind::Producer, ..wanted(None) };
    let sent = [house.make(&user, producer()).unwrap(), house.make(&other, producer()).unwrap()];
    let point = house.make(&user, wanted(None)).unwrap();
    house.hub.withdraw(&Owner::of(&user));
    assert!(!house.is_there(&sent[0]));
    assert!(house.is_there(&sent[1]) && house.is_there(&point));
}

#[test]
fn all_that_waits_has_one_bound_and_who_has_most_loses_first() {
    let mut house = House::new();
    let few =
        house.make(&admin(), Wanted { selection: topics_of("tns1:Device/OperationMode//."), ..wanted(None) }).unwrap();
    house.tell(shutdown());
    let all = house.pull_point(3600);
    let long = "x".repeat(8000);
    for _ in 0..2000 {
        house.tell(hot(&long));
        assert!(house.hub.waiting_bytes() <= BUDGET);
    }
    assert_eq!(house.pulled(&few).len(), 1);
    assert!(!house.pulled(&all).is_empty());
}

#[test]
fn followers_are_told_what_did_not_fit() {
    let mut house = House::new();
    let options = Follow { capacity: 4, ..Follow::default() };
    let (key, _) = house.hub.follow(Selection::default(), &options);
    for _ in 0..6 {
        house.tell(shutdown());
    }
    let mut numbers = Vec::new();
    let mut lost = 0;
    while let Ok(next) = house.hub.next(house.now, key) {
        match next {
            Next::Message(message) => numbers.push(message.number),
            Next::Lost(count) => lost += count,
            Next::Ended => panic!("nobody ended it"),
        }
    }
    assert_eq!((lost, numbers), (2, vec![3, 4, 5, 6]));
}

#[test]
fn a_device_that_stops_ends_all_and_takes_nobody_any_more() {
    let mut house = House::new();
    let point = house.pull_point(60);
    let (follower, _) = house.hub.follow(Selection::default(), &Follow::default());
    house.begin(&point, 60, 1).unwrap();
    house.hub.close();
    assert!(matches!(house.progress(&point), Progress::Ended));
    assert!(matches!(house.hub.next(house.now, follower), Ok(Next::Ended)));
    let (late, _) = house.hub.follow(Selection::default(), &Follow::default());
    assert!(matches!(house.hub.next(house.now, late), Ok(Next::Ended)));
}
