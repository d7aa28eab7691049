"""How the rough camera knows its callers: HTTP Digest (RFC 7616, RFC 2069) and WS-UsernameToken, as strict as a real one, by its own clock."""

import base64
import hashlib
import hmac
import os
import re
import time
from datetime import datetime, timedelta, timezone

from rough_words import NS

REALM = "IP Camera (C4711), 'rough'"
# WS-UsernameToken: what is older than this by the camera's clock is refused.
WINDOW = 60.0
LEVELS = ("User", "Operator", "Administrator")


class Refused(Exception):
    """Why; `stale`: another try with a new nonce may do."""

    def __init__(self, reason, stale=False):
        super().__init__(reason)
        self.stale = stale


class Accounts:
    def __init__(self, options):
        self.mode, self.skew, self.basic, self.realm = options.auth, options.skew, options.basic, REALM
        self.algorithm = {"digest-sha256": "SHA-256"}.get(self.mode, "MD5")
        self.users = {}
        for entry in options.user:
            name, password, level = entry.split(":")
            self.users[name] = (password, level)
        self.opaque = os.urandom(6).hex()
        # Nonce → (when it was given out, the counts that were used with it).
        self.nonces, self.tokens, self.uses, self.lifetime = {}, {}, options.nonce_uses, 30.0

    def now(self):
        """The camera's own clock."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.skew)

    def by_digest(self, soap=True):
        """What is no SOAP, such as a snapshot, is by Digest at every camera."""
        return self.mode != "none" and (self.mode != "token" or not soap)

    def by_token(self):
        return self.mode in ("token", "both")

    def level(self, name):
        return self.users[name][1]

    # ---- HTTP Digest

    def challenges(self, stale=False):
        """Basic too, which this camera then refuses: whoever takes it gives its password away."""
        nonce = f"{os.urandom(12).hex()}:{os.urandom(4).hex()}"
        self.nonces[nonce] = (time.monotonic(), set())
        while len(self.nonces) > 256:
            del self.nonces[next(iter(self.nonces))]
        digest = f'Digest realm="{self.realm}", nonce="{nonce}", stale="{"TRUE" if stale else "FALSE"}"'
        if self.mode != "digest-old":
            digest = f'Digest qop="auth",{digest[6:]},opaque="{self.opaque}", algorithm={self.algorithm}'
        basic = f'Basic realm="{self.realm}"'
        return {"first": [basic, digest], "last": [digest, basic], "never": [digest]}[self.basic]

    def hash(self, text):
        return getattr(hashlib, self.algorithm.lower().replace("-", ""))(text.encode()).hexdigest()

    def digest(self, header, method, target):
        """The account of an Authorization header; Refused says why not."""
        scheme, _, rest = header.partition(" ")
        if scheme.lower() != "digest":
            raise Refused(f"the scheme {scheme}")
        pairs = re.findall(r'([A-Za-z0-9]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', rest)
        fields = {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare for name, quoted, bare in pairs}
        if len(fields) != len(pairs):
            raise Refused("a parameter twice")
        name, nonce = fields.get("username", ""), fields.get("nonce", "")
        if name not in self.users:
            raise Refused(f"no user {name!r}")
        if fields.get("realm") != self.realm:
            raise Refused("another realm")
        if fields.get("uri") != target:
            raise Refused(f"the uri {fields.get('uri')!r}, not {target!r}")
        first = self.hash(f"{name}:{self.realm}:{self.users[name][0]}")
        second = self.hash(f"{method}:{target}")
        if self.mode == "digest-old":
            expected = self.hash(f"{first}:{nonce}:{second}")
        else:
            count, cnonce = fields.get("nc", ""), fields.get("cnonce", "")
            if fields.get("qop") != "auth" or not re.fullmatch(r"[0-9a-fA-F]{8}", count) or not cnonce:
                raise Refused("no qop, nc or cnonce")
            if fields.get("opaque") != self.opaque:
                raise Refused("another opaque")
            expected = self.hash(f"{first}:{nonce}:{count}:{cnonce}:auth:{second}")
        if not hmac.compare_digest(expected, fields.get("response", "").lower()):
            raise Refused("a wrong response")
        # Only now: a wrong password shall not read as a stale nonce.
        given, used = self.nonces.get(nonce, (0.0, None))
        if used is None:
            raise Refused("a nonce that was not given out", stale=True)
        if time.monotonic() - given > self.lifetime or len(used) >= self.uses:
            raise Refused("an old nonce", stale=True)
        mark = fields.get("nc") or len(used)
        if mark in used:
            raise Refused("a count that was used before", stale=True)
        used.add(mark)
        return name

    # ---- WS-UsernameToken

    def token(self, security):
        """The account of a wsse:Security header element."""
        if not self.by_token():
            raise Refused("no UsernameToken was asked for")
        tokens = security.findall(f"{{{NS['wsse']}}}UsernameToken")
        if len(tokens) != 1:
            raise Refused(f"{len(tokens)} tokens")

        def text(prefix, name):
            return (tokens[0].findtext(f"{{{NS[prefix]}}}{name}") or "").strip()

        password = tokens[0].find(f"{{{NS['wsse']}}}Password")
        if password is None or not password.get("Type", "").endswith("#PasswordDigest"):
            raise Refused("a password that is no digest")
        name, created = text("wsse", "Username"), text("wsu", "Created")
        try:
            nonce = base64.b64decode(text("wsse", "Nonce"), validate=True)
            age = (self.now() - datetime.fromisoformat(created)).total_seconds()
        except (ValueError, TypeError):
            raise Refused("a nonce or time that cannot be read") from None
        if name not in self.users or not nonce:
            raise Refused(f"no user {name!r}, or no nonce")
        digest = hashlib.sha1(nonce + created.encode() + self.users[name][0].encode()).digest()
        if not hmac.compare_digest(base64.b64encode(digest), (password.text or "").strip().encode()):
            raise Refused("a wrong digest")
        if abs(age) > WINDOW:
            raise Refused(f"a token {age:.0f} s old by the camera's clock")
        if nonce in self.tokens:
            raise Refused("a nonce that was used before")
        self.tokens[nonce] = True
        while len(self.tokens) > 1024:
            del self.tokens[next(iter(self.tokens))]
        return name
