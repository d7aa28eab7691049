"""A client in the eyes of WS-Discovery alone, by the package WSDiscovery: tells each Hello and Bye that it hears, and searches when told."""

import json
import sys

from wsdiscovery import QName, Scope
from wsdiscovery.discovery import ThreadedWSDiscovery

NAMESPACES = {"dn": "http://www.onvif.org/ver10/network/wsdl", "tds": "http://www.onvif.org/ver10/device/wsdl"}


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def about(found):
    return {
        "endpoint": found.getEPR(),
        "types": [kind.getFullname() for kind in found.getTypes()],
        "scopes": [scope.getValue() for scope in found.getScopes()],
        "xaddrs": found.getXAddrs(),
    }


class Seeker(ThreadedWSDiscovery):
    def _handle_hello(self, env, addr):
        emit("hello", **about(env), version=int(env.getMetadataVersion()), instance=int(env.getInstanceId()), source=addr[0])
        super()._handle_hello(env, addr)

    def _handle_bye(self, env, addr):
        emit("bye", endpoint=env.getEPR(), source=addr[0])
        super()._handle_bye(env, addr)

    def _handle_probematches(self, env, addr):
        for match in env.getProbeResolveMatches():
            emit("match", endpoint=match.getEPR(), version=int(match.getMetadataVersion()), relates=env.getRelatesTo(), source=addr[0])
        super()._handle_probematches(env, addr)


seeker = Seeker()
seeker.start()
emit("listening")
for line in sys.stdin:
    command = json.loads(line)
    seeker.clearRemoteServices()
    types = [QName(NAMESPACES[prefix], local) for prefix, local in (kind.split(":") for kind in command.get("types", []))]
    scopes = [Scope(scope) for scope in command.get("scopes", [])]
    found = seeker.searchServices(types=types or None, scopes=scopes or None, timeout=command.get("timeout", 3))
    emit("answer", id=command["id"], found=[about(service) for service in found])
seeker.stop()
