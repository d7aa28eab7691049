"""What schemathesis cannot know from the description: certificates that are ones, and rules between fields."""

import os
import re
import uuid
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

PEM = [Path(path).read_text() for path in os.environ["ORIEL_CERTIFICATES"].split(os.pathsep)]

schemathesis.openapi.format("pem-certificate", st.sampled_from(PEM))


def good(body):
    """Of certificate and fingerprint one at most."""
    if not isinstance(body, dict):
        return True
    if body.get("certificate") is not None and body.get("fingerprint") is not None:
        return False
    if isinstance(body.get("devices"), list):
        return all(good(device) for device in body["devices"])
    return True


@schemathesis.hook
def filter_case(context, case):
    """One of certificate and fingerprint at least, where a key is asked for."""
    keys = case.operation.path.endswith("/keys") and case.operation.method.upper() == "POST"
    if keys and isinstance(case.body, dict) and not any(case.body.get(key) for key in ("certificate", "fingerprint")):
        return False
    return good(case.body)


@schemathesis.hook
def map_case(context, case):
    """A key that may be used is a new one for each request."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,128}", key):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    return case
