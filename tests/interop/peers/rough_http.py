"""HTTP as rough cameras speak it (RFC 9112, RFC 1945): strict about what comes in, moody about what goes out."""

import asyncio

HEAD, BODY, IDLE = 32 << 10, 1 << 20, 75.0
REASONS = {200: "OK", 302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}
REASONS |= {404: "Not Found", 405: "Method Not Allowed", 411: "Length Required", 413: "Too Large"}
REASONS |= {415: "Unsupported Media Type", 500: "Internal Server Error", 501: "Not Implemented"}


class Bad(Exception):
    """What came is no request; the status that it is refused with."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Request:
    def __init__(self, method, target, version, headers, body):
        self.method, self.target, self.version, self.headers, self.body = method, target, version, headers, body
        self.path, _, self.query = target.partition("?")

    def header(self, name):
        """The one value of this name, or nothing."""
        values = [value for key, value in self.headers if key.lower() == name]
        if len(values) > 1:
            raise Bad(400, f"{name} {len(values)} times")
        return values[0] if values else ""


class Response:
    def __init__(self, status, body=b"", kind="text/html", headers=()):
        self.status, self.body, self.kind, self.headers = status, body, kind, list(headers)


async def read(reader, writer, options):
    """The next request; None at a proper end of the connection."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE)
    except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError):
        return None
    except asyncio.LimitOverrunError:
        raise Bad(413, "the head is too large") from None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise Bad(400, f"the request line {first!r}")
    if not words[1].startswith("/"):
        raise Bad(400, f"the target {words[1]!r}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or any(c in name for c in " \t"):
            raise Bad(400, f"the header line {line!r}")
        headers.append((name, value.strip()))
    request = Request(*words, headers, b"")
    if words[2] == "HTTP/1.1" and not request.header("host"):
        raise Bad(400, "no Host")
    if request.header("expect").lower() == "100-continue" and options.http == "1.1":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.body = await body(reader, request, options)
    return request


async def body(reader, request, options):
    coding, length = request.header("transfer-encoding").lower(), request.header("content-length")
    if coding and length:
        raise Bad(400, "a length and a coding")
    if coding:
        if options.http == "1.0" or "no-chunked" in options.mood:
            raise Bad(411, "what is chunked cannot be read here")
        if coding != "chunked":
            raise Bad(501, f"the coding {coding}")
        return await chunks(reader)
    if not length:
        return b""
    if not length.isdigit():
        raise Bad(400, f"the length {length!r}")
    if int(length) > BODY:
        raise Bad(413, "too large")
    return await asyncio.wait_for(reader.readexactly(int(length)), IDLE)


async def chunks(reader):
    whole = b""
    while True:
        size = int((await asyncio.wait_for(reader.readline(), IDLE)).partition(b";")[0], 16)
        if size == 0:
            while (await reader.readline()).strip():
                pass
            return whole
        whole += await reader.readexactly(size)
        if len(whole) > BODY or await reader.readexactly(2) != b"\r\n":
            raise Bad(400, "a chunk")


def keeps(request, options):
    """Whether the connection stays."""
    if options.http == "1.0" or options.framing == "close" or "close" in options.mood:
        return False
    return request is not None and request.header("connection").lower() != "close" and request.version == "HTTP/1.1"


def cut(data, options):
    """The pieces in which an answer leaves: odd ones where it is chunked or slow."""
    size = {"chunked": 701}.get(options.framing, len(data) or 1)
    if options.slow:
        size = min(size, max(64, len(data) // 5))
    return [data[at : at + size] for at in range(0, len(data), size)]


async def write(writer, request, response, options):
    """Sends the answer in this camera's manner; returns whether the connection stays."""
    keep = keeps(request, options)
    lines = [f"HTTP/{options.http} {response.status} {REASONS.get(response.status, 'Odd')}"]
    lines += ["Server: gSOAP/2.8 (rough)", f"content-type: {response.kind}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    bare = request is not None and request.method == "HEAD"
    framing = options.framing if options.http == "1.1" or options.framing == "close" else "length"
    if framing == "length" or bare:
        lines.append(f"CONTENT-LENGTH: {len(response.body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: Chunked")
    if options.http == "1.1" or not keep:
        lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    writer.write("\r\n".join([*lines, "", ""]).encode("utf-8"))
    await writer.drain()
    for piece in [] if bare else cut(response.body, options):
        if options.slow:
            await asyncio.sleep(options.slow)
        if framing == "chunked":
            # Some write the sizes with zeros in front, and extensions that nobody knows.
            piece = f"{len(piece):06X};odd=1\r\n".encode() + piece + b"\r\n"
        writer.write(piece)
        await writer.drain()
    if framing == "chunked" and not bare:
        writer.write(b"0\r\nX-Trailer: odd\r\n\r\n")
    await writer.drain()
    return keep
