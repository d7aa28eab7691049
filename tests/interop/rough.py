"""The rough camera as the scenarios use it: started with its moods, asked by SOAP, its log awaited."""

import sys

import soap
from harness import PEERS, check

TPTZ = "http://www.onvif.org/ver20/ptz/wsdl"
TRT = "http://www.onvif.org/ver10/media/wsdl"
TIMG = "http://www.onvif.org/ver20/imaging/wsdl"
TEV = "http://www.onvif.org/ver10/events/wsdl"
TDS = soap.TDS
PASSWORDS = {"root": "rough pass", "oper": "0per", "view": "v1ew"}
XADDR = "http://192.168.1.108"
# Every manner that a camera may have, so that each is met at least once.
CHARACTERS = {
    "digest": ["--prefixes", "odd", "--auth", "digest", "--framing", "chunked", "--subscriptions", "query"],
    "ancient": [
        *(
            "--prefixes",
            "default",
            "--auth",
            "digest-old",
            "--http",
            "1.0",
            "--framing",
            "close",
            "--subscriptions",
            "both",
        ),
        *("--mood", "no-chunked", "--mood", "long-401"),
    ],
    "token": ["--prefixes", "numbered", "--auth", "token", "--framing", "length", "--subscriptions", "reference"],
    "slow": [
        *("--prefixes", "two", "--auth", "both", "--slow", "0.02", "--framing", "chunked", "--skew", "-400"),
        *("--mood", "close", "--mood", "strict-host"),
    ],
    "fussy": [
        *("--prefixes", "plain", "--auth", "digest-sha256", "--nonce-uses", "2", "--framing", "length"),
        *("--mood", "date-auth", "--mood", "liar"),
    ],
}


class Rough:
    def __init__(self, scene, *options, name="rough-camera", netns=None):
        self.process = scene.spawn(name, [sys.executable, "-u", PEERS / "rough_camera.py", *options], netns=netns)
        self.scene = scene
        up = self.process.wait("listening")
        self.urls, self.xaddr = up["urls"], up["xaddr"]
        self.users = {level: (user, password) for user, password, level in up["users"]}

    @property
    def url(self):
        return self.urls[0]

    def state(self, camera=0):
        return self.process.ask("state", camera=camera)

    def do(self, do, camera=0, **fields):
        return self.process.ask(do, camera=camera, **fields)

    def asked(self, since=0, **match):
        """What reached it, and was answered."""
        return self.process.all("asked", since=since, **match)

    def leaked(self):
        """Passwords in the plain, or a scheme that nobody asked for."""
        return [event for event in self.process.all("asked") if event.get("leaked")]

    def moved(self, camera=0):
        """Waits until it has really moved."""
        return self.scene.until("the camera moves", lambda: self.state(camera)["position"][0] > 0.01, timeout=5)


def move(speed=0.5, profile="Profile_1"):
    return (
        f'<p:ContinuousMove xmlns:p="{TPTZ}"><p:ProfileToken>{profile}</p:ProfileToken><p:Velocity>'
        f'<tt:PanTilt x="{speed}" y="0"/></p:Velocity></p:ContinuousMove>'
    )


def bare(namespace, operation, inner=""):
    return f'<o:{operation} xmlns:o="{namespace}">{inner}</o:{operation}>'


def with_profile(namespace, operation):
    return bare(namespace, operation, "<o:ProfileToken>Profile_1</o:ProfileToken>")


def stream_uri():
    setup = "<o:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol></tt:Transport></o:StreamSetup>"
    return bare(TRT, "GetStreamUri", f"{setup}<o:ProfileToken>Profile_1</o:ProfileToken>")


def by_digest(url, body, user, password, method="POST"):
    """One SOAP call or GET with HTTP Digest: the challenge first."""
    fields = {"Content-Type": "application/soap+xml; charset=utf-8"} if body else {}
    data = soap.envelope(body) if body else None
    first = soap.send(url, data, method, fields)
    check(first.status == 401, f"no challenge: {first}")
    challenge = first.headers["www-authenticate"]
    challenge = challenge[challenge.index("Digest ") :]
    target = "/" + url.split("/", 3)[3]
    fields["Authorization"] = soap.digest_authorization(challenge, user, password, method, target)
    return soap.send(url, data, method, fields)
