"""`oriel device` as it is found by WS-Discovery: by other people's clients and by ours, on each interface and family; no amplifier, whatever is asked."""

import json
import signal
import socket
import subprocess
import sys
import time
import uuid

import install
import oriel
from harness import PATH, PEERS, check, in_netns, scenario
from lan import Lan
from scenarios.discovery import discover, watch

NAME = "onvif://www.onvif.org/name/Gate-7"
SERVICE = "/onvif/device_service"
PROBE = (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:n="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
    "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>urn:uuid:{id}</a:MessageID>"
    "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types>{scopes}</d:Probe>"
    "</s:Body></s:Envelope>"
)


def probe(scopes=""):
    return PROBE.format(id=uuid.uuid4(), scopes=scopes).encode()


def seeker(scene, host):
    """A client of the package WSDiscovery. It asks the system for a route of multicast."""
    host.within("ip", "route", "replace", "239.0.0.0/8", "dev", "eth0")
    argv = [install.python("wsdiscovery"), "-u", PEERS / "seeker.py"]
    process = scene.spawn("seeker", argv, netns=host.netns)
    process.wait("listening")
    return process


def device(scene, host, listen="0.0.0.0:80", **settings):
    return oriel.Device(scene, listen=listen, netns=host.netns, **settings).start()


def names(found):
    return [one["endpoint"] for one in found]


@scenario("found-by-clients", timeout=120)
def found_by_clients(scene):
    lan = Lan(scene)
    switch = lan.switch()
    box = lan.host("box", (switch, "10.99.3.1/24"))
    camera = lan.host("camera", (switch, "10.99.3.7/24"))
    looking = seeker(scene, box)
    own = device(scene, camera, name="oriel-device")
    hello = looking.wait("hello")
    endpoint, address = hello["endpoint"], f"http://10.99.3.7{SERVICE}"
    check(endpoint.startswith("urn:uuid:") and hello["xaddrs"] == [address] and hello["source"] == "10.99.3.7", f"{hello}")
    check(len(hello["types"]) == 2 and hello["instance"] > 0 and hello["version"] == 1, f"{hello}")
    for wanted in ({"types": ["tds:Device"]}, {"types": ["dn:NetworkVideoTransmitter"]}, {"scopes": ["onvif://www.onvif.org/hardware"]}, {}):
        found = looking.ask("search", **wanted)["found"]
        check(names(found) == [endpoint] and found[0]["xaddrs"] == [address], f"{wanted}: {found}")
    mark = looking.mark()
    looking.ask("search", scopes=["onvif://www.onvif.org/name/Other"])
    check(not looking.all("match", since=mark), "an answer to a question for somebody else")
    npm_finds(scene, box, address)
    found, _ = discover(scene, box)
    check([(one["endpoint"], one["address"]) for one in found] == [(endpoint, address)], f"oriel discover: {found}")
    resolved, _ = discover(scene, box, "--endpoint", endpoint)
    check(resolved[0]["address"] == address, f"{resolved}")
    # Whoever is renamed says so.
    mark = looking.mark()
    answer = own.call(f"<tds:SetScopes><tds:Scopes>{NAME}</tds:Scopes></tds:SetScopes>")
    check(answer.status == 200, f"SetScopes: {answer}")
    renamed = looking.wait("hello", since=mark)
    check(renamed["version"] > hello["version"] and NAME in renamed["scopes"], f"{renamed}")
    found = looking.ask("search", scopes=[NAME])["found"]
    check(names(found) == [endpoint], f"by its new name: {found}")
    silent(scene, own, looking, box)
    starts(scene, own, looking, endpoint, renamed)


def npm_finds(scene, box, address):
    environment = {"NODE_PATH": str(install.CACHE / "node/node_modules")}
    client = scene.spawn("npm-onvif", ["node", PEERS / "probe_npm.cjs", "eth0"], env=environment, netns=box.netns)
    found = client.wait("found", timeout=20)
    check(not found["errors"] and len(found["found"]) == 1, f"npm onvif: {found}")
    one = found["found"][0]
    check((one["hostname"], one["xaddrs"]) == ("10.99.3.7", [address]), f"npm onvif: {one}")
    check(str(one["date"]).startswith("20"), f"npm onvif asked it for the time: {one}")


def silent(scene, own, looking, box):
    """Not to be discovered: it neither answers nor says that it goes; then it is back."""
    mark = looking.mark()
    set_mode = "<tds:SetDiscoveryMode><tds:DiscoveryMode>{}</tds:DiscoveryMode></tds:SetDiscoveryMode>"
    check(own.call(set_mode.format("NonDiscoverable")).status == 200, "SetDiscoveryMode")
    check(own.call("tds:GetDiscoveryMode").values("DiscoveryMode") == ["NonDiscoverable"], "GetDiscoveryMode")
    # Answers to earlier questions may be on their way still.
    time.sleep(0.6)
    mark = looking.mark()
    check(looking.ask("search")["found"] == [], "it answers, not discoverable")
    discover(scene, box, "--wait", "1", code=4)
    check(not looking.all("bye", since=mark) and not looking.all("match", since=mark), "it speaks, not discoverable")
    check(own.call(set_mode.format("Discoverable")).status == 200, "SetDiscoveryMode")
    looking.wait("hello", since=mark)


def starts(scene, own, looking, endpoint, before):
    """Killed and started again: the same device, as a new instance. Ended in good order: Bye."""
    own.process.kill(signal.SIGKILL)
    own.process.wait("exit")
    mark = looking.mark()
    own.start()
    after = looking.wait("hello", since=mark)
    check(after["endpoint"] == endpoint and after["instance"] > before["instance"], f"{before} then {after}")
    check(after["version"] >= before["version"] and NAME in after["scopes"], f"{before} then {after}")
    mark = looking.mark()
    own.process.kill(signal.SIGTERM)
    bye = looking.wait("bye", since=mark)
    check(bye["endpoint"] == endpoint, f"{bye}")
    own.process.wait("exit")

@scenario("found-by-home-automation", timeout=120)
def found_by_home_automation(scene):
    """What home automation does: looks by a scope of a profile, takes host, name and hardware address from what it found, connects there, and listens."""
    lan = Lan(scene)
    switch = lan.switch()
    box = lan.host("box", (switch, "10.99.3.1/24"))
    camera = lan.host("camera", (switch, "10.99.3.7/24"))
    looking = seeker(scene, box)
    own = device(scene, camera, listen="0.0.0.0:8080", location="hall/7")
    looking.wait("hello")
    wanted = {"types": ["dn:NetworkVideoTransmitter"], "scopes": ["onvif://www.onvif.org/Profile"]}
    check(looking.ask("search", **wanted)["found"] == [], "it claims a profile that it does not conform to")
    # Until it does, whoever installs it can say so for the sake of such clients.
    answer = own.call("<tds:AddScopes><tds:ScopeItem>onvif://www.onvif.org/Profile/Streaming</tds:ScopeItem></tds:AddScopes>")
    check(answer.status == 200, f"AddScopes: {answer}")
    found = looking.ask("search", **wanted)["found"]
    check(len(found) == 1, f"by its profile: {found}")
    told = lambda category: [  # noqa: E731
        scope.rpartition("/")[2] for scope in found[0]["scopes"] if scope.lower().startswith(f"onvif://www.onvif.org/{category}/")
    ]
    serial = own.call("tds:GetDeviceInformation").values("SerialNumber")
    check(told("serialnumber") == serial and told("name")[0] == "Oriel" and told("location") == ["7"], f"{found[0]['scopes']}")
    hardware = own.call("tds:GetNetworkInterfaces").values("HwAddress")
    check(told("macaddress") and told("macaddress")[0] in hardware, f"{told('macaddress')} is none of {hardware}")
    address = found[0]["xaddrs"][0]
    check(address == f"http://10.99.3.7:8080{SERVICE}", f"{address}")
    argv = [install.python("zeep"), "-u", PEERS / "hears_zeep.py", address, own.user, own.password]
    zeep = scene.spawn("zeep", argv, netns=box.netns)
    zeep.wait("listening", timeout=30)
    mark = zeep.mark()
    said = oriel.run([scene.oriel, "device", "event", "--data", scene.folder / "oriel-device-data", "motion", "on"], {})
    check(said.returncode == 0, f"oriel device event: {said.stderr}")
    heard = zeep.wait("told", since=mark, topic="tns1:VideoSource/MotionAlarm", data={"State": "true"})
    check(heard["operation"] == "Changed", f"{heard}")


@scenario("found-interfaces", timeout=120)
def found_on_each_interface(scene):
    lan = Lan(scene)
    left, right = lan.switch("left"), lan.switch("right")
    camera = lan.host("camera", (left, "10.99.3.7/24", "fd99:3::7/64"), (right, "10.99.4.7/24"))
    here = lan.host("here", (left, "10.99.3.1/24", "fd99:3::1/64"))
    there = lan.host("there", (right, "10.99.4.1/24"))
    other = lan.host("other", (right,))
    watching = watch(scene, here, "--wait", "1")
    own = device(scene, camera, listen="[::]:8080")
    hello = watching.wait("hello", "found")
    check(hello["address"] == f"http://10.99.3.7:8080{SERVICE}" or "fd99:3::7" in (hello["address"] or ""), f"{hello}")
    for host, family, address in (
        (here, "-4", "10.99.3.7"),
        (here, "-6", "[fd99:3::7]"),
        (there, "-4", "10.99.4.7"),
    ):
        found, _ = discover(scene, host, family, "--wait", "2")
        check([one["address"] for one in found] == [f"http://{address}:8080{SERVICE}"], f"{family} at {host.name}: {found}")
        named = [*found[0]["addresses"], *(address for also in found[0]["also"] for address in also["addresses"])]
        away = "10.99.4." if host is here else "10.99.3."
        check(not any(away in one or "%" in one for one in named), f"addresses of another network: {named}")
    # By the link alone: an address of the link answers, and has no zone in its URI.
    found, _ = discover(scene, other, "-6", "--wait", "2")
    check(len(found) == 1 and found[0]["source"].startswith("[fe80::"), f"by the link: {found}")
    check(any(one.startswith("http://[fe80::") and "%" not in one for one in found[0]["addresses"]), f"by the link: {found}")
    changes(scene, lan, camera, here, own, watching)


def changes(scene, lan, camera, here, own, watching):
    """Addresses and interfaces come and go, and whoever listens is told."""
    version = watching.wait("hello", "found").get("metadata_version", 0)
    mark = watching.mark()
    camera.address("del", "10.99.3.7/24")
    camera.address("add", "10.99.3.8/24")
    moved = watching.wait("hello", since=mark, address=f"http://10.99.3.8:8080{SERVICE}", timeout=20)
    check(moved.get("metadata_version", 1) > version or version == 0, f"{version} then {moved}")
    third = lan.switch("third")
    late = lan.host("late", (third, "10.99.5.1/24"))
    listening = scene.spawn("late", [scene.oriel, "discover", "--json", "--watch", "--wait", "1", "-4"], netns=late.netns)
    listening.wait("watching")
    camera.plug(third, "10.99.5.7/24")
    come = listening.wait("hello", timeout=20)
    check(come["address"] == f"http://10.99.5.7:8080{SERVICE}", f"on an interface that came later: {come}")
    camera.within("ip", "link", "delete", "eth2")
    time.sleep(6)
    found, _ = discover(scene, here, "-4", "--wait", "2")
    check([one["address"] for one in found] == [f"http://10.99.3.8:8080{SERVICE}"], f"after an interface went: {found}")
    check(own.process.running(), "the device ended")


@scenario("found-no-amplifier", timeout=120)
def no_amplifier(scene):
    lan = Lan(scene)
    switch = lan.switch()
    box = lan.host("box", (switch, "10.99.3.1/24"))
    camera = lan.host("camera", (switch, "10.99.3.7/24"))
    far = lan.host("far", (switch, "10.99.3.2/24"))
    # A way to everywhere, so that only the device itself holds an answer back.
    camera.within("ip", "route", "add", "default", "via", "10.99.3.1")
    far.within("ip", "address", "add", "203.0.113.9/32", "dev", "eth0")
    own = device(scene, camera)
    scene.until("an answer", lambda: ask(box, "10.99.3.1", [probe()], seconds=1))
    twice = ask(box, "10.99.3.1", [probe()], seconds=2)
    check(len(twice) == 2 and twice[0] == twice[1], f"an answer goes twice: {twice}")
    check(ask(far, "203.0.113.9", [probe()], seconds=2) == [], "an answer to an address of another network, asked for by multicast")
    check(ask(far, "203.0.113.9", [probe()], "10.99.3.7", seconds=2) == [], "an answer to an address of another network, asked for by unicast")
    ldap = '<d:Scopes MatchBy="http://schemas.xmlsoap.org/ws/2005/04/discovery/ldap">ldap:///ou=x</d:Scopes>'
    check(ask(box, "10.99.3.1", [probe(ldap)], seconds=2) == [], "a fault to everybody")
    faults = ask(box, "10.99.3.1", [probe(ldap)], "10.99.3.7", seconds=2)
    check(len(faults) == 2 and b"MatchingRuleNotSupported" in faults[0], f"no fault to who asked alone: {faults}")
    time.sleep(8)
    storm(scene, own, box, far)


def ask(host, source, datagrams, to="239.255.255.250", seconds=2.0, pause=0.0):
    """Sends questions by this address of the host, and collects what comes to it."""

    def work():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        sock.bind((source, 0))
        sock.setblocking(False)
        answers, end = [], None

        def drain():
            try:
                while True:
                    answers.append(sock.recv(65_536))
            except BlockingIOError:
                pass

        for number, datagram in enumerate(datagrams):
            try:
                sock.sendto(datagram, (to, 3702))
            except BlockingIOError:
                time.sleep(0.01)
            if number % 100 == 99:
                drain()
                time.sleep(pause)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            drain()
            time.sleep(0.05)
        sock.close()
        return answers

    return in_netns(host.netns, work)


def ticks(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def storm(scene, own, box, far):
    """20,000 questions, each another one, and as much garbage."""
    before, begun, log = ticks(own.process.pid), time.monotonic(), own.process.log.stat().st_size
    datagrams = [probe() for _ in range(20_000)]
    answers = ask(box, "10.99.3.1", datagrams, seconds=1.0, pause=0.01)
    took = time.monotonic() - begun
    scene.number("storm_answers", len(answers))
    scene.number("storm_answer_kib", sum(map(len, answers)) >> 10)
    scene.number("storm_cpu_seconds", round(ticks(own.process.pid) - before, 2))
    check(0 < len(answers) <= 2 * (24 + 8 * took), f"{len(answers)} answers to 20,000 questions in {took:.1f} s")
    # One host's storm is nobody else's.
    check(len(ask(far, "10.99.3.2", [probe()], seconds=2)) == 2, "another host is not answered")
    ask(far, "10.99.3.2", [b"<" * 1400, b"\0" * 200, b"HTTP/1.1 200 OK\r\n\r\n"] * 3000, seconds=0.5, pause=0.01)
    written = own.process.log.stat().st_size - log
    check(written < 4096, f"{written} bytes of log by a storm")
    check(own.call("tds:GetDeviceInformation").status == 200, "the device does not answer after it")
    scene.number("storm_rss_kib", int(next(line for line in open(f"/proc/{own.process.pid}/status") if line.startswith("VmRSS")).split()[1]))


HOLD = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 3702))
print('{"event": "holding"}', flush=True)
sys.stdin.read()
"""


@scenario("found-port-taken", timeout=60)
def port_taken(scene):
    """A program that does not share the port: a warning, once, and the device works on, and is found as soon as it can be."""
    lan = Lan(scene)
    switch = lan.switch()
    box = lan.host("box", (switch, "10.99.3.1/24"))
    camera = lan.host("camera", (switch, "10.99.3.7/24"))
    holding = scene.spawn("holding", [sys.executable, "-c", HOLD], netns=camera.netns)
    holding.wait("holding")
    own = device(scene, camera)
    check(own.call("tds:GetDeviceInformation").status == 200, "the device does not answer")
    warned = lambda: [line for line in own.process.log.read_text().splitlines() if "WARN" in line and "discovery" in line]  # noqa: E731
    scene.until("a warning", warned)
    discover(scene, box, "--wait", "1", code=4)
    mark = len(warned())
    time.sleep(11)
    check(len(warned()) == mark, f"warned again and again: {warned()}")
    holding.child.stdin.close()
    holding.wait("exit")
    found = scene.until("found once the port is free", lambda: try_discover(scene, box), timeout=20)
    check(found[0]["address"] == f"http://10.99.3.7{SERVICE}", f"{found}")


def try_discover(scene, host):
    argv = ["ip", "netns", "exec", host.netns, scene.oriel, "discover", "--json", "--wait", "1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env={"PATH": PATH, "HOME": str(scene.folder)})
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None
