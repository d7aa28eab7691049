"""Notifications that the device sends (Core 9.3), to `onvif-zeep-async`'s NotificationManager: the webhook that home automation uses."""

import install
import oriel
from harness import PEERS, check, scenario
from scenarios.brokers import tell


def webhook(scene, device, minutes):
    argv = [install.python("zeep"), PEERS / "webhook_zeep.py", device.lan, device.user, device.password, minutes]
    hook = scene.spawn("zeep-webhook", argv)
    begun = hook.wait("subscribed", "error", timeout=60)
    check(begun["event"] == "subscribed", begun.get("text", ""))
    return hook


# The device has a video source of its own; this is the one that is told of.
MOTION = {"topic": "tns1:VideoSource/MotionAlarm", "source": {"Source": "1"}}


def states(hook):
    return [message["data"]["State"] for message in hook.all("message", **MOTION)]


@scenario("events-zeep-webhook", timeout=120)
def zeep(scene):
    """Each change comes, in order, also past a consumer that fails; SetSynchronizationPoint tells the states once more; after the end nothing comes."""
    device = oriel.Device(scene).start()
    tell(device, "false")
    hook = webhook(scene, device, 10)
    first = hook.wait("message", **MOTION)
    check(first["operation"] == "Initialized" and first["data"] == {"State": "false"}, f"{first}")
    hook.ask("answer", statuses=[503, 500])
    wanted = ["true", "false"] * 10
    for state in wanted:
        tell(device, state)
    scene.until("every change", lambda: len(states(hook)) > len(wanted), 40)
    check(states(hook) == ["false", *wanted], f"{states(hook)}")
    check(len(hook.all("refused")) == 2, "the consumer failed twice")
    since = hook.mark()
    hook.ask("synchronise")
    again = hook.wait("message", since=since, **MOTION)
    check(again["operation"] == "Initialized" and again["data"] == {"State": "false"}, f"{again}")
    hook.ask("stop")
    hook.wait("stopped")
    since = hook.mark()
    tell(device, "true")
    tell(device, "false")
    # Another subscriber hears of both, and by then the first would have too.
    other = webhook(scene, device, 10)
    other.wait("message", **MOTION)
    check(not hook.all("message", since=since), "messages after the end")
    check(not hook.all("lost"), "the subscription was lost")
