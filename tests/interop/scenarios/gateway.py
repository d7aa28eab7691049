"""Bad input at the device's LAN door and at the cloud's gateway: each gets the fault or status that Core 5.11.2 or HTTP names, and a text for people."""

import re

import oriel
import soap
from harness import CERTS, check, scenario

BILLION = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "x"><!ENTITY y "&x;&x;&x;&x;">]>'
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
TYPE = {"Content-Type": "application/soap+xml; charset=utf-8"}
OVERSIZED = 9 << 20


def envelope(body):
    return soap.envelope(body)


def documents():
    """Name → (document, statuses, subcodes of which one must be there)."""
    good = envelope("<tds:GetSystemDateAndTime/>")
    nested = "<a>" * 5000 + "</a>" * 5000
    return {
        "malformed": (good[:-12], {400}, {"WellFormed"}),
        "empty": (b"", {400}, None),
        "not XML": (b"hello", {400}, {"WellFormed"}),
        "DTD": (BILLION.encode() + good.split(b"?>", 1)[1], {400}, {"WellFormed"}),
        "deep nesting": (envelope(f"<tds:GetSystemDateAndTime>{nested}</tds:GetSystemDateAndTime>"), {400}, None),
        "SOAP 1.1": (good.replace(soap.ENV.encode(), SOAP11.encode()), {400, 500}, {"VersionMismatch"}),
        "wrong namespace": (
            envelope('<x:GetSystemDateAndTime xmlns:x="http://example.org/x"/>'),
            {400, 500},
            {"UnknownAction", "Namespace"},
        ),
        "unknown operation": (envelope("<tds:NoSuchOperation/>"), {400, 500}, {"UnknownAction"}),
        "empty body": (envelope(""), {400}, None),
        "two operations": (envelope("<tds:GetSystemDateAndTime/><tds:GetHostname/>"), {400}, None),
        "must understand": (
            good.replace(b"<s:Header>", b'<s:Header><x:Odd xmlns:x="urn:x" s:mustUnderstand="true"/>'),
            {400, 500},
            {"MustUnderstand"},
        ),
    }


class Table:
    """Collects every row that does not hold, so that one run shows all."""

    def __init__(self):
        self.wrong, self.rows = [], 0

    def row(self, name, answer, statuses, subcodes=None, text=None):
        self.rows += 1
        problem = None
        if answer.status not in statuses:
            problem = f"status {answer.status}, not one of {sorted(statuses)}"
        fault = answer.fault() if answer.body else None
        if subcodes is not None and problem is None and not (fault and subcodes & set(fault[0])):
            problem = f"no fault with one of {sorted(subcodes)}"
        words = fault[1] if fault else answer.text
        if problem is None and len(words.strip()) < 8:
            problem = "no text that a person understands"
        if problem is None and text and not re.search(text, words, re.I):
            problem = f"text {words[:200]!r} does not match {text!r}"
        if problem:
            self.wrong.append(f"{name}: {problem}: {answer!r}")

    def verdict(self):
        check(not self.wrong, f"{len(self.wrong)} of {self.rows} rows:\n  " + "\n  ".join(self.wrong))


def oversized(url, headers, context=None):
    """The refusal may come while the body is still being sent; only its status is looked at."""
    body = envelope(f"<tds:GetSystemDateAndTime><!--{'x' * OVERSIZED}--></tds:GetSystemDateAndTime>")
    answer = soap.send_large(url, body, headers, context)
    return soap.Answer(answer.status, {}, answer.body or b"the answer's body was not waited for")


@scenario("bad-input-lan", timeout=60)
def lan(scene):
    device = oriel.Device(scene).start()
    table = Table()

    def post(document, headers=TYPE, method="POST"):
        return soap.send(device.lan, document, method, headers)

    for name, (document, statuses, subcodes) in documents().items():
        table.row(name, post(document), statuses, subcodes)
    good = envelope("<tds:GetSystemDateAndTime/>")
    table.row("oversized", oversized(device.lan, TYPE), {413})
    table.row("GET", post(None, {}, "GET"), {405})
    table.row("content type", post(good, {"Content-Type": "application/json"}), {415})
    identified(device, table)
    check(post(good).status == 200, "the device does not answer any more after bad input")
    table.verdict()


def identified(device, table):
    """Wrong credentials, replays and clocks (Core 5.9, WS-UsernameToken)."""
    user, password = device.user, device.password
    anonymous = soap.call(device.lan, "tds:GetUsers")
    table.row("no credentials", anonymous, {401}, {"NotAuthorized"})
    challenges = anonymous.headers.get("www-authenticate", "")
    table.row(
        "a Digest challenge", soap.Answer(200 if challenges.startswith("Digest ") else 0, {}, b"no challenge"), {200}
    )
    refused = {400, 401}
    for name, who, secret in (("wrong password", user, "wrong"), ("unknown user", "nobody", password)):
        answer = soap.call(device.lan, "tds:GetUsers", user=who, password=secret)
        table.row(name, answer, refused, {"NotAuthorized"})
    header = soap.username_token(user, password)
    table.row("a token", soap.call(device.lan, "tds:GetScopes", header=header), {200})
    table.row(
        "replayed nonce",
        soap.call(device.lan, "tds:GetScopes", header=header),
        refused,
        {"NotAuthorized"},
        r"nonce|replay|used",
    )
    for name, skew in (("a clock a day slow", -86400.0), ("a clock a day fast", 86400.0)):
        answer = soap.call(device.lan, "tds:GetScopes", header=soap.username_token(user, password, skew=skew))
        table.row(name, answer, refused, {"NotAuthorized"}, r"clock|time|created|date")
    answer = soap.call(device.lan, "tds:GetScopes", header=soap.username_token(user, password, skew=-3.0))
    table.row("a clock three seconds slow", answer, {200})
    without = re.sub(r"<wsse:Nonce>.*?</wsse:Nonce>", "", soap.username_token(user, password))
    table.row(
        "a token without nonce", soap.call(device.lan, "tds:GetScopes", header=without), refused, {"NotAuthorized"}
    )
    if challenges.startswith("Digest "):
        uri = "/" + device.lan.split("/", 3)[3]
        for name, secret, statuses in (("Digest", password, {200}), ("Digest with a wrong password", "wrong", {401})):
            fields = {"Authorization": soap.digest_authorization(challenges, user, secret, "POST", uri)}
            table.row(name, soap.call(device.lan, "tds:GetScopes", headers=fields), statuses)
    basic = {"Authorization": "Basic " + soap.base64.b64encode(f"{user}:{password}".encode()).decode()}
    table.row("Basic", soap.call(device.lan, "tds:GetScopes", headers=basic), {401})
    wrong = soap.call(
        device.lan,
        "<tup:DeleteUplink><tup:RemoteAddress>https://nowhere.example/</tup:RemoteAddress></tup:DeleteUplink>",
        user=user,
        password=password,
    )
    table.row("DeleteUplink of none", wrong, {400, 500}, {"Address"})
    cases = {
        "CertificateID": device.set_body("https://a.example/", certificate="none"),
        "CertPathValidationPolicyID": device.set_body("https://a.example/", policy="none"),
        "MissingAuthentication": device.set_body("https://a.example/", certificate=None),
        "ProtocolNotSupported": device.set_body("http://a.example/"),
    }
    for subcode, body in cases.items():
        table.row(
            f"SetUplink {subcode}", soap.call(device.lan, body, user=user, password=password), {400, 500}, {subcode}
        )


@scenario("bad-input-cloud", timeout=90)
def cloud(scene):
    # What is no SOAP reaches the device's own door.
    cloud = oriel.Cloud(scene, camera_pages=True).start()
    device = oriel.Device(scene).start()
    id = cloud.add_device(device.pem)
    device.set_uplink(cloud.uplink())
    cloud.online(id)
    token, table = cloud.token(), Table()
    bearer = {**TYPE, "Authorization": f"Bearer {token}"}
    gateway = cloud.gateway(id)

    def post(document, headers=bearer, url=gateway):
        return soap.send(url, document, "POST", headers, cloud.context)

    for name, (document, statuses, subcodes) in documents().items():
        # Whatever no table knows needs Administrator, which this token is: the device's own fault comes through.
        table.row(name, post(document), statuses, subcodes)
    good = envelope("<tds:GetHostname/>")
    table.row("good", post(good), {200})
    table.row("oversized", oversized(gateway, bearer, cloud.context), {413})
    table.row("content type", post(good, {**bearer, "Content-Type": "application/json"}), {415})
    table.row("no token", post(good, TYPE), {401})
    table.row("wrong token", post(good, {**TYPE, "Authorization": "Bearer nonsense"}), {401})
    table.row("token in a cookie", post(good, {**TYPE, "Cookie": f"token={token}"}), {401})
    table.row("unknown device", post(good, url=cloud.gateway("no-such-device")), {404})
    absent = cloud.add_device(CERTS / "device-python.pem", "absent")
    table.row("offline device", post(good, url=cloud.gateway(absent)), {503}, None, r"offline|not connected")
    others = cloud.token("administrator", [absent])
    answer = post(good, {**TYPE, "Authorization": f"Bearer {others}"})
    table.row("a device of others", answer, {404})
    unknown = post(good, {**TYPE, "Authorization": f"Bearer {others}"}, cloud.gateway("no-such-device"))
    check(
        (answer.status, answer.text.replace(id, "")) == (unknown.status, unknown.text.replace("no-such-device", "")),
        f"tells apart: {answer} {unknown}",
    )
    user = {**TYPE, "Authorization": f"Bearer {cloud.token('viewer')}"}
    table.row(
        "a user writes",
        post(envelope(device.set_body("https://a.example/")), user),
        {400, 403},
        None,
        r"right|level|author|allow|permi|need",
    )
    table.row("a user reads", post(good, user), {200})
    revoked(scene, cloud, table, good, bearer)
    table.row("good, still", post(good), {200})
    table.verdict()


def revoked(scene, cloud, table, good, bearer):
    """A revoked certificate: cut at once, refused at the next dial with a text, offline to callers."""
    id = cloud.add_device(CERTS / "device-revoked.pem", "revoked")
    peer = scene.peer_device(
        "python", cloud.uplink(), cloud.ca, "--reconnect", cert="device-revoked", name="revoked-device"
    )
    cloud.online(id)
    mark = peer.mark()
    cloud.revoke(id)
    peer.wait("closed", since=mark, timeout=5)
    refused = peer.wait("refused", "failed", "connected", since=mark)
    if refused["event"] == "refused":
        table.row(
            "revoked dials",
            soap.Answer(refused["status"], {}, refused["body"].encode()),
            {401, 403},
            None,
            r"revoked|unknown|not",
        )
    else:
        check(refused["event"] == "failed" and "SSL" in refused["reason"], f"a revoked certificate: {refused}")
    answer = soap.send(cloud.gateway(id), good, "POST", bearer, cloud.context)
    table.row("revoked device asked", answer, {403, 404, 503})
