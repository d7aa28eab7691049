//! PullMessages (Core §9.1.2).

use super::*;

#[track_caller]
fn done(progress: Progress) -> Vec<String> {
    match progress {
        Progress::Done { messages, .. } => shorts(&messages),
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_that_wait_are_answered_at_once_up_to_the_limit_and_the_rest_stays() {
    let mut house = House::new();
    let point = house.pull_point(60);
    for state in [true, false, true] {
        house.tell(motion("gate", state));
    }
    house.begin(&point, 60, 2).unwrap();
    let first = done(house.progress(&point));
    assert_eq!(first, ["Initialized VideoSource/MotionAlarm gate=true", "Changed VideoSource/MotionAlarm gate=false"]);
    house.hub.delivered(point.key, 0, Vec::new());
    house.begin(&point, 60, 2).unwrap();
    assert_eq!(done(house.progress(&point)), ["Changed VideoSource/MotionAlarm gate=true"]);
}

#[test]
fn an_answer_is_never_empty_before_its_timeout() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.begin(&point, 60, 10).unwrap();
    for _ in 0..59 {
        assert!(matches!(house.progress(&point), Progress::Wait(until) if until > house.now.monotonic));
        house.pass(seconds(1));
    }
    house.pass(Duration::from_millis(999));
    assert!(matches!(house.progress(&point), Progress::Wait(_)));
    house.pass(Duration::from_millis(1));
    assert_eq!(done(house.progress(&point)), [""; 0]);
}

#[test]
fn the_first_message_ends_the_wait_and_no_further_one_is_waited_for() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.begin(&point, 60, 10).unwrap();
    assert!(matches!(house.progress(&point), Progress::Wait(_)));
    house.pass(seconds(7));
    house.tell(shutdown());
    assert_eq!(done(house.progress(&point)), ["Device/OperationMode/ShutdownInitiated "]);
}

#[test]
fn whoever_waits_is_woken_by_what_it_wants_alone() {
    let mut house = House::new();
    let wanted = Wanted { selection: topics_of("tns1:Device//."), ..wanted(None) };
    let point = house.make(&admin(), wanted).unwrap();
    let woken = || tokio_test_woken(&point.wake);
    woken();
    house.tell(motion("gate", true));
    assert!(!woken());
    house.tell(shutdown());
    assert!(woken());
}

/// Whether a wake has been left, which takes it.
fn tokio_test_woken(wake: &tokio::sync::Notify) -> bool {
    let mut notified = std::pin::pin!(wake.notified());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    notified.as_mut().poll(&mut context).is_ready()
}

#[test]
fn a_second_pull_beside_one_that_waits_is_refused_and_disturbs_nobody() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.begin(&point, 60, 10).unwrap();
    assert_eq!(house.begin(&point, 1, 10), Err(Refused::Pulling));
    house.tell(shutdown());
    assert_eq!(done(house.progress(&point)).len(), 1);
    house.hub.delivered(point.key, 0, Vec::new());
    house.begin(&point, 1, 10).unwrap();
}

#[test]
fn a_pull_whose_client_died_leaves_nothing_behind() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.begin(&point, 60, 10).unwrap();
    house.pass(seconds(30));
    house.hub.end_pull(house.now, point.key);
    house.tell(shutdown());
    house.begin(&point, 60, 10).unwrap();
    assert_eq!(done(house.progress(&point)).len(), 1, "what happened meanwhile is there for the next one");
}

#[test]
fn messages_of_an_answer_that_never_left_come_first_in_the_next_one() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.tell(motion("gate", true));
    house.tell(motion("gate", false));
    house.begin(&point, 60, 10).unwrap();
    let Progress::Done { messages: taken, .. } = house.progress(&point) else { panic!("there are messages") };
    house.tell(motion("gate", true));
    // The client asks again on another connection before the first one is known to be dead.
    house.begin(&point, 60, 10).unwrap();
    assert!(matches!(house.progress(&point), Progress::Wait(_)), "what may come back comes first");
    house.hub.delivered(point.key, 0, taken);
    let all = done(house.progress(&point));
    let states = ["Initialized", "Changed", "Changed"];
    assert!(all.iter().zip(states).all(|(told, state)| told.starts_with(state)), "{all:?}");
    assert_eq!(all.len(), 3);
}

#[test]
fn a_pull_point_that_is_ended_ends_the_pull_that_waits() {
    let mut house = House::new();
    let point = house.pull_point(60);
    house.begin(&point, 60, 10).unwrap();
    tokio_test_woken(&point.wake);
    house.hub.unsubscribe(house.now, &point.id, &admin()).unwrap();
    assert!(tokio_test_woken(&point.wake));
    assert!(matches!(house.progress(&point), Progress::Ended));
    assert_eq!(house.begin(&point, 60, 10), Err(Refused::Unknown));
    assert_eq!(house.hub.unsubscribe(house.now, &point.id, &admin()), Err(Refused::Unknown));
}

#[test]
fn a_producer_is_not_pulled_and_a_pull_point_not_paused() {
    let mut house = House::new();
    let producer = house.make(&admin(), Wanted { kind: Kind::Producer, ..wanted(None) }).unwrap();
    assert_eq!(house.begin(&producer, 60, 10), Err(Refused::Unknown));
    assert_eq!(house.hub.pause(house.now, &producer.id, &admin(), true), Ok(()));
    let point = house.pull_point(60);
    assert_eq!(house.hub.pause(house.now, &point.id, &admin(), true), Err(Refused::NotSent));
}

#[test]
fn a_producer_that_pauses_hears_the_rest_afterwards() {
    let mut house = House::new();
    let producer = house.make(&admin(), Wanted { kind: Kind::Producer, ..wanted(None) }).unwrap();
    house.hub.pause(house.now, &producer.id, &admin(), true).unwrap();
    house.tell(shutdown());
    assert!(house.hub.next(house.now, producer.key).is_err());
    house.hub.pause(house.now, &producer.id, &admin(), false).unwrap();
    assert!(matches!(house.hub.next(house.now, producer.key), Ok(crate::events::Next::Message(_))));
}
