"""WS-Discovery: cameras on networks of their own are found, by both IP families and on each interface; liars are not believed, floods do no harm."""

import json
import signal
import subprocess
import sys
import time

import install
from harness import PATH, PEERS, check, scenario
from lan import Lan

ENDPOINT = "urn:uuid:2f4a3a2e-6a0a-4b60-9d3c-000000000001"
OTHER = "urn:uuid:2f4a3a2e-6a0a-4b60-9d3c-000000000002"
SCOPES = ["name/Front%20door", "hardware/W-1", "location/city/Lund", "location/floor/2", "Profile/T"]


def target(scene, host, address, endpoint=ENDPOINT, name="target"):
    """A target of the package WSDiscovery. It asks the system for a route of multicast, and so does not use the interface."""
    host.within("ip", "route", "replace", "239.0.0.0/8", "dev", "eth0")
    scopes = [part for scope in SCOPES for part in ("--scope", f"onvif://www.onvif.org/{scope}")]
    xaddr = f"http://{address}/onvif/device_service"
    argv = [install.python("wsdiscovery"), "-u", PEERS / "target.py", "--endpoint", endpoint, *scopes, "--xaddr", xaddr]
    process = scene.spawn(name, argv, netns=host.netns)
    process.wait("listening")
    return process


def answerer(scene, host, *options, name="answerer"):
    process = scene.spawn(name, [sys.executable, "-u", PEERS / "answerer.py", "--name", name, *options], netns=host.netns)
    process.wait("listening")
    return process


def discover(scene, host, *options, code=0, json_out=True):
    """One run of `oriel discover` to its end: what it printed, and its error."""
    argv = ["ip", "netns", "exec", host.netns, scene.oriel, "discover", *(["--json"] if json_out else []), *options]
    environment = {"PATH": PATH, "HOME": str(scene.folder), "ORIEL_LOG": "oriel_client=debug"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=40, env=environment)
    with open(scene.folder / "discover.log", "a") as log:
        log.write(f"$ {' '.join(map(str, argv))}\n{done.stdout}{done.stderr}")
    check(done.returncode == code, f"{' '.join(options)}: exit {done.returncode}, not {code}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout) if json_out and done.stdout else done.stdout, done.stderr


def watch(scene, host, *options):
    argv = [scene.oriel, "discover", "--json", "--watch", *options]
    process = scene.spawn("watch", argv, netns=host.netns, env={"ORIEL_LOG": "oriel_client=debug"})
    process.wait("watching")
    return process


@scenario("discovery-target", timeout=60)
def found_and_heard(scene):
    lan = Lan(scene)
    switch = lan.switch()
    box = lan.host("box", (switch, "10.99.3.1/24"))
    camera = lan.host("camera", (switch, "10.99.3.7/24"))
    _, error = discover(scene, box, "--wait", "1", code=4)
    hint = json.loads(error.splitlines()[-1])["hint"]
    check("multicast" in hint and "firewall" in hint and "Discoverable" in hint, f"hint {hint}")
    watching = watch(scene, box, "--wait", "1")
    wsd = target(scene, camera, "10.99.3.7")
    hello = watching.wait("hello", "found", endpoint=ENDPOINT)
    check(hello["address"] == "http://10.99.3.7/onvif/device_service", f"{hello}")
    found, _ = discover(scene, box)
    check(len(found) == 1, f"found {found}")
    one = found[0]
    wanted = {
        "endpoint": ENDPOINT,
        "name": "Front door",
        "hardware": "W-1",
        "location": "city/Lund, floor/2",
        "address": "http://10.99.3.7/onvif/device_service",
        "interface": "eth0",
    }
    check({key: one[key] for key in wanted} == wanted, f"{one}")
    check("{http://www.onvif.org/ver10/device/wsdl}Device" in one["types"], f"types {one['types']}")
    kinds = {kind for event in wsd.all("probe") for kind in event["types"]}
    check(len(kinds) == 2, f"asked for {kinds}")
    table, _ = discover(scene, box, json_out=False)
    lines = table.splitlines()
    check(len(lines) == 2 and lines[0].split() == ["NAME", "HARDWARE", "ADDRESS", "ENDPOINT", "LOCATION"], table)
    check(lines[1].startswith("Front door  W-1       http://10.99.3.7/onvif/device_service  urn:uuid:"), table)
    begun = time.monotonic()
    resolved, _ = discover(scene, box, "--endpoint", ENDPOINT.upper().replace("URN:UUID", "urn:uuid"), "--wait", "10")
    check(resolved[0]["address"] == wanted["address"] and time.monotonic() - begun < 5, f"resolved {resolved}")
    discover(scene, box, "--endpoint", ENDPOINT, "--wait", "2")
    check(wsd.all("resolve", endpoint=ENDPOINT), "Resolve did not reach it")
    discover(scene, box, "--endpoint", OTHER, "--wait", "1", code=4)
    discover(scene, box, "--scope", "location/city/Lund", "--types", "any")
    discover(scene, box, "--scope", "location/city/Malmo", "--wait", "1", code=4)
    discover(scene, box, "--types", "dn:NetworkVideoStorage", "--wait", "1", code=4)
    wsd.child.stdin.close()
    watching.wait("bye", endpoint=ENDPOINT)
    wsd.wait("exit")
    check(len(watching.all("bye")) == 1, "one Bye, however often it was sent")
    watching.kill(signal.SIGTERM)
    watching.wait("exit")
    check(watching.child.wait(5) == 0, "watching did not end in good order")


@scenario("discovery-interfaces", timeout=60)
def both_families_on_each_interface(scene):
    lan = Lan(scene)
    left, right = lan.switch("left"), lan.switch("right")
    box = lan.host("box", (left, "10.99.3.1/24", "fd99:3::1/64"), (right, "10.99.4.1/24"))
    here = lan.host("here", (left, "10.99.3.7/24", "fd99:3::7/64"))
    there = lan.host("there", (right, "10.99.4.7/24"))
    six = ["--endpoint", ENDPOINT, "--xaddr", "http://[fd99:3::7]/onvif/device_service"]
    answerer(scene, here, *six, "--xaddr", "http://10.99.3.7/onvif/device_service", name="here")
    answerer(scene, here, "--family", "6", *six, name="six")
    far = answerer(scene, there, "--endpoint", OTHER, "--xaddr", "http://10.99.4.7/onvif/device_service", name="there")
    found, _ = discover(scene, box, "--wait", "2")
    by = {one["endpoint"]: one for one in found}
    check(set(by) == {ENDPOINT, OTHER}, f"found {by.keys()}")
    check((by[OTHER]["interface"], by[OTHER]["address"]) == ("eth1", "http://10.99.4.7/onvif/device_service"), f"{by[OTHER]}")
    one = by[ENDPOINT]
    check((one["interface"], one["address"]) == ("eth0", "http://10.99.3.7/onvif/device_service"), f"{one}")
    sources = [one["source"], *(seen["source"] for seen in one["also"])]
    check(any("fd99:3::7" in source for source in sources), f"not by IPv6 too: {sources}")
    found, _ = discover(scene, box, "--wait", "2", "-6")
    check([one["address"] for one in found] == ["http://[fd99:3::7]/onvif/device_service"], f"by IPv6 {found}")
    before = far.mark()
    found, _ = discover(scene, box, "--wait", "2", "-4", "--interface", "eth0")
    check([one["address"] for one in found] == ["http://10.99.3.7/onvif/device_service"], f"on eth0 {found}")
    check(len(far.events) == before, "asked on an interface that was not named")
    discover(scene, box, "--wait", "1", "-6", "--interface", "eth1", code=4)
    discover(scene, box, "--interface", "eth7", code=2)
    alone = lan.host("alone")
    discover(scene, alone, code=4)
    # A camera of the link alone, heard by IPv6.
    watching = watch(scene, box, "--wait", "1", "-6")
    link = lan.host("link", (left,))
    said = answerer(scene, link, "--family", "6", "--xaddr", "http://[fe80::9]/onvif/device_service", name="link")
    said.send("hello")
    hello = watching.wait("hello", name="link")
    check(hello["source"].startswith("[fe80::") and hello["address"] is None, f"{hello}")
    said.send("bye")
    watching.wait("bye", endpoint=hello["endpoint"])


@scenario("discovery-liars", timeout=90)
def liars_are_not_believed(scene):
    lan = Lan(scene)
    switch = lan.switch()
    box = lan.host("box", (switch, "10.99.3.1/24"))
    hosts = {n: lan.host(f"h{n}", (switch, f"10.99.3.{n}/24")) for n in (7, 8, 9, 10, 11, 12)}
    own = {n: f"http://10.99.3.{n}/onvif/device_service" for n in hosts}
    honest = answerer(scene, hosts[7], "--endpoint", ENDPOINT, "--xaddr", own[7], name="honest")
    elsewhere = ["http://10.99.3.7/", "http://127.0.0.1/", "http://169.254.169.254/", "http://10.99.3.8@10.99.3.7/", "file:///etc/passwd"]
    lies = [part for address in elsewhere for part in ("--xaddr", address)]
    answerer(scene, hosts[8], "--endpoint", OTHER, *lies, name="elsewhere")
    found, _ = discover(scene, box, "--wait", "2")
    by = {one["name"]: one for one in found}
    check(by["honest"]["address"] == own[7], f"{by['honest']}")
    check(by["elsewhere"]["address"] is None, f"a liar sends us elsewhere: {by['elsewhere']}")
    text, _ = discover(scene, box, "--wait", "2", json_out=False)
    check("10.99.3.8 names no address of its own" in text, text)
    # Somebody else with the same endpoint reference: both are told, each by its own address alone.
    answerer(scene, hosts[9], "--endpoint", ENDPOINT, "--xaddr", own[9], "--xaddr", own[7], name="impostor")
    text, _ = discover(scene, box, "--endpoint", ENDPOINT, json_out=False)
    check("several hosts say that they are it" in text and own[7] in text and own[9] in text, text)
    answerer(scene, hosts[10], "--manner", "huge", "--xaddr", own[10], name="huge")
    answerer(scene, hosts[11], "--manner", "garbage", "--xaddr", own[11], name="garbage")
    answerer(scene, hosts[12], "--manner", "forgetful", "--xaddr", own[12], name="forgetful")
    found, _ = discover(scene, box, "--wait", "4")
    by = {one["name"]: one for one in found}
    for n, name in ((10, "huge"), (11, "garbage"), (12, "forgetful")):
        check(name in by and by[name]["address"] == own[n], f"{name}: {by.get(name)}; found {list(by)}")
    check(len(by["huge"]["scopes"]) == 64 and len(by["huge"]["addresses"]) <= 16, "no bound on what one says")
    check("{http://www.onvif.org/ver10/device/wsdl}Device" in by["forgetful"]["types"], f"{by['forgetful']['types']}")
    check(by.keys() >= {"honest", "elsewhere"} or by.keys() >= {"impostor", "elsewhere"}, f"others were lost: {list(by)}")
    # Whoever says too much is not heard any more, and nobody else is the worse for it.
    answerer(scene, lan.host("flood", (switch, "10.99.3.14/24")), "--manner", "flood", name="flood")
    found, _ = discover(scene, box, "--wait", "3")
    names = {one["name"] for one in found}
    check(names >= {"huge", "forgetful", "elsewhere"}, f"lost in the flood: {names}")
    many = lan.host("many", (switch, "10.99.3.13/24"))
    answerer(scene, many, "--manner", "many", name="many")
    found, _ = discover(scene, box, "--wait", "3")
    crowd = sum(one["endpoint"].startswith("urn:x:") for one in found)
    check(0 < crowd <= 256, f"one host is {crowd} devices")
    check(any(one["address"] == own[7] for one in found) or any(own[7] in str(one["also"]) for one in found), "lost in the crowd")
    storm(scene, lan, switch, box, honest)


def storm(scene, lan, switch, box, honest):
    """Questions of others by the thousand: what matters is heard, and the processor is not used up."""
    watching = watch(scene, box, "--wait", "1")
    crier = answerer(scene, lan.host("storm", (switch, "10.99.3.66/24")), name="storm")
    crier.send("storm", seconds=4)
    time.sleep(1)
    mark = watching.mark()
    honest.send("hello")
    heard = watching.wait("hello", since=mark, endpoint=ENDPOINT, timeout=5)
    check(heard["address"] == "http://10.99.3.7/onvif/device_service", f"{heard}")
    sent = crier.wait("answer", timeout=10)["sent"]
    ticks = open(f"/proc/{watching.pid}/stat").read().rsplit(")", 1)[1].split()
    scene.number("storm_packets", sent)
    scene.number("storm_cpu_seconds", round((int(ticks[11]) + int(ticks[12])) / 100, 2))
    resident = next(line for line in open(f"/proc/{watching.pid}/status") if line.startswith("VmRSS")).split()[1]
    scene.number("watch_rss_kib", int(resident))
    mark = watching.mark()
    honest.send("bye")
    watching.wait("bye", since=mark, endpoint=ENDPOINT)
