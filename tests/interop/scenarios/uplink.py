"""The reverse tunnel against independent peers, both roles and both forms, with mTLS (Uplink chapter 5)."""

import hashlib
import re
import ssl
import time

import liars
import oriel
import soap
from harness import CERTS, Failure, check, scenario
from soap import TDS

# Below the device's default bound on a request.
LARGE = 200_000


def fingerprint(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read_text())).hexdigest()


# ---- their device, our cloud


def their_device(scene, language, form):
    cloud = oriel.Cloud(scene).start()
    id = cloud.add_device(CERTS / f"device-{language}.pem")
    token = cloud.token()
    address = cloud.uplink("wss" if form == "websocket" else "https", "/uplink")
    stranger = scene.peer_device("python", address, cloud.ca, cert="stranger-device", name="unregistered")
    refused = stranger.wait("refused", "failed", "connected")
    check(refused["event"] != "connected", "an unregistered certificate was let in")
    if refused["event"] == "refused":
        check(refused["status"] in (401, 403), f"an unregistered certificate got {refused['status']}")
    device = scene.peer_device(language, address, cloud.ca, "--reconnect", "--pad", LARGE)
    tunnels = cloud.online(id)
    check(tunnels[0]["form"] == form, f"form {tunnels[0]}")
    device.wait("connected")
    answer = cloud.call(id, "tds:GetDeviceInformation", token)
    check(answer.status == 200, f"GetDeviceInformation: {answer}")
    check(answer.values("Model") == [f"{language}-device{'x' * LARGE}"], "the large answer came out changed")
    seen = device.wait("request", operation="GetDeviceInformation")
    check(
        seen["headers"].get(":authority") and seen["headers"][":scheme"] == "https",
        f"the gateway asks as {seen['headers']}",
    )
    leaked = [name for name in seen["headers"] if name in ("authorization", "cookie")]
    check(not leaked, f"the gateway let {leaked} through to the device")
    answer = cloud.call(id, "tds:GetScopes", token)
    check("ActionNotSupported" in str(answer.fault()), f"the device's own fault was lost: {answer}")
    # The peer drops the connection without a word: offline at once, back by itself.
    device.kill()
    cloud.offline(id)
    answer = cloud.call(id, "tds:GetDeviceInformation", token)
    check(answer.status == 503, f"an offline device answers {answer}")
    again = scene.peer_device(language, address, cloud.ca, "--reconnect", name=f"{language}-device-again")
    cloud.online(id)
    check(cloud.call(id, "tds:GetSystemDateAndTime", token).status == 200, "no answer after the return")
    # Revocation cuts the live tunnel and bars the next.
    mark = again.mark()
    cloud.revoke(id)
    again.wait("closed", since=mark)
    barred = again.wait("refused", "failed", "connected", since=mark, timeout=10)
    check(barred["event"] != "connected", "a revoked device was let in again")


@scenario("cloud-rewrites-addresses", timeout=30)
def rewrites(scene):
    """A device that answers with addresses of its own LAN, whoever asks: through the cloud they must lead through the cloud."""
    cloud = oriel.Cloud(scene).start()
    id = cloud.add_device(CERTS / "device-python.pem")
    token = cloud.token()
    scene.peer_device("python", cloud.uplink(), cloud.ca)
    cloud.online(id)
    answer = cloud.call(id, "tds:GetServices", token)
    check(answer.status == 200, f"GetServices: {answer}")
    addresses = answer.values("XAddr")
    check(
        addresses and all(a.startswith(f"{cloud.url}/d/{id}/") for a in addresses),
        f"addresses of the device's LAN come out: {addresses}",
    )
    again = soap.call(addresses[0], "tds:GetDeviceInformation", token=token, context=cloud.context)
    check(again.status == 200, f"the address given out does not work: {again}")


# ---- our device, their cloud


def upgrade_request(up, form, address_path, port):
    check(up["line"] == f"GET {address_path} HTTP/1.1", f"request line {up['line']!r}")
    check(up["alpn"] == "http/1.1", f"ALPN {up['alpn']!r}")
    check(up["early"] == 0, f"{up['early']} bytes before the 101")
    check(
        up["certificate"] == fingerprint(CERTS / "device-oriel.pem"),
        "another client certificate than the configured one",
    )
    if isinstance(up["headers"], list):  # the Python peer keeps spelling and order
        names = [name for name, _ in up["headers"]]
        check(
            all(re.fullmatch(r"[A-Z][a-z0-9]*(-[A-Z][A-Za-z0-9]*)*", name) for name in names), f"header names {names}"
        )
        headers = {name.lower(): value for name, value in up["headers"]}
        check(len(headers) == len(names), f"a header twice: {names}")
    else:
        headers = up["headers"]
    check(headers["host"] == f"127.0.0.1:{port}", f"Host {headers['host']!r}")
    check(headers["connection"] == "Upgrade", f"Connection {headers['connection']!r}")
    check(
        headers["upgrade"].lower() == ("h2c-reverse" if form == "native" else "websocket"),
        f"Upgrade {headers['upgrade']!r}",
    )
    if form == "websocket":
        check(headers["sec-websocket-protocol"] == "h2c-reverse", f"subprotocol {headers['sec-websocket-protocol']!r}")
        check("sec-websocket-extensions" not in headers, "a WebSocket extension was offered")


def own_uplink(scene, device, cloud, address):
    """SetUplink and DeleteUplink through the very uplink that they change get their answers."""
    answer = cloud.ask("call", operation="tup:SetUplink", body=device.set_body(address, level="Operator"))
    check(answer["status"] == 200, f"SetUplink through its own uplink: {answer['status']} {answer['body'][:400]}")
    scene.until("UserLevel Operator", lambda: device.uplinks()[address]["UserLevel"] == "Operator")

    def asked(operation, body=None):
        """The tunnel may be replaced by one with the new level while we ask: no answer is no verdict."""
        try:
            return cloud.ask("call", operation=operation, body=body)
        except Failure:
            return None

    # Deleting what is not there changes nothing, whoever may do it.
    nothing = device.delete_body("https://nowhere.example/")

    def verdict(subcode):
        answer = asked("tup:DeleteUplink", nothing)
        return answer and answer["status"] != 200 and subcode in answer["body"]

    scene.until("the lower level to hold inside the tunnel", lambda: verdict("NotAuthorized"))
    device.set_uplink(address)
    device.connected(address)
    scene.until("the administrator's level to hold again", lambda: verdict("Address"))
    answer = cloud.ask("call", operation="tup:DeleteUplink", body=device.delete_body(address))
    check(answer["status"] == 200, f"DeleteUplink through its own uplink: {answer['status']} {answer['body'][:400]}")
    scene.until("all tunnels closed", lambda: len(cloud.all("closed")) == len(cloud.all("connected")))
    check(address not in device.uplinks(), "the deleted uplink is still listed")
    mark, count = cloud.mark(), len(cloud.all("connected"))
    time.sleep(3)
    check(len(cloud.all("connected")) == count, f"a deleted uplink was dialled again: {cloud.events[mark:]}")


def their_cloud(scene, language, form):
    options = ["--split"] if (language, form) == ("python", "native") else []
    cloud = scene.peer_cloud(language, *options)
    path = "/up/link?site=1"
    address = f"{'wss' if form == 'websocket' else 'https'}://127.0.0.1:{cloud.port}{path}"
    device = oriel.Device(scene).start()
    device.set_uplink(address)
    up = cloud.wait("connected")
    upgrade_request(up, form, path, cloud.port)
    check(cloud.wait("settings")["connect_protocol"] == 1, "the device does not offer extended CONNECT")
    device.connected(address)
    for operation, part in (
        ("GetSystemDateAndTime", "UTCDateTime"),
        ("GetDeviceInformation", "Manufacturer"),
        ("GetServices", TDS),
    ):
        answer = cloud.ask(
            "call",
            operation=f"tds:{operation}",
            body=(
                "<tds:GetServices><tds:IncludeCapability>true</tds:IncludeCapability></tds:GetServices>"
                if operation == "GetServices"
                else None
            ),
        )
        check(
            answer["status"] == 200 and part in answer["body"],
            f"{operation}: {answer['status']} {answer['body'][:300]}",
        )
        check(
            int(answer["headers"]["content-length"]) == len(answer["body"].encode()),
            f"{operation}: content-length {answer['headers']}",
        )
    answer = cloud.ask("call", operation="tds:NoSuchOperation")
    check(
        answer["status"] >= 400 and "UnknownAction" in answer["body"],
        f"an unknown operation: {answer['status']} {answer['body'][:300]}",
    )
    large = f"<!--{'x' * LARGE}--><tds:GetHostname/>"
    answer = cloud.ask("call", operation="tds:GetHostname", body=large)
    check(answer["status"] == 200, f"a request of {LARGE} bytes: {answer['status']}")
    # GOAWAY: a second tunnel at once, the first closes when its streams are done. A tunnel younger than 5 s is replaced by the
    # ladder, so that two clouds cannot play ball: be older.
    time.sleep(max(0.0, up["time"] + 5.5 - time.monotonic()))
    begun, mark = time.monotonic(), cloud.mark()
    cloud.send("goaway", tunnel=up["tunnel"])
    second = cloud.wait("connected", since=mark, timeout=10)
    scene.number("goaway_to_second_tunnel_ms", round((second["time"] - begun) * 1000))
    check(second["time"] - begun < 1.0, f"the second tunnel came {second['time'] - begun:.1f} s after the GOAWAY")
    if (language, form) == ("node", "native"):
        cloud.send("abort", tunnel=up["tunnel"])  # this peer is deaf after its own GOAWAY, see cloud.mjs
    cloud.wait("closed", tunnel=up["tunnel"], since=mark, timeout=10)
    check(cloud.ask("call", operation="tds:GetHostname")["status"] == 200, "no answer on the second tunnel")
    # The connection breaks: the device dials again by itself.
    begun, mark = time.monotonic(), cloud.mark()
    cloud.send("abort")
    third = cloud.wait("connected", since=mark, timeout=35)
    scene.number("abort_to_redial_ms", round((third["time"] - begun) * 1000))
    device.connected(address)
    if form == "websocket":
        mark = cloud.mark()
        cloud.send("text")
        cloud.wait("closed", since=mark, timeout=10)
        if language == "python":
            check(cloud.wait("websocket-close", since=mark)["code"] == 1003, "a text message is not answered with 1003")
        cloud.wait("connected", since=mark, timeout=35)
        device.connected(address)
    own_uplink(scene, device, cloud, address)


for peer_language in ("python", "node"):
    for kind in ("native", "websocket"):
        scenario(f"uplink-{peer_language}-device-{kind}", timeout=90)(
            lambda s, p=peer_language, k=kind: their_device(s, p, k)
        )
        scenario(f"uplink-{peer_language}-cloud-{kind}", timeout=150)(
            lambda s, p=peer_language, k=kind: their_cloud(s, p, k)
        )


# ---- dialects of the upgrade request

DIALECTS = {
    "lower-version": ["lower-version"],
    "lower-headers": ["lower-headers"],
    "upper-headers": ["upper-headers"],
    "connection-list": ["connection-list"],
    "connection-repeat": ["connection-repeat"],
    "upgrade-list": ["upgrade-list"],
    "host-without-port": ["host-without-port"],
    "early-settings": ["early-settings"],
    "all-at-once": ["lower-version", "lower-headers", "connection-list", "host-without-port", "early-settings"],
}


@scenario("lower-case-version", timeout=60)
def dialects(scene):
    """Upgrade requests as published devices write them: each must become a tunnel that answers."""
    cloud = oriel.Cloud(scene).start()
    id = cloud.add_device(CERTS / "device-raw.pem")
    token = cloud.token()
    for name, quirks in DIALECTS.items():
        options = [part for quirk in quirks for part in ("--quirk", quirk)]
        device = scene.peer_device(
            "python", cloud.uplink(path="/any/path?x=1"), cloud.ca, *options, cert="device-raw", name=name
        )
        up = device.wait("connected", "refused", "failed")
        check(up["event"] == "connected", f"{name}: {up}")
        cloud.online(id)
        answer = cloud.call(id, "tds:GetDeviceInformation", token)
        check(answer.status == 200, f"{name}: {answer}")
        device.end()
        cloud.offline(id)


# ---- eight uplinks


@scenario("eight-uplinks", timeout=150)
def eight(scene):
    """Two good clouds beside six that lie: the good ones are unaffected, and Error names the layer that failed."""
    cloud = oriel.Cloud(scene).start()
    device = oriel.Device(scene).start()
    id = cloud.add_device(device.pem)
    token = cloud.token()
    python = scene.peer_cloud("python")
    goods = [cloud.uplink(path="/uplink"), f"wss://127.0.0.1:{python.port}/uplink"]
    lies = {
        name: liars.Liar(scene, name) for name in ("mute", "wrong-name", "says-200", "garbage", "says-503", "hangs-up")
    }
    for address in [*goods, *(liar.address for liar in lies.values())]:
        device.set_uplink(address)
    for address in goods:
        device.connected(address)
    tunnel = cloud.online(id)[0]
    check(len(device.uplinks()) == 8, f"eight were set: {list(device.uplinks())}")
    ninth = device.call(device.set_body("https://127.0.0.1:1/ninth"))
    fault = ninth.fault()
    if ninth.status == 200:
        device.delete_uplink("https://127.0.0.1:1/ninth")
    else:
        check("MaxUplinks" in fault[0] and re.search(r"\d", fault[1]), f"one too many: {ninth}")
    patient = time.monotonic() + 25
    slowest, asked = 0.0, 0
    while time.monotonic() < patient:
        begun = time.monotonic()
        check(cloud.call(id, "tds:GetHostname", token).status == 200, "a good uplink failed beside the lying ones")
        check(
            python.ask("call", operation="tds:GetHostname")["status"] == 200,
            "a good uplink failed beside the lying ones",
        )
        slowest, asked = max(slowest, time.monotonic() - begun), asked + 2
        time.sleep(0.2)
    scene.number("calls", asked)
    scene.number("slowest_pair_ms", round(slowest * 1000))
    check(oriel.same(cloud.online(id)[0], tunnel) and len(python.all("connected")) == 1, "a good tunnel was replaced")
    found = device.uplinks()
    scene.number("errors", {name: found[liar.address].get("Error", "") for name, liar in lies.items()})
    for name, liar in lies.items():
        entry = found[liar.address]
        check(entry.get("Status") in ("Offline", "Connecting"), f"{name}: Status {entry}")
        check(
            re.search(liar.error, entry.get("Error", ""), re.I),
            f"{name}: Error {entry.get('Error')!r} does not match {liar.error!r}",
        )
        check(len(liar.times) >= 2 or name == "mute", f"{name}: dialled {len(liar.times)} times in 25 s")
    waits = lies["says-503"].gaps()
    check(
        waits and waits[0] >= liars.RETRY_AFTER - 0.5,
        f"503 with Retry-After {liars.RETRY_AFTER}: dialled again after {waits}",
    )
    unreachable(scene, device, lies)


def unreachable(scene, device, lies):
    """Two more ways to fail, in the places of two that were seen: nobody listens, and no such name."""
    for name in ("says-200", "hangs-up"):
        device.delete_uplink(lies[name].address)
    for address, pattern in (
        (liars.refusing(scene), r"tcp|connect|refused"),
        ("https://no-such-host.invalid/", r"name|dns|resol|lookup"),
    ):
        device.set_uplink(address)
        error = scene.until(f"an Error for {address}", lambda a=address: device.uplinks()[a].get("Error"))
        check(re.search(pattern, error, re.I), f"{address}: Error {error!r} does not match {pattern!r}")
