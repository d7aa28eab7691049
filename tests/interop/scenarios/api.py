"""The API against its own description: schemathesis sends what the description allows and what it forbids, and looks at each answer."""

import os
import subprocess

import install
import oriel
from harness import CERTS, PEERS, Failure, scenario

SECONDS = 60
# The same requests each time; another seed looks for what these do not find.
SEED = os.environ.get("ORIEL_SEED", "1")


@scenario("api-schemathesis", timeout=SECONDS + 120, slow=True)
def schemathesis(scene):
    cloud = oriel.Cloud(scene).start()
    certificates = [CERTS / name for name in ("server.pem", "device-raw.pem")]
    authorities = [CERTS / name for name in ("ca.pem", "stranger-ca.pem")]
    environment = {
        **os.environ,
        "ORIEL_CERTIFICATES": os.pathsep.join(map(str, certificates)),
        "ORIEL_AUTHORITIES": os.pathsep.join(map(str, authorities)),
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "PYTHONPATH": str(PEERS),
        "REQUESTS_CA_BUNDLE": str(cloud.ca),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    argv = [
        install.CACHE / "schemathesis/bin/st", "--config-file", PEERS / "schemathesis.toml",
        "run", f"{cloud.url}/api/v1/openapi.json", "--tls-verify", cloud.ca, "--max-time", SECONDS, "--seed", SEED,
        "-H", f"Authorization: Bearer {cloud.admin}",
    ]  # fmt: skip
    done = subprocess.run(
        list(map(str, argv)), env=environment, cwd=scene.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    (scene.folder / "schemathesis.log").write_text(done.stdout)
    if done.returncode:
        # A failing request may carry kilobytes in one line.
        told = done.stdout.partition("= FAILURES =")[2] or done.stdout
        raise Failure("\n".join(line[:300] for line in told.splitlines())[:6000])
