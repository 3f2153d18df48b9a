"""The self-signed certificate with which a fresh installation serves HTTPS."""

from __future__ import annotations

import ipaddress
import socket
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from prefect_phantom.adapters.supervisor.home.home import Home

VALID_DAYS = 3650


def make_certificate(home: Home, host: str) -> None:
    """Make the certificate of `home` for this machine and `host`, unless it is there.

    It is kept even when `host` changes later, since callers may have pinned it.
    """
    if home.certificate.exists() and home.certificate_key.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    home.write(home.certificate_key, _key_text(key))
    home.write(home.certificate, _certificate_text(key, host))


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _certificate_text(key: ec.EllipticCurvePrivateKey, host: str) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "prefect-phantom")])
    public = key.public_key()
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of callers may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _names(host: str) -> list[x509.GeneralName]:
    names = dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname(), host])
    return [_name(name) for name in names if name.isascii()]


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
