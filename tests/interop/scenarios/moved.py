"""A bridge on a network whose cameras change their addresses: each is found again by its endpoint reference, and nobody else is taken for it."""

import time

import rough
import soap
from harness import check, in_netns, scenario
from lan import Lan
from oriel import LOGS, write_toml

ENDPOINT = "urn:uuid:5f5a69c2-e0ae-504f-829b-00000a7b0002"
SERVICE = "/onvif/device_service"


def camera(scene, host, ip, *options, name="camera"):
    own = ["--host", ip, "--port", "8000", "--xaddr", "own", "--discovery", ip, "--endpoint", ENDPOINT]
    return rough.Rough(scene, *own, *options, name=name, netns=host.netns)


class Bridge:
    """`oriel device` with one camera of its list, in a namespace."""

    def __init__(self, scene, host, address):
        self.scene, self.host, self.data = scene, host, scene.folder / "bridge"
        tables = [
            ("[[camera]]", {"name": "gate", "address": address}),
            ("[[camera.account]]", {"user": "root", "password": rough.PASSWORDS["root"], "level": "Administrator"}),
        ]
        config = write_toml(scene.folder / "bridge.toml", {"listen": ["127.0.0.1:0"], "data": self.data}, tables)
        argv = [scene.oriel, "device", "--config", config, "--json"]
        environment = {**LOGS, "ORIEL_LOG": "info,oriel_client=debug"}
        self.process = scene.spawn("bridge", argv, env=environment, netns=host.netns)
        self.lan = self.at(address)["lan"]
        # By what the camera is known again later.
        scene.until("the serial number is kept", lambda: "ROUGH-0000" in self.kept())

    def kept(self):
        return "".join(path.read_text(errors="replace") for path in (self.data / "cameras/gate").iterdir() if path.is_file())

    def at(self, address, since=0, timeout=30):
        """Waits until the camera answers at this address."""
        return self.process.wait("up", camera="gate", address=address, state="answers", since=since, timeout=timeout)

    def ask(self, timeout=20):
        call = lambda: soap.call(self.lan, "tds:GetDeviceInformation", user="root", password=rough.PASSWORDS["root"], timeout=timeout)  # noqa: E731
        return in_netns(self.host.netns, call)

    def serves(self):
        answer = self.ask()
        check(answer.status == 200 and "ROUGH-0000" in answer.text, f"the camera by the bridge: {answer}")


def at(ip):
    return f"http://{ip}:8000{SERVICE}"


@scenario("bridge-moved", timeout=240, slow=True)
def found_again(scene):
    lan = Lan(scene)
    switch = lan.switch()
    box, host = lan.host("box", (switch, "10.99.3.1/24")), lan.host("camera", (switch, "10.99.3.7/24"))
    gate = camera(scene, host, "10.99.3.7")
    bridge = Bridge(scene, box, at("10.99.3.7"))
    bridge.serves()
    # A new lease, and not a word about it.
    gate.do("down")
    host.address("del", "10.99.3.7/24")
    host.address("add", "10.99.3.8/24")
    mark, begun = bridge.process.mark(), time.monotonic()
    gate.do("up", host="10.99.3.8", port=8000)
    bridge.ask()
    bridge.at(at("10.99.3.8"), since=mark, timeout=120)
    scene.number("found_seconds", round(time.monotonic() - begun, 1))
    bridge.serves()
    check(not gate.leaked(), f"what the bridge showed: {gate.leaked()}")
    # A restart at another address: Bye, and then Hello.
    gate.process.child.stdin.close()
    gate.process.wait("exit")
    host.address("del", "10.99.3.8/24")
    host.address("add", "10.99.3.21/24")
    mark, begun = bridge.process.mark(), time.monotonic()
    camera(scene, host, "10.99.3.21", name="camera-again")
    bridge.at(at("10.99.3.21"), since=mark, timeout=120)
    scene.number("heard_seconds", round(time.monotonic() - begun, 1))
    bridge.serves()
    check(bridge.process.running(), "the bridge ended")


@scenario("bridge-impostor", timeout=240, slow=True)
def not_believed(scene):
    lan = Lan(scene)
    switch = lan.switch()
    box, host = lan.host("box", (switch, "10.99.3.1/24")), lan.host("camera", (switch, "10.99.3.7/24"))
    gate = camera(scene, host, "10.99.3.7")
    bridge = Bridge(scene, box, at("10.99.3.7"))
    gate.do("down")
    host.within("ip", "link", "set", "eth0", "down")
    mark = bridge.process.mark()
    liar = camera(scene, lan.host("liar", (switch, "10.99.3.9/24")), "10.99.3.9", "--serial", "OTHER-1", name="impostor")
    bridge.ask()
    liar.process.wait("asked", operation="GetDeviceInformation", timeout=120)
    # The camera itself comes back elsewhere, while the other one still answers for it, and sooner.
    host.within("ip", "link", "set", "eth0", "up")
    host.address("del", "10.99.3.7/24")
    host.address("add", "10.99.3.8/24")
    gate.do("up", host="10.99.3.8", port=8000)
    bridge.at(at("10.99.3.8"), since=mark, timeout=150)
    bridge.serves()
    taken = [event for event in bridge.process.all("up", camera="gate") if "10.99.3.9" in event["address"]]
    check(not taken, f"another camera was taken for it: {taken}")
    asked = {event["operation"] for event in liar.asked()}
    check(asked <= {"GetSystemDateAndTime", "GetDeviceInformation", None}, f"what it was asked: {asked}")
    check(not liar.leaked(), f"what it was shown: {liar.leaked()}")
    log = bridge.process.log.read_text(errors="replace")
    check("another camera says that it is this one" in log, "the bridge's log does not tell")
