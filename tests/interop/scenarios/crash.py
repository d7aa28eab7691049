"""Losing a process: kill -9 of the device while it writes, and restart of the cloud under load with drain."""

import random
import socket
import threading
import time

import oriel
import soap
from harness import CERTS, check, scenario

CALLS = 200
KILL_EVERY = 6
LEVELS = ["Administrator", "Operator", "User"]


def view(device):
    return {address: fields["UserLevel"] for address, fields in device.uplinks().items()}


def step(dice, state):
    """A next call at random, as (body, state after it); never more than six entries."""
    address = f"https://127.0.0.1:1/{dice.randrange(6)}"
    after = dict(state)
    if address in state and dice.random() < 0.4:
        del after[address]
        return oriel.Device.delete_body(address), after
    after[address] = dice.choice(LEVELS)
    return oriel.Device.set_body(address, level=after[address]), after


@scenario("crash-kill9", timeout=240)
def crash(scene):
    seed = int(time.time())
    dice, state = random.Random(seed), {}
    scene.number("seed", seed)
    device = oriel.Device(scene).start()
    kills = unanswered = kept = 0
    typical = 0.01
    for number in range(CALLS):
        body, after = step(dice, state)
        if dice.randrange(KILL_EVERY):
            begun = time.monotonic()
            answer = device.call(body)
            typical = 0.8 * typical + 0.2 * (time.monotonic() - begun)
            check(answer.status == 200, f"call {number}: {answer}")
            state = after
            continue
        answered = []

        def call():
            try:
                answered.append(device.call(body).status)
            except (OSError, soap.http.client.HTTPException):
                pass

        caller = threading.Thread(target=call)
        caller.start()
        # Anywhere in the call, and a little past its end.
        time.sleep(dice.random() * typical * 1.5)
        device.process.kill()
        caller.join(20)
        device.process.end()
        kills += 1
        device.start()
        found = view(device)
        allowed = [after] if answered == [200] else [state, after]
        check(
            found in allowed,
            f"seed {seed}, call {number}: read back {found}; before {state}, after {after}, answered {answered}",
        )
        unanswered += not answered
        kept += not answered and found == after
        state = found
    check(view(device) == state, f"at the end {view(device)}, not {state}")
    for key, value in (("calls", CALLS), ("kills", kills), ("unanswered", unanswered), ("unanswered_but_kept", kept)):
        scene.number(key, value)
    check(kills >= 20, f"only {kills} kills")


# ---- restart under load

# A tunnel younger than 5 s is replaced by the ladder and not at once, so that two clouds cannot play ball: be older.
RATE, BEFORE, AFTER, DRAIN = 50, 6.0, 10.0, 5


class Load:
    """Requests at a fixed rate, each on a fresh connection, each at its own time whatever became of the others."""

    def __init__(self, cloud, id, token, seconds):
        self.results, self.threads = [], []
        self.work = lambda: soap.call(
            cloud.gateway(id), "tds:GetSystemDateAndTime", token=token, context=cloud.context, timeout=10
        )
        self.begun, self.seconds, self.turn = time.monotonic(), seconds, iter(range(int(RATE * seconds)))
        self.lock = threading.Lock()

    def start(self):
        self.threads = [threading.Thread(target=self.run) for _ in range(40)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while True:
            with self.lock:
                number = next(self.turn, None)
            if number is None:
                return
            due = self.begun + number / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            begun = time.monotonic()
            try:
                answer = self.work()
                outcome = (
                    "ok"
                    if answer.status == 200
                    else f"HTTP {answer.status} {str(answer.fault() or answer.text)[-120:]}"
                )
            except (OSError, soap.http.client.HTTPException) as error:
                outcome = f"{type(error).__name__}: {error}"
            self.results.append((begun, time.monotonic(), outcome))

    def join(self):
        for thread in self.threads:
            thread.join()

    def failures(self):
        return sorted(r for r in self.results if r[2] != "ok")

    def hole(self):
        """From the first failure to the first success behind the last failure, in ms."""
        failed = self.failures()
        if not failed:
            return 0
        later = [begun for begun, _, outcome in self.results if outcome == "ok" and begun > failed[-1][0]]
        return round(((min(later) if later else failed[-1][1]) - failed[0][0]) * 1000)


def restart(scene, who, attach):
    """The listening socket is the runner's; old and new process take it in turn (systemd's socket activation)."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    scene.undo.append(listener.close)
    cloud = oriel.Cloud(scene, f"cloud-{who}", drain=DRAIN, socket=listener)
    cloud.start()
    id, token = attach(cloud)
    cloud.online(id)
    load = Load(cloud, id, token, BEFORE + AFTER)
    load.start()
    time.sleep(BEFORE)
    old = cloud.process
    sent = time.monotonic()
    cloud.terminate()
    cloud.start(wait=False)
    cloud.ready()
    scene.number(f"{who}_new_up_ms", round((time.monotonic() - sent) * 1000))
    old.wait("exit", timeout=DRAIN + 10)
    scene.number(f"{who}_old_gone_ms", round((time.monotonic() - sent) * 1000))
    load.join()
    failures = load.failures()
    scene.number(f"{who}_requests", len(load.results))
    scene.number(f"{who}_failures", len(failures))
    scene.number(f"{who}_hole_ms", load.hole())
    slowest = max(end - begun for begun, end, _ in load.results)
    scene.number(f"{who}_slowest_ms", round(slowest * 1000))
    times = {}
    for begun, _, outcome in failures:
        times.setdefault(outcome, []).append(round(begun - sent, 3))
    # What failed → how often, and from when to when, in seconds from the SIGTERM.
    kinds = {kind: [len(found), found[0], found[-1]] for kind, found in times.items()}
    scene.number(f"{who}_kinds", kinds)
    check(not [f for f in failures if f[0] < sent - 1], f"failures before the restart: {kinds}")
    check(load.results[-1][2] == "ok" and cloud.tunnels(id), f"{who} is not back at the end: {kinds}")
    return failures, kinds


@scenario("restart-under-load", timeout=120, alone=True)
def restart_under_load(scene):
    def ours(cloud):
        device = oriel.Device(scene, cert="device-oriel").start()
        id = cloud.add_device(device.pem)
        device.set_uplink(cloud.uplink())
        return id, cloud.token()

    def node(cloud):
        id = cloud.add_device(CERTS / "device-node.pem")
        scene.peer_device("node", cloud.uplink(), cloud.ca, "--reconnect")
        return id, cloud.token()

    failures, kinds = restart(scene, "oriel", ours)
    restart(scene, "node", node)
    check(not failures, f"our own device: {len(failures)} requests failed: {kinds}")
