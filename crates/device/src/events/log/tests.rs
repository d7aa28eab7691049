//! The log against clocks that go back, disks that are full, tear, lose power or forget, and a process that is killed.

use super::*;
use oriel_onvif::events::{ElementItem, ItemList, Message, PropertyOperation, SimpleItem, topics};
use oriel_onvif::notification::Topic;
use oriel_soap::With;
use oriel_soap::xml::{Any, AnyAttribute, Limits, QName};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

const HOUR: i64 = 1_790_000_000;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(HOUR + seconds).unwrap()
}

fn notification(number: u64, at: Timestamp) -> Arc<Notification> {
    let topic = Topic::of(topics::find("Monitoring/ProcessorUsage").unwrap());
    let message = Message::with(|message| {
        message.utc_time = at;
        message.property_operation = Some(PropertyOperation::Changed);
        message.source = Some([SimpleItem::new("Token", "cpu")].into_iter().collect());
        message.data = Some([SimpleItem::new("Value", number.to_string())].into_iter().collect());
    });
    Arc::new(Notification::new(number, topic, message))
}

/// What a cursor still has to say, and whether BeginOfBuffer was before or behind it.
fn all(cursor: &mut Cursor, limit: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let read = cursor.next(limit);
        assert!(read.messages.len() <= limit);
        for found in &read.messages {
            assert_eq!(found.message.value("Value"), Some(found.number.to_string().as_str()), "the content is its own");
            numbers.push(found.number);
        }
        if !read.more {
            return numbers;
        }
        assert!(!read.messages.is_empty());
    }
}

fn everything(log: &Log) -> Vec<u64> {
    all(&mut log.cursor(Timestamp::MIN, false), 100)
}

/// Numbers that look like chance and are the same each time.
fn dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |sides| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    }
}

fn small() -> Bounds {
    Bounds::new(1 << 20, 10_000)
}

#[test]
fn a_message_comes_back_as_it_was_with_all_that_a_schema_allows() {
    let folder = tempfile::tempdir().unwrap();
    let any = |text: &str| Any::from_xml(text, &Limits::REQUEST).unwrap();
    let rich = Message::with(|message| {
        message.utc_time = "2026-01-31T12:00:00.123456789Z".parse().unwrap();
        message.property_operation = Some(PropertyOperation::Deleted);
        message.key = Some(ItemList::with(|list| {
            list.simple_item.push(SimpleItem::new("a:\u{e4}\u{1f600}", "<\"&\n>"));
            list.element_item.push(ElementItem::new("Link", any(r#"<x:L xmlns:x="urn:x" a="1"><x:M/>t</x:L>"#)));
            list.any.push(any(r#"<E xmlns="urn:e"/>"#));
        }));
        message.any.push(any("<Bare/>"));
        let attribute = |namespace: Option<&str>| AnyAttribute {
            namespace: namespace.map(str::to_owned),
            name: "n".to_owned(),
            value: "v".to_owned(),
        };
        message.any_attributes = vec![attribute(None), attribute(Some("urn:n"))];
    });
    let topic =
        Topic(vec![QName::new("urn:acme", "Root"), QName::new("", "Child"), QName::of(oriel_onvif::ns::TNS1, "X")]);
    let log = Log::open(folder.path(), small()).unwrap();
    log.append(&Arc::new(Notification::new(7, topic.clone(), rich.clone())));
    assert!(log.sync());
    for log in [log, Log::open(folder.path(), small()).unwrap()] {
        let read = log.cursor(Timestamp::MIN, false).next(10);
        let [found] = read.messages.as_slice() else { panic!("{read:?}") };
        assert_eq!((found.number, &found.topic, &found.message), (7, &topic, &rich));
        assert_eq!(log.last(), 7);
    }
}

/// Every place to seek to, forwards and backwards, against a sorted list.
#[test]
fn the_order_is_that_of_time_whatever_the_clock_did() {
    for seed in 0..4 {
        let mut dice = dice(seed);
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), Bounds::new(32 << 10, 10_000)).unwrap();
        let mut clock = 1000;
        let mut told: Vec<(i64, u64)> = Vec::new();
        for number in 1..=60 {
            clock += match dice(12) {
                0 => -(dice(60).cast_signed()),
                1 => dice(60).cast_signed(),
                2..=4 => 0,
                _ => 1,
            };
            told.push((clock, number));
            log.append(&notification(number, time(clock)));
            if dice(20) == 0 {
                assert!(log.sync());
            }
        }
        // Half is in files, the rest waits.
        told.sort_unstable();
        let limit = 1 + usize::try_from(dice(30)).unwrap();
        for place in (told[0].0 - 2)..=(told[59].0 + 2) {
            let from: Vec<u64> = told.iter().filter(|(at, _)| *at >= place).map(|(_, number)| *number).collect();
            assert_eq!(all(&mut log.cursor(time(place), false), limit), from, "from {place}, seed {seed}");
            let back: Vec<u64> = told.iter().rev().filter(|(at, _)| *at <= place).map(|(_, number)| *number).collect();
            assert_eq!(all(&mut log.cursor(time(place), true), limit), back, "back from {place}, seed {seed}");
        }
        drop(log);
        let log = Log::open(folder.path(), Bounds::new(32 << 10, 10_000)).unwrap();
        assert_eq!(everything(&log), told.iter().map(|(_, number)| *number).collect::<Vec<_>>());
        assert_eq!(log.last(), 60);
    }
}

#[test]
fn whoever_reads_forwards_hears_what_happens_later_once_and_whatever_the_clock_does() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    (1..=3).for_each(|number| log.append(&notification(number, time(100 + number.cast_signed()))));
    let mut cursor = log.cursor(time(102), false);
    // Appended after the seek, before the first read: behind all that was there, and told that it is there.
    log.append(&notification(4, time(0)));
    let read = cursor.next(10);
    assert_eq!(read.messages.iter().map(|found| found.number).collect::<Vec<_>>(), [2, 3]);
    assert!(read.more);
    assert_eq!(all(&mut cursor, 10), [4]);
    assert_eq!(all(&mut cursor, 10), [0_u64; 0]);
    log.append(&notification(5, time(50)));
    log.append(&notification(6, time(40)));
    assert!(log.sync());
    assert_eq!(all(&mut cursor, 1), [6, 5]);
    // Backwards nothing comes later.
    let mut back = log.cursor(time(45), true);
    log.append(&notification(7, time(41)));
    assert_eq!(all(&mut back, 10), [6, 4]);
    assert_eq!(all(&mut back, 10), [0_u64; 0]);
}

#[test]
fn the_beginning_of_the_buffer_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    let next = |cursor: &mut Cursor, limit| {
        let read = cursor.next(limit);
        (read.messages.iter().map(|found| found.number).collect::<Vec<_>>(), read.begin_of_buffer.is_some())
    };
    // Nothing was ever kept: any time is before the beginning.
    for reverse in [false, true] {
        let mut cursor = log.cursor(time(0), reverse);
        assert_eq!(next(&mut cursor, 5), (vec![], true));
        assert_eq!(next(&mut cursor, 5), (vec![], false));
    }
    (1..=4).for_each(|number| log.append(&notification(number, time(number.cast_signed()))));
    // To before the beginning: told, in both directions.
    let mut cursor = log.cursor(time(0), false);
    assert_eq!(next(&mut cursor, 3), (vec![1, 2, 3], true));
    assert_eq!(next(&mut cursor, 3), (vec![4], false));
    assert_eq!(next(&mut log.cursor(time(0), true), 3), (vec![], true));
    // Within, forwards: not told. Backwards: when it is passed, behind the last message.
    let mut cursor = log.cursor(time(1), false);
    assert_eq!(next(&mut cursor, 9), (vec![1, 2, 3, 4], false));
    let mut cursor = log.cursor(time(9), true);
    assert_eq!(next(&mut cursor, 2), (vec![4, 3], false));
    assert_eq!(next(&mut cursor, 2), (vec![2, 1], true));
    assert_eq!(next(&mut cursor, 2), (vec![], false));
}

/// Strictly in the order of time (§9.1.2), like all that is read.
#[test]
fn the_beginning_of_the_buffer_has_the_time_of_what_is_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    let begin = |at: i64, reverse| log.cursor(time(at), reverse).next(9).begin_of_buffer;
    assert_eq!((begin(7, false), begin(7, true)), (Some(time(7)), Some(time(7))), "nothing is kept");
    [(1, 30), (2, 20), (3, 40)].into_iter().for_each(|(number, at)| log.append(&notification(number, time(at))));
    assert_eq!((begin(0, false), begin(99, true)), (Some(time(20)), Some(time(20))));
    assert_eq!(begin(7, true), Some(time(7)), "nothing is so old");
    assert!(log.sync());
    assert_eq!((begin(0, false), begin(99, true)), (Some(time(20)), Some(time(20))));
}

#[test]
fn a_piece_is_bounded_in_bytes_and_nothing_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), Bounds::new(32 << 20, 10_000)).unwrap();
    for number in 1..=200_u64 {
        let mut large = notification(number, time(number.cast_signed() % 7));
        let own = Arc::get_mut(&mut large).unwrap();
        own.message.key = Some([SimpleItem::new("k", "x".repeat(8000))].into_iter().collect());
        log.append(&Arc::new(Notification::new(number, own.topic.clone(), own.message.clone())));
    }
    // From what waits, and from the files.
    for synced in [false, true] {
        assert!(!synced || log.sync());
        for reverse in [false, true] {
            let mut cursor = log.cursor(if reverse { Timestamp::MAX } else { Timestamp::MIN }, reverse);
            let mut numbers = Vec::new();
            loop {
                let read = cursor.next(200);
                let weight: usize = read.messages.iter().map(|message| message.weight()).sum();
                assert!(weight <= 192 * 1024 && !read.messages.is_empty(), "{weight}");
                numbers.extend(read.messages.iter().map(|message| (message.message.utc_time, message.number)));
                if !read.more {
                    break;
                }
            }
            assert_eq!(numbers.len(), 200);
            assert!(if reverse { numbers.is_sorted_by(|a, b| a > b) } else { numbers.is_sorted() });
        }
    }
}

#[test]
fn what_is_too_much_goes_from_the_oldest_on_and_a_reader_that_is_overtaken_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds::new(32 << 10, 10_000);
    let log = Log::open(folder.path(), bounds).unwrap();
    let fill = |numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            log.append(&notification(number, time(number.cast_signed())));
            if number % 50 == 0 {
                assert!(log.sync());
            }
        }
    };
    fill(1..=100);
    let mut cursor = log.cursor(time(1), false);
    let read = cursor.next(10);
    assert!(read.messages[0].number == 1 && read.begin_of_buffer.is_none());
    fill(101..=2000);
    let kept = everything(&log);
    assert!(kept.len() > 100 && kept.len() < 400, "{} of 2,000 fit", kept.len());
    assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]) && kept.last() == Some(&2000));
    let size: u64 = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= bounds.bytes, "{size}");
    let read = cursor.next(1);
    assert_eq!(
        (read.messages[0].number, read.begin_of_buffer),
        (kept[0], Some(time(kept[0].cast_signed()))),
        "what it was to read is gone, and it is told"
    );
    assert_eq!(all(&mut cursor, 100), kept[1..], "it goes on where the buffer begins");
    // By their number too.
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), Bounds::new(64 << 10, 60)).unwrap();
    for number in 1..=300 {
        log.append(&notification(number, time(number.cast_signed())));
        assert!(log.sync());
    }
    assert!((20..=60).contains(&everything(&log).len()), "{:?}", everything(&log));
}

#[test]
fn a_file_that_was_cut_or_changed_anywhere_costs_what_is_behind_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    (1..=3).for_each(|number| log.append(&notification(number, time(number.cast_signed()))));
    drop(log);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    let mut kept = 3;
    for length in (0..whole.len()).rev() {
        for flipped in [false, true] {
            let mut bytes = whole[..length].to_vec();
            if flipped {
                bytes.push(!whole[length]);
                bytes.extend_from_slice(&whole[length + 1..]);
            }
            std::fs::write(&file, bytes).unwrap();
            let log = Log::open(folder.path(), small()).unwrap();
            let numbers = everything(&log);
            assert!(
                numbers.len() <= kept && numbers.iter().copied().eq(1..=numbers.len() as u64),
                "{length}: {numbers:?}"
            );
            kept = numbers.len();
            // It goes on behind what holds.
            let next = log.last() + 1;
            log.append(&notification(next, time(99)));
            drop(log);
            let again = everything(&Log::open(folder.path(), small()).unwrap());
            assert!(again.iter().copied().eq(1..=next), "{length}: {again:?}");
            std::fs::read_dir(folder.path())
                .unwrap()
                .for_each(|file| std::fs::remove_file(file.unwrap().path()).unwrap());
        }
    }
    assert_eq!(kept, 0);
}

#[test]
fn files_of_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    std::fs::write(folder.path().join("00000000000000000009.events"), "nothing of the log's").unwrap();
    let log = Log::open(folder.path(), small()).unwrap();
    log.append(&notification(1, time(1)));
    drop(log);
    assert_eq!(everything(&Log::open(folder.path(), small()).unwrap()), [1]);
    assert_eq!(std::fs::read_to_string(folder.path().join("notes.txt")).unwrap(), "mine");
}

/// A file: what a reader sees, and what a power cut leaves.
#[derive(Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

/// A disk in memory whose names and contents become durable only when they are synced.
#[derive(Clone, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Operations left until the power fails or the disk is full.
    left: Option<usize>,
    /// What happens then.
    power_cut: bool,
    /// It stays full.
    stays: bool,
    operations: usize,
}

#[derive(Clone, Default)]
struct Lossy(Arc<Mutex<Disk>>);

impl Lossy {
    fn with<T>(&self, f: impl FnOnce(&mut Disk) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    fn step<T>(&self, f: impl FnOnce(&mut Disk) -> T) -> io::Result<T> {
        self.with(|disk| {
            disk.operations += 1;
            match disk.left.as_mut() {
                Some(0) if disk.power_cut => return Err(io::Error::other("power cut")),
                Some(0) => {
                    disk.left = disk.left.filter(|_| disk.stays);
                    return Err(io::ErrorKind::StorageFull.into());
                }
                Some(left) => *left -= 1,
                None => {}
            }
            Ok(f(disk))
        })
    }

    /// Disks that a power cut now could leave: names that were not synced may have got there or not, and of a content that was not
    /// synced nothing, half, zeros or all.
    fn after_power_cut(&self) -> Vec<Self> {
        let disk = self.with(|disk| disk.clone());
        let mut disks = Vec::new();
        for names in [&disk.durable_names, &disk.names] {
            for leave in [
                |_: &[u8]| Vec::new(),
                |new: &[u8]| new[..new.len() / 2].to_vec(),
                |new: &[u8]| vec![0; new.len()],
                <[u8]>::to_vec,
            ] {
                let inodes = disk.inodes.iter().map(|inode| {
                    let same = inode.seen.iter().zip(&inode.durable).take_while(|(new, old)| new == old).count();
                    let content = [&inode.seen[..same], &leave(&inode.seen[same..])].concat();
                    Inode { seen: content.clone(), durable: content }
                });
                let left = Disk {
                    inodes: inodes.collect(),
                    names: names.clone(),
                    durable_names: names.clone(),
                    ..Disk::default()
                };
                disks.push(Self(Arc::new(Mutex::new(left))));
            }
        }
        disks
    }

    fn open(&self, bounds: Bounds) -> Log {
        Log::open_on(Box::new(self.clone()), Path::new("/log"), bounds).unwrap()
    }
}

impl Medium for Lossy {
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        Ok(self.with(|disk| disk.names.keys().map(name).collect()))
    }

    fn read(&self, path: &Path, length: u64) -> io::Result<Vec<u8>> {
        self.with(|disk| {
            let inode = disk.names.get(path).ok_or(io::ErrorKind::NotFound)?;
            let seen = &disk.inodes[*inode].seen;
            Ok(seen[..usize::try_from(length).unwrap_or(usize::MAX).min(seen.len())].to_vec())
        })
    }

    fn write(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // Each of these may be the last that the disk does.
        let inode = self.step(|disk| {
            *disk.names.entry(path.to_owned()).or_insert_with(|| {
                disk.inodes.push(Inode::default());
                disk.inodes.len() - 1
            })
        })?;
        self.step(|disk| disk.inodes[inode].seen.resize(usize::try_from(offset).unwrap(), 0))?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.step(|disk| disk.inodes[inode].seen.extend_from_slice(first))?;
        self.step(|disk| disk.inodes[inode].seen.extend_from_slice(second))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step(|disk| {
            let inode = disk.names[path];
            disk.inodes[inode].durable = disk.inodes[inode].seen.clone();
        })
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.step(|disk| disk.durable_names = disk.names.clone())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|disk| {
            disk.names.remove(path);
        })
    }
}

const TIGHT: Bounds = Bounds { bytes: 4 << 10, messages: 10_000 };

/// Tells messages in groups, each synced, over several files; the last number that is durable.
fn life(disk: &Lossy) -> u64 {
    let log = disk.open(TIGHT);
    let mut durable = 0;
    for group in 0..8 {
        (group * 5 + 1..=group * 5 + 5)
            .for_each(|number| log.append(&notification(number, time(number.cast_signed()))));
        if !log.sync() {
            break;
        }
        durable = log.last();
    }
    durable
}

#[test]
fn a_power_cut_at_any_step_leaves_what_was_synced_and_nothing_wrong() {
    let calm = Lossy::default();
    assert_eq!(life(&calm), 40);
    let operations = calm.with(|disk| disk.operations);
    assert!(operations > 50, "{operations}");
    for cut in 0..operations {
        let disk = Lossy::default();
        disk.with(|disk| (disk.left, disk.power_cut) = (Some(cut), true));
        let durable = life(&disk);
        for left in disk.after_power_cut() {
            let log = left.open(TIGHT);
            let found = everything(&log);
            let last = found.last().copied().unwrap_or_default();
            assert!(last >= durable, "cut at {cut}: {durable} were durable, {found:?} were found");
            assert!(found.windows(2).all(|pair| pair[0] + 1 == pair[1]), "cut at {cut}: {found:?}");
            assert_eq!(log.last(), last);
            log.append(&notification(last + 1, time(99)));
            assert!(log.sync());
            drop(log);
            let again = everything(&left.open(TIGHT));
            assert_eq!(again.last(), Some(&(last + 1)), "cut at {cut}");
        }
    }
}

#[test]
fn a_disk_that_refuses_once_at_any_step_loses_nothing() {
    let calm = Lossy::default();
    life(&calm);
    let kept = everything(&calm.open(TIGHT));
    for full in 0..calm.with(|disk| disk.operations) {
        let disk = Lossy::default();
        disk.with(|disk| disk.left = Some(full));
        let log = disk.open(TIGHT);
        for group in 0..8 {
            (group * 5 + 1..=group * 5 + 5)
                .for_each(|number| log.append(&notification(number, time(number.cast_signed()))));
            // Whether it was refused or not: a reader finds everything that was told.
            let told = everything(&log);
            assert_eq!(told.last(), Some(&(group * 5 + 5)), "full at {full}");
            assert!(log.sync() || log.sync(), "full at {full}: the second try is not refused");
        }
        for log in [log, disk.open(TIGHT)] {
            let found = everything(&log);
            assert!(found.windows(2).all(|pair| pair[0] + 1 == pair[1]), "full at {full}: {found:?}");
            assert!(found.last() == Some(&40) && found.len() + 12 >= kept.len(), "full at {full}: {found:?}");
        }
    }
}

#[test]
fn a_disk_that_stays_full_costs_the_oldest_that_wait_and_is_left_behind_when_there_is_room() {
    let disk = Lossy::default();
    let log = disk.open(small());
    log.append(&notification(1, time(1)));
    assert!(log.sync());
    disk.with(|disk| (disk.left, disk.stays) = (Some(0), true));
    let waiting = 2 * WAITING / notification(2, time(2)).weight();
    let last = waiting as u64 + 1;
    (2..=last).for_each(|number| log.append(&notification(number, time(number.cast_signed()))));
    assert!(!log.sync());
    assert!(log.shared.state().weight <= WAITING && log.shared.state().lost > 0);
    disk.with(|disk| disk.left = None);
    assert!(log.sync());
    assert_eq!(log.shared.state().lost, 0, "it was told");
    let found = everything(&log);
    assert_eq!(found.last(), Some(&last));
    assert!(found.len() < waiting && found[found.len() - 1000..].windows(2).all(|pair| pair[0] + 1 == pair[1]));
    drop(log);
    assert_eq!(everything(&disk.open(small())), found);
}

/// Run by the next test in a process of its own, which is killed.
#[test]
#[ignore = "runs until it is killed"]
fn child_that_is_killed() {
    let Ok(folder) = std::env::var("ORIEL_LOG_FOLDER") else { return };
    let log = Log::open(Path::new(&folder), Bounds::default()).unwrap();
    let mut number = log.last();
    for round in 0.. {
        for _ in 0..500 {
            number += 1;
            log.append(&notification(number, time(number.cast_signed())));
        }
        log.settle();
        if round == 2 {
            println!("told {number}");
        }
    }
}

#[test]
fn a_process_that_is_killed_leaves_what_was_written() {
    use std::io::BufRead;
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for _ in 0..3 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "events::log::tests::child_that_is_killed", "--ignored", "--nocapture"])
            .env("ORIEL_LOG_FOLDER", folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let told = lines.into_iter().find_map(|line| line.split_once("told ")?.1.parse::<u64>().ok()).unwrap();
        // While it goes on writing.
        child.kill().unwrap();
        child.wait().unwrap();
        let log = Log::open(folder.path(), Bounds::default()).unwrap();
        let found = everything(&log);
        assert!(told > last && found.len() as u64 >= told, "{told} were told, {} are there", found.len());
        assert!(found.iter().copied().eq(1..=log.last()), "each of them once");
        last = log.last();
    }
}

#[test]
fn a_hundred_thousand_messages_open_and_seek_at_once() {
    let slow = if cfg!(debug_assertions) { 20 } else { 1 };
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), Bounds::default()).unwrap();
    for number in 1..=100_000 {
        log.append(&notification(number, time(number.cast_signed())));
        if number % 2000 == 0 {
            log.settle();
        }
    }
    drop(log);
    let began = Instant::now();
    let log = Log::open(folder.path(), Bounds::default()).unwrap();
    let opened = began.elapsed();
    assert!(opened.as_millis() < 1000 * slow, "{opened:?}");
    let mut took = Vec::new();
    for place in [1, 2, 50_000, 77_777, 99_999] {
        for reverse in [false, true] {
            let began = Instant::now();
            let read = log.cursor(time(place), reverse).next(100);
            took.push(began.elapsed());
            assert_eq!(read.messages[0].number, place.cast_unsigned());
        }
    }
    // The middle one, since any one may have met a busy machine.
    took.sort_unstable();
    assert!(took[took.len() / 2].as_millis() < 10 * slow, "{took:?}");
    println!("opened in {opened:?}, seeks took {took:?}");
    assert_eq!(all(&mut log.cursor(Timestamp::MIN, false), 1000).len(), 100_000);
}
