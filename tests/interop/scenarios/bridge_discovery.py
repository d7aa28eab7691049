"""Cameras that nobody listed: found on a LAN, and there at the next start, even when they are silent."""

import oriel
import soap
from harness import check, in_netns, scenario
from lan import Lan
from rough import PASSWORDS, Rough

ENDPOINT = "urn:uuid:5f5a69c2-e0ae-504f-829b-0000feedc0de"
NAME = "camera-5f5a69c2-e0ae-504f-829b-0000feedc0de"
USER, PASSWORD = next(iter(PASSWORDS.items()))
BOX, PLACE = "10.98.1.1", "10.98.1.11"


class Bridge:
    """`oriel device --discover` on the box."""

    def __init__(self, scene, box, name="bridge"):
        argv = [scene.oriel, "device", "--discover", "--data", scene.folder / "data", "--listen", f"{BOX}:8080", "--json"]
        environment = {**oriel.LOGS, "ORIEL_USER": USER, "ORIEL_PASSWORD": PASSWORD}
        self.process = scene.spawn(name, argv, env=environment, netns=box.netns)
        self.box = box

    def camera(self, **match):
        return self.process.wait("up", camera=NAME, timeout=60, **match)

    def passes(self):
        url = f"http://{BOX}:8080/{NAME}/onvif/device_service"
        body = "<tds:GetDeviceInformation/>"
        answer = in_netns(self.box.netns, lambda: soap.call(url, body, user=USER, password=PASSWORD))
        return answer.status == 200 and "ROUGH-0000" in str(answer.body)


def rough(scene, host, address, *options, name="rough-camera"):
    options = ["--auth", "digest", "--endpoint", ENDPOINT, "--host", address, "--discovery", address, *options]
    return Rough(scene, *options, name=name, netns=host.netns)


@scenario("bridge-discovery", timeout=240, slow=True)
def discovery(scene):
    lan = Lan(scene)
    switch = lan.switch()
    box = lan.host("box", (switch, f"{BOX}/24"))
    camera = rough(scene, lan.host("camera", (switch, f"{PLACE}/24")), PLACE)
    bridge = Bridge(scene, box)
    up = bridge.camera(state="answers", problem=None)
    check(up["address"].startswith(f"http://{PLACE}:"), f"found at {up['address']}")
    check(up["title"] == "rough", f"it calls itself {up['title']}")
    scene.until("the camera through the bridge", bridge.passes)
    bridge.process.end()
    camera.do("down")
    again = Bridge(scene, box, "bridge-again")
    silent = again.camera(state="silent")
    check((silent["uuid"], silent["fingerprint"]) == (up["uuid"], up["fingerprint"]), "it became somebody else")
    check(not camera.leaked(), f"what it was shown: {camera.leaked()}")
