"""pip `onvif-zeep-async` as a listener, its zeep set to strict: connects, and pulls by its PullPointManager until it is told to end. By https every name is this machine's."""

import asyncio
import os
import sys
import traceback
from datetime import timedelta

import aiohttp
import onvif.client
from strict_zeep import connected, emit, plain, run


def shown(message):
    """Topic, operation and items of a message, as home automation reads them."""
    content = message.Message._value_1
    groups = [group for group in (content.Source, content.Key, content.Data) if group]
    items = {item.Name: item.Value for group in groups for item in group.SimpleItem}
    return {"topic": message.Topic._value_1, "operation": content.PropertyOperation, "items": items}


# Where a clock runs fast, a moment that the machine is busy is minutes long: the library's bounds on answers are for clocks that do not.
for name in os.environ.get("PATIENT") and ("_DEFAULT", "_PULLPOINT", "_CONNECT", "_READ", "_WRITE") or ():
    setattr(onvif.client, f"{name}_TIMEOUT", 24 * 3600)


async def pulls(manager, seconds):
    """Pulls for ever; says what came. A connection that was closed because it was idle is asked again on another, as home automation does."""
    count = again = 0
    while True:
        service = manager.get_service()
        try:
            answer = await service.PullMessages({"MessageLimit": 100, "Timeout": timedelta(seconds=seconds)})
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            again += 1
            emit("again", text=repr(error))
            if again > 100:
                raise
            continue
        count += 1
        emit("pulled", count=count, messages=[shown(message) for message in answer.NotificationMessage or []])


async def told_to_end():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def main(address, user, password, seconds="20", interval="60"):
    camera = await connected(address, user, password)
    service = await camera.create_events_service()
    emit(
        "connected",
        services=camera.xaddrs,
        capabilities=plain(await service.GetServiceCapabilities()),
        properties=list(plain(await service.GetEventProperties())),
    )
    lost = lambda: emit("lost")  # noqa: E731
    manager = await camera.create_pullpoint_manager(timedelta(seconds=float(interval)), lost)
    emit("subscribed", address=manager.get_service().xaddr)
    await manager.set_synchronization_point()
    pulling = asyncio.create_task(pulls(manager, float(seconds)))
    ending = asyncio.create_task(told_to_end())
    await asyncio.wait([pulling, ending], return_when=asyncio.FIRST_COMPLETED)
    if pulling.done():
        # At once: the thread that waits for the end would hold up an orderly one.
        emit("error", text="".join(traceback.format_exception(pulling.exception())))
        os._exit(1)
    pulling.cancel()
    await manager.shutdown()
    emit("done")
    await camera.close()


run(main(*sys.argv[1:]))
