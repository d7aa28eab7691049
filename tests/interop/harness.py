"""What every scenario stands on: processes that speak JSON lines, awaited events, deadlines, network namespaces, and an orderly end."""

import ctypes
import itertools
import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import install

PEERS = Path(__file__).resolve().parent / "peers"
SCENARIOS = {}
NUMBERS = itertools.count(1)
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Failure(Exception):
    """The scenario did not hold."""


class Skip(Exception):
    """The machine cannot run the scenario; the text says why."""


def scenario(name, timeout=60, slow=False, oriel=True, alone=False):
    """Registers a scenario. `slow` ones wait for clocks and run beside the others; `alone` ones measure and run by themselves at the end."""

    def register(function):
        SCENARIOS[name] = {"run": function, "timeout": timeout, "slow": slow, "oriel": oriel, "alone": alone}
        return function

    return register


def check(holds, text):
    if not holds:
        raise Failure(text)


class Process:
    """A child whose standard output is JSON lines; each is an event that can be awaited."""

    def __init__(self, scene, name, argv, env=None, netns=None, fds=()):
        self.scene, self.name, self.events, self.changed = scene, name, [], threading.Condition()
        self.log = scene.folder / f"{name}.log"
        argv = [str(part) for part in argv]
        if netns:
            argv = ["ip", "netns", "exec", netns, *argv]
        self.stderr = open(self.log, "ab")
        self.stderr.write(f"$ {' '.join(shlex.join(argv).split())}\n".encode())
        self.stderr.flush()
        environment = {**os.environ, "PATH": PATH, **(env or {})}
        self.child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=environment,
            pass_fds=fds,
            cwd=scene.folder,
            text=True,
        )
        self.pid = self.child.pid
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                event = {"event": "text", "text": line.rstrip("\n")}
            event.setdefault("event", "up")
            event["time"] = time.monotonic()
            self.stderr.write(b"> " + line.encode())
            self.stderr.flush()
            with self.changed:
                self.events.append(event)
                self.changed.notify_all()
        with self.changed:
            self.events.append({"event": "exit", "time": time.monotonic()})
            self.changed.notify_all()

    def mark(self):
        """A place in the events: what comes after it is new."""
        with self.changed:
            return len(self.events)

    def wait(self, *names, timeout=15.0, since=0, **match):
        """The first event after `since` with one of the names and these values."""
        end = min(time.monotonic() + timeout, self.scene.deadline)
        with self.changed:
            while True:
                for event in self.events[since:]:
                    if event["event"] in names and all(event.get(key) == value for key, value in match.items()):
                        return event
                gone = self.events and self.events[-1]["event"] == "exit"
                left = end - time.monotonic()
                if gone or left <= 0:
                    seen = ", ".join(event["event"] for event in self.events[since:][-12:]) or "nothing"
                    why = "it ended" if gone else f"{timeout:.0f} s"
                    raise Failure(f"{self.name}: no {' or '.join(names)} {match or ''} ({why}); seen: {seen}")
                self.changed.wait(left)

    def all(self, name, since=0, **match):
        with self.changed:
            return [
                e for e in self.events[since:] if e["event"] == name and all(e.get(k) == v for k, v in match.items())
            ]

    def send(self, do, **fields):
        self.child.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.child.stdin.flush()

    def ask(self, do, timeout=20.0, **fields):
        """A command with an answer: an event `answer`, `echoed` or, which fails, `unanswered`."""
        number = next(NUMBERS)
        self.send(do, id=number, **fields)
        event = self.wait("answer", "echoed", "unanswered", timeout=timeout, id=number)
        check(
            event["event"] != "unanswered",
            f"{self.name}: {do} {fields.get('operation', '')} unanswered: {event.get('reason')}",
        )
        return event

    def running(self):
        return self.child.poll() is None

    def kill(self, number=signal.SIGKILL):
        if self.running():
            os.kill(self.pid, number)

    def end(self, patience=5.0):
        """Ask, then insist; by pid."""
        try:
            self.child.stdin.close()
        except OSError:
            pass
        self.kill(signal.SIGTERM)
        try:
            self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            self.child.wait(5)
        self.reader.join(2)
        self.stderr.close()
        return self.child.returncode


class Scene:
    """One scenario under way: its folder, its deadline, what must be undone at its end."""

    def __init__(self, name, timeout, oriel, numbers):
        self.name, self.oriel, self.numbers = name, oriel, numbers.setdefault(name, {})
        self.deadline = time.monotonic() + timeout
        self.folder = install.CACHE / "run" / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.undo, self.processes = [], []

    def spawn(self, name, argv, **options):
        process = Process(self, name, argv, **options)
        self.processes.append(process)
        self.undo.append(process.end)
        return process

    def peer(self, language, role, *options, name=None, **how):
        program = {
            "python": [install.python("h2peer"), "-u", PEERS / f"{role}.py"],
            "node": ["node", PEERS / f"{role}.mjs"],
        }[language]
        return self.spawn(name or f"{language}-{role}", [*program, *options], **how)

    def peer_cloud(self, language, *options, cert="server", host="127.0.0.1", **how):
        process = self.peer(
            language, "cloud", "--ca", CERTS / "ca.pem", *identity(cert), "--listen", f"{host}:0", *options, **how
        )
        process.port = process.wait("listening")["port"]
        return process

    def peer_device(self, language, address, ca, *options, cert=None, **how):
        return self.peer(
            language,
            "device",
            "--address",
            address,
            "--ca",
            ca,
            *identity(cert or f"device-{language}"),
            *options,
            **how,
        )

    def until(self, what, probe, timeout=15.0, pause=0.1):
        """Ask again until the probe is truthy: for state that can be asked for but not awaited."""
        end = min(time.monotonic() + timeout, self.deadline)
        last = None
        while True:
            try:
                found = probe()
                if found:
                    return found
                last = found
            except (OSError, ValueError, KeyError) as error:
                last = f"{type(error).__name__}: {error}"
            if time.monotonic() > end:
                raise Failure(f"not within {timeout:.0f} s: {what} (last: {last})")
            time.sleep(pause)

    def number(self, key, value):
        self.numbers[key] = value

    def close(self):
        for undo in reversed(self.undo):
            try:
                undo()
            except Exception as error:  # the rest must be undone too
                print(f"  while ending {self.name}: {type(error).__name__}: {error}", flush=True)
        self.undo.clear()

    def tail(self, lines=14):
        parts = []
        # A process that was started again shares the log of the first.
        for process in {process.name: process for process in self.processes}.values():
            text = process.log.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"  --- {process.name}\n" + "\n".join(f"  {line[:300]}" for line in text))
        return "\n".join(parts)


CERTS = install.CACHE / "certs"


def identity(stem):
    return ["--cert", str(CERTS / f"{stem}.pem"), "--key", str(CERTS / f"{stem}.key")]


def certificates():
    subprocess.run([install.python("h2peer"), str(PEERS / "certs.py"), str(CERTS)], check=True)


def command(*argv):
    done = subprocess.run(
        [str(part) for part in argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": PATH},
    )
    check(done.returncode == 0, f"{' '.join(map(str, argv))}: {done.stdout.strip()}")
    return done.stdout


def in_netns(name, work):
    """Runs the function on a thread that has entered the namespace: its sockets belong there."""
    if name is None:
        return work()
    result = {}

    def body():
        try:
            with open(f"/run/netns/{name}") as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), 0x40000000):
                    raise OSError(ctypes.get_errno(), "setns")
            result["value"] = work()
        except BaseException as error:
            result["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]
