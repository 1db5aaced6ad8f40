"""Contexts of TLS: whom to trust, who we are, which protocols; made once and passed to any number of conversations.

Verification is on: the chain, its time, and the name. TLS 1.2 is the floor. Renegotiation and compression are off.

    context = client_context(Trust(file="/etc/ssl/certs/ca-certificates.crt"), alpn=["http/1.1"])
    context = server_context(Identity("chain.pem", "key.pem"), clients=Trust(pem=...))      client certificates wanted

Whom the system trusts stands in its files and environment: an application looks there and says so in a `Trust`. `ssl`
reads a chain and its key from files only, so an `Identity` names files; they are read here, once, and at no other time.

Source: RFC 8446, RFC 5246, RFC 6066 (SNI), RFC 7301 (ALPN), RFC 5746 (renegotiation); ssl(3).
Leaves out: revocation lists, OCSP, pinned keys, early data, keys in hardware.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netfeed.errors import ConfigurationError, MisuseError

FLOOR: Final = ssl.TLSVersion.TLSv1_2
ASKED_NAME: Final = "netfeed_asked_name"
"""The attribute of an SSLObject that keeps the name that a client asked for: `ssl` gives it to a callback only."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are believed: PEM text, a file of PEM, a directory hashed by c_rehash(1), or all of them."""

    pem: str = ""
    file: str | None = None
    directory: str | None = None

    def __post_init__(self) -> None:
        if not (self.pem or self.file or self.directory):
            raise MisuseError("a trust in nobody: give pem, file or directory")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are: files of PEM with the chain (ours first) and its key; the same file may hold both."""

    chain: str
    key: str | None = None
    password: str | bytes | None = None

    def __repr__(self) -> str:
        return f"Identity({self.chain!r}, {self.key!r})"


def client_context(
    trust: Trust | None, *, identity: Identity | None = None, alpn: Sequence[str] = (),
    floor: ssl.TLSVersion = FLOOR, ciphers: str | None = None,
) -> ssl.SSLContext:  # fmt: skip
    """Make the context of clients. Without a trust nothing is verified: for tests, and for who has other proof.

    Raises: ConfigurationError for what cannot be read or does not fit; MisuseError.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, alpn, floor, ciphers)
    if trust is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _believe(context, trust)
    if identity is not None:
        _show(context, identity)
    return context


def server_context(
    identity: Identity, *, clients: Trust | None = None, required: bool = True, alpn: Sequence[str] = (),
    names: Mapping[str, ssl.SSLContext] | None = None, floor: ssl.TLSVersion = FLOOR, ciphers: str | None = None,
) -> ssl.SSLContext:  # fmt: skip
    """Make the context of servers. `clients`: whose client certificates are believed; `required`: one must be shown.

    `names` are the contexts for those who ask for another name than this one's (SNI). Without them (None, not an empty
    mapping) nobody looks at the name, and a peer that sends one of other bytes than ASCII is no trouble: where somebody
    looks, Python refuses it too, but tells `sys.unraisablehook`, which prints it.
    Raises: ConfigurationError for what cannot be read or does not fit; MisuseError.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, alpn, floor, ciphers)
    _show(context, identity)
    if clients is not None:
        _believe(context, clients)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    if names is None:
        return context
    others = {name.lower(): other for name, other in names.items()}

    def asked(one: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        setattr(one, ASKED_NAME, name)
        if name is not None and name.lower() in others:
            one.context = others[name.lower()]

    context.sni_callback = asked
    return context


def _context(kind: int, alpn: Sequence[str], floor: ssl.TLSVersion, ciphers: str | None) -> ssl.SSLContext:
    if floor < FLOOR:
        raise MisuseError(f"no TLS below {FLOOR.name}: it is broken (RFC 8996)")
    context = ssl.SSLContext(kind)
    context.minimum_version = floor
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    try:
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if ciphers is not None:
            context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise ConfigurationError(f"no such ciphers or protocols: {_why(error)}") from None
    return context


def _believe(context: ssl.SSLContext, trust: Trust) -> None:
    try:
        context.load_verify_locations(trust.file, trust.directory, trust.pem or None)
    except OSError as error:
        where = trust.file or trust.directory or "the PEM text"
        raise ConfigurationError(f"cannot read trusted certificates from {where}: {_why(error)}") from None


def _show(context: ssl.SSLContext, identity: Identity) -> None:
    password = identity.password

    def told() -> str | bytes:  # without it OpenSSL would ask on the terminal
        if password is None:
            raise ConfigurationError(f"the key of {identity.chain} is encrypted: give its password")
        return password

    try:
        context.load_cert_chain(identity.chain, identity.key, told)
    except OSError as error:
        raise ConfigurationError(f"cannot use the certificate {identity.chain}: {_why(error)}") from None


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "the key is not the certificate's"
    return str(reason).lower().replace("_", " ") if reason else error.strerror or "it is no PEM"
