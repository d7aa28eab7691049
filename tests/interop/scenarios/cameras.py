"""Cameras of other makers by themselves: other people's clients manage with them, and the rough one refuses what a real camera refuses."""

import install
import oriel
import rough
import soap
from harness import CERTS, PEERS, Skip, check, scenario
from rough import TDS, bare, by_digest


def clients(scene, name, address, user, password, *options):
    """One of the two clients as a viewer at an address."""
    if name == "npm":
        environment = {"NODE_PATH": str(install.CACHE / "node/node_modules"), "CLOUD_CA": str(CERTS / "ca.pem")}
        argv = ["node", PEERS / "viewer_npm.cjs", address, user, password, *options]
        return scene.spawn("npm-onvif", argv, env=environment)
    argv = [install.python("zeep"), PEERS / "viewer_zeep.py", address, user, password, *options]
    return scene.spawn("onvif-zeep-async", argv)


class Bought:
    """A camera of other people's writing: `oxvif` or `onvif_server`."""

    # What they cannot do for a client of others: one has pull points that nobody else reads, one names PTZ by a namespace of its own.
    WITHOUT = {
        ("oxvif", "npm"): "events",
        ("oxvif", "zeep"): "events",
        ("onvif_server", "npm"): "events",
        ("onvif_server", "zeep"): "events,ptz",
    }
    MAKERS = {"oxvif": "oxvif-mock", "onvif_server": "Another Maker"}

    def __init__(self, scene, kind):
        program = install.camera(kind)
        if not program.exists():
            raise Skip(f"{program.name} could not be built from crates.io")
        self.kind, self.process = kind, scene.spawn(kind, [program])
        up = self.process.wait("listening")
        self.url, self.user, self.password = up["url"], up["user"], up["password"]


def step(client, name, timeout=30):
    event = client.wait(name, "error", timeout=timeout)
    check(event["event"] == name, event.get("text", ""))
    return event


def view(client, camera, base=None, motion=True):
    """Everything that a viewer does, step by step; `base`: where every address has to lead to."""
    connected = step(client, "connected", 40)
    check("Profile_1" in connected["profiles"], f"profiles {connected['profiles']}")
    information = step(client, "information")["information"]
    maker = information.get("manufacturer") or information.get("Manufacturer")
    check(maker == "Rough & Söhne", f"information {information}")
    check(step(client, "stream")["uri"].startswith("rtsp://"), "no stream address")
    picture = step(client, "snapshot")
    check(picture["jpeg"] and picture["bytes"] > 40_000, f"snapshot {picture}")
    moved = step(client, "moved")["position"]
    check(float(moved["x"]) > 0.01, f"not moved: {moved}")
    check(camera.state()["position"][0] > 0.01, "the camera itself did not move")
    subscribed = step(client, "subscribed")
    if base:
        for address in (picture["uri"], subscribed["address"]):
            check(address.startswith(base), f"{address} is given out to who asked at {base}")
    step(client, "initialized")
    if motion:
        camera.do("motion", state=True)
    told = str(step(client, "event")["messages"])
    check("MotionAlarm" in told and "true" in told.lower(), f"events {told[:300]}")
    step(client, "done")
    check(camera.state()["subscriptions"] == 0, "the subscription was not ended")


@scenario("peer-rough-npm", oriel=False, timeout=60)
def npm(scene):
    for name in ("digest", "token"):
        camera = rough.Rough(scene, *rough.CHARACTERS[name], "--xaddr", "own", name=f"camera-{name}")
        by = "by=digest" if name == "digest" else "by=token"
        client = clients(scene, "npm", camera.url, *camera.users["Operator"], by)
        view(client, camera)
        client.end()


@scenario("peer-rough-zeep", oriel=False, timeout=60)
def zeep(scene):
    options = ["--auth", "token", "--prefixes", "default", "--basic", "never", "--xaddr", "own"]
    camera = rough.Rough(scene, *options)
    view(clients(scene, "zeep", camera.url, *camera.users["Operator"]), camera)


def refused(camera, answer, statuses, name):
    check(answer.status in statuses, f"{name}: {answer}")
    camera.process.wait("asked", status=answer.status)


@scenario("peer-rough-strict", oriel=False, timeout=60)
def strict(scene):
    camera = rough.Rough(scene, "--auth", "both", "--skew", "400", "--prefixes", "odd")
    user, password = camera.users["Administrator"]
    base = camera.url.rpartition("/onvif/")[0]
    information = bare(TDS, "GetDeviceInformation")

    def token(**more):
        return soap.call(camera.url, information, header=soap.username_token(user, password, **more))

    check(token(skew=400.0).status == 200, "a token by the camera's clock")
    for name, answer in (
        ("a token by ours", token()),
        (
            "a token with a wrong password",
            soap.call(camera.url, information, header=soap.username_token(user, "x", skew=400.0)),
        ),
        ("nobody", soap.call(camera.url, information)),
        ("a wrong Digest", by_digest(camera.url, information, user, "wrong")),
        ("an unknown user", by_digest(camera.url, information, "nobody", password)),
    ):
        refused(camera, answer, {400, 401}, name)
    once = soap.username_token(user, password, skew=400.0)
    check(soap.call(camera.url, information, header=once).status == 200, "a token")
    refused(camera, soap.call(camera.url, information, header=once), {400, 401}, "the same token again")
    check(by_digest(camera.url, information, user, password).status == 200, "a Digest")
    for level, works in (("User", False), ("Operator", True)):
        answer = by_digest(f"{base}/onvif/ptz?x=1", rough.move(), *camera.users[level])
        check((answer.status == 200) == works, f"{level} moves: {answer}")
    check(camera.moved(), "it did not move")
    check(soap.call(f"{base}/onvif/ptz", rough.move()).status == 404, "PTZ without its query")
    check(by_digest(f"{base}/cgi-bin/reboot", None, user, password, "GET").status == 200, "the vendor page")
    check(
        by_digest(f"{base}/cgi-bin/reboot", None, *camera.users["User"], "GET").status == 403,
        "the vendor page by a user",
    )
    check(camera.state()["vendor"] == 1, "the vendor page's count")
    refused(
        camera,
        soap.call(camera.url, bare(TDS, "GetHostname", ""), headers={"Content-Type": "text/xml"}),
        {415},
        "text/xml",
    )
    refused(
        camera, soap.send(camera.url, b"<a>", headers={"Content-Type": "application/soap+xml"}), {400}, "no envelope"
    )


@scenario("peer-rough-styles", oriel=False, timeout=60)
def styles(scene):
    """Every manner of prefixes and of framing says the same."""
    calls = [bare(TDS, "GetServices", "<o:IncludeCapability>true</o:IncludeCapability>"), bare(TDS, "GetCapabilities")]
    seen = {}
    for prefixes in ("plain", "default", "numbered", "odd", "two"):
        for framing, version in (("length", "1.0"), ("chunked", "1.1"), ("close", "1.1")):
            options = ["--auth", "none", "--prefixes", prefixes, "--framing", framing, "--http", version]
            camera = rough.Rough(scene, *options, name=f"camera-{prefixes}-{framing}")
            for call in calls:
                tags = [element.tag for element in soap.call(camera.url, call).tree().iter()]
                check(seen.setdefault(call, tags) == tags, f"{prefixes} {framing}: other elements")
            camera.process.end()


def look(scene, camera, name, address, user, password):
    """All that a bought camera can do for this client."""
    without = Bought.WITHOUT[camera.kind, name]
    client = clients(scene, name, address, user, password, f"without={without}")
    check(step(client, "connected", 40)["profiles"], "no profiles")
    information = step(client, "information")["information"]
    check(Bought.MAKERS[camera.kind] in information.values(), f"information {information}")
    check(step(client, "stream")["uri"].startswith("rtsp://"), "no stream address")
    picture = step(client, "snapshot")
    check(picture["bytes"] > 0, f"snapshot {picture}")
    if "ptz" not in without:
        moved = step(client, "moved")["position"]
        if camera.kind == "oxvif":
            check(float(moved["x"]) > 0.01, f"not moved: {moved}")
        else:
            camera.process.wait("moved", pan=0.5)
            camera.process.wait("stopped")
    step(client, "done")
    client.end()
    return picture


@scenario("peer-bought", oriel=False, timeout=60)
def bought(scene):
    """What these cameras can do for whoever asks them directly: through the bridge they have to do as much."""
    for kind in ("oxvif", "onvif_server"):
        camera = Bought(scene, kind)
        for name in ("npm", "zeep"):
            look(scene, camera, name, camera.url, camera.user, camera.password)


@scenario("call-rough", timeout=60)
def call(scene):
    """`oriel call` at the rough camera in each of its characters: reading, moving, and what an account may not do."""
    for name, character in rough.CHARACTERS.items():
        camera = rough.Rough(scene, *character, name=f"camera-{name}")

        def ask(level, operation, *parameters, camera=camera, name=name):
            user, password = camera.users[level]
            argv = [scene.oriel, "call", camera.url, operation, *parameters, "--json"]
            done = oriel.run(argv, {"ORIEL_USER": user, "ORIEL_PASSWORD": password})
            return done

        def read(level, operation, *parameters, name=name):
            done = ask(level, operation, *parameters)
            check(done.returncode == 0, f"{name}: {operation}: {done.stderr}")
            return done.stdout

        for operation in (
            "GetSystemDateAndTime",
            "GetServices",
            "GetCapabilities",
            "GetDeviceInformation",
            "GetScopes",
        ):
            read("User", operation, *(["IncludeCapability=true"] if operation == "GetServices" else []))
        check("Rough & S\u00f6hne" in read("User", "GetDeviceInformation"), f"{name}: who it is")
        denied = ask("User", "GetUsers")
        check(denied.returncode != 0 and "root" not in denied.stdout, f"{name}: a user reads users: {denied.stdout}")
        check("root" in read("Administrator", "GetUsers"), f"{name}: users")
        check(not camera.leaked(), f"{name}: {camera.leaked()[:1]}")
        camera.process.end()
