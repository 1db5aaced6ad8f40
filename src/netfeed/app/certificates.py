"""Certificates of a test authority for a simulated venue: made once, into a directory that clients can be pointed at.

    ca.pem        whom clients trust (`[tls] ca`, `ssl.create_default_context(cafile=...)`)
    server.pem    the server's certificate, with the names and addresses that it is for
    server.key    its key, readable by its owner only

What is there already is kept as long as it is for all the names and lives for another day, so that clients need not be
told again. The authority's key is not kept: nobody can make a certificate of it later.

Source: RFC 5280; ECDSA over P-256. For tests: nobody should trust this authority anywhere else.
"""

import contextlib
import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from netfeed.errors import ConfigurationError

DAYS: Final = 90
ISSUER: Final = "netfeed test authority"


class Files(NamedTuple):
    """Where the certificates are."""

    ca: str
    chain: str
    key: str


def certificates(directory: str, names: Sequence[str]) -> Files:
    """Give the files of a server that is called by these names and addresses, and make them if need be.

    Raises: ConfigurationError when the package is missing, or the directory cannot be written.
    """
    x509 = _package()
    files = Files(*(str(Path(directory) / name) for name in ("ca.pem", "server.pem", "server.key")))
    if not _good(files, names, x509):
        try:
            _make(files, names, x509)
        except OSError as error:
            raise ConfigurationError(f"no certificates in {directory}: {error.strerror or error}") from None
    return files


def _package() -> Any:
    try:
        from cryptography import x509
    except ImportError as error:
        raise ConfigurationError(
            "certificates of the simulated venue need cryptography: pip install 'netfeed[sim]', or serve without TLS "
            "(tls = false, --plain)"
        ) from error
    return x509


def _good(files: Files, names: Sequence[str], x509: Any) -> bool:
    """Say whether what is there will do."""
    if not all(os.path.exists(path) for path in files):
        return False
    with contextlib.suppress(ValueError, OSError, x509.ExtensionNotFound):
        found = x509.load_pem_x509_certificate(Path(files.chain).read_bytes())
        authority = x509.load_pem_x509_certificate(Path(files.ca).read_bytes())
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        told = {str(one.value) for one in known}
        return found.issuer == authority.subject and set(names) <= told and found.not_valid_after_utc > _days(1)
    return False


def _make(files: Files, names: Sequence[str], x509: Any) -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _called(x509, ISSUER)
    ca = (
        _begun(x509, issuer, issuer, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False)
        .add_extension(_usage(x509, signs_others=True), critical=True)
        .sign(authority, hashes.SHA256())
    )
    leaf = (
        _begun(x509, _called(x509, "netfeed sim"), issuer, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_named(x509, name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
        .add_extension(_usage(x509, signs_others=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    Path(files.ca).parent.mkdir(parents=True, exist_ok=True)
    _put(files.key, secret, 0o600)
    _put(files.chain, leaf.public_bytes(pem), 0o644)
    _put(files.ca, ca.public_bytes(pem), 0o644)


def _put(path: str, data: bytes, mode: int) -> None:
    """Write a file that gets its name when it is complete."""
    part = f"{path}.{os.getpid()}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
    os.replace(part, path)


def _begun(x509: Any, subject: Any, issuer: Any, public_key: Any) -> Any:
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(_days(-1)).not_valid_after(_days(DAYS))


def _called(x509: Any, name: str) -> Any:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _named(x509: Any, name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(x509: Any, *, signs_others: bool) -> Any:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs_others, crl_sign=signs_others, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _days(count: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=count)
