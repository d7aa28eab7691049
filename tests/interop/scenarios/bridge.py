"""Other people's clients in front, a cloud and the bridge between, other makers' cameras behind."""

import json
import threading
import time

import oriel
import rough
import soap
from harness import check, scenario
from rough import TDS, TEV, TPTZ, TRT, bare
from scenarios import client as readers
from scenarios.cameras import Bought, clients, look, step, view

# A client that passes no reference parameters on cannot use a pull point that is known by them alone.
NO_REFERENCES = ("token", "ancient")
# The cameras count who listens to them, and the cloud would.
NO_FEED = ("[feed]", {"enabled": False})


def site(scene, cameras, **options):
    """A cloud with host names, and a bridge whose cameras are all online; returns the ids by name."""
    cloud = oriel.Cloud(scene, cert="hosts", domain="cams.localhost", tables=[NO_FEED]).start()
    bridge = oriel.Bridge(scene, cameras, cloud, **options).start()
    ids = {name: bridge.enrolled(name) for name in cameras}
    for id in ids.values():
        cloud.online(id)
    return cloud, bridge, ids


def yard(scene, *names):
    """Rough cameras by the names of their characters, and the entries of a bridge's list."""
    cameras = {name: rough.Rough(scene, *rough.CHARACTERS[name], name=f"camera-{name}") for name in names}
    return cameras, {name: (camera.url, camera.users) for name, camera in cameras.items()}


def honest(cameras):
    """No camera saw a password in the plain, nor anything but the accounts that are its own."""
    for name, camera in cameras.items():
        check(not camera.leaked(), f"{name}: {camera.leaked()[:1]}")
        for event in camera.asked():
            check("a-token-of-the-cloud" not in json.dumps(event), f"{name} saw what was not for it: {event}")


@scenario("bridge-npm-onvif", timeout=120)
def npm(scene):
    """Every character, by access key: UsernameToken in front, whatever the camera wants behind."""
    cameras, entries = yard(scene, *rough.CHARACTERS)
    # What comes by an uplink has the uplink's level, whoever asked the cloud.
    cloud, _, ids = site(scene, entries, levels=("Operator",))
    for name, camera in cameras.items():
        user, password, path, host = cloud.key(ids[name], "operator")
        address, by = (host, "token") if name == "digest" else (path, "digest")
        client = clients(scene, "npm", address, user, password, f"by={by}")
        view(client, camera, address.rpartition("/onvif/")[0])
        client.end()
        accounts = {
            event["account"] for event in camera.asked() if event["account"] and event["operation"] == "ContinuousMove"
        }
        check(accounts == {"oper"}, f"{name}: an operator's move came as {accounts}")
    honest(cameras)


@scenario("bridge-zeep", timeout=120)
def zeep(scene):
    """Strict, and by `oriel forward`."""
    cameras, entries = yard(scene, *(name for name in rough.CHARACTERS if name not in NO_REFERENCES))
    cloud, _, ids = site(scene, entries)
    for name, camera in cameras.items():
        port = oriel.Forward(scene, cloud.url, ids[name], cloud.ca, cloud.token("operator"), name=f"forward-{name}")
        client = clients(scene, "zeep", port.lan, "any", "account")
        view(client, camera, port.url)
        client.end()
        port.process.end()
    honest(cameras)


@scenario("bridge-bought", timeout=120)
def bought(scene):
    """Cameras of other people's writing."""
    cameras = {kind.replace("_", "-"): Bought(scene, kind) for kind in ("oxvif", "onvif_server")}
    entries = {
        name: (camera.url, {"Administrator": (camera.user, camera.password)}) for name, camera in cameras.items()
    }
    cloud, _, ids = site(scene, entries)
    for name, camera in cameras.items():
        port = oriel.Forward(scene, cloud.url, ids[name], cloud.ca, cloud.token("operator"), name=f"forward-{name}")
        for library in ("npm", "zeep"):
            picture = look(scene, camera, library, port.lan, "any", "account")
            check(picture["uri"].startswith(port.url), f"{name}: the snapshot is at {picture['uri']}")


@scenario("bridge-own-device", timeout=90)
def own(scene):
    """Our own device as a plain camera: the bridge's Uplink service is the one that is seen, and its uplink the one that is set."""
    device = oriel.Device(scene).start()
    entries = {"plain": (device.lan, {"Administrator": (device.user, device.password)})}
    cloud, _, ids = site(scene, entries)
    port = oriel.Forward(scene, cloud.url, ids["plain"], cloud.ca, cloud.token())
    readers.npm(scene, port.lan, "any", "account")
    through = cloud.call(ids["plain"], "tup:GetUplinks", cloud.token())
    check(len(through.values("RemoteAddress")) == 1, f"the bridge's uplinks: {through}")
    check(device.uplinks() == {}, f"the camera itself has uplinks: {device.uplinks()}")


@scenario("bridge-lan-port", timeout=60)
def lan_port(scene):
    """The bridge's own port, below the camera's name: opened by the camera's accounts, by token and by Digest."""
    cameras, entries = yard(scene, "digest", "token")
    # A client that shows a token is told the bridge's time, since the bridge reads it by its own; the camera's is 400 s off.
    cameras["token"].do("skew", seconds=400)
    bridge = oriel.Bridge(scene, entries).start()
    for name, camera in cameras.items():
        address = bridge.lan(name)
        # The port is there before its cameras are.
        there = lambda: soap.call(address, bare(TDS, "GetSystemDateAndTime")).status == 200  # noqa: E731, B023
        scene.until(f"{name} at the bridge's port", there, 20)
        for by in ("digest",) if name == "digest" else ("digest", "token"):
            client = clients(scene, "npm", address, *camera.users["Operator"], f"by={by}")
            view(client, camera, address.rpartition("/onvif/")[0])
            camera.do("motion", state=False)
            client.end()
        for user, password in (("oper", "wrong"), ("nobody", "0per"), ("root", "")):
            answer = soap.call(address, bare(TDS, "GetDeviceInformation"), user=user, password=password)
            check(answer.status in (400, 401) and "NotAuthorized" in str(answer.fault()), f"{user}: {answer}")
        view_only = soap.call(address, rough.move(), user="view", password="v1ew")
        check(view_only.status in (400, 403), f"a user moves at the port: {view_only}")
    honest(cameras)


@scenario("bridge-levels", timeout=90)
def levels(scene):
    """Who may do what on a camera that thinks its own uplink service is set up, and as whom it is done."""
    cameras, entries = yard(scene, "fussy")
    camera = cameras["fussy"]
    cloud, bridge, ids = site(scene, entries, camera_pages=True)
    id, tokens = ids["fussy"], {role: cloud.token(role) for role in ("viewer", "operator", "administrator")}
    ranks = list(tokens)
    # The cloud lets others ask at an unusual path when it has heard the camera name it.
    services = cloud.call(id, bare(TDS, "GetServices"), tokens["viewer"])
    check(services.values("Namespace").count(soap.TUP) == 1, f"services: {services.text}")
    for body, operation, lowest in (
        (bare(TDS, "GetDeviceInformation"), "GetDeviceInformation", "viewer"),
        (rough.with_profile(TPTZ, "GetStatus"), "GetStatus", "viewer"),
        (rough.move(), "ContinuousMove", "operator"),
        (bare(TDS, "GetUsers"), "GetUsers", "administrator"),
        (bare(TDS, "SystemReboot"), "SystemReboot", "administrator"),
        (bare(TDS, "Invented"), "Invented", "administrator"),
        (bare("http://vendor.example/wsdl", "Reboot"), "Reboot", "administrator"),
    ):
        for role, token in tokens.items():
            mark = camera.process.mark()
            path = "/onvif/ptz?x=1" if operation in ("GetStatus", "ContinuousMove") else "/onvif/device_service"
            url = f"{cloud.url}/d/{id}{path}"
            answer = soap.call(
                url, body, token=token, context=cloud.context, headers={"X-Note": "a-token-of-the-cloud"}
            )
            allowed = ranks.index(role) >= ranks.index(lowest)
            if allowed:
                came = camera.process.wait("asked", since=mark, operation=operation, account="root")
                check(answer.status == came["status"] or answer.status == 502, f"{operation} by {role}: {answer}")
            else:
                check(
                    answer.status == 403 and not camera.asked(since=mark, operation=operation),
                    f"{operation} by {role}: {answer}",
                )
    state = camera.state()
    check(state["reboots"] == 1 and state["position"][0] > 0, f"what became of it: {state}")
    pages(cloud, camera, id, tokens)
    uplinks = cloud.call(id, "tup:GetUplinks", tokens["administrator"])
    check("evil.example" not in uplinks.text and len(uplinks.values("RemoteAddress")) == 1, f"uplinks: {uplinks.text}")
    check(not camera.leaked(), f"{camera.leaked()[:1]}")


def pages(cloud, camera, id, tokens):
    """The vendor's pages and the camera's redirects."""

    def get(role, path):
        headers = {"Authorization": f"Bearer {tokens[role]}"}
        return soap.send(f"{cloud.url}/d/{id}{path}", None, "GET", headers, cloud.context)

    for role in ("viewer", "operator"):
        check(get(role, "/cgi-bin/reboot").status == 403, f"the vendor's page by {role}")
    check(camera.state()["vendor"] == 0, "the vendor's page was asked")
    with_pages = get("administrator", "/cgi-bin/reboot")
    check(with_pages.status in (200, 403), f"the vendor's page by an administrator: {with_pages}")
    moved = get("administrator", "/redirect?to=http://127.0.0.1:1/")
    check(
        moved.status in (403, 502) and "127.0.0.1:1" not in str(moved.headers), f"a redirect: {moved} {moved.headers}"
    )


@scenario("bridge-pull-points", timeout=60)
def pull_points(scene):
    """A pull point that is known by its reference parameters alone, and a client that passes them on."""
    cameras, entries = yard(scene, "token")
    camera = cameras["token"]
    cloud, _, ids = site(scene, entries)
    token = cloud.token("viewer")
    cloud.call(ids["token"], bare(TDS, "GetServices"), token)
    made = soap.call(
        f"{cloud.url}/d/{ids['token']}/event-1_1",
        bare(TEV, "CreatePullPointSubscription"),
        token=token,
        context=cloud.context,
    )
    check(made.status == 200, f"CreatePullPointSubscription: {made}")
    address, number = made.values("Address")[0], made.values("SubscriptionId")[0]
    check(address.startswith(f"{cloud.url}/d/{ids['token']}/"), f"the pull point is at {address}")
    wsa = "http://www.w3.org/2005/08/addressing"
    header = f'<a:To xmlns:a="{wsa}">{address}</a:To><x:SubscriptionId xmlns:x="http://www.axis.com/2009/event">{number}</x:SubscriptionId>'
    pull = bare(TEV, "PullMessages", "<o:Timeout>PT20S</o:Timeout><o:MessageLimit>5</o:MessageLimit>")

    def ask(body):
        answer = soap.call(address, body, token=token, context=cloud.context, header=header, timeout=40)
        check(answer.status == 200, f"{body[:60]}: {answer}")
        return answer

    check("Initialized" in ask(pull).text, "the first state")
    camera.do("motion", state=True)
    told = ask(pull)
    check("MotionAlarm" in told.text and all(a.startswith(cloud.url) for a in told.values("Address")), f"{told.text}")
    ask(bare("http://docs.oasis-open.org/wsn/b-2", "Renew", "<o:TerminationTime>PT60S</o:TerminationTime>"))
    ask(bare("http://docs.oasis-open.org/wsn/b-2", "Unsubscribe"))
    check(camera.state()["subscriptions"] == 0, "the subscription was not ended")


MANY, PATIENCE = 200, 60


@scenario("bridge-many", timeout=150, alone=True)
def many(scene):
    """Two hundred cameras in one process, one bridge, one cloud: all answer through the cloud, and one that hangs disturbs nobody."""
    yard = rough.Rough(scene, "--count", MANY, "--auth", "digest", "--prefixes", "plain")
    entries = {f"cam-{n}": (url, yard.users) for n, url in enumerate(yard.urls)}
    cloud = oriel.Cloud(scene, tables=[NO_FEED]).start()
    bridge = oriel.Bridge(scene, {}, cloud)
    bridge.tables[-1][1]["code"] = cloud.api("POST", "/enrolments", {"name": "site", "uses": MANY})["code"]
    bridge.write({})
    bridge.start()
    empty = resident(bridge.process.pid)
    begun = time.monotonic()
    bridge.write(entries)
    ids = {name: bridge.enrolled(name, timeout=PATIENCE) for name in entries}
    for id in ids.values():
        cloud.online(id, timeout=PATIENCE)
    scene.number("all_online_s", round(time.monotonic() - begun, 1))
    token = cloud.token("viewer")
    for name, id in ids.items():
        answer = cloud.call(id, bare(TDS, "GetDeviceInformation"), token)
        serial = f"ROUGH-{int(name[4:]):04d}"
        check(answer.values("SerialNumber") == [serial], f"{name}: {answer}")
    yard.do("mood", camera=7, mood=["hang"])
    hung = threading.Thread(
        target=lambda: cloud.call(ids["cam-7"], bare(TDS, "GetDeviceInformation"), token, timeout=60)
    )
    hung.start()
    yard.process.wait("hung", camera=7)
    for n in (6, 8, 199):
        check(
            cloud.call(ids[f"cam-{n}"], bare(TDS, "GetDeviceInformation"), token).status == 200,
            f"cam-{n} beside one that hangs",
        )
    check(hung.is_alive(), "what hangs is over")
    yard.do("mood", camera=7, mood=[])
    hung.join()
    scene.number("kib_per_camera", round((resident(bridge.process.pid) - empty) / MANY))


def resident(pid):
    """Memory in KiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
