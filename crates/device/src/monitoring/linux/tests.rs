//! Made-up hosts, and this one.

use super::made_up::MadeUp;
use super::*;
use crate::monitoring::reading::{Link, Measured, Part, Sensor, Ticks};
use std::fs::FileTimes;

fn slow(files: &[(&str, &str)]) -> Slow {
    MadeUp::with(files).root().look(true).slow.unwrap()
}

fn part(token: &str, failed: bool) -> Part {
    Part { token: token.to_owned(), failed }
}

#[test]
fn a_host_without_anything_has_nothing() {
    let host = MadeUp::with(&[]);
    assert_eq!(host.root().look(false), Reading::default());
    assert_eq!(host.root().look(true), Reading { slow: Some(Slow::default()), ..Reading::default() });
}

#[test]
fn processors_and_the_boot_are_read_from_stat() {
    let interrupts = format!("intr 1{}", " 0".repeat(20_000));
    let stat = format!("cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 10 0 10 80 0 0 0 0 0 0\n{interrupts}\nbtime 1700000000");
    let reading = MadeUp::with(&[("proc/stat", &stat)]).root().look(true);
    assert_eq!(reading.processor, Some(Ticks { busy: 20, total: 100 }));
    assert_eq!(reading.slow.unwrap().booted, Some(Timestamp::from_second(1_700_000_000).unwrap()));
}

#[test]
fn links_are_real_interfaces_with_what_their_drivers_tell() {
    let host = MadeUp::with(&[
        ("sys/class/net/lo/operstate", "unknown"),
        ("sys/class/net/eth0/operstate", "up"),
        ("sys/class/net/eth0/speed", "100"),
        ("sys/class/net/eth0/duplex", "half"),
        ("sys/class/net/eth0/device/uevent", ""),
        ("sys/class/net/eth1/operstate", "down"),
        ("sys/class/net/eth1/speed", "-1"),
        ("sys/class/net/eth1/duplex", "unknown"),
        ("sys/class/net/eth1/device/uevent", ""),
        ("sys/class/net/usb0/operstate", "unknown"),
        ("sys/class/net/usb0/carrier", "1"),
        ("sys/class/net/usb0/device/uevent", ""),
        ("sys/class/net/docker0/operstate", "up"),
        ("sys/class/net/docker0/speed", "10000"),
    ]);
    let link = |token: &str, up, speed, full_duplex| Link {
        token: token.to_owned(),
        up,
        speed,
        full_duplex,
        negotiates: None,
    };
    let found = host.root().look(false).links;
    assert_eq!(
        found,
        [link("eth0", true, Some(100), Some(false)), link("eth1", false, None, None), link("usb0", true, None, None)]
    );
    // In a container there are virtual ones alone.
    ["eth0", "eth1", "usb0"].iter().for_each(|name| host.remove(&format!("sys/class/net/{name}")));
    assert_eq!(host.root().look(false).links, [link("docker0", true, Some(10_000), None)]);
}

#[test]
fn the_hottest_part_is_the_temperature_and_broken_sensors_are_none() {
    let mut files = vec![
        ("sys/class/hwmon/hwmon0/name", "soc"),
        ("sys/class/hwmon/hwmon0/temp1_input", "41500"),
        ("sys/class/hwmon/hwmon0/temp2_input", "-273200"),
        ("sys/class/hwmon/hwmon0/temp3_input", "90000"),
        ("sys/class/hwmon/hwmon0/temp3_fault", "1"),
        ("sys/class/thermal/thermal_zone0/temp", "43200"),
        ("sys/class/thermal/thermal_zone1/temp", "not a number"),
        ("sys/class/thermal/cooling_device0/type", "fan"),
    ];
    let found = slow(&files);
    assert_eq!((found.temperature, found.temperature_critical), (Some(43.2), None));
    // Only where there is a limit can it be reached.
    files.extend([
        ("sys/class/thermal/thermal_zone0/trip_point_0_type", "passive"),
        ("sys/class/thermal/thermal_zone0/trip_point_0_temp", "40000"),
        ("sys/class/thermal/thermal_zone0/trip_point_1_type", "critical"),
        ("sys/class/thermal/thermal_zone0/trip_point_1_temp", "95000"),
    ]);
    assert_eq!(slow(&files).temperature_critical, Some(false));
    files.push(("sys/class/hwmon/hwmon0/temp1_crit", "41000"));
    assert_eq!(slow(&files).temperature_critical, Some(true));
}

#[test]
fn sensors_with_limits_have_a_name_a_value_and_the_limits() {
    let found = slow(&[
        ("sys/class/hwmon/hwmon1/name", "lm75 out side"),
        ("sys/class/hwmon/hwmon1/temp1_input", "-31000"),
        ("sys/class/hwmon/hwmon1/temp1_label", "Housing"),
        ("sys/class/hwmon/hwmon1/temp1_max", "60000"),
        ("sys/class/hwmon/hwmon1/temp1_min", "-30000"),
        ("sys/class/hwmon/hwmon1/temp2_input", "20000"),
        ("sys/class/hwmon/hwmon1/temp2_max", "0"),
        ("sys/class/hwmon/hwmon1/humidity1_input", "55250"),
        ("sys/class/hwmon/hwmon1/humidity1_max", "80000"),
    ]);
    let sensor = |id: &str, measured, value, high, low| Sensor { id: id.to_owned(), measured, value, high, low };
    let humid = sensor("lm75_out_side:humidity1", Measured::RelativeHumidity, 55.25, Some(80.0), None);
    let cold = sensor("lm75_out_side:Housing", Measured::Temperature, -31.0, Some(60.0), Some(-30.0));
    assert_eq!(found.humidity, Some(55.25));
    assert_eq!(found.sensors.len(), 2, "{found:?}");
    assert!(found.sensors.contains(&humid) && found.sensors.contains(&cold), "{found:?}");
}

#[test]
fn humidity_of_industrial_io_counts_where_it_can_be() {
    let file = "sys/bus/iio/devices/iio:device0/in_humidityrelative_input";
    assert_eq!(slow(&[(file, "61000")]).humidity, Some(61.0));
    assert_eq!(slow(&[(file, "161000")]).humidity, None);
}

#[test]
fn a_fan_fails_by_its_flag_or_by_its_least_speed_and_not_by_standing_still() {
    let found = slow(&[
        ("sys/class/hwmon/hwmon0/name", "fans"),
        ("sys/class/hwmon/hwmon0/fan1_input", "0"),
        ("sys/class/hwmon/hwmon0/fan2_input", "1200"),
        ("sys/class/hwmon/hwmon0/fan2_fault", "0"),
        ("sys/class/hwmon/hwmon0/fan3_input", "0"),
        ("sys/class/hwmon/hwmon0/fan3_alarm", "1"),
        ("sys/class/hwmon/hwmon0/fan4_input", "300"),
        ("sys/class/hwmon/hwmon0/fan4_min", "500"),
        ("sys/class/hwmon/hwmon0/fan4_label", "Rear"),
    ]);
    let mut fans = found.fans;
    fans.sort_by(|a, b| a.token.cmp(&b.token));
    assert_eq!(fans, [part("fans:Rear", true), part("fans:fan2", false), part("fans:fan3", true)]);
}

#[test]
fn batteries_and_supplies_are_the_machine_s_own() {
    let mut files = vec![
        ("sys/class/power_supply/BAT0/type", "Battery"),
        ("sys/class/power_supply/BAT0/capacity", "80"),
        ("sys/class/power_supply/BAT1/type", "Battery"),
        ("sys/class/power_supply/BAT1/capacity", "91"),
        ("sys/class/power_supply/mouse/type", "Battery"),
        ("sys/class/power_supply/mouse/scope", "Device"),
        ("sys/class/power_supply/mouse/capacity", "1"),
        ("sys/class/power_supply/AC/type", "Mains"),
        ("sys/class/power_supply/AC/online", "1"),
        ("sys/class/power_supply/PoE/type", "Mains"),
        ("sys/class/power_supply/PoE/online", "0"),
        ("sys/class/power_supply/usb/type", "USB"),
        ("sys/class/power_supply/usb/online", "0"),
    ];
    let found = slow(&files);
    assert_eq!(found.battery, Some(85.5));
    assert_eq!(found.supplies, [part("AC", false), part("PoE", true)]);
    files.retain(|(path, _)| path.contains("mouse") || path.contains("usb"));
    assert_eq!(slow(&files), Slow::default());
}

#[test]
fn storage_that_says_of_itself_that_it_failed() {
    let found = slow(&[
        ("sys/block/sda/device/state", "running"),
        ("sys/block/sdb/device/state", "offline"),
        ("sys/block/nvme0n1/device/state", "live"),
        ("sys/block/mmcblk0/device/pre_eol_info", "0x01"),
        ("sys/block/mmcblk1/device/pre_eol_info", "0x03"),
        ("sys/block/mmcblk2/device/pre_eol_info", "0x00"),
        ("sys/block/md0/md/degraded", "1"),
        ("sys/block/loop0/size", "0"),
        ("sys/fs/ext4/sda1/errors_count", "2"),
        ("sys/fs/ext4/features/lazy_itable_init", "supported"),
    ]);
    let mut storage = found.storage;
    storage.sort_by(|a, b| a.token.cmp(&b.token));
    let expected = [
        part("ext4:sda1", true),
        part("md0", true),
        part("mmcblk0", false),
        part("mmcblk1", true),
        part("nvme0n1", false),
        part("sda", false),
        part("sdb", true),
    ];
    assert_eq!(storage, expected);
}

#[test]
fn the_youngest_trace_of_a_time_service_is_the_last_synchronisation() {
    let host = MadeUp::with(&[("var/lib/chrony/drift", "1 2"), ("run/systemd/timesync/synchronized", "")]);
    let at = |path: &str, seconds: u64| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let file = File::options().append(true).open(host.path().join(path)).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    };
    at("var/lib/chrony/drift", 1_700_000_000);
    at("run/systemd/timesync/synchronized", 1_700_000_500);
    let found = host.root().look(true).slow.unwrap().synchronised;
    assert_eq!(found, Some(Timestamp::from_second(1_700_000_500).unwrap()));
}

#[test]
fn hosts_with_very_many_parts_are_cut_off() {
    let files: Vec<(String, &str)> =
        (0..200).map(|number| (format!("sys/class/net/veth{number}/operstate"), "up")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    assert_eq!(MadeUp::with(&files).root().look(false).links.len(), MAX_PARTS);
    assert_eq!(token(&"ä".repeat(100)), "_".repeat(64));
}

#[test]
fn this_machine_can_be_looked_at() {
    let reading = Root::new("/").look(true);
    let ticks = reading.processor.unwrap();
    assert!(ticks.total >= ticks.busy && ticks.total > 0);
    let booted = reading.slow.unwrap().booted.unwrap();
    assert!(booted < Timestamp::now());
}
