"""Cameras that nobody listed: found on a LAN, kept, followed to another address, and never taken for somebody else."""

import os
from pathlib import Path

import oriel
import soap
from harness import Failure, Skip, check, command, in_netns, scenario
from rough import PASSWORDS, Rough

ENDPOINT = "urn:uuid:5f5a69c2-e0ae-504f-829b-0000feedc0de"
NAME = "camera-5f5a69c2-e0ae-504f-829b-0000feedc0de"


class Lan:
    """One network with a machine for the bridge (10.98.1.1) and one for each camera."""

    def __init__(self, scene, cameras):
        if os.geteuid() != 0:
            raise Skip("network namespaces need root")
        tag = f"{os.getpid() % 100000}"
        self.site = f"oriel-site-{tag}"
        self.cameras = [f"oriel-cam{number}-{tag}" for number in range(cameras)]
        scene.undo.append(self.remove)
        try:
            for name in (self.site, *self.cameras):
                command("ip", "netns", "add", name)
                command("ip", "-n", name, "link", "set", "lo", "up")
            command("ip", "-n", self.site, "link", "add", "lan", "type", "bridge", "mcast_snooping", "0")
        except Failure as failure:
            raise Skip(f"network namespaces cannot be made here: {failure}") from None
        command("ip", "-n", self.site, "address", "add", "10.98.1.1/24", "dev", "lan")
        for number, name in enumerate(self.cameras):
            pair = ["type", "veth", "peer", "name", f"port{number}", "netns", self.site]
            command("ip", "link", "add", "eth0", "netns", name, *pair)
            command("ip", "-n", self.site, "link", "set", f"port{number}", "master", "lan", "up")
            command("ip", "-n", name, "link", "set", "eth0", "up")
            self.give(number, f"10.98.1.{number + 11}")
        command("ip", "-n", self.site, "link", "set", "lan", "up")

    def give(self, number, address):
        """The DHCP server's word."""
        name = self.cameras[number]
        command("ip", "-n", name, "address", "flush", "dev", "eth0")
        command("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        # Flushing the last address took the route of the groups with it.
        command("ip", "-n", name, "route", "replace", "224.0.0.0/4", "dev", "eth0")

    def remove(self):
        for name in (self.site, *self.cameras):
            if Path(f"/run/netns/{name}").exists():
                command("ip", "netns", "delete", name)


class Bridge:
    """`oriel device --discover` in the site's namespace."""

    def __init__(self, scene, lan, name="bridge"):
        user, password = next(iter(PASSWORDS.items()))
        argv = [scene.oriel, "device", "--discover", "--data", str(scene.folder / "data"), "--listen", "10.98.1.1:8080", "--json"]
        env = {**oriel.LOGS, "ORIEL_USER": user, "ORIEL_PASSWORD": password}
        self.process = scene.spawn(name, argv, env=env, netns=lan.site)
        self.lan, self.scene = lan, scene

    def camera(self, **match):
        return self.process.wait("up", camera=NAME, timeout=40, **match)

    def model(self):
        user, password = next(iter(PASSWORDS.items()))
        url = f"http://10.98.1.1:8080/{NAME}/onvif/device_service"
        body = "<tds:GetDeviceInformation/>"
        answer = in_netns(self.lan.site, lambda: soap.call(url, body, user=user, password=password))
        return answer.status == 200


@scenario("bridge-discovery", timeout=240, slow=True)
def discovery(scene):
    lan = Lan(scene, 2)
    options = ["--auth", "digest", "--endpoint", ENDPOINT]
    camera = Rough(scene, *options, "--host", "10.98.1.11", "--discovery", "10.98.1.11", netns=lan.cameras[0])
    bridge = Bridge(scene, lan)
    up = bridge.camera(state="answers", problem=None)
    check(up["address"].startswith("http://10.98.1.11:"), f"found at {up['address']}")
    check(up["title"] == "rough", f"it calls itself {up['title']}")
    scene.until("the camera through the bridge", bridge.model)

    # It is silent at the next start, and there all the same, as who it was.
    bridge.process.end()
    camera.do("down")
    again = Bridge(scene, lan, "bridge-again")
    silent = again.camera(state="silent")
    check((silent["uuid"], silent["fingerprint"]) == (up["uuid"], up["fingerprint"]), "it became somebody else")

    # Somebody else says that he is it; he has another serial number, and is shown nothing but a Digest.
    lan_options = ["--host", "10.98.1.12", "--discovery", "10.98.1.12", "--count", "2"]
    liar = Rough(scene, *options, *lan_options, name="liar", netns=lan.cameras[1])
    liar.do("down")
    liar.process.wait("asked", operation="GetDeviceInformation", camera=1, status=200, timeout=60)
    scene.until("that it was not followed", lambda: True)
    told = [event["address"] for event in again.process.all("up", camera=NAME)]
    check(all(address.startswith("http://10.98.1.11:") for address in told), f"the liar was followed: {told}")
    check(not liar.leaked(), "a password in the plain")
    by = {event["by"] for event in liar.asked()} - {None}
    check(by <= {"digest"}, f"the liar was shown {by}")
    liar.process.end()

    # The DHCP server gives it another address.
    lan.give(0, "10.98.1.77")
    camera.do("up", host="10.98.1.77")
    moved = again.camera(state="answers", problem=None)
    check(moved["address"].startswith("http://10.98.1.77:"), f"found at {moved['address']}")
    check(moved["fingerprint"] == up["fingerprint"], "it became somebody else")
    scene.until("the camera through the bridge", again.model)

    # And it is remembered.
    again.process.end()
    last = Bridge(scene, lan, "bridge-last")
    there = last.camera(state="answers")
    check(there["address"] == moved["address"], f"forgotten: {there['address']}")
