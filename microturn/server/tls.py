"""A certificate of our own, for a phone on the local network: browsers give the microphone to secure pages only.

Nobody vouches for it, so the browser asks once; the same certificate is used again until it is about to end.
"""

import datetime
import ipaddress
import socket
from pathlib import Path

from microturn.errors import MissingDependencyError

_VALID_DAYS = 90
_RENEW_DAYS = 7


def self_signed(folder: Path, host: str) -> tuple[Path, Path]:
    """Certificate and key (PEM) for this machine's names and addresses, made when there is no good one.

    Raises:
        MissingDependencyError: ``cryptography`` is not installed.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = _names(host)
    if not _is_good(certificate, names):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(certificate, key, names)
    return certificate, key


def _names(host: str) -> list[str]:
    names = {"localhost", "127.0.0.1", "::1", socket.gethostname(), f"{socket.gethostname()}.local"}
    if host not in ("0.0.0.0", "::"):
        names.add(host)
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Choosing a route sends nothing; it tells which of our addresses others see.
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
                names.add(probe.getsockname()[0])
            except OSError:
                continue
    return sorted(names)


def _is_good(certificate: Path, names: list[str]) -> bool:
    if not certificate.exists():
        return False
    x509 = _x509()
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        covered = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    known = {str(each.value) for each in covered}
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=_RENEW_DAYS)
    return known >= set(names) and found.not_valid_after_utc > soon


def _make(certificate: Path, key: Path, names: list[str]) -> None:
    x509 = _x509()
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "microturn on this network")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    key.touch(mode=0o600, exist_ok=True)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))


def _general_name(name: str):  # pyright: ignore[reportUnknownParameterType]
    x509 = _x509()
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _x509():  # pyright: ignore[reportUnknownParameterType]
    try:
        from cryptography import x509
    except ImportError:
        raise MissingDependencyError(
            "--self-signed needs the package 'cryptography': pip install 'microturn[serve]'"
        ) from None
    return x509
