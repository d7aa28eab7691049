"""A rough camera of another make, or many in one process: standard library only. Says what it was asked as JSON lines; `--help` names its moods."""

import argparse
import asyncio
import json
import re
import sys
import time
import traceback
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs

import rough_http as http
import rough_words as words
from rough_auth import LEVELS, Accounts, Refused
from rough_discovery import Responder
from rough_services import ADMINISTRATOR, USER, Fault, Services
from rough_words import NS

MOODS = {
    "close": "every answer ends its connection",
    "date-auth": "even GetSystemDateAndTime asks for credentials",
    "hang": "connections are taken, and nothing is ever answered",
    "liar": "names an Uplink service of its own",
    "long-401": "a refusal has a page of 20 KB",
    "need-action": "requests without an action are refused",
    "no-chunked": "requests without a length are refused",
    "redirect": "every SOAP request is redirected to --elsewhere",
    "strict-host": "requests with another Host than --xaddr's are refused",
}
USERS = ["root:rough pass:Administrator", "oper:0per:Operator", "view:v1ew:User"]
SOAP = "application/soap+xml"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 160 + b"\xff\xd9"


def emit(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Asked:
    """What is said about one request."""

    def __init__(self, camera, request):
        self.fields = {"camera": camera, "method": request.method, "target": request.target, "headers": request.headers}
        self.fields |= {
            "body": request.body[:6000].decode("utf-8", "replace"),
            "operation": None,
            "account": None,
            "by": None,
        }


class Camera:
    def __init__(self, number, options):
        self.number, self.options, self.accounts = number, options, Accounts(options)
        self.services = Services(number, options, self.accounts)
        self.writer, self.server, self.host, self.port = words.Writer, None, options.host, options.port
        self.connections, self.most, self.total, self.requests, self.vendor = set(), 0, 0, 0, 0

    async def open(self):
        self.server = await asyncio.start_server(self.serve, self.host, self.port, limit=http.HEAD)
        self.port = self.server.sockets[0].getsockname()[1]
        if self.options.xaddr == "own":
            self.services.base = f"http://{self.host}:{self.port}"

    async def close(self):
        self.server.close()
        for writer in list(self.connections):
            writer.transport.abort()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}{words.SERVICES['tds']}"

    def state(self):
        services = self.services
        found = {
            "position": services.where(),
            "moving": services.moving,
            "reboots": services.reboots,
            "vendor": self.vendor,
        }
        found |= {"brightness": services.brightness, "hostname": services.hostname, "requests": self.requests}
        found |= {"subscriptions": len(services.subscriptions), "connections": len(self.connections)}
        return {
            **found,
            "most": self.most,
            "total": self.total,
            "endpoint": services.endpoint,
            "serial": services.serial,
        }

    # ---- connections

    async def serve(self, reader, writer):
        self.connections.add(writer)
        self.total += 1
        self.most = max(self.most, len(self.connections))
        try:
            while await self.one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError, asyncio.CancelledError):
            pass
        except Exception:
            traceback.print_exc()
        finally:
            self.connections.discard(writer)
            writer.close()

    async def one(self, reader, writer):
        """One request; true while the connection stays."""
        try:
            request = await http.read(reader, writer, self.options)
        except http.Bad as bad:
            emit("bad", camera=self.number, status=bad.status, reason=str(bad))
            await http.write(writer, None, http.Response(bad.status, str(bad).encode(), "text/plain"), self.options)
            return False
        if request is None:
            return False
        self.requests += 1
        asked = Asked(self.number, request)
        while "hang" in self.options.mood:
            if not asked.fields.get("hung"):
                asked.fields["hung"] = True
                emit("hung", **asked.fields)
            if reader.at_eof():
                return False
            await asyncio.sleep(0.05)
        try:
            response = await self.answer(request, asked.fields)
        except http.Bad as bad:
            asked.fields["refused"] = str(bad)
            response = http.Response(bad.status, str(bad).encode(), "text/plain")
        emit("asked", **asked.fields, status=response.status)
        return await http.write(writer, request, response, self.options)

    # ---- what is asked

    async def answer(self, request, asked):
        own = {self.services.base.partition("://")[2], f"{self.host}:{self.port}"}
        if "strict-host" in self.options.mood and request.header("host") not in own:
            raise http.Bad(400, f"Host is {request.header('host')!r}, not one of {sorted(own)}")
        soap = {path.partition("?")[0] for path in words.SERVICES.values()} | {"/event-1_1/pull"}
        if request.path in soap:
            if request.method != "POST":
                return http.Response(405, b"SOAP is by POST\n", "text/plain")
            return await self.soap(request, asked)
        return self.page(request, asked)

    def challenge(self, stale=False):
        page = "<html><head><title>Document Error: Unauthorized</title></head><body>Access Error: 401</body></html>\r\n"
        if "long-401" in self.options.mood:
            page = page.replace("401", "401" + " " * 20_000)
        headers = [("WWW-Authenticate", value) for value in self.accounts.challenges(stale)]
        return http.Response(401, page.encode(), "text/html", headers)

    def page(self, request, asked):
        """Whatever is no SOAP: for those who show their Digest."""
        levels = {"/cgi-bin/reboot": ADMINISTRATOR, "/system/backup": ADMINISTRATOR}
        try:
            account = self.accounts.digest(request.header("authorization"), request.method, request.target)
        except Refused as refused:
            asked["refused"] = str(refused)
            if self.accounts.mode != "none":
                return self.challenge(refused.stale)
            account = None
        asked |= {"account": account, "by": account and "digest"}
        if account and LEVELS.index(self.accounts.level(account)) < LEVELS.index(levels.get(request.path, USER)):
            return http.Response(403, b"not for you\n", "text/plain")
        if request.path == "/onvif-http/snapshot":
            return http.Response(200, JPEG, "image/jpeg", [("Set-Cookie", "sid=1; Path=/")])
        if request.path == "/cgi-bin/reboot":
            self.vendor += 1
            return http.Response(200, b"OK\n", "text/plain")
        if request.path == "/redirect":
            to = parse_qs(request.query).get("to", [self.options.elsewhere])[0]
            return http.Response(302, b"moved\n", "text/plain", [("Location", to)])
        if request.path in ("/", "/system/backup"):
            return http.Response(200, b"<html><title>Rough</title></html>\n")
        return http.Response(404, b"<html>nothing here</html>\n")

    async def soap(self, request, asked):
        if "redirect" in self.options.mood:
            return http.Response(302, b"moved\n", "text/plain", [("Location", self.options.elsewhere)])
        try:
            body = await self.call(request, asked)
            status, envelope = 200, words.envelope(body)
        except Refused as refused:
            asked["refused"] = str(refused)
            if self.accounts.by_digest():
                return self.challenge(refused.stale)
            status, envelope = 400, words.fault("Sender", ["NotAuthorized"], "The sender is not authorized")
        except Fault as fault:
            asked["refused"] = fault.reason
            status, envelope = fault.status, words.fault(fault.code, fault.subcodes, fault.reason)
        text = words.Writer(self.options.prefixes).document(envelope)
        return http.Response(status, text.encode(), f"{SOAP}; charset=utf-8")

    async def call(self, request, asked):
        kind = request.header("content-type")
        if kind.partition(";")[0].strip().lower() != SOAP:
            raise http.Bad(415, f"the content type {kind!r}")
        if b"<!DOCTYPE" in request.body:
            raise Fault("Sender", ["WellFormed"], "a document type")
        try:
            envelope = ET.fromstring(request.body)
        except ET.ParseError as error:
            raise Fault("Sender", ["WellFormed"], str(error)) from None
        bodies = envelope.findall(f"{{{NS['s']}}}Body")
        if envelope.tag != f"{{{NS['s']}}}Envelope" or len(bodies) != 1 or len(bodies[0]) != 1:
            raise Fault("Sender", ["Tag"], "no envelope with one body with one child")
        element, header = bodies[0][0], envelope.find(f"{{{NS['s']}}}Header")
        namespace, name = words.split(element.tag)
        asked |= {"operation": name, "namespace": namespace}
        account = self.account(request, header, asked)
        self.headers(request, kind, header, name)
        handler, arguments = self.handler(request, namespace, name, header)
        self.allowed(handler[0], account, name)
        done = handler[1](element, *arguments)
        return await done if asyncio.iscoroutine(done) else done

    def account(self, request, header, asked):
        """Who asks; nobody where no credentials came. Wrong ones are refused, whatever the operation is."""
        shown, found = request.header("authorization"), None
        if shown:
            if not self.accounts.by_digest():
                asked["leaked"] = shown.partition(" ")[0]
                raise Refused("no Digest was asked for")
            if not shown.lower().startswith("digest "):
                asked["leaked"] = shown.partition(" ")[0]
            found = self.accounts.digest(shown, "POST", request.target)
            asked |= {"account": found, "by": "digest"}
        security = header.find(f"{{{NS['wsse']}}}Security") if header is not None else None
        # A camera that knows Digest alone does not look at this header, and its user learns nothing.
        if security is not None and self.accounts.by_token():
            by_token = self.accounts.token(security)
            if found not in (None, by_token):
                raise Refused("two users at once")
            found = by_token
            asked |= {"account": found, "by": "token"}
        return found

    def headers(self, request, kind, header, name):
        for element in header if header is not None else ():
            namespace, local = words.split(element.tag)
            must = element.get(f"{{{NS['s']}}}mustUnderstand") in ("1", "true")
            if must and (namespace not in (NS["wsse"], NS["wsa"], NS["dom0"])):
                raise Fault("MustUnderstand", [], f"{local} is not understood", 500)
            if (namespace, local) == (NS["wsa"], "To") and element.text.strip() != self.services.base + request.target:
                raise Fault("Sender", ["InvalidArgVal"], f"To is {element.text.strip()}: that is not here")
        action = re.search(r'action="?([^";]*)', kind)
        told = action.group(1) if action else request.header("soapaction").strip('"')
        # Some clients send the word "undefined" here.
        if "/" in told and not told.endswith((f"/{name}", f"/{name}Request")):
            raise Fault("Sender", ["InvalidArgVal"], f"the action {told} and the operation {name}")
        if "need-action" in self.options.mood and "/" not in told:
            raise Fault("Sender", ["InvalidArgVal"], "no action")

    def handler(self, request, namespace, name, header):
        services = self.services
        if request.path == "/event-1_1/pull":
            return self.pull_point(request, name, header)
        prefix = next(prefix for prefix, path in words.SERVICES.items() if path.partition("?")[0] == request.path)
        if prefix == "tptz" and request.target != words.SERVICES["tptz"]:
            raise http.Bad(404, "the query is a part of the address")
        table = {"tds": services.device, "trt": services.media, "tptz": services.ptz, "timg": services.imaging}
        table = (table | {"tev": services.events})[prefix]()
        if prefix == "tds" and namespace == NS["tup"] and "liar" in self.options.mood:
            table, prefix = services.liar(), "tup"
        if namespace != NS[prefix] or name not in table:
            raise Fault("Receiver", ["ActionNotSupported"], f"{name} is not here")
        return table[name], ()

    def pull_point(self, request, name, header):
        number = parse_qs(request.query).get("Idx", [None])[0]
        if self.options.subscriptions != "query":
            told = header.findtext(f"{{{NS['dom0']}}}SubscriptionId") if header is not None else None
            if not told or (number and number != told):
                raise Fault("Sender", ["InvalidArgVal"], "no SubscriptionId, or another than the address")
            number = told
        subscription = self.services.subscriptions.get(int(number or 0))
        if subscription is None or subscription.ends < time.monotonic():
            raise Fault("Sender", ["InvalidArgVal"], "no such subscription")
        table = self.services.pull_point()
        if name not in table:
            raise Fault("Receiver", ["ActionNotSupported"], f"{name} is not here")
        return table[name], (subscription,)

    def allowed(self, level, account, name):
        if self.accounts.mode == "none" or (
            level is None and not (name == "GetSystemDateAndTime" and "date-auth" in self.options.mood)
        ):
            return
        if account is None:
            raise Refused("no credentials")
        if LEVELS.index(self.accounts.level(account)) < LEVELS.index(level or USER):
            raise Fault("Sender", ["NotAuthorized"], f"{name} is not for {account}")


class Yard:
    """All cameras of this process, and who talks to it by standard input."""

    def __init__(self, options):
        self.cameras = []
        for number in range(options.count):
            own = argparse.Namespace(**{**vars(options), "mood": set(options.mood)})
            self.cameras.append(Camera(number, own))

    async def command(self, do, camera=0, id=None, **fields):
        found, answer = self.cameras[camera], {}
        if do == "state":
            answer = found.state()
        elif do == "motion":
            found.services.raise_motion(fields["state"])
        elif do == "mood":
            found.options.mood = set(fields["mood"])
        elif do == "skew":
            found.accounts.skew = fields["seconds"]
        elif do == "down":
            await found.close()
        elif do == "up":
            found.host, found.port = fields.get("host", found.host), fields.get("port", 0)
            await found.open()
            answer = {"url": found.url, "port": found.port}
        else:
            raise KeyError(do)
        emit("answer", id=id, **answer)

    async def run(self, options):
        for camera in self.cameras:
            await camera.open()
        responder = Responder(self.cameras, options.discovery)
        await responder.open()
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        users = [entry.split(":") for entry in options.user]
        emit("listening", urls=[camera.url for camera in self.cameras], users=users, xaddr=options.xaddr)
        while line := await reader.readline():
            command = json.loads(line)
            try:
                await self.command(**command)
            except Exception as error:
                emit("unanswered", id=command.get("id"), reason=f"{type(error).__name__}: {error}")
        responder.close()


def arguments():
    moods = "; ".join(f"{name}: {text}" for name, text in MOODS.items())
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"Moods: {moods}.")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--xaddr",
        default="http://192.168.1.108",
        help="what it believes to be its own address; `own`: that where it is",
    )
    parser.add_argument("--prefixes", choices=words.STYLES, default="odd")
    parser.add_argument(
        "--auth", choices=["digest", "digest-sha256", "digest-old", "token", "both", "none"], default="digest"
    )
    parser.add_argument("--basic", choices=["first", "last", "never"], default="first", help="where it offers Basic")
    parser.add_argument("--nonce-uses", type=int, default=50, help="how often a Digest nonce can be used")
    parser.add_argument("--skew", type=float, default=400.0, help="how far its clock is ahead, in seconds")
    parser.add_argument("--framing", choices=["length", "chunked", "close"], default="chunked")
    parser.add_argument("--http", choices=["1.0", "1.1"], default="1.1")
    parser.add_argument("--slow", type=float, default=0.0, help="seconds before each piece of an answer")
    parser.add_argument("--subscriptions", choices=["query", "reference", "both"], default="query")
    parser.add_argument("--mood", action="append", choices=sorted(MOODS), default=[])
    parser.add_argument("--elsewhere", default="http://127.0.0.1:9/", help="where redirects lead to")
    parser.add_argument("--user", action="append", metavar="NAME:PASSWORD:LEVEL")
    parser.add_argument("--endpoint", help="the endpoint reference; default: made from the camera's number")
    parser.add_argument("--serial", help="the serial number; default: made from the camera's number")
    parser.add_argument("--discovery", metavar="ADDRESS", help="answer WS-Discovery on the interface with this address")
    options = parser.parse_args()
    options.user = options.user or USERS
    return options


if __name__ == "__main__":
    given = arguments()
    asyncio.run(Yard(given).run(given))
