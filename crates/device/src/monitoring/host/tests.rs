//! Hours of a host in virtual time.

use super::*;

/// One line an occurrence: its topic, its items, and a cross when it is gone.
fn shown(occurrence: &Occurrence) -> String {
    let topic = occurrence.topic.0.iter().map(|step| step.local.as_ref()).collect::<Vec<_>>().join("/");
    let items = occurrence.source.iter().chain(&occurrence.data.simple_item);
    let mut line = topic;
    items.for_each(|item| line += &format!(" {}={}", item.name, item.value));
    occurrence.data.element_item.iter().for_each(|item| line += &format!(" {}={}", item.name, item.any[0].as_xml()));
    if occurrence.gone { format!("{line} †") } else { line }
}

/// A host that is looked at each five seconds, slowly each thirty.
struct Looked {
    host: Host,
    now: u64,
}

impl Looked {
    fn new() -> Self {
        Self { host: Host::new(), now: 0 }
    }

    fn look(&mut self, reading: &Reading) -> Vec<String> {
        let news = self.host.handle(Duration::from_secs(self.now), reading);
        self.now += 5;
        news.tell.iter().map(shown).collect()
    }

    fn slow(&mut self, slow: Slow) -> Vec<String> {
        self.now += 25;
        self.look(&Reading { slow: Some(slow), ..Reading::default() })
    }

    fn busy(&mut self, busy: u64, total: u64) -> Vec<String> {
        self.look(&Reading { processor: Some(Ticks { busy, total }), ..Reading::default() })
    }
}

#[test]
fn the_use_of_the_processors_is_the_average_since_the_last_look() {
    let mut looked = Looked::new();
    assert_eq!(looked.busy(1_000, 10_000), [""; 0]);
    assert_eq!(looked.busy(1_250, 11_000), ["Monitoring/ProcessorUsage Token=cpu Value=25"]);
    assert_eq!(looked.busy(1_505, 12_000), [""; 0], "25.5 is as good as 25");
    assert_eq!(looked.busy(1_765, 13_000), ["Monitoring/ProcessorUsage Token=cpu Value=26"]);
    assert_eq!(looked.busy(1_000, 12_000), [""; 0], "the counters went back");
    assert_eq!(looked.busy(1_000, 12_000), [""; 0], "no time has passed");
    assert_eq!(looked.busy(3_000, 13_000), ["Monitoring/ProcessorUsage Token=cpu Value=100"]);
}

#[test]
fn a_day_of_a_restless_processor_is_at_most_a_message_each_look() {
    let mut looked = Looked::new();
    let (mut busy, mut total, mut told) = (0, 0, 0);
    for look in 0..17_280_u64 {
        (busy, total) = (busy + 100 + (look * 7_919) % 800, total + 1_000);
        told += looked.busy(busy, total).len();
    }
    assert!((10_000..17_280).contains(&told), "{told}");
    let mut calm = Looked::new();
    let told: usize = (1..=17_280_u64).map(|look| calm.busy(look * 100 + look % 7, look * 1_000).len()).sum();
    assert!(told <= 1_441, "at most one a minute: {told}");
}

#[test]
fn links_are_told_when_they_change_and_when_they_go() {
    let mut looked = Looked::new();
    let up =
        Link { token: "eth0".to_owned(), up: true, speed: Some(1000), full_duplex: Some(true), negotiates: Some(true) };
    let with = |link: &Link| Reading { links: vec![link.clone()], ..Reading::default() };
    let told = looked.look(&with(&up));
    assert_eq!(told.len(), 1);
    for part in ["Monitoring/LinkStatus Token=eth0", "AutoNegotiation>true<", "Speed>1000<", "Duplex>Full<"] {
        assert!(told[0].contains(part), "{told:?}");
    }
    assert_eq!(looked.look(&with(&up)), [""; 0]);
    let down = Link { up: false, speed: None, ..up };
    assert!(looked.look(&with(&down))[0].contains("Speed>0<"));
    let unknown = Link { up: true, full_duplex: Some(false), negotiates: None, ..down };
    let told = looked.look(&with(&unknown));
    assert!(told[0].contains("Speed>-1<") && told[0].contains("Duplex>Half<"), "{told:?}");
    let gone = looked.look(&Reading::default());
    assert!(gone.len() == 1 && gone[0].ends_with('†'), "{gone:?}");
    assert_eq!(looked.look(&Reading::default()), [""; 0]);
}

#[test]
fn temperature_and_humidity_wait_a_minute_or_for_a_change_that_counts() {
    let mut looked = Looked::new();
    let mut at = |celsius: f32, percent: f32| {
        looked.slow(Slow { temperature: Some(celsius), humidity: Some(percent), ..Slow::default() })
    };
    let temperature = |value: &str| format!("Monitoring/EnvironmentalConditions/Temperature Status={value}");
    let humidity = |value: &str| format!("Monitoring/EnvironmentalConditions/RelativeHumidity Status={value}");
    assert_eq!(at(40.0, 50.0), [temperature("40"), humidity("50")]);
    assert_eq!(at(41.0, 50.5), [""; 0], "30 s, 2.5 %, half a percent");
    assert_eq!(at(41.0, 51.5), [temperature("41"), humidity("51.5")], "60 s");
    assert_eq!(at(43.1, 51.4), [temperature("43.1")], "30 s and more than 5 %");
    assert_eq!(at(43.1, 51.4), [humidity("51.4")], "60 s, and the same temperature");
}

#[test]
fn a_battery_is_told_by_two_percent_and_nothing_of_it_where_there_is_none() {
    let mut looked = Looked::new();
    let told: Vec<String> = (0..=100_u8)
        .rev()
        .flat_map(|left| looked.slow(Slow { battery: Some(f32::from(left)), ..Slow::default() }))
        .collect();
    assert_eq!(told.len(), 51);
    assert_eq!(told[0], "Monitoring/BatteryCapacity PercentageRemainingCapacity=100");
    assert_eq!(told[50], "Monitoring/BatteryCapacity PercentageRemainingCapacity=0");
    let mut none = Host::new();
    let news = none.handle(Duration::ZERO, &Reading { slow: Some(Slow::default()), ..Reading::default() });
    assert!(news.tell.is_empty() && news.offer.is_empty(), "{news:?}");
}

#[test]
fn failures_of_parts_are_told_with_their_ends() {
    let mut looked = Looked::new();
    let fan = |failed| vec![Part { token: "fan1".to_owned(), failed }];
    let mut with = |fans: Vec<Part>| looked.slow(Slow { fans, ..Slow::default() });
    assert_eq!(with(fan(false)), ["Device/HardwareFailure/FanFailure Token=fan1 Failed=false"]);
    assert_eq!(with(fan(false)), [""; 0]);
    assert_eq!(with(fan(true)), ["Device/HardwareFailure/FanFailure Token=fan1 Failed=true"]);
    assert_eq!(with(fan(false)), ["Device/HardwareFailure/FanFailure Token=fan1 Failed=false"]);
    assert_eq!(with(Vec::new()), ["Device/HardwareFailure/FanFailure Token=fan1 Failed=false †"]);
    let critical = |critical| Slow { temperature_critical: Some(critical), ..Slow::default() };
    assert_eq!(looked.slow(critical(true)), ["Device/HardwareFailure/TemperatureCritical Critical=true"]);
    assert_eq!(looked.slow(critical(true)), [""; 0]);
    assert_eq!(looked.slow(critical(false)), ["Device/HardwareFailure/TemperatureCritical Critical=false"]);
}

#[test]
fn supplies_and_storage_are_told_apart_from_fans_of_the_same_name() {
    let part = || vec![Part { token: "1".to_owned(), failed: true }];
    let told = Looked::new().slow(Slow { fans: part(), supplies: part(), storage: part(), ..Slow::default() });
    let failed = |kind: &str| format!("Device/HardwareFailure/{kind} Token=1 Failed=true");
    assert_eq!(told, [failed("FanFailure"), failed("PowerSupplyFailure"), failed("StorageFailure")]);
}

#[test]
fn a_sensor_is_told_when_it_leaves_its_range_and_again_only_after_it_came_well_back() {
    let mut looked = Looked::new();
    let mut at = |value: f32| {
        let sensor =
            Sensor { id: "s".to_owned(), measured: Measured::Temperature, value, high: Some(60.0), low: Some(-20.0) };
        looked.slow(Slow { sensors: vec![sensor], ..Slow::default() })
    };
    let high = |value: &str| format!("Device/Sensor/Temperature/High SensorID=s Value={value} Threshold=60");
    assert_eq!(at(60.0), [""; 0]);
    assert_eq!(at(60.1), [high("60.1")]);
    assert_eq!(at(65.0), [""; 0]);
    assert_eq!(at(59.5), [""; 0]);
    assert_eq!(at(60.5), [""; 0], "it had not come back");
    assert_eq!(at(59.0), [""; 0]);
    assert_eq!(at(61.0), [high("61")]);
    assert_eq!(at(-20.5), ["Device/Sensor/Temperature/Low SensorID=s Value=-20.5 Threshold=-20"]);
}

#[test]
fn the_time_of_the_boot_follows_a_clock_that_was_wrong_and_not_one_that_is_slewed() {
    let mut looked = Looked::new();
    let mut at = |seconds: i64| {
        let booted = Timestamp::from_second(seconds).ok();
        looked.slow(Slow { booted, ..Slow::default() })
    };
    assert_eq!(at(100), ["Monitoring/OperatingTime/LastReboot Status=1970-01-01T00:01:40Z"]);
    assert_eq!(at(101), [""; 0]);
    assert_eq!(at(1_700_000_000), ["Monitoring/OperatingTime/LastReboot Status=2023-11-14T22:13:20Z"]);
    assert_eq!(at(1_700_000_002), [""; 0]);
}

#[test]
fn each_synchronisation_is_told_once() {
    let mut looked = Looked::new();
    let mut at = |seconds: i64| {
        let synchronised = Timestamp::from_second(seconds).ok();
        looked.slow(Slow { synchronised, ..Slow::default() })
    };
    let told = |time: &str| format!("Monitoring/OperatingTime/LastClockSynchronization Status={time}");
    assert_eq!(at(1_700_000_000), [told("2023-11-14T22:13:20Z")]);
    assert_eq!(at(1_700_000_000), [""; 0]);
    assert_eq!(at(1_700_000_064), [told("2023-11-14T22:14:24Z")]);
}

#[test]
fn a_topic_is_offered_when_it_turns_out_that_the_host_has_it_and_once() {
    let mut host = Host::new();
    let quick = Reading { processor: Some(Ticks::default()), ..Reading::default() };
    assert_eq!(host.handle(Duration::ZERO, &quick).offer, [topic::PROCESSOR_USAGE]);
    assert_eq!(host.handle(Duration::ZERO, &quick).offer, [""; 0]);
    let plugged_in = Slow { battery: Some(50.0), ..Slow::default() };
    let news = host.handle(Duration::ZERO, &Reading { slow: Some(plugged_in), ..quick });
    assert_eq!(news.offer, [topic::BATTERY_CAPACITY]);
}
