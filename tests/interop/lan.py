"""Networks of their own: hosts in namespaces, wired to switches; multicast passes, nothing leaves."""

import itertools
import os
from pathlib import Path

from harness import Failure, Skip, command

NUMBERS = itertools.count(1)


class Host:
    """A namespace with interfaces `eth0`, `eth1`, …"""

    def __init__(self, lan, name):
        self.lan, self.name, self.interfaces = lan, name, 0
        self.netns = lan.namespace(name)

    def plug(self, switch, *addresses):
        """One more interface, at this switch; its addresses are usable at once. Returns its name."""
        inner, port = f"eth{self.interfaces}", f"p{next(NUMBERS)}"
        self.interfaces += 1
        command("ip", "link", "add", inner, "netns", self.netns, "type", "veth", "peer", "name", port, "netns", switch.netns)
        self.within("ip", "link", "set", inner, "up")
        command("ip", "netns", "exec", switch.netns, "ip", "link", "set", port, "master", "switch", "up")
        for address in addresses:
            self.address("add", address, inner)
        return inner

    def address(self, do, address, interface="eth0"):
        """`add` or `del`; the subnet of an address of IPv4 is that of 24 bits."""
        self.within("ip", "address", do, address, "dev", interface, *(["nodad"] if ":" in address and do == "add" else []))

    def within(self, *argv):
        return command("ip", "netns", "exec", self.netns, *argv)


class Switch:
    def __init__(self, lan, name):
        self.netns = lan.namespace(name)
        command("ip", "netns", "exec", self.netns, "ip", "link", "add", "switch", "up", "type", "bridge", "mcast_snooping", "0")


class Lan:
    """All hosts and switches of one scenario; removed at its end."""

    def __init__(self, scene):
        if os.geteuid() != 0:
            raise Skip("network namespaces need root")
        self.names = []
        scene.undo.append(self.remove)

    def namespace(self, name):
        full = f"oriel-{name}-{os.getpid() % 100000}-{next(NUMBERS)}"
        try:
            command("ip", "netns", "add", full)
            self.names.append(full)
            # No wait for duplicate addresses: there are none.
            quiet = "for f in all default; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; done"
            command("ip", "netns", "exec", full, "sh", "-c", quiet)
            command("ip", "netns", "exec", full, "ip", "link", "set", "lo", "up")
        except Failure as failure:
            raise Skip(f"network namespaces cannot be made here: {failure}") from None
        return full

    def switch(self, name="switch"):
        return Switch(self, name)

    def host(self, name, *plugs):
        """A host with an interface for each (switch, addresses…)."""
        host = Host(self, name)
        for switch, *addresses in plugs:
            host.plug(switch, *addresses)
        return host

    def remove(self):
        for name in self.names:
            if Path(f"/run/netns/{name}").exists():
                command("ip", "netns", "delete", name)
