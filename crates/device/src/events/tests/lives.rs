//! How long subscriptions live, and what setting the clock does to them: nothing (Core §9.1.1, §9.1.3, §9.1.6).

use super::*;

#[test]
fn a_relative_and_an_absolute_time_say_the_same() {
    let mut house = House::new();
    let relative = house.pull_point(90);
    assert_eq!(relative.lasts.current_time, house.now.wall);
    assert_eq!(relative.lasts.termination_time, house.in_wall(90));
    let until = Some(AbsoluteOrRelativeTime::At(house.in_wall(90)));
    let absolute = house.make(&admin(), wanted(until)).unwrap();
    assert_eq!(absolute.lasts, relative.lasts);
    assert!(absolute.lasts.termination_time.to_string().ends_with('Z'));
    let usual = house.make(&admin(), wanted(None)).unwrap();
    assert_eq!(usual.lasts.termination_time, house.in_wall(60));
}

#[test]
fn what_lasts_too_short_or_too_long_is_refused_with_what_would_do() {
    let mut house = House::new();
    let day = 24 * 60 * 60;
    let refused = Refused::Life { now: house.now.wall, least: house.in_wall(1), most: house.in_wall(day) };
    let absolute = |house: &House, seconds| Some(AbsoluteOrRelativeTime::At(house.in_wall(seconds)));
    for until in [span(0), span(-5), span(day + 1), absolute(&house, -1), absolute(&house, day + 1)] {
        let made = house.make(&admin(), wanted(until)).map(|made| made.lasts);
        assert_eq!(made, Err(refused.clone()), "{until:?}");
    }
    let point = house.pull_point(day);
    assert_eq!(house.hub.renew(house.now, &point.id, &admin(), span(day + 1)), Err(refused));
    assert!(house.is_there(&point), "a Renew that is refused changes nothing");
}

#[test]
fn it_ends_when_its_time_is_over_and_its_place_is_free() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.pass(seconds(59));
    assert!(house.is_there(&point));
    house.pass(seconds(1));
    assert!(!house.is_there(&point));
    assert_eq!(house.begin(&point, 1, 1), Err(Refused::Unknown));
    assert_eq!(house.hub.renew(house.now, &point.id, &admin(), None), Err(Refused::Unknown));
}

#[test]
fn a_producer_whose_time_is_over_is_told_so() {
    let mut house = House::new();
    let producer = house.make(&admin(), Wanted { kind: Kind::Producer, ..wanted(span(60)) }).unwrap();
    let until = house.hub.next(house.now, producer.key).unwrap_err().unwrap();
    assert_eq!(until, house.now.monotonic + seconds(60));
    house.pass(seconds(60));
    assert!(matches!(house.hub.next(house.now, producer.key), Ok(crate::events::Next::Ended)));
}

#[test]
fn renewing_sets_its_end_anew_further_or_nearer() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.pass(seconds(50));
    let lasts = house.hub.renew(house.now, &point.id, &admin(), span(100)).unwrap();
    assert_eq!((lasts.current_time, lasts.termination_time), (house.now.wall, house.in_wall(100)));
    house.pass(seconds(99));
    assert!(house.is_there(&point));
    house.hub.renew(house.now, &point.id, &admin(), span(5)).unwrap();
    house.pass(seconds(5));
    assert!(!house.is_there(&point));
}

#[test]
fn whoever_pulls_keeps_it_and_an_answer_leaves_it_the_timeout_at_least() {
    let mut house = House::new();
    let point = house.pull_point(10);
    // Waits longer than it would have lived.
    house.begin(&point, 60, 10).unwrap();
    house.pass(seconds(60));
    let Progress::Done { messages, lasts, .. } = house.progress(&point) else { panic!("its time is over") };
    assert!(messages.is_empty());
    assert_eq!(lasts.termination_time, house.in_wall(60));
    house.pass(seconds(59));
    assert!(house.is_there(&point));
    // Short pulls now and then: each leaves it what it was made for.
    for _ in 0..100 {
        house.begin(&point, 0, 10).unwrap();
        assert!(matches!(house.progress(&point), Progress::Done { .. }));
        house.pass(seconds(9));
    }
    assert!(house.is_there(&point));
    house.pass(seconds(10));
    assert!(!house.is_there(&point));
}

#[test]
fn an_answer_never_shortens_a_life() {
    let mut house = House::new();
    let point = house.pull_point(3600);
    let (_, lasts) = house.answer(&point);
    assert_eq!(lasts.termination_time, house.in_wall(3600));
}

#[test]
fn a_clock_that_is_set_ends_nothing_early_and_keeps_nothing() {
    for by in [-3 * 365 * 86_400, -3600, -61, 61, 3600, 3 * 365 * 86_400] {
        let mut house = House::new();
        let until = Some(AbsoluteOrRelativeTime::At(house.in_wall(60)));
        let point = house.make(&admin(), wanted(until)).unwrap();
        house.begin(&point, 30, 10).unwrap();
        house.pass(seconds(20));
        house.set_clock(by);
        assert!(matches!(house.progress(&point), Progress::Wait(_)), "{by}: it waits as long as it said");
        house.pass(seconds(10));
        let Progress::Done { lasts, .. } = house.progress(&point) else { panic!("{by}: 30 s are over") };
        assert_eq!(lasts.current_time, house.now.wall);
        assert_eq!(lasts.termination_time, house.in_wall(60), "{by}: what is told goes by the clock that is told");
        house.pass(seconds(59));
        assert!(house.is_there(&point), "{by}");
        house.pass(seconds(1));
        assert!(!house.is_there(&point), "{by}: it ends");
    }
}

#[test]
fn a_clock_that_is_set_loses_nothing_and_doubles_nothing() {
    let mut house = House::new();
    let point = house.pull_point(3600);
    let mut heard = Vec::new();
    for round in 0..200_u64 {
        house.tell(motion("gate", round % 2 == 0));
        house.set_clock(if round % 3 == 0 { -7200 } else { 4000 });
        house.pass(seconds(1));
        if round % 7 == 0 {
            heard.extend(house.answer(&point).0.iter().map(|message| message.number));
        }
    }
    heard.extend(house.answer(&point).0.iter().map(|message| message.number));
    assert_eq!(heard, (1..=200).collect::<Vec<_>>());
}
