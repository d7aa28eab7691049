"""The runner's own SOAP client on the standard library: envelopes, WS-UsernameToken, HTTP Digest, faults (Core 5.7, 5.9, 5.11)."""

import base64
import hashlib
import http.client
import os
import re
import select
import socket
import ssl
import time
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

ENV = "http://www.w3.org/2003/05/soap-envelope"
TDS = "http://www.onvif.org/ver10/device/wsdl"
TUP = "http://www.onvif.org/ver10/uplink/wsdl"
TT = "http://www.onvif.org/ver10/schema"
TER = "http://www.onvif.org/ver10/error"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"


def username_token(user, password, nonce=None, skew=0.0):
    nonce = nonce or os.urandom(16)
    created = (datetime.now(timezone.utc) + timedelta(seconds=skew)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    digest = base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()
    return (
        f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" s:mustUnderstand="true"><wsse:UsernameToken><wsse:Username>{user}</wsse:Username>'
        f'<wsse:Password Type="{DIGEST}">{digest}</wsse:Password><wsse:Nonce>{base64.b64encode(nonce).decode()}</wsse:Nonce>'
        f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )


def envelope(body, header=""):
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{ENV}" xmlns:tds="{TDS}" xmlns:tup="{TUP}" xmlns:tt="{TT}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def send_large(url, body, headers, context=None, timeout=15.0):
    """One POST whose answer may come, and end the connection, while the body is still being sent."""
    parts = urlsplit(url)
    raw = socket.create_connection((parts.hostname, parts.port), timeout)
    if parts.scheme == "https":
        raw = context.wrap_socket(raw, server_hostname=parts.hostname)
    fields = {"Host": parts.netloc, "Content-Length": str(len(body)), "Connection": "close", **headers}
    head = f"POST {parts.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
    rest, got = memoryview(head.encode() + body), b""
    raw.setblocking(False)
    end = time.monotonic() + timeout
    with raw:
        while time.monotonic() < end:
            try:
                part = raw.recv(65536)
                got += part
                if not part or b"\r\n\r\n" in got:
                    break
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            except OSError:
                break
            try:
                rest = rest[raw.send(rest[:65536]) :] if rest else rest
            except (BlockingIOError, ssl.SSLWantWriteError):
                pass
            except OSError:
                rest = rest[:0]
            select.select([raw], [raw] if rest else [], [], 0.1)
    # A connection broken without an answer is status 0.
    status = int(got.split()[1]) if got.startswith(b"HTTP/1.1 ") else 0
    return Answer(status, {}, got.partition(b"\r\n\r\n")[2])


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def tree(self):
        return ET.fromstring(self.body)

    def child(self):
        """The element inside Body."""
        return self.tree().find(f"{{{ENV}}}Body")[0]

    def values(self, name):
        """Texts of all elements with this local name."""
        return [element.text or "" for element in self.tree().iter() if element.tag.rpartition("}")[2] == name]

    def fault(self):
        """Codes as local names, outermost first, and the reason's text; None when it is no fault."""
        try:
            fault = self.tree().find(f"{{{ENV}}}Body/{{{ENV}}}Fault")
        except ET.ParseError:
            return None
        if fault is None:
            return None
        codes = [value.text.strip().rpartition(":")[2] for value in fault.iter(f"{{{ENV}}}Value")]
        return codes, " ".join(text.text or "" for text in fault.iter(f"{{{ENV}}}Text"))

    def __repr__(self):
        return f"HTTP {self.status} {self.fault() or self.text[:300]!r}"


def trust(ca):
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["http/1.1"])
    return context


def send(url, body=None, method="POST", headers=None, context=None, timeout=15.0):
    """One request on a fresh connection."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        fields = {}
        for name, value in response.getheaders():
            fields.setdefault(name.lower(), []).append(value)
        return Answer(response.status, {name: ", ".join(values) for name, values in fields.items()}, response.read())
    finally:
        connection.close()


def call(url, body, *, user=None, password=None, token=None, context=None, header="", headers=None, timeout=15.0):
    """`body` is the element inside Body; a bare `tds:GetServices` is made one."""
    if not body.startswith("<"):
        body = f"<{body}/>"
    if user is not None:
        header += username_token(user, password)
    fields = {"Content-Type": "application/soap+xml; charset=utf-8", **(headers or {})}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    return send(url, envelope(body, header), headers=fields, context=context, timeout=timeout)


def digest_authorization(challenge, user, password, method, uri, count=1):
    """The answer to one HTTP Digest challenge (RFC 7616), MD5 or SHA-256, qop auth."""
    fields = dict(re.findall(r'(\w+)=(?:"([^"]*)"|[^,\s]+)', challenge))
    fields.update({k: v for k, v in re.findall(r'(\w+)=([^",\s]+)', challenge) if not fields.get(k)})
    name = fields.get("algorithm", "MD5")
    hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[name.upper()]

    def h(text):
        return hashed(text.encode()).hexdigest()

    cnonce, nc = os.urandom(8).hex(), f"{count:08x}"
    first, second = h(f"{user}:{fields['realm']}:{password}"), h(f"{method}:{uri}")
    response = h(f"{first}:{fields['nonce']}:{nc}:{cnonce}:auth:{second}")
    opaque = f', opaque="{fields["opaque"]}"' if fields.get("opaque") else ""
    return (
        f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", algorithm={name}, '
        f'response="{response}", qop=auth, nc={nc}, cnonce="{cnonce}"{opaque}'
    )
