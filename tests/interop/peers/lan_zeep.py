"""pip `onvif-zeep-async` against a device, its zeep set to strict: every reply must fit the WSDL to the letter. By https every name is this machine's."""

import sys

from strict_zeep import camera_at, connected, emit, plain, run


async def main(address, user, password):
    camera = await connected(address, user, password)
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
    stranger = camera_at(address, user, "wrong")
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


run(main(*sys.argv[1:4]))
