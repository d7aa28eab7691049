"""The product under test: all that these scenarios know of its command line, its configuration files and its API."""

import json
import os
import signal
import subprocess
import sys
import time
from urllib.parse import quote

import install
import soap
from harness import CERTS, Failure, check, in_netns


def find(given=None):
    """The newest build, or the one that was named; None unless it answers --help."""
    built = [install.CACHE.parent / kind / "oriel" for kind in ("release", "debug")]
    candidates = [given] if given else sorted((p for p in built if p.exists()), key=lambda p: -p.stat().st_mtime)
    for path in candidates:
        try:
            done = subprocess.run([str(path), "--help"], capture_output=True, text=True, timeout=20)
        except OSError:
            continue
        if done.returncode == 0 and "cloud" in done.stdout and "device" in done.stdout:
            return str(path)
    return None


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(str(value))


def write_toml(path, top, tables=()):
    lines = [f"{key} = {toml(value)}" for key, value in top.items()]
    for name, table in tables:
        lines += ["", name, *[f"{key} = {toml(value)}" for key, value in table.items()]]
    path.write_text("\n".join(lines) + "\n")
    return path


ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
# The one network that the scenarios live in besides loopback.
NETWORKS = ["127.0.0.0/8", "10.99.0.0/16"]
LOGS = {"ORIEL_LOG": os.environ.get("ORIEL_LOG", "info"), "NO_COLOR": "1"}


def same(one, other):
    """The same tunnel, seen at two times."""
    return abs(one["born"] - other["born"]) < 1.0


def run(argv, environment, timeout=20):
    """A command to its end."""
    environment = {"HOME": os.environ.get("HOME", "/"), "NO_COLOR": "1", **environment}
    return subprocess.run([str(a) for a in argv], env=environment, capture_output=True, text=True, timeout=timeout)


class Demo:
    """`oriel demo`: both halves and a token, in one process."""

    def __init__(self, scene):
        self.process = scene.spawn(
            "oriel-demo", [scene.oriel, "demo", "--json"], env={**LOGS, "HOME": str(scene.folder)}
        )
        up = self.process.wait("up", timeout=30)
        self.url, self.ca, self.token, self.id = up["cloud"].rstrip("/"), up["ca"], up["token"], up["device"]
        self.lan, self.user, self.password = up["lan"], up["user"], up["password"]
        self.context = soap.trust(self.ca)

    @property
    def gateway(self):
        return f"{self.url}/d/{self.id}/onvif/device_service"


class Forward:
    """`oriel forward`: a local port that leads to a device behind a cloud."""

    def __init__(self, scene, cloud, device, ca, token, name="oriel-forward"):
        argv = [scene.oriel, "forward", device, "--cloud", cloud, "--ca", ca, "--json"]
        self.process = scene.spawn(name, argv, env={**LOGS, "ORIEL_TOKEN": token})
        up = self.process.wait("up", timeout=30)
        self.url, self.lan, self.online = up["url"], up["device_service"], up["online"]


class Cloud:
    """`oriel cloud`. Keeps its data folder over restarts, so that the same object can be started again."""

    def __init__(
        self,
        scene,
        name="oriel-cloud",
        *,
        listen="127.0.0.1:0",
        tls=True,
        cert="server",
        proxy=(),
        drain=5,
        netns=None,
        socket=None,
        tables=(),
        **settings,
    ):
        self.scene, self.name, self.netns, self.socket = scene, name, netns, socket
        self.data = scene.folder / f"{name}-data"
        top = {"listen": listen, "data": self.data, "drain_seconds": drain, **settings}
        if proxy:
            top["proxy_protocol"] = list(proxy)
        tables = list(tables)
        if tls:
            tables.append(("[tls]", {"certificate": CERTS / f"{cert}.pem", "key": CERTS / f"{cert}.key"}))
            # The chain in the file ends below its root, which no system knows.
            tables.append(("[enrolment]", {"anchors": CERTS / "ca.pem"}))
        self.config = write_toml(scene.folder / f"{name}.toml", top, tables)
        self.own_tls, self.admin, self.process = not tls, None, None

    def start(self, wait=True):
        argv = [self.scene.oriel, "cloud", "--config", str(self.config), "--json"]
        fds = ()
        if self.socket is not None:
            # systemd's socket activation: descriptor 3, and the pid of the very process that shall take it.
            fds = (self.socket.fileno(),)
            argv = [sys.executable, "-c", ACTIVATE, str(fds[0]), *argv]
        self.process = self.scene.spawn(self.name, argv, env=LOGS, netns=self.netns, fds=fds)
        return self.ready() if wait else self

    def ready(self):
        up = self.process.wait("up", timeout=30)
        self.url = up["cloud"].rstrip("/")
        self.metrics = up.get("metrics")
        self.ca = up["ca"] if self.own_tls else str(CERTS / "ca.pem")
        self.context = soap.trust(self.ca) if self.ca else None
        if up.get("setup_link") and self.admin is None:
            self.admin = in_netns(self.netns, lambda: self.set_up(up["setup_link"]))
        return self

    def set_up(self, link):
        """Uses the first administrator's one-time link without a browser; returns a token."""
        headers = {"Content-Type": "application/json", "Origin": self.url}
        body = {"link": link.rpartition("/")[2], "email": "admin@example.org", "password": "a first administrator"}
        begun = soap.send(f"{self.url}/api/v1/links/redeem", json.dumps(body), "POST", headers, self.context)
        check(begun.status == 200, f"the first administrator's link: HTTP {begun.status} {begun.text[:300]}")
        cookie = begun.headers["set-cookie"].partition(";")[0]
        headers |= {"Cookie": cookie, "X-Oriel-CSRF": json.loads(begun.body)["csrf"]}
        body = json.dumps({"name": "interop", "role": "administrator", "instance": True})
        made = soap.send(f"{self.url}/api/v1/tokens", body, "POST", headers, self.context)
        check(made.status == 201, f"a token by session: HTTP {made.status} {made.text[:300]}")
        return json.loads(made.body)["token"]

    def terminate(self):
        self.process.kill(signal.SIGTERM)

    def uplink(self, scheme="https", path="/"):
        return f"{scheme}{self.url[5:]}{path}"

    def api(self, method, path, body=None, token=None, expect=True):
        headers = {"Authorization": f"Bearer {token or self.admin}"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        url = f"{self.url}/api/v1{path}"
        answer = in_netns(self.netns, lambda: soap.send(url, data, method, headers, self.context))
        if not expect:
            return answer
        check(answer.status < 300, f"{method} {path}: HTTP {answer.status} {answer.text[:300]}")
        return json.loads(answer.body) if answer.body else None

    def add_device(self, certificate, name="camera"):
        """Registers by the certificate's PEM file; returns the device's id."""
        with open(certificate) as pem:
            return self.api("POST", "/devices", {"name": name, "certificate": pem.read()})["id"]

    def token(self, role="administrator", devices=None):
        body = {"role": role}
        if devices is not None:
            body["devices"] = devices
        return self.api("POST", "/tokens", body)["token"]

    def key(self, id, role="administrator"):
        """An access key for a device: user name, password, and the device service by path and by host name."""
        made = self.api("POST", "/access-keys", {"device": id, "name": "interop", "role": role})
        return made["username"], made["password"], made["url"], made["host"]

    def device(self, id):
        return self.api("GET", f"/devices/{quote(id)}")

    def tunnels(self, id):
        """With `form` in lower case, and `born` on the runner's clock: what tells a tunnel from its successor."""
        now, found = time.monotonic(), self.device(id)["tunnels"]
        return [{**tunnel, "form": tunnel["form"].lower(), "born": now - tunnel["since_ms"] / 1000} for tunnel in found]

    def revoke(self, id):
        return self.api("POST", f"/devices/{quote(id)}/revoke")

    def online(self, id, tunnels=1, timeout=20):
        """Waits until the device is there; returns its tunnels."""
        return self.scene.until(f"{id} online", lambda: len(self.tunnels(id)) >= tunnels and self.tunnels(id), timeout)

    def offline(self, id, timeout=20):
        self.scene.until(f"{id} offline", lambda: not self.device(id)["online"], timeout)

    def gateway(self, id):
        return f"{self.url}/d/{quote(id)}/onvif/device_service"

    def call(self, id, body, token, **options):
        return in_netns(
            self.netns, lambda: soap.call(self.gateway(id), body, token=token, context=self.context, **options)
        )


class Device:
    """`oriel device` with a certificate of the test CA in its key store."""

    CERTIFICATE, POLICY = "interop", "interop-policy"

    def __init__(
        self, scene, name="oriel-device", *, listen="127.0.0.1:0", cert="device-oriel", netns=None, **settings
    ):
        self.scene, self.name, self.netns = scene, name, netns
        self.pem = CERTS / f"{cert}.pem"
        top = {"listen": [listen], "data": scene.folder / f"{name}-data", **settings}
        top |= {"allow_private_addresses": NETWORKS, "allow_private_addresses_by_uplink": NETWORKS}
        tables = [
            ("[[certificate]]", {"id": self.CERTIFICATE, "chain": self.pem, "key": CERTS / f"{cert}.key"}),
            ("[[policy]]", {"id": self.POLICY, "anchors": CERTS / "ca.pem"}),
        ]
        self.config = write_toml(scene.folder / f"{name}.toml", top, tables)
        self.user = self.password = self.process = None

    def start(self):
        argv = [self.scene.oriel, "device", "--config", str(self.config), "--json"]
        self.process = self.scene.spawn(self.name, argv, env=LOGS, netns=self.netns)
        up = self.process.wait("up", timeout=30)
        self.lan, self.fingerprint, self.certificate = up["lan"], up.get("fingerprint"), up.get("certificate")
        self.user, self.password = up.get("user") or self.user, up.get("password") or self.password
        return self

    def call(self, body, **options):
        options = {"user": self.user, "password": self.password, **options}
        return in_netns(self.netns, lambda: soap.call(self.lan, body, **options))

    @staticmethod
    def set_body(address, certificate=CERTIFICATE, policy=POLICY, level="Administrator"):
        fields = [
            ("RemoteAddress", address),
            ("CertificateID", certificate),
            ("UserLevel", level),
            ("CertPathValidationPolicyID", policy),
        ]
        inner = "".join(f"<tup:{name}>{value}</tup:{name}>" for name, value in fields if value)
        return f"<tup:SetUplink><tup:Configuration>{inner}</tup:Configuration></tup:SetUplink>"

    @staticmethod
    def delete_body(address):
        return f"<tup:DeleteUplink><tup:RemoteAddress>{address}</tup:RemoteAddress></tup:DeleteUplink>"

    def set_uplink(self, address, **fields):
        answer = self.call(self.set_body(address, **fields))
        check(answer.status == 200, f"SetUplink {address}: {answer}")

    def delete_uplink(self, address):
        answer = self.call(self.delete_body(address))
        check(answer.status == 200, f"DeleteUplink {address}: {answer}")

    def uplinks(self):
        """RemoteAddress → the other fields of its configuration."""
        answer = self.call("tup:GetUplinks")
        if answer.status != 200:
            raise Failure(f"GetUplinks: {answer}")
        found = {}
        for entry in answer.child():
            fields = {}
            for element in entry:
                fields[element.tag.rpartition("}")[2]] = (element.text or "").strip()
            found[fields.pop("RemoteAddress")] = fields
        return found

    def connected(self, address, timeout=20):
        self.scene.until(f"{address} Connected", lambda: self.uplinks()[address].get("Status") == "Connected", timeout)


class Bridge:
    """`oriel device` as the bridge of cameras: name → (address, accounts). Each enrols itself at the cloud."""

    def __init__(self, scene, cameras, cloud=None, *, name="oriel-bridge", camera_pages=False, levels=("Administrator",)):
        self.scene, self.name = scene, name
        top = {"listen": ["127.0.0.1:0"], "data": scene.folder / f"{name}-data"}
        top |= {"allow_private_addresses": NETWORKS, "allow_private_addresses_by_uplink": NETWORKS}
        self.top, self.tables = top, [("[bridge]", {"camera_pages": camera_pages})]
        if cloud:
            code = cloud.api("POST", "/enrolments", {"name": "site", "uses": max(1, len(cameras))})["code"]
            self.tables.append(("[bridge.cloud]", {"url": cloud.url, "code": code, "ca": cloud.ca, "levels": levels}))
        self.config = scene.folder / f"{name}.toml"
        self.write(cameras)

    def write(self, cameras):
        """The list as it is from now on; a running bridge reads it by itself."""
        tables = list(self.tables)
        for name, (address, accounts) in cameras.items():
            tables.append(("[[camera]]", {"name": name, "address": address}))
            for level, (user, password) in accounts.items():
                tables.append(("[[camera.account]]", {"user": user, "password": password, "level": level}))
        write_toml(self.config, self.top, tables)

    def start(self):
        argv = [self.scene.oriel, "device", "--config", str(self.config), "--json"]
        self.process = self.scene.spawn(self.name, argv, env=LOGS)
        self.url = self.process.wait("up", timeout=30)["lan"]
        return self

    def camera(self, name):
        """What the bridge said last of a camera."""
        return (self.process.all("up", camera=name) or [{}])[-1]

    def lan(self, name):
        return f"{self.url}/{name}/onvif/device_service"

    def enrolled(self, name, timeout=40):
        """Waits until the camera is in the cloud; returns its id there."""

        def done():
            enrolment = self.camera(name).get("enrolment") or {}
            return enrolment.get("state") == "done" and enrolment["device"]

        return self.scene.until(f"{name} enrolled", done, timeout)
