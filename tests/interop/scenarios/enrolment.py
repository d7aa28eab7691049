"""From the factory to the cloud: `oriel enroll` against a cloud's own enrolment, and what a camera may do by it."""

import json
import subprocess

import oriel
from harness import check, scenario

EMPTY = {"keys": 1, "certificates": 1, "policies": 0, "uplinks": 0}


class Fresh(oriel.Device):
    """`oriel device` as it comes from the factory: nothing of any cloud on it."""

    def __init__(self, scene, name="oriel-fresh"):
        super().__init__(scene, name)
        top = {"listen": ["127.0.0.1:0"], "data": scene.folder / f"{name}-data"}
        top |= {"allow_private_addresses": oriel.NETWORKS, "allow_private_addresses_by_uplink": oriel.NETWORKS}
        self.config = oriel.write_toml(scene.folder / f"{name}.toml", top)

    def inventory(self):
        counts = {"uplinks": len(self.uplinks())}
        for kind, operation in (
            ("keys", "GetAllKeys"),
            ("certificates", "GetAllCertificates"),
            ("policies", "GetAllCertPathValidationPolicies"),
        ):
            argv = [self.scene.oriel, "call", self.lan, operation, "--json"]
            done = subprocess.run(argv, env={"ORIEL_USER": self.user, "ORIEL_PASSWORD": self.password}, capture_output=True, timeout=20)
            found = json.loads(done.stdout) or {}
            entries = next(iter(found.values()), []) if isinstance(found, dict) else []
            counts[kind] = len(entries) if isinstance(entries, list) else 1
        return counts


def enroll(scene, device, cloud, code, *more):
    argv = [scene.oriel, "enroll", device.lan, "--cloud", cloud.url, "--ca", cloud.ca, "--json", *more]
    secrets = {"ORIEL_USER": device.user, "ORIEL_PASSWORD": device.password, "ORIEL_CODE": code}
    done = subprocess.run(argv, env=secrets, capture_output=True, text=True, timeout=80)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@scenario("enroll", timeout=120)
def enrolment(scene):
    """Online by ONVIF calls alone; a wrong and a used code leave nothing on the camera; the device answers through the cloud."""
    cloud = oriel.Cloud(scene, tls=False).start()
    code = cloud.api("POST", "/enrolments", {"name": "gate"})["code"]
    device = Fresh(scene).start()
    check(device.inventory() == EMPTY, f"not as from the factory: {device.inventory()}")
    status, _, error = enroll(scene, device, cloud, "wrong")
    check(status == 3 and "code" in error, f"a wrong code: {status} {error}")
    check(device.inventory() == EMPTY, f"a wrong code left something: {device.inventory()}")
    status, told, error = enroll(scene, device, cloud, code)
    check(status == 0 and told[-1].get("connected"), f"{status} {error}")
    id = told[-1]["device"]
    check(cloud.device(id)["status"] == "online", f"the cloud says {cloud.device(id)}")
    answer = cloud.call(id, "tds:GetDeviceInformation", cloud.admin)
    check(answer.status == 200, f"through the cloud: {answer}")
    enrolled = device.inventory()
    status, told, error = enroll(scene, device, cloud, "")
    check(status == 0 and told[-1]["device"] is None, f"a second run: {status} {error}")
    check(device.inventory() == enrolled, f"a second run changed {enrolled} to {device.inventory()}")
    second = Fresh(scene, "oriel-second").start()
    status, _, error = enroll(scene, second, cloud, code)
    check(status == 3 and "used" in error, f"a used code: {status} {error}")
    check(second.inventory() == EMPTY, f"a used code left something: {second.inventory()}")
    fresh = cloud.api("POST", "/enrolments", {"name": "gate"})["code"]
    status, told, error = enroll(scene, device, cloud, fresh, "--replace")
    check(status == 0 and told[-1].get("connected"), f"a replacement: {status} {error}")
    check(device.inventory() == enrolled, f"a replacement made {enrolled} to {device.inventory()}")
