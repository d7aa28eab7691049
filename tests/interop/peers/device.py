"""A device of another maker in Python: dials out, upgrades, then python-h2 serves (Uplink chapter 5)."""

import argparse
import asyncio
import os
import ssl
import sys
import time
import traceback

import words
from link import Refused, client_context, dial, emit
from tunnel import Tunnel


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--token")
    parser.add_argument("--form", choices=["native", "websocket"], help="default: by the scheme of the address")
    parser.add_argument("--quirk", action="append", default=[])
    parser.add_argument("--ping-after", type=float, help="ping after so many silent seconds; default: never")
    parser.add_argument("--deadline", type=float, default=30.0)
    parser.add_argument("--reconnect", action="store_true")
    parser.add_argument("--name", default="python-device")
    parser.add_argument("--lan", default="http://192.168.1.64")
    parser.add_argument("--pad", type=int, default=0)
    parser.add_argument("--source")
    options = parser.parse_args()
    options.form = options.form or ("websocket" if options.address.startswith("wss:") else "native")
    return options


def service(options):
    soap = words.camera(options.name, options.lan, options.pad)

    def serve(headers, body):
        path = headers[":path"].partition("?")[0]
        asked = words.first_child(body) if headers[":method"] == "POST" else None
        emit("request", method=headers[":method"], path=headers[":path"], headers=headers, operation=asked and asked[1])
        if path == "/echo":
            return 200, [("content-type", headers.get("content-type", "application/octet-stream"))], body
        if path == "/onvif/device_service" and headers[":method"] == "POST":
            status, answer = soap(body)
            return status, [("content-type", "application/soap+xml; charset=utf-8")], answer
        return 404, [("content-type", "text/plain")], b"no such path\n"

    return serve


async def once(options, context):
    """One dial and, when it holds, one tunnel; true when it was up."""
    early = b""
    tunnel = Tunnel(None, False, service(options), options.ping_after, options.deadline)
    if "early-settings" in options.quirk:
        early = tunnel.opening()
    try:
        link = await dial(options.address, context, options.form, options.token, options.quirk, early, options.source)
    except Refused as refused:
        emit("refused", status=refused.status, headers=dict(refused.headers), body=refused.body)
        return False
    except (OSError, ssl.SSLError, ValueError, asyncio.TimeoutError) as error:
        emit("failed", reason=f"{type(error).__name__}: {error}")
        return False
    tunnel.link = link
    if "text-message" in options.quirk:
        link.send_text("not binary")
    if not early:
        tunnel.start()
    tunnel.flush()
    emit("connected", form=options.form)
    begun = time.monotonic()
    reason = await tunnel.run()
    emit("closed", reason=reason, lasted=round(time.monotonic() - begun, 3))
    return True


async def dialling(options):
    context = client_context(options.ca, options.cert, options.key)
    wait = 0.25
    while True:
        wait = 0.25 if await once(options, context) else min(wait * 2, 30.0)
        if not options.reconnect:
            return
        await asyncio.sleep(wait)


async def main():
    options = arguments()
    # The end of standard input is the end of the peer: nothing survives the runner.
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    work = asyncio.create_task(dialling(options))
    await asyncio.wait([work, ended], return_when=asyncio.FIRST_COMPLETED)
    failed = work.done() and work.exception()
    if failed:
        traceback.print_exception(failed)
    sys.stdout.flush()
    # The reader of standard input may still be waiting: leave without it.
    os._exit(1 if failed else 0)


asyncio.run(main())
