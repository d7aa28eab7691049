"""pip `onvif-zeep-async` as home automation uses it: its NotificationManager with a webhook, renewed until standard input ends; each message is an event."""

import asyncio
import datetime
import json
import sys
import traceback
from urllib.parse import urlsplit

from aiohttp import web
from onvif import ONVIFCamera


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}, default=str), flush=True)


def items(group):
    return {item.Name: item.Value for item in (group.SimpleItem if group else [])}


def tell(message):
    """One notification as home automation reads it: the topic's text, and the `tt:Message` in it."""
    told = message.Message._value_1
    emit(
        "message",
        topic=message.Topic._value_1,
        time=told.UtcTime.timestamp(),
        operation=told.PropertyOperation,
        source=items(told.Source),
        data=items(told.Data),
    )


async def main(address, user, password, minutes):
    url = urlsplit(address)
    camera = ONVIFCamera(url.hostname, url.port, user, password, adjust_time=True)
    await camera.update_xaddrs()
    answers = []

    async def hook(request):
        content = await request.read()
        status = answers.pop(0) if answers else 200
        if status == 200:
            for message in manager.process(content).NotificationMessage:
                tell(message)
        else:
            emit("refused", status=status)
        return web.Response(status=status)

    application = web.Application()
    application.router.add_post("/hook/{id}", hook)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    interval = datetime.timedelta(minutes=float(minutes))
    lost = lambda: emit("lost")  # noqa: E731
    manager = await camera.create_notification_manager(f"http://127.0.0.1:{port}/hook/7", interval, lost)
    begun = asyncio.get_running_loop().time()
    renewals = 0
    renew = manager._call_subscription_renew

    async def counted():
        nonlocal renewals
        at = await renew()
        renewals += 1
        emit("renewed", count=renewals, after=asyncio.get_running_loop().time() - begun)
        return at

    manager._call_subscription_renew = counted
    emit("subscribed", closed=manager.closed)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        if command["do"] == "answer":
            answers.extend(command["statuses"])
        elif command["do"] == "synchronise":
            await manager.set_synchronization_point()
        elif command["do"] == "stop":
            await manager.shutdown()
            emit("stopped")
        emit("answer", id=command.get("id"))
    await camera.close()
    await runner.cleanup()


try:
    asyncio.run(main(*sys.argv[1:5]))
except Exception:
    emit("error", text=traceback.format_exc())
    sys.exit(1)
