"""What lies between device and cloud: a proxy that speaks PROXY protocol, a NAT that drops or forgets, and long silence (Uplink 5.2)."""

import os
import socket
import ssl
import time
from pathlib import Path

import oriel
from harness import CERTS, Failure, Skip, check, command, scenario

NOTICE = 31.0
IDLE = 75.0

# ---- haproxy

HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
{parts}
"""
PART = """
frontend {name}
  bind fd@{fd}
  default_backend {name}-cloud
backend {name}-cloud
  server cloud 127.0.0.1:{port} {word} source 127.0.0.3
"""


def front(scene, cloud):
    """haproxy as TCP pass-through from a listening socket of ours to the cloud, once a version of the PROXY protocol."""
    ports, parts, fds = {}, "", []
    for name, word in (("v1", "send-proxy"), ("v2", "send-proxy-v2")):
        listener = socket.create_server(("127.0.0.1", 0))
        scene.undo.append(listener.close)
        fds.append(listener.fileno())
        ports[name] = listener.getsockname()[1]
        parts += PART.format(name=name, fd=listener.fileno(), port=cloud.url.rpartition(":")[2], word=word)
    path = scene.folder / "haproxy.cfg"
    path.write_text(HAPROXY.format(parts=parts))
    scene.spawn("haproxy", ["haproxy", "-db", "-q", "-f", path], fds=tuple(fds))
    return ports


@scenario("haproxy-proxy-protocol", timeout=60)
def haproxy(scene):
    cloud = oriel.Cloud(scene, proxy=["127.0.0.3/32"]).start()
    token = cloud.token()
    ports = front(scene, cloud)
    device = oriel.Device(scene).start()
    own = cloud.add_device(device.pem)
    peer_id = cloud.add_device(CERTS / "device-python.pem")
    for version, port in ports.items():
        address = f"https://127.0.0.1:{port}/uplink"
        device.set_uplink(address)
        source = cloud.online(own)[0]["source"]
        check(source.startswith("127.0.0.1"), f"{version}: the cloud shows {source}, not the device's own address")
        check(cloud.call(own, "tds:GetHostname", token).status == 200, f"{version}: no answer through haproxy")
        device.delete_uplink(address)
        cloud.offline(own)
        peer = scene.peer_device("python", address, cloud.ca, "--source", "127.0.0.9", name=f"python-device-{version}")
        local = peer.wait("tls")["local"]
        source = cloud.online(peer_id)[0]["source"]
        check(
            source in (local[0], f"{local[0]}:{local[1]}"),
            f"{version}: the cloud shows {source}, the device is {local}",
        )
        peer.end()
        cloud.offline(peer_id)
    untrusted(cloud)
    # An ordinary device without a proxy still gets in at the same port.
    device.set_uplink(cloud.uplink())
    cloud.online(own)


def untrusted(cloud):
    """PROXY protocol is believed from listed addresses only, and only PROXY protocol is taken from those."""
    port = int(cloud.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"PROXY TCP4 6.6.6.6 127.0.0.1 1 443\r\n")
        try:
            cloud.context.wrap_socket(raw, server_hostname="127.0.0.1")
        except (OSError, ssl.SSLError):
            pass
        else:
            raise Failure("a PROXY header from an unlisted address was taken")
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=("127.0.0.3", 0)) as raw:
        try:
            cloud.context.wrap_socket(raw, server_hostname="127.0.0.1")
        except (OSError, ssl.SSLError):
            return
        raise Failure("a listed proxy was let in without a PROXY header")


# ---- a camera behind NAT


class Nat:
    """Three namespaces in a row: camera (10.99.1.2) – NAT – cloud (10.99.2.2)."""

    RULES = """
table ip oriel {
  chain post { type nat hook postrouting priority 100; oifname "wan" masquerade; }
  chain forward { type filter hook forward priority 0; ct state invalid drop; }
  chain input { type filter hook input priority 0; iifname "wan" drop; }
}
"""

    def __init__(self, scene):
        if os.geteuid() != 0:
            raise Skip("network namespaces need root")
        tag = f"{os.getpid() % 100000}"
        self.camera, self.nat, self.cloud = (f"oriel-{part}-{tag}" for part in ("camera", "nat", "cloud"))
        scene.undo.append(self.remove)
        try:
            for name in (self.camera, self.nat, self.cloud):
                command("ip", "netns", "add", name)
                self.within(name, "ip", "link", "set", "lo", "up")
        except Failure as failure:
            raise Skip(f"network namespaces cannot be made here: {failure}") from None
        self.wire(self.camera, "eth0", "10.99.1.2/24", "lan", "10.99.1.1/24")
        self.wire(self.cloud, "eth0", "10.99.2.2/24", "wan", "10.99.2.1/24")
        self.within(self.camera, "ip", "route", "add", "default", "via", "10.99.1.1")
        self.within(self.nat, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        rules = scene.folder / "nat.nft"
        rules.write_text(self.RULES)
        self.within(self.nat, "nft", "-f", rules)
        # A NAT that forgot a connection must not pick it up again from its middle.
        self.within(self.nat, "sh", "-c", "echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose")

    def wire(self, inner, inner_name, inner_address, outer_name, outer_address):
        pair = ["type", "veth", "peer", "name", outer_name, "netns", self.nat]
        command("ip", "link", "add", inner_name, "netns", inner, *pair)
        for namespace, name, address in ((inner, inner_name, inner_address), (self.nat, outer_name, outer_address)):
            self.within(namespace, "ip", "address", "add", address, "dev", name)
            self.within(namespace, "ip", "link", "set", name, "up")

    @staticmethod
    def within(name, *argv):
        return command("ip", "netns", "exec", name, *argv)

    def drop(self):
        self.within(self.nat, "nft", "insert", "rule", "ip", "oriel", "forward", "drop")

    def restore(self):
        listed = self.within(self.nat, "nft", "-a", "list", "chain", "ip", "oriel", "forward")
        handle = next(line.rpartition("handle ")[2] for line in listed.splitlines() if line.strip().startswith("drop"))
        self.within(self.nat, "nft", "delete", "rule", "ip", "oriel", "forward", "handle", handle)

    def forget(self):
        self.within(self.nat, "conntrack", "-F")

    def remove(self):
        for name in (self.camera, self.nat, self.cloud):
            if Path(f"/run/netns/{name}").exists():
                command("ip", "netns", "delete", name)


@scenario("liveness-nat", timeout=240, slow=True)
def liveness(scene):
    nat = Nat(scene)
    cloud = oriel.Cloud(scene, listen="10.99.2.2:8443", netns=nat.cloud).start()
    device = oriel.Device(scene, netns=nat.camera).start()
    id, token = cloud.add_device(device.pem), cloud.token()
    address = "https://10.99.2.2:8443/uplink"
    device.set_uplink(address)
    source = cloud.online(id)[0]["source"]
    check(source.startswith("10.99.2.1"), f"the cloud sees {source}, not the NAT")
    device.connected(address)
    lose(scene, cloud, device, id, address, "dropped", nat.drop, nat.restore)
    check(cloud.call(id, "tds:GetHostname", token).status == 200, "no answer after the path came back")
    lose(scene, cloud, device, id, address, "forgotten", nat.forget, lambda: None)
    check(cloud.call(id, "tds:GetHostname", token).status == 200, "no answer after the NAT forgot")


def lose(scene, cloud, device, id, address, name, cut, mend):
    """The path is lost without a packet that says so: both ends must notice, and be back by themselves."""
    first = cloud.tunnels(id)[0]
    begun = time.monotonic()
    cut()
    noticed = {}

    def both():
        tunnels = cloud.tunnels(id)
        if "cloud" not in noticed and not any(oriel.same(t, first) for t in tunnels):
            noticed["cloud"] = time.monotonic() - begun
        entry = device.uplinks()[address]
        # Where the path is whole again, a new tunnel says that the old one was given up.
        if "device" not in noticed and (
            entry.get("Status") != "Connected" or any(not oriel.same(t, first) for t in tunnels)
        ):
            noticed["device"] = time.monotonic() - begun
        return len(noticed) == 2

    scene.until(f"both notice that the path is {name}", both, timeout=NOTICE + 15)
    for side, seconds in noticed.items():
        scene.number(f"{name}_{side}_s", round(seconds, 1))
    mended = time.monotonic()
    mend()
    scene.until(
        f"online again after {name}", lambda: any(not oriel.same(t, first) for t in cloud.tunnels(id)), timeout=40
    )
    device.connected(address)
    scene.number(f"{name}_back_s", round(time.monotonic() - mended, 1))
    late = {side: round(seconds, 1) for side, seconds in noticed.items() if seconds > NOTICE}
    check(not late, f"{name}: noticed later than {NOTICE} s: {late}")


# ---- silence


@scenario("idle-healthy", timeout=150, slow=True)
def idle(scene):
    """Nobody asks anything for 75 s: every tunnel is the same one afterwards. The Python and Node devices never ping."""
    cloud = oriel.Cloud(scene).start()
    token = cloud.token()
    device = oriel.Device(scene).start()
    ids = {"oriel": cloud.add_device(device.pem)}
    device.set_uplink(cloud.uplink())
    peers = {}
    for language, scheme in (("python", "https"), ("node", "wss")):
        ids[language] = cloud.add_device(CERTS / f"device-{language}.pem")
        peers[language] = scene.peer_device(language, cloud.uplink(scheme), cloud.ca)
    before = {who: cloud.online(id)[0] for who, id in ids.items()}
    time.sleep(IDLE)
    for who, id in ids.items():
        tunnels = cloud.tunnels(id)
        check(len(tunnels) == 1 and oriel.same(tunnels[0], before[who]), f"{who}: the tunnel was replaced: {tunnels}")
        check(cloud.call(id, "tds:GetSystemDateAndTime", token).status == 200, f"{who}: no answer after the silence")
    for language, peer in peers.items():
        check(not peer.all("closed"), f"{language}: closed in the silence")
    scene.number("pings_in_75_s", {language: len(peer.all("ping")) for language, peer in peers.items()})


@scenario("never-pinging-cloud", timeout=150, slow=True)
def never_pinging(scene):
    """A cloud that never pings and never asks: our own pings keep the tunnel."""
    cloud = scene.peer_cloud("python", "--never-ping")
    device = oriel.Device(scene).start()
    address = f"https://127.0.0.1:{cloud.port}/"
    device.set_uplink(address)
    cloud.wait("connected")
    time.sleep(IDLE)
    check(
        not cloud.all("closed") and len(cloud.all("connected")) == 1, f"the tunnel did not last: {cloud.all('closed')}"
    )
    pings = len(cloud.all("ping"))
    scene.number("pings", pings)
    check(4 <= pings <= 10, f"{pings} pings in {IDLE:.0f} s: one after 10 to 15 s of silence is wanted")
    check(cloud.ask("call", operation="tds:GetHostname")["status"] == 200, "no answer after the silence")
    device.connected(address)
