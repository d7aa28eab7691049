"""A cloud of another maker in Python: accepts TLS with a client certificate, answers 101, then python-h2 asks (Uplink chapter 5)."""

import argparse
import asyncio
import hashlib
import json
import os
import sys
import time

import words
from link import accept, emit, server_context
from tunnel import Tunnel


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--ca", help="anchors for client certificates; none: no client certificate is asked for")
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--ping-after", type=float, default=10.0)
    parser.add_argument("--never-ping", action="store_true")
    parser.add_argument(
        "--call", action="append", default=[], help="tds:GetSystemDateAndTime and so on, once a tunnel is up"
    )
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--split", action="store_true", help="send the 101 in pieces")
    return parser.parse_args()


class Cloud:
    def __init__(self, options):
        self.options, self.tunnels, self.number, self.tasks = options, {}, 0, set()

    async def serve(self, reader, writer):
        try:
            await self.tunnel(reader, writer)
        except Exception as error:  # a bad peer ends its own connection alone
            emit("failed", reason=f"{type(error).__name__}: {error}")
            writer.close()

    async def tunnel(self, reader, writer):
        tls, options = writer.get_extra_info("ssl_object"), self.options
        der = tls.getpeercert(True)
        link, asked = await accept(reader, writer, options.split)
        self.number += 1
        number = self.number
        silent = options.never_ping
        tunnel = Tunnel(link, True, None, None if silent else options.ping_after, None if silent else 30.0)
        tunnel.start()
        tunnel.flush()
        peer = list(writer.get_extra_info("peername")[:2])
        digest = hashlib.sha256(der).hexdigest() if der else None
        emit(
            "connected",
            tunnel=number,
            peer=peer,
            certificate=digest,
            alpn=tls.selected_alpn_protocol(),
            sni=None,
            **asked,
        )
        self.tunnels[number] = tunnel
        if options.call:
            self.spawn(self.calls(tunnel, number))
        begun = time.monotonic()
        reason = await tunnel.run()
        del self.tunnels[number]
        emit("closed", tunnel=number, reason=reason, lasted=round(time.monotonic() - begun, 3))

    def spawn(self, work):
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def calls(self, tunnel, number):
        for _ in range(self.options.count):
            for operation in self.options.call:
                await self.call(tunnel, number, {"operation": operation})

    async def call(self, tunnel, number, command):
        headers, body = words.request(command["operation"], command.get("body"))
        headers += [tuple(pair) for pair in command.get("headers", [])]
        begun = time.monotonic()
        fields = {"id": command.get("id"), "tunnel": number, "operation": command["operation"]}
        try:
            path = command.get("path", "/onvif/device_service")
            status, head, answer = await tunnel.ask("POST", path, headers, body)
        except Exception as error:
            emit("unanswered", reason=f"{type(error).__name__}: {error}", **fields)
            return
        ms = round((time.monotonic() - begun) * 1000, 2)
        emit("answer", status=status, headers=head, body=answer.decode("utf-8", "replace"), ms=ms, **fields)

    async def echo(self, tunnel, number, command):
        """A random body both ways: windows and continuation are in play above a few kibibytes."""
        body = os.urandom(command["bytes"])
        try:
            status, _, answer = await tunnel.ask("POST", "/echo", [("content-type", "application/octet-stream")], body)
        except Exception as error:
            emit("unanswered", id=command.get("id"), tunnel=number, reason=f"{type(error).__name__}: {error}")
            return
        emit("echoed", id=command.get("id"), tunnel=number, status=status, bytes=len(answer), same=answer == body)

    def command(self, line):
        command = json.loads(line)
        # A device that said GOAWAY takes no new streams there.
        usable = [number for number, tunnel in self.tunnels.items() if not tunnel.conn.leaving]
        number = command.get("tunnel") or max(usable, default=None)
        if number not in self.tunnels:
            emit("unanswered", id=command.get("id"), reason="no tunnel")
            return
        tunnel = self.tunnels[number]
        match command["do"]:
            case "call":
                self.spawn(self.call(tunnel, number, command))
            case "echo":
                self.spawn(self.echo(tunnel, number, command))
            case "goaway":
                tunnel.goaway()
            case "close":
                tunnel.link.end()
            case "abort":
                tunnel.link.abort()
            case "text":
                tunnel.link.send_text("not binary")
            case "freeze":
                tunnel.frozen = True

    async def commands(self):
        reader = asyncio.StreamReader(limit=1 << 24)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self.command(line)


async def main():
    options = arguments()
    cloud = Cloud(options)
    host, _, port = options.listen.rpartition(":")
    context = server_context(options.ca, options.cert, options.key)
    server = await asyncio.start_server(cloud.serve, host, int(port), ssl=context)
    emit("listening", port=server.sockets[0].getsockname()[1])
    # The end of standard input is the end of the peer: nothing survives the runner.
    await cloud.commands()
    sys.stdout.flush()
    os._exit(0)


asyncio.run(main())
