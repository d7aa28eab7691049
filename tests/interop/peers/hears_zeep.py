"""pip `onvif-zeep-async` listens at a pull point, as home automation does: one line for each message."""

import asyncio
import datetime
import json
import sys
import traceback
from urllib.parse import urlsplit

from lxml import etree
from onvif import ONVIFCamera


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}, default=str), flush=True)


def items(group):
    """Name → value; of an element its XML."""
    found = {item.Name: item.Value for item in (group.SimpleItem if group else None) or []}
    for item in (group.ElementItem if group else None) or []:
        found[item.Name] = etree.tostring(item._value_1).decode() if etree.iselement(item._value_1) else str(item._value_1)
    return found


async def main(address, user, password):
    url = urlsplit(address)
    camera = ONVIFCamera(url.hostname, url.port, user, password)
    await camera.update_xaddrs()
    manager = await camera.create_pullpoint_manager(datetime.timedelta(seconds=60), subscription_lost_callback=lambda: None)
    await manager.set_synchronization_point()
    service = manager.get_service()
    emit("listening")
    while True:
        answer = await service.PullMessages({"MessageLimit": 100, "Timeout": datetime.timedelta(seconds=5)})
        for told in answer.NotificationMessage or []:
            message = told.Message._value_1
            emit(
                "told",
                topic=told.Topic._value_1,
                operation=message.PropertyOperation,
                source=items(message.Source),
                data=items(message.Data),
            )


try:
    asyncio.run(main(*sys.argv[1:4]))
except Exception:
    emit("error", text=traceback.format_exc())
    sys.exit(1)
