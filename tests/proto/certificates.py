"""Certificates for tests, good ones and each kind of bad one, and the files that `ssl` wants them in."""

import atexit
import datetime
import functools
import shutil
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from netfeed.proto.tls import Identity, Trust

NAME = "venue.example"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
_FOLDER = tempfile.mkdtemp(prefix="certificates")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)


@functools.cache
def authority() -> trustme.CA:
    """Give the authority that the tests believe."""
    return trustme.CA()


@functools.cache
def stranger() -> trustme.CA:
    """Give one that they do not."""
    return trustme.CA()


def trust(one: trustme.CA | None = None) -> Trust:
    """Give the trust in an authority."""
    return Trust((one or authority()).cert_pem.bytes().decode())


def saved(name: str, *parts: bytes) -> str:
    """Write PEM to a file and give its name."""
    path = Path(_FOLDER, name)
    path.write_bytes(b"".join(parts))
    return str(path)


def shown(name: str, leaf: trustme.LeafCert) -> Identity:
    """Give who shows a leaf of trustme."""
    return Identity(saved(name, leaf.private_key_pem.bytes(), *(part.bytes() for part in leaf.cert_chain_pems)))


@functools.cache
def good() -> Identity:
    """Give the venue."""
    return shown("good", authority().issue_cert(NAME, "127.0.0.1", "::1"))


@functools.cache
def customer() -> Identity:
    """Give a client that the venue knows."""
    return shown("customer", authority().issue_cert("customer@venue.example"))


@functools.cache
def of_a_stranger() -> Identity:
    """Give the venue's name, by an authority that nobody believes."""
    return shown("stranger", stranger().issue_cert(NAME))


@functools.cache
def expired() -> Identity:
    """Give one that ended yesterday."""
    return shown("expired", authority().issue_cert(NAME, not_before=NOW - 9 * DAY, not_after=NOW - DAY))


@functools.cache
def early() -> Identity:
    """Give one that begins tomorrow."""
    return shown("early", authority().issue_cert(NAME, not_before=NOW + DAY, not_after=NOW + 9 * DAY))


@functools.cache
def self_signed() -> Identity:
    """Give one that vouches for itself."""
    return _made("self_signed", purpose=ExtendedKeyUsageOID.SERVER_AUTH)


@functools.cache
def for_clients() -> Identity:
    """Give one that an authority issued for clients only."""
    return _made("for_clients", purpose=ExtendedKeyUsageOID.CLIENT_AUTH, issued=True)


@functools.cache
def nonsense() -> Identity:
    """Give one whose times are none, and whose names are no text."""
    identity = _made("nonsense", purpose=ExtendedKeyUsageOID.SERVER_AUTH, names=[x509.DirectoryName(x509.Name([]))])
    pem = Path(identity.chain).read_bytes()
    start = pem.index(b"-----BEGIN CERTIFICATE")
    der = x509.load_pem_x509_certificate(pem[start:]).public_bytes(serialization.Encoding.DER)
    for day in (NOW - DAY, NOW + DAY):
        der = der.replace(day.strftime("%y%m%d%H%M%SZ").encode(), b"999999999999Z")
    broken = ssl.DER_cert_to_PEM_cert(der).encode()
    return Identity(saved("nonsense", pem[:start], broken))


def _made(
    name: str,
    *,
    purpose: x509.ObjectIdentifier,
    issued: bool = False,
    names: Sequence[x509.GeneralName] = (x509.DNSName(NAME),),
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = subject, key
    if issued:
        root = authority()
        issuer = x509.load_pem_x509_certificate(root.cert_pem.bytes()).subject
        signer = serialization.load_pem_private_key(root.private_key_pem.bytes(), None)  # type: ignore[assignment]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return Identity(saved(name, private, certificate.public_bytes(pem)))


def encrypted(password: str) -> tuple[str, str]:
    """Give the names of a chain and of its key, which is encrypted."""
    leaf = authority().issue_cert(NAME)
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    lock = serialization.BestAvailableEncryption(password.encode())
    hidden = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return saved("locked_chain", *(part.bytes() for part in leaf.cert_chain_pems)), saved("locked_key", hidden)
