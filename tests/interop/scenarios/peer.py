"""The peers against each other, without oriel: what fails here is the peers' own fault."""

import itertools

from harness import CERTS, check, scenario

ECHO = 3_000_000


def pair(scene, cloud_language, device_language, form):
    cloud = scene.peer_cloud(cloud_language)
    scheme = "wss" if form == "websocket" else "https"
    address = f"{scheme}://127.0.0.1:{cloud.port}/up/link?site=1"
    device = scene.peer_device(device_language, address, CERTS / "ca.pem", "--reconnect")
    up = cloud.wait("connected")
    check(up["form"] == form and up["line"] == "GET /up/link?site=1 HTTP/1.1", f"asked {up['line']} as {up['form']}")
    check(up["certificate"], "no client certificate seen")
    for operation, part in (("GetSystemDateAndTime", "UTCDateTime"), ("GetDeviceInformation", "Manufacturer>Interop<")):
        answer = cloud.ask("call", operation=f"tds:{operation}")
        check(
            answer["status"] == 200 and part in answer["body"],
            f"{operation}: {answer['status']} {answer['body'][:200]}",
        )
    answer = cloud.ask("call", operation="tds:GetScopes")
    check(answer["status"] == 500 and "ActionNotSupported" in answer["body"], f"GetScopes: {answer}")
    echoed = cloud.ask("echo", bytes=ECHO)
    check(echoed["same"] and echoed["bytes"] == ECHO, f"echo: {echoed}")
    if form == "websocket":
        mark = device.mark()
        cloud.send("text")
        check(device.wait("closed", since=mark), "a text message does not end the tunnel")
        up = cloud.wait("connected", since=cloud.events.index(up) + 1)
    cloud.send("close")
    cloud.wait("closed", tunnel=up["tunnel"])
    again = cloud.wait("connected", since=cloud.events.index(up) + 1)
    check(again["certificate"] == up["certificate"], "another certificate after the reconnect")


for languages in itertools.product(("python", "node"), repeat=2):
    for kind in ("native", "websocket"):
        cloud_language, device_language = languages
        name = f"peers-{cloud_language}-cloud-{device_language}-device-{kind}"
        scenario(name, timeout=30, oriel=False)(
            lambda scene, c=cloud_language, d=device_language, k=kind: pair(scene, c, d, k)
        )


@scenario("peers-refuse-strangers", timeout=30, oriel=False)
def strangers(scene):
    """A device checks the cloud's chain and name, a cloud the device's chain: peers that skip this would prove nothing."""
    for language in ("python", "node"):
        wrong = scene.peer_cloud(language, cert="wrong-name", name=f"{language}-wrong-name")
        stranger = scene.peer_cloud(language, cert="stranger-server", name=f"{language}-stranger")
        good = scene.peer_cloud(language, name=f"{language}-good")
        for other in ("python", "node"):
            for cloud, cert in ((wrong, None), (stranger, None), (good, "stranger-device")):
                address = f"https://127.0.0.1:{cloud.port}/"
                device = scene.peer_device(other, address, CERTS / "ca.pem", cert=cert, name=f"{other}-to-{cloud.name}")
                failed = device.wait("failed", "refused", "connected")
                check(failed["event"] == "failed", f"{other} device to {cloud.name}: {failed}")
