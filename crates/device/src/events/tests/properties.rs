//! Properties, each with a life of its own in each subscription (Core §9.4.2, §9.5).

use super::*;
use crate::events::Untold;
use crate::events::property::MOST;

#[test]
fn each_new_subscription_begins_with_the_states_that_there_are() {
    let mut house = House::new();
    house.tell(motion("gate", true));
    house.tell(motion("yard", false));
    house.tell(shutdown());
    house.tell(motion("yard", true));
    for _ in 0..2 {
        let point = house.pull_point(60);
        let expected =
            ["Initialized VideoSource/MotionAlarm gate=true", "Initialized VideoSource/MotionAlarm yard=true"];
        assert_eq!(house.pulled(&point), expected, "states, and nothing that has passed");
        assert_eq!(house.pulled(&point), [""; 0]);
    }
}

#[test]
fn a_property_is_created_changes_and_is_deleted() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.tell(motion("gate", false));
    house.tell(motion("gate", true));
    house.tell(motion("gate", true));
    house.tell(motion("gate", false));
    house.tell(motion("gate", false).gone());
    house.tell(motion("gate", false).gone());
    house.tell(motion("gate", false));
    let expected = ["Initialized", "Changed", "Changed", "Deleted", "Initialized"];
    let told = house.pulled(&point);
    assert!(told.iter().zip(expected).all(|(told, expected)| told.starts_with(expected)), "{told:?}");
    assert_eq!(told.len(), 5, "a state that is as it was is not told again: {told:?}");
}

#[test]
fn what_is_gone_is_not_told_to_who_comes_later() {
    let mut house = House::new();
    house.tell(motion("gate", true));
    house.tell(motion("gate", true).gone());
    let point = house.pull_point(60);
    assert_eq!(house.pulled(&point), [""; 0]);
}

#[test]
fn something_that_happens_twice_is_told_twice() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.tell(shutdown());
    house.tell(shutdown());
    assert_eq!(house.pulled(&point), ["Device/OperationMode/ShutdownInitiated "; 2]);
}

#[test]
fn changed_only_hears_neither_beginnings_nor_ends() {
    let mut house = House::new();
    house.tell(motion("gate", true));
    let point = house.make(&admin(), Wanted { changed_only: true, ..wanted(None) }).unwrap();
    house.tell(motion("yard", true));
    house.tell(motion("gate", false));
    house.tell(motion("gate", false).gone());
    house.tell(shutdown());
    house.hub.synchronise(house.now, &point.id, &admin()).unwrap();
    let expected = ["Changed VideoSource/MotionAlarm gate=false", "Device/OperationMode/ShutdownInitiated "];
    assert_eq!(house.pulled(&point), expected);
}

#[test]
fn a_synchronisation_point_repeats_the_states() {
    let mut house = House::new();
    let point = house.pull_point(60);
    let other = house.pull_point(60);
    house.tell(motion("gate", true));
    house.pulled(&point);
    house.tell(motion("gate", false));
    house.hub.synchronise(house.now, &point.id, &admin()).unwrap();
    let expected = ["Changed VideoSource/MotionAlarm gate=false", "Initialized VideoSource/MotionAlarm gate=false"];
    assert_eq!(house.pulled(&point), expected);
    assert_eq!(house.pulled(&other).len(), 2, "nobody else hears it");
}

#[test]
fn filters_choose_among_states_too() {
    let mut house = House::new();
    house.tell(motion("gate", true));
    house.tell(
        Occurrence::of(topics::find("Device/Trigger/DigitalInput").unwrap())
            .source("InputToken", "in1")
            .data("LogicalState", "true"),
    );
    let wanted = Wanted { selection: topics_of("tns1:Device//."), ..wanted(None) };
    let point = house.make(&admin(), wanted).unwrap();
    assert_eq!(house.pulled(&point), ["Initialized Device/Trigger/DigitalInput in1=true"]);
}

#[test]
fn a_state_that_clears_is_told_however_full_the_queue_is() {
    let mut house = House::new();
    let point = house.pull_point(3600);
    house.tell(motion("gate", true));
    for _ in 0..10_000 {
        house.tell(shutdown());
    }
    house.tell(motion("gate", false));
    for _ in 0..10_000 {
        house.tell(shutdown());
    }
    let mut told = Vec::new();
    loop {
        match house.pulled(&point) {
            some if some.is_empty() => break,
            some => told.extend(some),
        }
    }
    let states: Vec<_> = told.iter().filter(|told| told.contains("gate")).collect();
    assert_eq!(states.last().unwrap().as_str(), "Changed VideoSource/MotionAlarm gate=false");
    assert!(told.len() < 6000, "the queue is bounded");
}

#[test]
fn what_is_not_as_described_is_told_to_nobody() {
    let mut house = House::new();
    let point = house.pull_point(60);
    let topic = |topic: &str| Occurrence::of(topics::find(topic).unwrap());
    let is = |house: &mut House, occurrence, wanted: fn(&Untold) -> bool| {
        let told = house.hub.tell(house.now, occurrence).unwrap_err();
        assert!(wanted(&told), "{told}");
    };
    is(&mut house, topic("Monitoring/BatteryCapacity"), |told| matches!(told, Untold::NotOffered(_)));
    is(&mut house, topic(MOTION).source("Source", "gate"), |told| matches!(told, Untold::MissingItem { .. }));
    is(&mut house, topic(MOTION).data("State", "true"), |told| matches!(told, Untold::MissingItem { .. }));
    is(&mut house, motion("gate", true).key("Rule", "x"), |told| matches!(told, Untold::UnknownItem { .. }));
    is(&mut house, motion("gate", true).source("Source", "b"), |told| matches!(told, Untold::TwiceItem { .. }));
    is(&mut house, topic(MOTION).source("Source", "gate").data("State", "maybe"), |told| {
        matches!(told, Untold::BadValue { .. })
    });
    is(&mut house, shutdown().gone(), |told| matches!(told, Untold::NoProperty(_)));
    let long = "x".repeat(20_000);
    is(&mut house, motion(&long, true), |told| matches!(told, Untold::TooLarge(_)));
    assert_eq!(house.pulled(&point), [""; 0]);
}

#[test]
fn sources_and_keys_are_part_of_what_a_property_is() {
    let mut house = House::new();
    for source in ["a", "b", "ab", ""] {
        house.tell(motion(source, true));
    }
    let point = house.pull_point(60);
    assert_eq!(house.pulled(&point).len(), 4);
}

#[test]
fn operations_that_are_over_make_room_and_are_told_to_be_gone() {
    let operation = |token: usize, progress: &str| {
        let operation = Occurrence::of(topics::find(OPERATION).unwrap()).source("Token", token.to_string());
        operation.source("OperationName", "Export").source("ServiceName", "recording").data("Progress", progress)
    };
    let mut house = House::new();
    house.tell(motion("gate", true));
    // The first is not over, the second and the third are.
    house.tell(operation(0, "0.5"));
    (1..MOST - 1).for_each(|token| house.tell(operation(token, if token < 3 { "1" } else { "0.1" })));
    let point = house.pull_point(3600);
    while !house.pulled(&point).is_empty() {}
    house.tell(motion("yard", true));
    house.tell(operation(5000, "0"));
    house.tell(operation(5001, "0"));
    let gone = |token: usize, progress: &str| format!("Deleted {OPERATION} {token}=Export=recording={progress}");
    let new = |token: usize| format!("Initialized {OPERATION} {token}=Export=recording=0");
    let expected = [
        gone(1, "1"),
        format!("Initialized {MOTION} yard=true"),
        gone(2, "1"),
        new(5000),
        // None is over: the one that says nothing for longest.
        gone(0, "0.5"),
        new(5001),
    ];
    assert_eq!(house.pulled(&point), expected);
    assert_eq!(house.hub.current(&motion("", true).topic).unwrap().value("Source"), Some("yard"));
}

#[test]
fn what_the_devices_parts_are_is_not_forgotten_for_more_of_them() {
    let mut house = House::new();
    (0..MOST).for_each(|source| house.tell(motion(&source.to_string(), true)));
    let refused = house.hub.tell(house.now, motion("one more", true));
    assert_eq!(refused, Err(Untold::TooManyProperties(MOST)));
    house.tell(motion("0", false));
}

#[test]
fn the_time_is_the_sources_or_now() {
    let mut house = House::new();
    let point = house.pull_point(60);
    let earlier = house.in_wall(-5);
    house.tell(motion("gate", true).at(earlier));
    house.tell(motion("gate", false));
    let times: Vec<_> = house.answer(&point).0.iter().map(|message| message.message.utc_time).collect();
    assert_eq!(times, [earlier, house.now.wall]);
}
