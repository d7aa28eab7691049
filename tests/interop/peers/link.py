"""The byte stream under a reverse tunnel, Python side: the upgrade (Uplink 5.1.1) and, for the WebSocket form, wsproto's framing."""

import asyncio
import json
import socket
import ssl
import sys
import time
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

PROTOCOL = "h2c-reverse"
HEAD_LIMIT = 8192
START = time.monotonic()


def emit(event, **fields):
    """One JSON line a happening; the runner waits for these."""
    line = {"event": event, "at": round(time.monotonic() - START, 4), **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Refused(Exception):
    def __init__(self, status, headers, body=""):
        super().__init__(f"refused with {status}")
        self.status, self.headers, self.body = status, headers, body


class Link:
    """Bytes in, bytes out. `early` is what came behind the blank line of the head."""

    def __init__(self, reader, writer, early=b""):
        self.reader, self.writer, self.early = reader, writer, early

    async def recv(self):
        if self.early:
            data, self.early = self.early, b""
            return data
        return await self.reader.read(65536)

    def send(self, data):
        if data:
            self.writer.write(data)

    async def drain(self):
        await self.writer.drain()

    def end(self):
        self.writer.close()

    def abort(self):
        self.writer.transport.abort()


class WebSocketLink(Link):
    """The same over binary messages: frames span messages and messages hold many frames (RFC 6455 5.4)."""

    def __init__(self, reader, writer, ws, early=b""):
        super().__init__(reader, writer, early)
        self.ws, self.ready = ws, b""

    async def recv(self):
        while True:
            self.collect()
            if self.ready:
                data, self.ready = self.ready, b""
                return data
            if self.ws.state is ConnectionState.CLOSED:
                return b""
            data = await self.reader.read(65536)
            if not data:
                return b""
            self.ws.receive_data(data)

    def collect(self):
        for event in self.ws.events():
            if isinstance(event, BytesMessage):
                self.ready += bytes(event.data)
            elif isinstance(event, Ping):
                self.writer.write(self.ws.send(event.response()))
            elif isinstance(event, TextMessage):
                self.writer.write(self.ws.send(CloseConnection(1003, "binary only")))
            elif isinstance(event, CloseConnection):
                emit("websocket-close", code=event.code, reason=event.reason)
                if self.ws.state is ConnectionState.REMOTE_CLOSING:
                    self.writer.write(self.ws.send(event.response()))
            elif not isinstance(event, Pong):
                emit("websocket-unexpected", what=repr(event))

    def send(self, data):
        if self.ws.state is not ConnectionState.OPEN:
            return
        # Odd sizes on purpose: a message boundary means nothing to HTTP/2.
        for start in range(0, len(data), 4099):
            self.writer.write(self.ws.send(BytesMessage(bytes(data[start : start + 4099]))))

    def send_text(self, text):
        self.writer.write(self.ws.send(TextMessage(text)))

    def end(self):
        if self.ws.state is ConnectionState.OPEN:
            self.writer.write(self.ws.send(CloseConnection(1000)))
        self.writer.close()


async def read_head(reader):
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > HEAD_LIMIT:
            raise ValueError("head over 8 KiB")
        more = await reader.read(4096)
        if not more:
            raise ConnectionError("closed before the end of the head" if data else "closed without a byte")
        data += more
    head, early = data.split(b"\r\n\r\n", 1)
    return head, early


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    return lines[0], headers


def tokens(headers, name):
    return [part.strip().lower() for key, value in headers if key.lower() == name for part in value.split(",")]


def client_context(ca, cert, key):
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["http/1.1"])
    if cert:
        context.load_cert_chain(cert, key)
    return context


def server_context(ca, cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(cert, key)
    if ca:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def native_request(url, target, token, quirks):
    """The upgrade request as devices in the field write it; each quirk is one seen on the wire."""
    version = "http/1.1" if "lower-version" in quirks else "HTTP/1.1"
    host = url.hostname if "host-without-port" in quirks else url.netloc.rpartition("@")[2]
    connection = ["keep-alive, Upgrade"] if "connection-list" in quirks else ["Upgrade"]
    if "connection-repeat" in quirks:
        connection = ["keep-alive", "Upgrade"]
    upgrade = "h2c-reverse, h2c" if "upgrade-list" in quirks else PROTOCOL
    headers = [("Host", host), *[("Connection", value) for value in connection], ("Upgrade", upgrade)]
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    change = {"lower-headers": str.lower, "upper-headers": str.upper}
    for quirk, spell in change.items():
        if quirk in quirks:
            headers = [(spell(name), value) for name, value in headers]
    lines = [f"GET {target} {version}", *[f"{name}: {value}" for name, value in headers]]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def dial(address, context, form, token=None, quirks=(), early=b"", source=None):
    """Device end: TCP, TLS, upgrade. `early` goes out in one write with the head."""
    url = urlsplit(address)
    port = url.port or 443
    local = (source, 0) if source else None
    reader, writer = await asyncio.wait_for(
        asyncio.open_connection(url.hostname, port, ssl=context, server_hostname=url.hostname, local_addr=local), 10
    )
    if writer.transport.is_closing():
        raise ConnectionError("closed right after the TLS handshake: " + str(reader.exception() or "no reason"))
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    emit(
        "tls",
        local=list(writer.get_extra_info("sockname")[:2]),
        alpn=writer.get_extra_info("ssl_object").selected_alpn_protocol(),
    )
    try:
        if form == "websocket":
            return await asyncio.wait_for(dial_websocket(reader, writer, url, target, token, early), 10)
        return await asyncio.wait_for(dial_native(reader, writer, url, target, token, quirks, early), 10)
    except BaseException:
        writer.close()
        raise


async def body_of(reader, headers, early):
    """As much of a refusal's body as its Content-Length names and 2 s bring."""
    length = int(dict((name.lower(), value) for name, value in headers).get("content-length", 0))
    while len(early) < length:
        try:
            part = await asyncio.wait_for(reader.read(4096), 2)
        except (OSError, asyncio.TimeoutError):
            break
        if not part:
            break
        early += part
    return early.decode("utf-8", "replace")


async def dial_native(reader, writer, url, target, token, quirks, early):
    writer.write(native_request(url, target, token, quirks) + early)
    head, rest = await read_head(reader)
    line, headers = parse_head(head)
    status = int(line.split()[1])
    if status != 101:
        raise Refused(status, headers, await body_of(reader, headers, rest))
    if tokens(headers, "upgrade") != [PROTOCOL] or "upgrade" not in tokens(headers, "connection"):
        raise ValueError(f"a 101 that does not upgrade: {headers}")
    emit("switched", line=line, headers=headers, early=len(rest))
    return Link(reader, writer, rest)


async def dial_websocket(reader, writer, url, target, token, early):
    ws = WSConnection(ConnectionType.CLIENT)
    extra = [(b"Authorization", f"Bearer {token}".encode())] if token else []
    host = url.netloc.rpartition("@")[2]
    writer.write(ws.send(Request(host=host, target=target, subprotocols=[PROTOCOL], extra_headers=extra)) + early)
    while True:
        data = await reader.read(65536)
        if not data:
            raise ConnectionError("closed before the answer to the upgrade")
        ws.receive_data(data)
        for event in ws.events():
            if isinstance(event, AcceptConnection):
                if event.subprotocol != PROTOCOL or event.extensions:
                    raise ValueError(f"subprotocol {event.subprotocol!r}, extensions {event.extensions!r}")
                emit(
                    "switched",
                    subprotocol=event.subprotocol,
                    headers=[[k.decode(), v.decode()] for k, v in event.extra_headers],
                )
                return WebSocketLink(reader, writer, ws)
            if isinstance(event, RejectConnection):
                raise Refused(event.status_code, [(k.decode(), v.decode()) for k, v in event.headers])


async def accept(reader, writer, split=False):
    """Cloud end: read the head, answer 101. Returns the link and what was asked."""
    head, rest = await asyncio.wait_for(read_head(reader), 5)
    line, headers = parse_head(head)
    asked = {"line": line, "headers": headers, "early": len(rest)}
    if PROTOCOL in tokens(headers, "upgrade"):
        link = Link(reader, writer, rest)
        answer = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n\r\n".encode()
        if split:
            # Every cut is legal in TCP: the device must read to the blank line, not a segment.
            for cut in (answer[:20], answer[20:-1], answer[-1:]):
                writer.write(cut)
                await writer.drain()
                await asyncio.sleep(0.02)
        else:
            writer.write(answer)
            await writer.drain()
        return link, {**asked, "form": "native"}
    ws = WSConnection(ConnectionType.SERVER)
    ws.receive_data(head + b"\r\n\r\n" + rest)
    for event in ws.events():
        if isinstance(event, Request) and PROTOCOL in event.subprotocols:
            writer.write(ws.send(AcceptConnection(subprotocol=PROTOCOL)))
            await writer.drain()
            return WebSocketLink(reader, writer, ws), {**asked, "form": "websocket"}
    writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    raise ValueError(f"not an uplink: {line}")
