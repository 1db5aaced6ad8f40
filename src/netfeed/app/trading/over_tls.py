"""TLS of an order session: whom it believes, and how it stands below a machine whose endpoint says `tls://`."""

import ssl
from typing import Any

from netfeed.app.configuration import Session
from netfeed.app.trading.session_places import place_of
from netfeed.app.trust import system_trust
from netfeed.feed.websocket_talk import tls_context
from netfeed.machine import StreamMachine
from netfeed.proto import tls
from netfeed.proto.stack import Stack


def over_tls(endpoint: str, client: Any, context: ssl.SSLContext | None, now: int) -> StreamMachine:
    """Put TLS below a client where its endpoint says so."""
    place = place_of(endpoint)
    if not place.secure:
        machine: StreamMachine = client
        return machine
    return Stack(tls.client(tls_context(context), place.host, now), client)


def context_of(config: Session) -> ssl.SSLContext | None:
    """Make the context of TLS, None where no endpoint wants one. Raises: ConfigurationError."""
    if not any(one.startswith(("tls:", "wss:")) for one in config.endpoints):
        return None
    said, trust = config.tls, None
    if said.verify:
        trust = system_trust() if said.ca is None else tls.Trust(file=said.ca)
    identity = None if said.certificate is None else tls.Identity(said.certificate, said.key)
    alpn = ["http/1.1"] if config.protocol == "deribit" else []
    return tls.client_context(trust, identity=identity, alpn=alpn)
