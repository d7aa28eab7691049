"""Where events come from: `oriel device event` tells a running device, and other people's clients hear of it."""

import json

import install
import oriel
from harness import PEERS, check, scenario

# What is typed → topic without prefix, operation, source, data. Elements are looked for by what has to be in them.
SAID = [
    (["motion", "on"], "VideoSource/MotionAlarm", "Changed", {"Source": "VideoSource_1"}, {"State": "true"}),
    (["motion", "off"], "VideoSource/MotionAlarm", "Changed", {"Source": "VideoSource_1"}, {"State": "false"}),
    (["motion", "on", "Source=second"], "VideoSource/MotionAlarm", "Initialized", {"Source": "second"}, {"State": "true"}),
    (["motion", "--gone", "Source=second"], "VideoSource/MotionAlarm", "Deleted", {"Source": "second"}, {}),
    (["digital-input", "on"], "Device/Trigger/DigitalInput", "Changed", {"InputToken": "DigitalInput_1"}, {"LogicalState": "true"}),
    (["battery", "41.5"], "Monitoring/BatteryCapacity", "Initialized", {}, {"PercentageRemainingCapacity": "41.5"}),
    (["last-backup", "2026-01-31T13:00:00+01:00"], "Monitoring/Backup/Last", "Changed", {}, {"Status": "2026-01-31T12:00:00Z"}),
    (
        ["link-status", "Token=wan", "Link.AutoNegotiation=true", "Link.Speed=100", "Link.Duplex=Full"],
        "Monitoring/LinkStatus", "Initialized", {"Token": "wan"}, {"Link": "100"},
    ),
    (
        ["tns1:Device/Sensor/Temperature/High", "SensorID=s", "Value=70", "Threshold=60"],
        "Device/Sensor/Temperature/High", None, {"SensorID": "s"}, {"Value": "70", "Threshold": "60"},
    ),
]  # fmt: skip


def event(scene, device, *words, folder=None):
    """`oriel device event` to its end: its exit code, and what it printed, of the error if it failed."""
    data = folder or scene.folder / f"{device.name}-data"
    done = oriel.run([scene.oriel, "device", "event", "--json", "--data", data, *words], {})
    return done.returncode, json.loads(done.stdout if done.returncode == 0 else done.stderr)


@scenario("sources-told", timeout=90)
def told(scene):
    device = oriel.Device(scene).start()
    zeep = scene.spawn(
        "zeep", [install.python("zeep"), "-u", PEERS / "hears_zeep.py", device.lan, device.user, device.password]
    )
    zeep.wait("listening", timeout=30)
    zeep.wait("told", topic="tns1:VideoSource/MotionAlarm", operation="Initialized", data={"State": "false"})
    for words, topic, operation, source, data in SAID:
        mark = zeep.mark()
        code, answer = event(scene, device, *words)
        check((code, answer) == (0, {"told": f"tns1:{topic}"}), f"{words}: {code} {answer}")
        # The client asks for the states once more when it likes: those are no answer to what was told.
        heard = zeep.wait("told", since=mark, topic=f"tns1:{topic}", source=source, operation=operation)
        check(set(heard["data"]) == set(data), f"{words}: {heard}")
        check(all(value in heard["data"][name] for name, value in data.items()), f"{words}: {heard}")
    _, listed = event(scene, device, "--list")
    check(any(row["word"] == "motion" and row["offered"] for row in listed), f"{listed[:1]}")
    for words, wanted in [(["moon"], 2), (["motion", "perhaps"], 2), (["motion", "on", "Sourc=a"], 2)]:
        code, answer = event(scene, device, *words)
        check(code == wanted and answer["exit"] == wanted, f"{words}: {code} {answer}")
    code, answer = event(scene, device, "motion", "on", folder=scene.folder)
    check(code == 4 and answer["hint"], f"no device: {code} {answer}")


@scenario("sources-killed", timeout=60)
def killed(scene):
    """A killed device leaves its socket, which nobody answers at, and which the next one replaces."""
    device = oriel.Device(scene, name="oriel-device").start()
    socket = scene.folder / "oriel-device-data" / "control.sock"
    check(socket.stat().st_mode & 0o777 == 0o600, oct(socket.stat().st_mode))
    device.process.kill()
    device.process.wait("exit")
    check(socket.exists(), "it is gone: then this proves nothing")
    code, answer = event(scene, device, "motion", "on")
    check(code == 4, f"at a dead socket: {code} {answer}")
    device.start()
    code, answer = event(scene, device, "motion", "on")
    check(code == 0, f"after the start: {code} {answer}")
    device.process.end()
    check(not socket.exists(), "a device that ends in good order leaves its socket")


@scenario("sources-few", timeout=60)
def few(scene):
    """A camera that names its topics offers these, and what the machine has."""
    device = oriel.Device(scene)
    text = '\n[events]\ntopics = ["tns1:Device/Trigger//."]\nhost = false\n'
    device.config.write_text(device.config.read_text() + text)
    device.start()
    code, answer = event(scene, device, "motion", "on")
    check(code == 3 and "does not offer" in answer["error"], f"{code} {answer}")
    code, answer = event(scene, device, "relay", "on", "RelayToken=r1")
    check(code == 0, f"{code} {answer}")
    _, listed = event(scene, device, "--list")
    offered = sorted(row["topic"] for row in listed if row["offered"])
    expected = ["Advancedsecurity/Keystore/KeyStatus", "Device/OperationMode/ShutdownInitiated", "Device/Trigger/DigitalInput"]
    expected += ["Device/Trigger/Relay", "Monitoring/OperatingTime/LastReset"]
    check(offered == [f"tns1:{topic}" for topic in expected], f"{offered}")
