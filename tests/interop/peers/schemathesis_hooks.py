"""What schemathesis cannot know from the description: certificates that are ones, and rules between fields."""

import os
import re
import uuid
from pathlib import Path

import schemathesis
from hypothesis import strategies as st



def texts(variable):
    return [Path(path).read_text() for path in os.environ[variable].split(os.pathsep)]


REQUEST = """-----BEGIN CERTIFICATE REQUEST-----
MIHQMHkCAQAwFzEVMBMGA1UEAwwMb3JpZWwtZGV2aWNlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE/HKEGsUPvTP+34tnBg2s7M6oMuumPA7gAhFfp04be0hCQ+eB
Q2rWYqNNU6KKG+xT8bwMtrZ2AjlJQjcN5u3Gj6AAMAoGCCqGSM49BAMCA0cAMEQC
IEB1tDnxOvtI0kQ2rY+GRTvqMtBc7AH/NQUSNFQG2vZ0AiA2U1PZJosWul8cc83i
MOqk55D9HkyQIj2EX3u0Jj3iyQ==
-----END CERTIFICATE REQUEST-----
"""

schemathesis.openapi.format("pem-certificate", st.sampled_from(texts("ORIEL_CERTIFICATES")))
schemathesis.openapi.format("pem-authority", st.sampled_from(texts("ORIEL_AUTHORITIES")))
schemathesis.openapi.format("pem-certificate-request", st.just(REQUEST))


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
