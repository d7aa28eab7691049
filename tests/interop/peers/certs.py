"""Makes what the peers need: a CA, a server certificate, client certificates, and a stranger's CA. Idempotent, keys are P-256."""

import datetime
import ipaddress
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


def alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def make(folder, stem, issuer=None, ca=False, usage=None, names=(), days=30, age=1):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, stem)])
    issuer_name, issuer_key = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=age))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if ca:
        sign = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(sign, critical=True)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative(n) for n in names]), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    (folder / f"{stem}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{stem}.key").write_bytes(private)
    return certificate, key


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    ca = make(folder, "ca", ca=True)
    make(folder, "server", ca, usage=SERVER, names=["localhost", "127.0.0.1", "10.99.2.2"])
    make(folder, "hosts", ca, usage=SERVER, names=["localhost", "127.0.0.1", "*.cams.localhost"])
    make(folder, "wrong-name", ca, usage=SERVER, names=["elsewhere.example"])
    make(folder, "expired", ca, usage=SERVER, names=["localhost", "127.0.0.1"], days=-2, age=10)
    for stem in ("device-python", "device-node", "device-raw", "device-oriel", "device-revoked"):
        make(folder, stem, ca, usage=CLIENT)
    stranger = make(folder, "stranger-ca", ca=True)
    make(folder, "stranger-server", stranger, usage=SERVER, names=["localhost", "127.0.0.1"])
    make(folder, "stranger-device", stranger, usage=CLIENT)


main(Path(sys.argv[1]))
