"""Requests of ours, read back: which topics they ask for, or give up. A recording has what we said, and no more.

Each venue's words differ in where topics stand and how they are named there; that is one function each.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from netfeed.app.venue_kind import UNREADABLE, Asked
from netfeed.machine import Buffer
from netfeed.venues import coinbase, kraken, okx


class Request(msgspec.Struct):
    """What a request of ours can say, in the words of any venue."""

    method: str = ""
    op: str = ""
    type: str = ""
    channel: str = ""
    params: msgspec.Raw = msgspec.Raw()
    args: msgspec.Raw = msgspec.Raw()
    product_ids: list[str] = []


_REQUEST: Final = msgspec.json.Decoder(Request)
_ON: Final = {
    "public/subscribe": True, "private/subscribe": True, "subscribe": True, "SUBSCRIBE": True,
    "public/unsubscribe": False, "private/unsubscribe": False, "unsubscribe": False, "UNSUBSCRIBE": False,
}  # fmt: skip


def asking(topics: Callable[[Request], list[str]]) -> Callable[[Buffer], Asked | None]:
    """Make what reads a request, from what finds the topics in it."""

    def asked(message: Buffer) -> Asked | None:
        try:
            request = _REQUEST.decode(message)
            on = _ON.get(request.method or request.op or request.type)
            found = [] if on is None else topics(request)
        except (*UNREADABLE, KeyError, TypeError):
            return None
        return (on, found) if on is not None and found else None

    return asked


def channels(request: Request) -> list[str]:
    """Find the topics in a request to Deribit."""
    return list(msgspec.json.decode(request.params)["channels"])


def pairs(request: Request) -> list[str]:
    """Find the topics in a request to Kraken."""
    params = msgspec.json.decode(request.params)
    depth = params["depth"] if "depth" in params else kraken.DEPTHS[0]  # what the venue takes where none is named
    return [kraken.topic(name, depth) for name in params["symbol"]]


def params(request: Request) -> list[str]:
    """Find the topics in a request to Binance."""
    return list(msgspec.json.decode(request.params))


def arguments(request: Request) -> list[str]:
    """Find the topics in a request to Bybit."""
    return list(msgspec.json.decode(request.args))


def instruments(request: Request) -> list[str]:
    """Find the topics in a request to OKX."""
    return [okx.topic(one["instId"], one["channel"]) for one in msgspec.json.decode(request.args)]


def products(request: Request) -> list[str]:
    """Find the topics in a request to Coinbase."""
    return [coinbase.topic(name) for name in request.product_ids] if request.channel == "level2" else []
