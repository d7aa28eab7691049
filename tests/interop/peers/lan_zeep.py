"""pip `onvif-zeep-async` against a device, its zeep set to strict: every reply must fit the WSDL to the letter. By https every name is this machine's."""

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


async def main(address, user, password):
    url = urlsplit(address)
    host = url.hostname
    if url.scheme == "https":
        socket.getaddrinfo, host = loopback, f"https://{host}"
    camera = ONVIFCamera(host, url.port, user, password, adjust_time=True)
    await camera.update_xaddrs()
    emit("xaddrs", xaddrs=camera.xaddrs)
    device = await camera.create_devicemgmt_service()
    found = {
        "date": plain(await device.GetSystemDateAndTime()),
        "services": plain(await device.GetServices({"IncludeCapability": True})),
        "capabilities": plain(await device.GetCapabilities({"Category": "All"})),
        "service_capabilities": plain(await device.GetServiceCapabilities()),
        "information": plain(await device.GetDeviceInformation()),
        "hostname": plain(await device.GetHostname()),
        "scopes": plain(await device.GetScopes()),
        "users": plain(await device.GetUsers()),
        "interfaces": plain(await device.GetNetworkInterfaces()),
        "endpoint": plain(await device.GetEndpointReference()),
        "wsdl": plain(await device.GetWsdlUrl()),
    }
    emit("read", **found)
    await camera.close()
    stranger = ONVIFCamera(host, url.port, user, "wrong", adjust_time=True)
    try:
        await (await stranger.create_devicemgmt_service()).GetUsers()
        emit("wrong", text="let in")
    except Exception as error:
        emit(
            "wrong",
            text=f"{type(error).__name__}: {error}",
            subcodes=[str(code) for code in getattr(error, "subcodes", None) or []],
        )
    await stranger.close()


try:
    asyncio.run(main(*sys.argv[1:4]))
except Exception:
    emit("error", text=traceback.format_exc())
    sys.exit(1)
