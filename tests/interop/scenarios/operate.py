"""Running a cloud: certificates of an ACME authority (Pebble), metrics as Prometheus would read them."""

import hashlib
import json
import re
import shutil
import socket
import ssl
import time
import urllib.request

import oriel
from harness import CERTS, PATH, Failure, Skip, check, scenario

NAME = "cloud.example.org"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, condition, timeout):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise Failure(f"not within {timeout} s: {what}")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def pebble(scene, tls_port, validity):
    """The authority and its name server; returns the process, its directory and a function that gets its root."""
    if not shutil.which("pebble", path=PATH):
        raise Skip("the Debian package pebble cannot be had")
    dns, acme, management, control = (free_port() for _ in range(4))
    nothing = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", "", "-defaultIPv4", "127.0.0.1"]
    names = ["-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{control}"]
    scene.spawn("challtestsrv", ["pebble-challtestsrv", *nothing, *names])
    config = scene.folder / "pebble.json"
    settings = {
        "listenAddress": f"127.0.0.1:{acme}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(CERTS / "server.pem"),
        "privateKey": str(CERTS / "server.key"),
        "httpPort": free_port(),
        "tlsPort": tls_port,
        "ocspResponderURL": "",
        "certificateValidityPeriod": validity,
    }
    config.write_text(json.dumps({"pebble": settings}))
    argv = ["pebble", "-config", config, "-dnsserver", f"127.0.0.1:{dns}"]
    process = scene.spawn("pebble", argv, env={"PEBBLE_VA_NOSLEEP": "1"})
    until("pebble listens", lambda: listens(acme) and listens(management) and listens(control), 20)

    def root():
        context = ssl.create_default_context(cafile=CERTS / "ca.pem")
        url = f"https://localhost:{management}/roots/0"
        return urllib.request.urlopen(url, context=context, timeout=10).read().decode()

    return process, f"https://localhost:{acme}/dir", root


def served(port, root=None):
    """The certificate that is served, proved by `root` if that is given; its digest, or None."""
    context = ssl.create_default_context(cadata=root) if root else ssl._create_unverified_context()
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as tcp:
            with context.wrap_socket(tcp, server_hostname=NAME) as tls:
                return hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
    except ssl.SSLCertVerificationError:
        return None


def families(text):
    """Sample → value of an OpenMetrics page."""
    check(text.endswith("# EOF\n"), "the page has no end")
    return {name: float(value) for name, value in re.findall(r"^([a-z_]+(?:{[^}]*})?) (\S+)$", text, re.M)}


def metrics(cloud):
    return families(urllib.request.urlopen(cloud.metrics, timeout=5).read().decode())


@scenario("operate-acme", timeout=180, slow=True)
def acme(scene):
    """Pebble issues, its certificate is served, renewed at two thirds of its life, and stays when the authority is gone."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    scene.undo.append(listener.close)
    port = listener.getsockname()[1]
    authority, directory, root_of = pebble(scene, port, validity=30)
    tables = [
        ("[acme]", {"directory": directory, "ca": CERTS / "ca.pem", "names": [NAME], "contact": ["mailto:o@example.org"]}),
        ("[metrics]", {"listen": "127.0.0.1:0"}),
    ]
    cloud = oriel.Cloud(scene, tls=False, socket=listener, tables=tables).start(wait=False)
    cloud.metrics = cloud.process.wait("up", timeout=30)["metrics"]
    root = root_of()
    first = until("the first certificate", lambda: served(port, root), 30)
    account = list((cloud.data / "acme").glob("*/account.json"))
    check(len(account) == 1 and account[0].stat().st_mode & 0o777 == 0o600, f"the account's file: {account}")
    second = until("the renewal", lambda: (served(port, root) or first) != first, 40)
    authority.kill()
    now = served(port)
    log = cloud.process.log
    until("a renewal that fails", lambda: "there is no new certificate" in log.read_text(), 60)
    check(second and served(port) == now, "the old certificate does not stay")
    seen = metrics(cloud)
    check(seen['oriel_acme_orders_total{outcome="issued"}'] >= 2, f"{seen}")
    check(seen['oriel_acme_orders_total{outcome="failed"}'] == 1, f"{seen}")
    scene.numbers["orders"] = int(seen['oriel_acme_orders_total{outcome="issued"}'])
    check("PRIVATE KEY" not in log.read_text(), "a key in the log")
