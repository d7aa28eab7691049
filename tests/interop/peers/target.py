"""A device in the eyes of WS-Discovery alone, by the package WSDiscovery: says Hello, answers Probe and Resolve, says Bye at the end of its input."""

import argparse
import json
import sys

from wsdiscovery import QName, Scope
from wsdiscovery.publishing import ThreadedWSPublishing

DN = "http://www.onvif.org/ver10/network/wsdl"
TDS = "http://www.onvif.org/ver10/device/wsdl"


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Target(ThreadedWSPublishing):
    def _handle_probe(self, env, addr):
        emit("probe", types=[str(kind.getFullname()) for kind in env.getTypes()], source=addr[0])
        super()._handle_probe(env, addr)

    def _handle_resolve(self, env, addr):
        emit("resolve", endpoint=env.getEPR(), source=addr[0])
        super()._handle_resolve(env, addr)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--endpoint", required=True)
parser.add_argument("--scope", action="append", default=[])
parser.add_argument("--xaddr", action="append", default=[])
options = parser.parse_args()

target = Target(uuid_=options.endpoint)
target.start()
types = [QName(DN, "NetworkVideoTransmitter"), QName(TDS, "Device")]
target.publishService(types=types, scopes=[Scope(scope) for scope in options.scope], xAddrs=options.xaddr)
emit("listening")
for line in sys.stdin:
    pass
# Bye, to its last repetition.
target.clearLocalServices()
target.stop()
