"""The server's own small authority, and the certificates by which the gateway and its nodes know each other.

authority/ca.key, ca.crt            signs the others; its secret never leaves this folder
authority/gateway.key, gateway.crt  the gateway's, for a name of its own: it may stand at any address

What a certificate is good for is decided by the allow-list, which names its serial number (gateway.py): taking the
peer's file away ends it at once. So certificates do not run out, and begin long ago: a board without a clock of its own
starts in the past. Raises `StartError` for whatever cannot be read or written.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.errors import StartError
from deploy.settings import Settings
from storage.questdb import GATEWAY

FOLDER = "authority"
SINCE, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)  # RFC 5280: no end
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A node's certificate in PEM, its serial number in hexadecimal, and the certificate of who signed it."""

    certificate: bytes
    serial: str
    authority: bytes


def folder(settings: Settings) -> Path:
    """Where the authority is."""
    return settings.state_dir / FOLDER


def make_authority(path: Path) -> None:
    """Make what is not there yet: the authority, then the gateway's own certificate. Waits while another does."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        with _alone(path):
            _make_authority(path)
    except OSError as error:
        raise StartError(f"the certificates in {path} cannot be made: {error.strerror}") from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out: the proxy may start for the first time while a person approves the first node."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_authority(path: Path) -> None:
    if not (path / "ca.crt").exists():
        key = load_or_make_key(path / "ca.key")
        write(path / "ca.crt", _pem(_authority(key)))
    if not (path / "gateway.crt").exists():
        own = load_or_make_key(path / "gateway.key")
        names = x509.SubjectAlternativeName([x509.DNSName(GATEWAY)])
        signed = _sign(path, GATEWAY, own.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, names)
        write(path / "gateway.crt", _pem(signed))


def issue(path: Path, name: str, public: ec.EllipticCurvePublicKey) -> Issued:
    """Sign a certificate that says that whoever has this key is `name`."""
    make_authority(path)
    signed = _sign(path, name, public, ExtendedKeyUsageOID.CLIENT_AUTH)
    return Issued(_pem(signed), f"{signed.serial_number:x}", (path / "ca.crt").read_bytes())


def load_or_make_key(path: Path) -> Key:
    """Read a secret key (P-256), or make one that its owner alone can read."""
    try:
        if not path.exists():
            secret = ec.generate_private_key(ec.SECP256R1())
            pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
            write(path, secret.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        found = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise StartError(f"the key {path} cannot be used: {error}") from error
    if not isinstance(found, Key):
        raise StartError(f"the key {path} is not of the kind that reactorium makes (P-256)")
    return found


def request(name: str, key: Key) -> bytes:
    """Ask for a certificate: PEM, signed by the key that it is for."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(name))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def requested(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Take the key out of a request whose sender has its secret. Raises `ValueError`."""
    try:
        asked = x509.load_pem_x509_csr(pem)
        key = asked.public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not asked.is_signature_valid:
        raise ValueError("its certificate request is not signed by a key of the kind that reactorium makes")
    return key


def write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, whole or not at all."""
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent)  # 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    Path(unfinished).rename(path)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _begun(subject: str, issuer: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(SINCE)
        .not_valid_after(UNTIL)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


AUTHORITY = "reactorium authority"


def _authority(key: Key) -> x509.Certificate:
    return (
        _begun(AUTHORITY, AUTHORITY, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _sign(
    path: Path,
    name: str,
    public: ec.EllipticCurvePublicKey,
    purpose: x509.ObjectIdentifier,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    key = load_or_make_key(path / "ca.key")
    builder = (
        _begun(name, AUTHORITY, public)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
