"""Clouds that lie: each accepts what a device dials and then does one wrong thing."""

import select
import socket
import ssl
import threading
import time

from harness import CERTS

RETRY_AFTER = 7
ANSWERS = {
    "says-200": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello",
    "says-503": f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER}\r\nContent-Length: 0\r\n\r\n".encode(),
    "garbage": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n"
    + b"not http/2 at all\r\n" * 64,
}
# What a person must be able to read in Error: the layer.
ERRORS = {
    "mute": r"tls|handshake|timed out|timeout|silent",
    "wrong-name": r"tls.*(name|certificate)|certificate.*name|name.*certificate",
    "says-200": r"upgrade|200",
    "says-503": r"503",
    "garbage": r"http/?2|preface|protocol",
    "hangs-up": r"tls|closed|reset|eof",
}


class Liar:
    def __init__(self, scene, kind):
        self.kind, self.error, self.times, self.held = kind, ERRORS[kind], [], []
        stem = "wrong-name" if kind == "wrong-name" else "server"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.load_cert_chain(CERTS / f"{stem}.pem", CERTS / f"{stem}.key")
        self.context.load_verify_locations(CERTS / "ca.pem")
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self.socket.getsockname()[1]}/{kind}"
        self.over = False
        threading.Thread(target=self.accept, daemon=True).start()
        scene.undo.append(self.close)

    def accept(self):
        while not self.over:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.times.append(time.monotonic())
            threading.Thread(target=self.lie, args=(peer,), daemon=True).start()

    def lie(self, peer):
        try:
            if self.kind == "mute":
                self.held.append(peer)
                return
            if self.kind == "hangs-up":
                peer.close()
                return
            peer.settimeout(10)
            tls = self.context.wrap_socket(peer, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                part = tls.recv(4096)
                if not part:
                    return
                head += part
            tls.sendall(ANSWERS[self.kind])
            # Leave the close to the device, where it cares to close.
            select.select([tls], [], [], 5)
            tls.close()
        except (OSError, ssl.SSLError):
            peer.close()

    def gaps(self):
        return [round(later - earlier, 2) for earlier, later in zip(self.times, self.times[1:])]

    def close(self):
        self.over = True
        self.socket.close()
        for peer in self.held:
            peer.close()


def refusing(scene):
    """An address at which nobody listens, held so that nobody can."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    scene.undo.append(held.close)
    return f"https://127.0.0.1:{held.getsockname()[1]}/refused"
