"""pip `onvif-zeep-async` as a viewer, its zeep set to strict: profiles, stream address, snapshot, PTZ move, events. By https every name is this machine's."""

import sys
from datetime import timedelta

from strict_zeep import connected, emit, plain, run


async def move(camera, token):
    ptz = await camera.create_ptz_service()
    await ptz.ContinuousMove({"ProfileToken": token, "Velocity": {"PanTilt": {"x": 0.5, "y": 0.0}}})
    emit("moving")
    for _ in range(40):
        status = await ptz.GetStatus({"ProfileToken": token})
        if status.Position and status.Position.PanTilt.x > 0.01:
            break
    await ptz.Stop({"ProfileToken": token, "PanTilt": True, "Zoom": True})
    emit("moved", position={"x": status.Position and status.Position.PanTilt.x})


def states(messages):
    """Topic and the values of each message."""
    return [
        {"topic": message.Topic._value_1, "message": plain(message.Message._value_1)}
        for message in messages.NotificationMessage or []
    ]


async def events(camera):
    manager = await camera.create_pullpoint_manager(timedelta(seconds=120), lambda: None)
    service = manager.get_service()
    emit("subscribed", address=service.xaddr)
    for name in ("initialized", "event"):
        pulled = await service.PullMessages({"MessageLimit": 10, "Timeout": timedelta(seconds=20)})
        emit(name, messages=states(pulled))
    await (await camera.create_subscription_service("PullPointSubscription")).Renew({"TerminationTime": "PT120S"})
    await manager.shutdown()


async def main(address, user, password, without=()):
    camera = await connected(address, user, password)
    media = await camera.create_media_service()
    profiles = await media.GetProfiles()
    emit("connected", services=camera.xaddrs, profiles=[profile.token for profile in profiles])
    device = await camera.create_devicemgmt_service()
    emit("information", information=plain(await device.GetDeviceInformation()))
    token = profiles[0].token
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    emit("stream", uri=(await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": token})).Uri)
    if "snapshot" not in without:
        picture = await camera.get_snapshot(token)
        uri = await camera.get_snapshot_uri(token)
        emit("snapshot", uri=uri, bytes=len(picture or b""), jpeg=(picture or b"")[:2] == b"\xff\xd8")
    if "ptz" not in without:
        await move(camera, token)
    if "events" not in without:
        await events(camera)
    emit("done")
    await camera.close()


given = dict(part.split("=") for part in sys.argv[4:])
run(main(*sys.argv[1:4], without=given.get("without", "").split(",")))
