"""OpenSSL between two memory buffers: what comes in and goes out of it, and what its errors mean as events.

The state, the times and the bounds of a conversation are `tls`'s. Source: SSL_read(3), SSL_shutdown(3).
"""

import contextlib
import ssl
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import Buffer
from netfeed.proto.tls_alerts import alert_received, alert_sent, reason_text, verdict
from netfeed.proto.tls_context import ASKED_NAME
from netfeed.proto.tls_words import (
    AlertReceived,
    Certificate,
    Established,
    Event,
    Malformed,
    Reason,
    Session,
    Unverified,
    certificate_of,
)

ROOM_BYTES: Final = 16 * 2**10
"""Plaintext is gathered here before it is handed over: a record holds no more."""


class Engine:
    """One side's OpenSSL. `server_name` None: the server's side."""

    def __init__(self, context: ssl.SSLContext, server_name: str | None, ticket: ssl.SSLSession | None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.name = server_name
        try:
            self.talk = context.wrap_bio(
                self.incoming, self.outgoing, server_side=server_name is None, server_hostname=server_name,
                session=ticket,
            )  # fmt: skip
        except (ValueError, UnicodeError) as error:
            raise MisuseError(f"cannot speak TLS with {server_name!r}: {error}") from None
        self._room = memoryview(bytearray(ROOM_BYTES))

    def shake(self) -> bool:
        """Go on with the handshake; say whether it is over. Raises: ssl.SSLError."""
        try:
            self.talk.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> tuple[bytes, ssl.SSLError | None]:
        """Read all plaintext that has come, and what ended it: SSLZeroReturnError for close_notify, or an error.

        OpenSSL is asked no more once it has nothing, so that the usual input costs no exception.
        """
        parts, at, room = [], 0, self._room
        ended: ssl.SSLError | None = None
        try:
            while self.incoming.pending or self.talk.pending():
                count = self.talk.read(ROOM_BYTES - at, room[at:])
                if not count:
                    ended = ssl.SSLZeroReturnError()
                    break
                at += count  # type: ignore[operator]
                if at == ROOM_BYTES:
                    parts.append(bytes(room))
                    at = 0
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            ended = error
        last = bytes(room[:at])
        return (b"".join([*parts, last]) if parts else last), ended

    def notify(self) -> None:
        """Say close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self.talk.unwrap()

    def established(self) -> Established:
        """Tell what the handshake agreed on."""
        talk, cipher = self.talk, self.talk.cipher()
        asked = self.name if self.name is not None else getattr(talk, ASKED_NAME, None)
        certificate = self.certificate()
        verified = certificate is not None and talk.context.verify_mode is not ssl.CERT_NONE
        return Established(
            talk.version() or "", cipher[0] if cipher else "", talk.selected_alpn_protocol(), asked,
            bool(talk.session_reused), verified, certificate,
        )  # fmt: skip

    def failure(self, error: ssl.SSLError, out: bytes) -> Event:
        """Tell what an error means; `out` are the records that were made meanwhile, its alert among them."""
        if isinstance(error, ssl.SSLCertVerificationError):
            reason, alert = verdict(error)
            certificate = self.certificate()
            return Unverified(reason, self._complaint(reason, certificate, error), certificate, alert)
        heard = "close_notify" if isinstance(error, ssl.SSLZeroReturnError) else alert_received(error)
        if heard is not None:
            return AlertReceived(heard)
        return Malformed(reason_text(error), alert_sent(error, out))

    def session(self) -> Session | None:
        """Give a client's session, where a server can be asked to go on with it: by a ticket, or (TLS 1.2) a number."""
        ticket = self.talk.session
        if ticket is None or self.name is None:
            return None
        numbered = self.talk.version() == "TLSv1.2" and ticket.id
        return Session(self.name, ticket) if ticket.has_ticket or numbered else None

    def certificate(self) -> Certificate | None:
        """Give the peer's certificate, believed or not; None when it showed none.

        `getpeercert` tells nothing of a certificate that was not believed. OpenSSL keeps a server's chain as it came,
        a client's only as it was judged.
        """
        with contextlib.suppress(ValueError, ssl.SSLError):  # what cannot even be read is not shown
            for chain in ("get_unverified_chain", "get_verified_chain"):
                found = getattr(getattr(self.talk, "_sslobj", None), chain, lambda: None)()
                if found and found[0] is not None:
                    return certificate_of(found[0].get_info())
            told = self.talk.getpeercert()
            return certificate_of(told) if told else None
        return None

    def put(self, data: Buffer) -> None:
        """Take bytes of the stream."""
        self.incoming.write(data)

    def _complaint(self, reason: Reason, one: Certificate | None, error: ssl.SSLCertVerificationError) -> str:
        whose = f"the certificate {one}" if one is not None else "the certificate"
        if reason is Reason.WRONG_NAME:
            return f"{whose}, is not for {self.name}"
        detail = f" ({error.verify_message})" if error.verify_message else ""
        return f"{whose}: {reason.value}{detail}"
