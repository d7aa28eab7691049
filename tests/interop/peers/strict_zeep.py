"""What peers made of pip `onvif-zeep-async` share: its zeep set to strict, one line of JSON for each event, a camera that is connected. By https every name is this machine's."""

import asyncio
import json
import socket
import sys
import traceback
from urllib.parse import urlsplit

import onvif.settings

onvif.settings.DEFAULT_SETTINGS.strict = True

from onvif import ONVIFCamera  # noqa: E402
from zeep.helpers import serialize_object  # noqa: E402

RESOLVE = socket.getaddrinfo


def loopback(host, *rest, **options):
    return RESOLVE("127.0.0.1", *rest, **options)


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}, default=str), flush=True)


def plain(value):
    return serialize_object(value, dict)


def camera_at(address, user, password):
    url = urlsplit(address)
    host = url.hostname
    if url.scheme == "https":
        socket.getaddrinfo, host = loopback, f"https://{host}"
    return ONVIFCamera(host, url.port, user, password, adjust_time=True)


async def connected(address, user, password):
    camera = camera_at(address, user, password)
    await camera.update_xaddrs()
    return camera


def run(work):
    try:
        asyncio.run(work)
    except Exception:
        emit("error", text=traceback.format_exc())
        sys.exit(1)
