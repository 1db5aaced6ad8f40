"""TLS below a machine, where its endpoint says so: `tls://` over what else would be `tcp://`."""

import ssl
from typing import Any

from netfeed.app.trading.session_places import place_of
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
