"""TLS over one stream, as a client and as a server, without a socket: records in, plaintext out, and the reverse.

Source: RFC 8446 (1.3), RFC 5246 (1.2), by OpenSSL through `ssl.MemoryBIO`.

    talk = client(client_context(trust), "venue.example", now)     talk = server(server_context(identity), now)
    Established("TLSv1.3", ..., alpn, session_reused, verified, certificate)
    talk.send(b"plaintext")                                        Received(b"plaintext")
    talk.close(now)                                                Closed("...", Ending.CLEAN)

A certificate that is not believed is `Unverified`: why, which, and what the peer was told. A stream that ends without
close_notify is `Ending.TRUNCATED`. A peer's close_notify is answered at once; what it had not read of ours is lost.

**Not pure in everything.** OpenSSL draws its own entropy, and compares a certificate's validity with the real time: the
same inputs give the same events and deadlines, but never the same records. `now` moves the deadlines only.

Invariant: how the stream was cut up changes how `Received` is cut up and nothing else; one input gives at most one.
Bounded: the bytes and the time of a handshake, plaintext that waits for it, records that nobody drains, and what a peer
makes us answer (renegotiation, which is refused; a key update is answered with the next thing that is sent). Where
exactly a flood of the last kind is cut off, is a matter of how it came.

Leaves out: early data, asking for a client's certificate later, sending on after the peer has closed its half.
"""

import ssl

from netfeed.errors import MisuseError
from netfeed.proto.tls_context import Identity, Trust, client_context, server_context
from netfeed.proto.tls_conversation import Tls
from netfeed.proto.tls_engine import Engine
from netfeed.proto.tls_words import (
    AlertReceived,
    Certificate,
    Closed,
    Ending,
    Established,
    Event,
    Limits,
    Malformed,
    Reason,
    Received,
    Session,
    State,
    Statistics,
    TimedOut,
    Timing,
    Unverified,
)

__all__ = [
    "AlertReceived",
    "Certificate",
    "Closed",
    "Ending",
    "Established",
    "Event",
    "Identity",
    "Limits",
    "Malformed",
    "Reason",
    "Received",
    "Session",
    "State",
    "Statistics",
    "TimedOut",
    "Timing",
    "Tls",
    "Trust",
    "Unverified",
    "client",
    "client_context",
    "server",
    "server_context",
]


def client(
    context: ssl.SSLContext, server_name: str, now: int, *, session: Session | None = None,
    limits: Limits | None = None, timing: Timing | None = None,
) -> Tls:  # fmt: skip
    """Begin as a client that wants to speak with `server_name`; `session` is an earlier conversation's, to go on with.

    Raises: MisuseError for a name that cannot be one, or a session of another context or with another server.
    """
    if session is not None and session.server_name != server_name:
        raise MisuseError(f"a session with {session.server_name} proves nothing about {server_name}")
    ticket = session.ticket if session is not None else None
    talk = Tls(Engine(context, server_name, ticket), now, limits or Limits(), timing or Timing())
    talk.begin()
    return talk


def server(
    context: ssl.SSLContext, now: int, *, limits: Limits | None = None, timing: Timing | None = None
) -> Tls:  # fmt: skip
    """Begin as a server: the client speaks first."""
    return Tls(Engine(context, None, None), now, limits or Limits(), timing or Timing())
