"""Whoever answers WS-Discovery on a network, by IPv4 or IPv6: honest, forgetful, or a liar; standard library only. Probes that it sees are events."""

import argparse
import json
import os
import random
import re
import select
import socket
import struct
import sys
import time
import uuid

D = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
S = "http://www.w3.org/2003/05/soap-envelope"
MANNERS = {
    "honest": "answers as it should",
    "forgetful": "does not say which question it answers, writes prefixes that it declares nowhere, and ends with a zero byte",
    "huge": "answers with a datagram of the greatest size, full of scopes and addresses",
    "garbage": "answers with everything that is no answer, and then as it should",
    "flood": "answers with twenty times as much of it",
    "many": "answers as 3,000 devices",
}


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def envelope(name, inner, relates=None, related=True):
    relation = f"<a:RelatesTo>{relates}</a:RelatesTo>" if related and relates else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{S}" xmlns:a="{A}"><s:Header><a:Action>{D}/{name}</a:Action>'
        f'<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>{relation}</s:Header><s:Body><{name} xmlns="{D}">{inner}</{name}></s:Body></s:Envelope>'
    ).encode()


class Answerer:
    def __init__(self, options):
        self.options, self.index = options, socket.if_nametoindex(options.interface)
        v6 = options.family == 6
        self.group = ("ff02::c", 3702, 0, self.index) if v6 else ("239.255.255.250", 3702)
        self.socket = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            member = socket.inet_pton(socket.AF_INET6, "ff02::c") + struct.pack("@I", self.index)
            self.socket.bind(("", 3702))
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
        else:
            member = socket.inet_aton("239.255.255.250") + socket.inet_aton("0.0.0.0") + struct.pack("@I", self.index)
            self.socket.bind(("", 3702))
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def description(self, endpoint=None, scopes="", xaddrs=None, types="dn:NetworkVideoTransmitter tds:Device"):
        declared = "" if self.options.manner == "forgetful" else (
            ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
        )  # fmt: skip
        reference = f"<a:EndpointReference><a:Address>{endpoint or self.options.endpoint}</a:Address></a:EndpointReference>"
        name = f"onvif://www.onvif.org/name/{self.options.name} onvif://www.onvif.org/hardware/H {scopes}"
        addresses = " ".join(self.options.xaddr if xaddrs is None else xaddrs)
        return f"{reference}<Types{declared}>{types}</Types><Scopes>{name}</Scopes><XAddrs>{addresses}</XAddrs>"

    def answers(self, kind, relates):
        """The datagrams of one answer."""
        name, inner = f"{kind}Matches", f"{kind}Match"
        honest = envelope(name, f"<{inner}>{self.description()}</{inner}>", relates)
        match self.options.manner:
            case "honest":
                return [honest]
            case "forgetful":
                return [envelope(name, f"<{inner}>{self.description()}</{inner}>", relates, related=False) + b"\0"]
            case "huge":
                many = " ".join(f"onvif://www.onvif.org/x/{n}" for n in range(1200))
                xaddrs = [*self.options.xaddr, *(f"http://10.9.{n // 250}.{n % 250}/" for n in range(600))]
                text = envelope(name, f"<{inner}>{self.description(scopes=many, xaddrs=xaddrs)}</{inner}>", relates)
                return [text + b" " * (65_507 - len(text))]
            case "many":
                each = lambda n: f"<ProbeMatch><a:EndpointReference><a:Address>urn:x:{n}</a:Address></a:EndpointReference></ProbeMatch>"  # noqa: E731
                return [envelope(name, "".join(map(each, range(n, n + 50))), relates) for n in range(0, 3000, 50)]
        bomb = '<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
        wrong = [
            b"",
            b"\0" * 1000,
            os.urandom(1400),
            os.urandom(65_507),
            b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n",
            honest[: len(honest) // 2],
            bomb.encode() + honest.split(b"?>", 1)[1],
            b"<" * 60_000,
            b"<a>" * 20_000,
            honest.replace(f"{D}/{name}".encode(), f"{D}/Hello".encode()),
            honest.replace(S.encode(), b"http://schemas.xmlsoap.org/soap/envelope/"),
            envelope(name, "<ProbeMatch/>", relates),
            envelope("Fault", "", relates),
        ]
        return [*wrong * (20 if self.options.manner == "flood" else 1), honest]

    def read(self, data, source):
        kind = re.search(rb"<(?:\w+:)?(Probe|Resolve)[ />]", data)
        name = re.search(rb"MessageID[^>]*>\s*([^<\s]+)", data)
        if not kind or not name:
            return
        kind, name = kind[1].decode(), name[1].decode()
        if kind == "Resolve" and self.options.endpoint.encode() not in data:
            return
        emit("asked", kind=kind, source=source[0])
        for datagram in self.answers(kind, name):
            try:
                self.socket.sendto(datagram, source)
            except OSError as error:
                # Who asks from a network that this host has no address in is not answered.
                emit("unsent", reason=str(error))

    def say(self, kind):
        reference = f"<a:EndpointReference><a:Address>{self.options.endpoint}</a:Address></a:EndpointReference>"
        self.socket.sendto(envelope(kind, self.description() if kind == "Hello" else reference), self.group)

    def storm(self, seconds):
        """Questions to everybody, and noise, as fast as they go."""
        probe = envelope("Probe", f"<Scopes>{'onvif://www.onvif.org/name/x ' * 40}</Scopes>")
        end, sent = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            for _ in range(50):
                self.socket.sendto(probe if random.random() < 0.8 else os.urandom(1400), self.group)
                sent += 1
        emit("answer", id=None, sent=sent)

    def run(self):
        emit("listening")
        while True:
            ready, _, _ = select.select([self.socket, sys.stdin], [], [])
            if sys.stdin in ready:
                line = sys.stdin.readline()
                if not line:
                    return
                command = json.loads(line)
                match command["do"]:
                    case "hello":
                        self.say("Hello")
                    case "bye":
                        self.say("Bye")
                    case "storm":
                        self.storm(command["seconds"])
            elif self.socket in ready:
                self.read(*self.socket.recvfrom(65_536))


parser = argparse.ArgumentParser(description=__doc__, epilog="; ".join(f"{k}: {v}" for k, v in MANNERS.items()))
parser.add_argument("--family", type=int, choices=[4, 6], default=4)
parser.add_argument("--interface", default="eth0")
parser.add_argument("--manner", choices=MANNERS, default="honest")
parser.add_argument("--endpoint", default=f"urn:uuid:{uuid.uuid4()}")
parser.add_argument("--name", default="answerer")
parser.add_argument("--xaddr", action="append", default=[])
Answerer(parser.parse_args()).run()
