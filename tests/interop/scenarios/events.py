"""Other people's listeners: pull points of `onvif-zeep-async` (strict) and npm `onvif`, on the LAN and through a cloud, over a day; and Seek after a crash."""

import json
import signal
import socket
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import install
import oriel
import soap
from harness import CERTS, PEERS, Skip, check, scenario
from scenarios.client import result

TEV = "http://www.onvif.org/ver10/events/wsdl"
TOPICS = ["tns1:VideoSource/MotionAlarm", "tns1:Device/Sensor/Temperature/High"]
# With what a machine tells of itself left out, each message is one of ours.
SOURCES = ("[events]", {"topics": TOPICS, "video_sources": ["gate"], "digital_inputs": [], "host": False})
MOTION = "tns1:VideoSource/MotionAlarm"
SPEED = 240


class Teller:
    """The device's control socket: what its hardware would say."""

    def __init__(self, scene, name="oriel-device"):
        self.path = str(scene.folder / f"{name}-data" / "control.sock")

    def tell(self, topic, source, data):
        self.tell_all([{"topic": topic, "source": source, "data": data}])

    def tell_all(self, tells):
        """On a connection of their own: one that is silent for long is closed."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(self.path)
            connection.sendall(b"".join(json.dumps({"tell": tell}).encode() + b"\n" for tell in tells))
            answers = connection.makefile("r")
            for tell in tells:
                answer = answers.readline()
                check("told" in answer, f"{tell}: {answer}")

    def motion(self, on):
        self.tell(MOTION, {"Source": "gate"}, {"State": "true" if on else "false"})

    def hot(self, value):
        self.tell(TOPICS[1], {"SensorID": "s"}, {"Value": str(value), "Threshold": "1"})


def device(scene, **settings):
    made = oriel.Device(scene, **settings)
    with made.config.open("a") as config:
        config.write("\n[events]\n" + "".join(f"{key} = {oriel.toml(value)}\n" for key, value in SOURCES[1].items()))
    return made.start()


def behind(scene):
    """A camera behind a cloud, and an access key for it: address, user, password."""
    cloud = oriel.Cloud(scene, cert="hosts", domain="cams.localhost").start()
    camera = device(scene)
    id = cloud.add_device(camera.pem)
    camera.set_uplink(cloud.uplink())
    cloud.online(id)
    user, password, path, host = cloud.key(id)
    return host, user, password


def ours(messages):
    """Operation and state of motion, and the values of heat."""
    return [
        (message["operation"], message["items"]["State"])
        if message["topic"] == MOTION
        else float(message["items"]["Value"])
        for message in messages
        if message["topic"] in TOPICS
    ]


def zeep(scene, address, user, password, *rest, **options):
    argv = [install.python("zeep"), PEERS / "events_zeep.py", address, user, password, *rest]
    return scene.spawn("onvif-zeep-async", argv, **options)


def heard(process):
    """All that a listener heard."""
    pulled = [message for answer in process.all("pulled") for message in answer["messages"]]
    return ours(pulled + process.all("message"))


def until_heard(scene, process, wanted, timeout=40):
    def there():
        check(not process.all("error"), process.all("error"))
        return heard(process)[-len(wanted) :] == wanted

    scene.until(f"{wanted} heard", there, timeout)


def end(process):
    process.child.stdin.write("end\n")
    process.child.stdin.flush()
    result(process, "done")


def listen_by_zeep(scene, address, user, password):
    client = zeep(scene, address, user, password)
    connected = result(client, "connected", 60)
    check(connected["capabilities"]["MaxPullPoints"] == 64, f"capabilities {connected['capabilities']}")
    base = address.rpartition("/onvif")[0]
    check(connected["services"][TEV].startswith(base + "/"), f"services {connected['services']}")
    subscribed = result(client, "subscribed", 30)
    check(subscribed["address"].startswith(base + "/onvif/subscription/"), f"{subscribed} asked at {address}")
    # At the beginning, and once more since the client asked for it.
    until_heard(scene, client, [("Initialized", "false")] * 2)
    teller = Teller(scene)
    teller.motion(True)
    until_heard(scene, client, [("Changed", "true")])
    teller.motion(False)
    until_heard(scene, client, [("Changed", "false")])
    teller.hot(41.5)
    until_heard(scene, client, [41.5])
    end(client)
    check(not client.all("lost"), "the client lost its subscription")


@scenario("lan-zeep-events", timeout=120)
def lan_zeep_events(scene):
    camera = device(scene)
    listen_by_zeep(scene, camera.lan, camera.user, camera.password)


@scenario("key-zeep-events", timeout=120)
def key_zeep_events(scene):
    listen_by_zeep(scene, *behind(scene))


def listen_by_npm(scene, address, user, password):
    environment = {"NODE_PATH": str(install.CACHE / "node/node_modules"), "CLOUD_CA": str(CERTS / "ca.pem")}
    argv = ["node", PEERS / "events_npm.cjs", address, user, password]
    client = scene.spawn("npm-onvif", argv, env=environment)
    connected = result(client, "connected", 30)
    check("videoSource" in connected["topics"], f"topics {connected['topics']}")
    until_heard(scene, client, [("Initialized", False)])
    teller = Teller(scene)
    for on in (True, False, True):
        teller.motion(on)
        until_heard(scene, client, [("Changed", on)])
    end(client)
    check(not client.all("eventsError"), client.all("eventsError"))


@scenario("lan-npm-events", timeout=90)
def lan_npm_events(scene):
    camera = device(scene)
    listen_by_npm(scene, camera.lan, camera.user, camera.password)


@scenario("key-npm-events", timeout=90)
def key_npm_events(scene):
    listen_by_npm(scene, *behind(scene))


@scenario("zeep-events-day", timeout=540, alone=True)
def zeep_events_day(scene):
    """A day of virtual time for device and client: one subscription, renewed by the client, that loses nothing and doubles nothing."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Skip("libfaketime is not there (apt: faketime)")
    clock = {"LD_PRELOAD": str(found[0]), "FAKETIME": f"+0 x{SPEED}"}
    made = oriel.Device(scene)
    with made.config.open("a") as config:
        config.write("\n[events]\n" + "".join(f"{key} = {oriel.toml(value)}\n" for key, value in SOURCES[1].items()))
    argv = [scene.oriel, "device", "--config", str(made.config), "--json"]
    up = scene.spawn("oriel-device", argv, env={**oriel.LOGS, **clock}).wait("up", timeout=30)
    client = zeep(scene, up["lan"], up["user"], up["password"], "20", "600", env={**clock, "PATIENT": "1"})
    result(client, "subscribed", 60)
    until_heard(scene, client, [("Initialized", "false")] * 2)
    teller, told, began = Teller(scene), [], time.monotonic()
    while (time.monotonic() - began) * SPEED < 24 * 3600:
        value = float(len(told))
        teller.hot(value)
        told.append(value)
        # Now within one pull, now after several of them.
        time.sleep((0.02, 0.3, 1.1)[len(told) % 3])
        check(not client.all("error"), client.all("error"))
    until_heard(scene, client, told[-1:])
    got = [value for value in heard(client) if isinstance(value, float)]
    check(got == told, f"told {len(told)}, heard {len(got)}")
    check(not client.all("lost"), "the client lost its subscription")
    end(client)


def pull_point(camera):
    answer = camera.call(f'<e:CreatePullPointSubscription xmlns:e="{TEV}"/>')
    check(answer.status == 200, f"CreatePullPointSubscription: {answer}")
    return answer.values("Address")[0]


def ask(camera, address, body):
    answer = soap.call(address, body, user=camera.user, password=camera.password, timeout=30)
    check(answer.status == 200, f"{body[:60]}: {answer}")
    return answer


def pull(camera, address):
    body = f'<e:PullMessages xmlns:e="{TEV}"><e:Timeout>PT2S</e:Timeout><e:MessageLimit>1000</e:MessageLimit></e:PullMessages>'
    tree = ask(camera, address, body).tree()
    return [
        float(item.get("Value"))
        for item in tree.iter(f"{{{soap.TT}}}SimpleItem")
        if item.get("Name") == "Value"
    ]


def seek(camera, address, at, reverse):
    body = f'<e:Seek xmlns:e="{TEV}"><e:UtcTime>{at}</e:UtcTime><e:Reverse>{str(reverse).lower()}</e:Reverse></e:Seek>'
    ask(camera, address, body)


@scenario("seek-after-kill", timeout=240)
def seek_after_kill(scene):
    """100,000 messages, then kill -9: what was told a moment before is there, and Seek finds its place at once."""
    count = 100_000
    camera = device(scene)
    teller, begin = Teller(scene), datetime(2026, 1, 1, tzinfo=timezone.utc)

    def at(index):
        return (begin + timedelta(seconds=index)).strftime("%Y-%m-%dT%H:%M:%SZ")

    for first in range(0, count, 500):
        tells = [
            {"topic": TOPICS[1], "source": {"SensorID": "s"}, "data": {"Value": str(index), "Threshold": "1"}, "time": at(index)}
            for index in range(first, first + 500)
        ]
        teller.tell_all(tells)
    # Written within 50 ms, says the contract of the log.
    time.sleep(0.5)
    camera.process.kill(signal.SIGKILL)
    camera.process.wait("exit", timeout=10)
    camera.start()
    address = pull_point(camera)
    for place, reverse, wanted in [
        (50_000, False, list(range(50_000, 50_100))),
        (50_000, True, list(range(50_000, 49_900, -1))),
        (count - 1, True, list(range(count - 1, count - 101, -1))),
    ]:
        started = time.monotonic()
        seek(camera, address, at(place), reverse)
        got = pull(camera, address)
        took = time.monotonic() - started
        check([int(value) for value in got[:100]] == wanted, f"{place} {reverse}: {got[:5]}")
        check(took < 3, f"{place} {reverse}: {took:.1f} s")
    seek(camera, address, at(99_000), False)
    rest = []
    while len(rest) < 1000:
        some = pull(camera, address)
        check(some, f"{len(rest)} of 1000 messages")
        rest += some
    check([int(value) for value in rest] == list(range(99_000, count)), "the last thousand")
