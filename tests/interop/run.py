#!/usr/bin/env python3
"""Interoperability: other people's programs against `oriel`, one line a scenario. `--list` names them; exit status 1 when one failed."""

import argparse
import json
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import install  # noqa: E402
import harness  # noqa: E402
import oriel  # noqa: E402
from scenarios import api, bridge, bridge_discovery, brokers, cameras, client, crash, discovery, enrolment, events  # noqa: E402, F401
from scenarios import found, gateway, moved, operate, paths, peer, sources, uplink, webhook  # noqa: E402, F401

PRINT = threading.Lock()


def say(text):
    with PRINT:
        print(text, flush=True)


def attempt(name, spec, binary, numbers):
    """Runs one scenario on a thread of its own; returns (outcome, text)."""
    scene = harness.Scene(name, spec["timeout"], binary, numbers)
    result = []

    def body():
        try:
            spec["run"](scene)
            result.append(("ok", ""))
        except harness.Skip as skip:
            result.append(("skip", str(skip)))
        except harness.Failure as failure:
            result.append(("FAIL", str(failure)))
        except Exception as error:
            places = [f for f in traceback.extract_tb(error.__traceback__) if str(harness.PEERS.parent) in f.filename][
                -4:
            ]
            where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(places))
            result.append(("FAIL", f"{type(error).__name__}: {error} at {where}"))

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(spec["timeout"] + 5)
    if thread.is_alive():
        result.insert(0, ("FAIL", f"not done within {spec['timeout']} s"))
    scene.close()
    outcome, text = result[0]
    if outcome == "FAIL":
        text = f"{text}\n{scene.tail()}"
    return outcome, text


class Report:
    def __init__(self, binary):
        self.binary, self.counts, self.numbers = binary, {"ok": 0, "FAIL": 0, "skip": 0}, {}

    def one(self, name):
        spec = harness.SCENARIOS[name]
        begun = time.monotonic()
        outcome, text = attempt(name, spec, self.binary, self.numbers)
        took = time.monotonic() - begun
        self.counts[outcome] += 1
        figures = self.numbers.get(name) or {}
        extra = "".join(f" {key}={value}" for key, value in figures.items() if not isinstance(value, (dict, list)))
        line = {
            "ok": f"ok {name} {took:.1f}s{extra}",
            "FAIL": f"FAIL {name} {took:.1f}s{extra}: {text}",
            "skip": f"skip {name}: {text}",
        }
        say(line[outcome])

    def all(self, names, jobs):
        specs = harness.SCENARIOS
        slow = [threading.Thread(target=self.one, args=(n,)) for n in names if specs[n]["slow"]]
        waiting = queue.SimpleQueue()
        for name in names:
            if not specs[name]["slow"] and not specs[name]["alone"]:
                waiting.put(name)

        def work():
            while True:
                try:
                    name = waiting.get_nowait()
                except queue.Empty:
                    return
                self.one(name)

        threads = slow + [threading.Thread(target=work) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in names:
            if specs[name]["alone"]:
                self.one(name)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these scenarios; a name that ends in - is a prefix")
    parser.add_argument(
        "--oriel", metavar="PATH", help="the program; default: the newest of target/release and target/debug"
    )
    parser.add_argument("--no-install", action="store_true", help="everything is installed already")
    parser.add_argument(
        "--peers-only", action="store_true", help="only the scenarios that need no oriel: peers against each other"
    )
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at a time, beside the slow ones (default 2)")
    parser.add_argument("--numbers", metavar="FILE", help="where the figures go (default target/interop/numbers.json)")
    return parser.parse_args()


def selection(options):
    names = list(harness.SCENARIOS)
    if options.peers_only:
        names = [name for name in names if not harness.SCENARIOS[name]["oriel"]]
    if not options.only:
        return names
    chosen = [n for n in names if any(n == o or (o.endswith("-") and n.startswith(o)) for o in options.only)]
    if not chosen:
        raise SystemExit(f"no scenario is called {' or '.join(options.only)}; see --list")
    return chosen


def main():
    options = arguments()
    names = selection(options)
    if options.list:
        print("\n".join(names))
        return 0
    binary = oriel.find(options.oriel)
    if binary is None and any(harness.SCENARIOS[n]["oriel"] for n in names):
        raise SystemExit(
            "no oriel program found: run `cargo build --release`, name one with --oriel, or pass --peers-only"
        )
    if not options.no_install:
        install.everything()
    harness.certificates()
    report = Report(binary and os.path.abspath(binary))
    begun = time.monotonic()
    report.all(names, max(1, options.jobs))
    path = Path(options.numbers or install.CACHE / "numbers.json")
    path.write_text(
        json.dumps({"seconds": round(time.monotonic() - begun, 1), "scenarios": report.numbers}, indent=2) + "\n"
    )
    counts = report.counts
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped", flush=True)
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
