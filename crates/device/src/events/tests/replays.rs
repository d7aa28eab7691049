//! Seek and the log: the seam to what happens, the timeout, memory, and a disk that refuses (Core §9.1.5).

use super::*;
use crate::events::log::{Bounds, Log};
use crate::events::queue::BUDGET;
use crate::events::replay::Replay;
use tempfile::TempDir;

/// A house that keeps what it tells.
fn keeping() -> (House, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), Bounds::default()).unwrap();
    (House::with(Hub::new(Some(Arc::new(log)))), folder)
}

impl House {
    fn seek(&mut self, point: &Made, time: Timestamp, reverse: bool) {
        let cursor = self.hub.log().unwrap().cursor(time, reverse);
        self.hub.seek(self.now, &point.id, &admin(), Arc::new(Replay::new(cursor))).unwrap();
    }

    /// What the PullMessages that waits has to do next; a piece is read, and meanwhile something is told.
    fn step(&mut self, point: &Made, meanwhile: impl FnOnce(&mut Self)) -> Progress {
        let progress = self.progress(point);
        if let Progress::Read { place, most, .. } = &progress {
            place.read(*most, |read| {
                meanwhile(self);
                self.hub.replayed(point.key, place, read);
            });
        }
        progress
    }

    /// The answer to a PullMessages, if there is one before it waits.
    fn replayed(&mut self, point: &Made, timeout: u64, limit: usize) -> Option<Vec<String>> {
        self.begin(point, timeout, limit).unwrap();
        loop {
            match self.step(point, |_| {}) {
                Progress::Read { .. } => {}
                Progress::Done { messages, epoch, .. } => {
                    self.hub.delivered(point.key, epoch, Vec::new());
                    return Some(shorts(&messages));
                }
                _ => {
                    self.hub.end_pull(self.now, point.key);
                    return None;
                }
            }
        }
    }
}

fn appeared(sources: &[&str]) -> Vec<String> {
    sources.iter().map(|source| format!("Initialized {MOTION} {source}=true")).collect()
}

#[test]
fn what_is_told_between_seek_and_the_first_pull_is_answered_at_once() {
    let (mut house, _folder) = keeping();
    let start = house.now.wall;
    house.tell(motion("a", true));
    let point = house.pull_point(60);
    house.seek(&point, start, false);
    house.tell(motion("b", true));
    assert_eq!(house.replayed(&point, 60, 1), Some(appeared(&["a"])));
    assert_eq!(house.replayed(&point, 60, 1), Some(appeared(&["b"])), "it does not wait for something else");
    assert_eq!(house.replayed(&point, 60, 1), None);
}

#[test]
fn what_is_told_between_two_pages_or_while_the_last_is_read_is_answered_once() {
    let (mut house, _folder) = keeping();
    let start = house.now.wall;
    ["a", "b", "c"].into_iter().for_each(|source| house.tell(motion(source, true)));
    let point = house.pull_point(60);
    house.seek(&point, start, false);
    assert_eq!(house.replayed(&point, 60, 2), Some(appeared(&["a", "b"])));
    house.tell(motion("d", true));
    assert_eq!(house.replayed(&point, 60, 1), Some(appeared(&["c"])));
    assert_eq!(house.replayed(&point, 60, 9), Some(appeared(&["d"])));
    // And with a Seek whose only piece is read while something is told.
    house.seek(&point, start, false);
    house.begin(&point, 60, 9).unwrap();
    assert!(matches!(house.step(&point, |house| house.tell(motion("e", true))), Progress::Read { .. }));
    let Progress::Done { messages, epoch, .. } = house.progress(&point) else { panic!("there are messages") };
    house.hub.delivered(point.key, epoch, Vec::new());
    assert_eq!(shorts(&messages), appeared(&["a", "b", "c", "d"]));
    assert_eq!(house.replayed(&point, 60, 9), Some(appeared(&["e"])));
    assert_eq!(house.replayed(&point, 60, 9), None, "each comes once");
}

#[test]
fn whoever_has_read_all_goes_on_with_what_happens_without_the_log() {
    let (mut house, _folder) = keeping();
    let start = house.now.wall;
    house.tell(motion("a", true));
    let point = house.pull_point(60);
    house.seek(&point, start, false);
    assert_eq!(house.replayed(&point, 60, 9), Some(appeared(&["a"])));
    for source in ["b", "c"] {
        house.begin(&point, 60, 9).unwrap();
        assert!(matches!(house.progress(&point), Progress::Wait(_)), "there is nothing to read");
        house.tell(motion(source, true));
        let Progress::Done { messages, epoch, .. } = house.progress(&point) else { panic!("it is in the queue") };
        assert_eq!(shorts(&messages), appeared(&[source]));
        house.hub.delivered(point.key, epoch, Vec::new());
    }
    // §9.1.5: of states it hears nothing any more.
    house.hub.synchronise(house.now, &point.id, &admin()).unwrap();
    assert_eq!(house.pulled(&point), [""; 0]);
}

#[test]
fn backwards_nothing_comes_after_the_beginning() {
    let (mut house, _folder) = keeping();
    house.tell(motion("a", true));
    let point = house.pull_point(60);
    house.seek(&point, house.now.wall, true);
    house.pass(seconds(1));
    let back = house.replayed(&point, 60, 9).unwrap();
    assert_eq!(back, [&appeared(&["a"])[..], &["EventBuffer/Begin ".to_owned()]].concat());
    house.tell(motion("b", true));
    assert_eq!(house.replayed(&point, 60, 9), None);
}

#[test]
fn a_timeout_holds_while_the_log_is_read_and_the_next_pull_goes_on_there() {
    let (mut house, _folder) = keeping();
    let start = house.now.wall;
    (0..900).for_each(|_| house.tell(shutdown()));
    house.tell(motion("a", true));
    let wanted = Wanted { selection: topics_of("tns1:VideoSource//."), ..wanted(None) };
    let point = house.make(&admin(), wanted).unwrap();
    house.seek(&point, start, false);
    house.begin(&point, 5, 9).unwrap();
    assert!(matches!(house.step(&point, |_| {}), Progress::Read { .. }));
    house.pass(seconds(5));
    let Progress::Done { messages, epoch, .. } = house.progress(&point) else { panic!("its time is over") };
    assert!(messages.is_empty());
    house.hub.delivered(point.key, epoch, Vec::new());
    // Without any time there is a piece each.
    let answers: Vec<_> = (0..3).map(|_| house.replayed(&point, 0, 9).unwrap()).collect();
    assert_eq!(answers, [vec![], vec![], appeared(&["a"])]);
}

#[test]
fn what_is_read_from_the_log_counts_like_all_that_waits() {
    let (mut house, _folder) = keeping();
    let start = house.now.wall;
    let long = "x".repeat(8000);
    (0..200).for_each(|_| house.tell(hot(&long)));
    // In files, where each reader gets a copy of its own.
    assert!(house.hub.log().unwrap().sync());
    let points: Vec<_> = (0..60).map(|_| house.pull_point(3600)).collect();
    for point in &points {
        house.seek(point, start, false);
        assert_eq!(house.replayed(point, 60, 1).map(|told| told.len()), Some(1));
        assert!(house.hub.waiting_bytes() <= BUDGET);
    }
    assert!(house.hub.waiting_bytes() > BUDGET / 4, "they are counted");
    // Nobody misses anything for it: who comes late reads less at once.
    for point in [&points[0], &points[59]] {
        let mut told = 1;
        while let Some(some) = house.replayed(point, 60, 50) {
            told += some.len();
        }
        assert_eq!(told, 200);
    }
}

#[test]
fn a_disk_that_refuses_costs_nobody_what_happens() {
    let (mut house, folder) = keeping();
    // What is told cannot be written any more, and waits for the disk in memory.
    folder.close().unwrap();
    let slow =
        house.make(&admin(), Wanted { selection: topics_of("tns1:Device/OperationMode//."), ..wanted(None) }).unwrap();
    (0..100).for_each(|_| house.tell(shutdown()));
    let live = house.pull_point(3600);
    let long = "x".repeat(8000);
    for round in 0..2 * BUDGET / (2 * long.len()) {
        house.tell(hot(&long));
        assert_eq!(house.pulled(&live).len(), 1, "in round {round}");
    }
    assert_eq!(house.pulled(&slow).len(), 100);
}
