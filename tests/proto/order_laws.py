"""Order sessions for the laws of machines: each side of each, as it is in the middle of a conversation."""

from collections.abc import Callable
from random import Random
from typing import Any

from netfeed.book.execution import Cancel, MassQuote, Quote
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_orders_server import Server
from netfeed.proto.starbase_past import VenuePast
from netfeed.wire import starbase_orders as starbase
from tests.proto.starbase_pair import LISTED, SECRET, bid


def starbase_client() -> Client:
    """Give a client that is up and has asked for things."""
    client = starbase_at_logon()
    client.receive(starbase.encode(2, sequence=1, heartbeatIntervalSeconds=5, schemaVersion=16), 0)
    for request in (bid(7), Cancel(7, 0), MassQuote(8, 3, (Quote(0, 10, 1, 12, 1),))):
        client.send(request, 0)
    return client


def starbase_at_logon() -> Client:
    """Give a client that has said who it is."""
    client = Client(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    return client


def starbase_server() -> Server:
    """Give a venue's side with its client in."""
    server = Server(1, LISTED, 0)
    server.receive(b"".join(starbase_at_logon().transmit()), 0)
    server.accept(VenuePast(max_bytes=50_000), 0)
    return server


def _numbers(random: Random) -> dict[str, Any]:
    """Draw a number, most often one that may be due."""
    near = random.choice([2, 3, 4, 5, random.randrange(1, 40), random.randrange(1, 40), 2**62, -1])
    return {"sequence": near, "resend": random.random() < 0.4}


def from_starbase_venue(random: Random) -> bytes:
    """Draw what a venue may say."""
    ids: dict[str, Any] = {"clientOrderId": 7, "orderId": 5, "instrumentId": random.choice([1000, 1000, 31])}
    fill: dict[str, Any] = ids | {
        "matchId": 1, "price": 10**11, "fillQty": (1, 0), "totalFilled": (1, 0), "side": random.choice([1, -1, 0]),
        "flags": 0,
    }  # fmt: skip
    end: dict[str, Any] = ids | {"totalFilled": (1, random.choice([0, 0, -1, 100])), "cancelReason": 7, "flags": 0}
    kinds: list[tuple[int, dict[str, Any]]] = [
        (2, {"heartbeatIntervalSeconds": random.choice([5, 5, 0]), "schemaVersion": 16}),
        (5, {"reason": "bye"}), (10, {"correlationId": 0}), (11, {"correlationId": 7}),
        (20, {"fromSequenceNumber": random.randrange(4), "toSequenceNumber": random.randrange(4)}),
        (21, {"newSequenceNumber": random.choice([3, 4, 5, 2**62])}),
        (30, {"refSequenceNumber": random.randrange(5), "reason": 4, "details": "no"}),
        *[(300, {"timestamp": 1, "execId": 1, "fills": [fill]})] * 4,
        (310, {"timestamp": 1, "execId": 1, "flags": 1, "orders": [end, end]}),
        (240, {"timestamp": 1, "execId": 1, "correlationId": 4, "receiveTime": 1, "totalOrderCount": 3}),
        (324, {"timestamp": 1, "execId": 1, "mmpGroupId": 3}),
    ]  # fmt: skip
    kind, fields = random.choice(kinds)
    if kind == 2:
        return starbase.encode(kind, sequence=random.choice([1, 1, 1, 3]), **fields)
    return starbase.encode(kind, **_numbers(random), **fields)


def from_starbase_client(random: Random) -> bytes:
    """Draw what a client may say."""
    ids: dict[str, Any] = {"clientOrderId": 7, "correlationId": 1, "instrumentId": random.choice([1000, 1000, 31])}
    sized: dict[str, Any] = {"price": 10**11, "quantity": (5, random.choice([0, 0, -3]))}
    quote = {"instrumentId": 1000, "bidQty": (1, 0), "askQty": (0, 0), "bidPrice": 10**9, "bidFlags": 0, "askFlags": 0}
    kinds: list[tuple[int, dict[str, Any]]] = [
        (1, {"clientId": "key", "secret": "s", "resetSeqNum": 0, "schemaVersion": 16, "cancelOnDisconnect": 1}),
        (10, {"correlationId": 0}), (11, {"correlationId": 7}),
        (20, {"fromSequenceNumber": 1, "toSequenceNumber": random.randrange(4)}),
        (21, {"newSequenceNumber": random.choice([3, 4, 5, 2**62])}),
        *[(100, ids | sized | {"selfMatchPreventionId": 0, "side": random.choice([1, -1, 0]), "timeInForce": 0,
                               "flags": 1, "selfTradingMode": 0})] * 4,
        (110, ids | sized | {"flags": 0}), (120, ids),
        (130, {"quoteId": 8, "correlationId": 1, "mmpGroupId": 3, "selfMatchPreventionId": 0, "flags": 0,
               "quotes": [quote]}),
        (140, {"correlationId": 4, "currencyPairId": 7, "productType": 0, "side": 0}),
        (145, {"correlationId": 4, "mmpGroupId": 7, "side": 0}),
    ]  # fmt: skip
    kind, fields = random.choice(kinds)
    if kind == 1:
        return starbase.encode(kind, sequence=random.choice([1, 1, 9]), **fields)
    return starbase.encode(kind, **_numbers(random), **fields)


MACHINES: list[tuple[str, Callable[[], Any], Callable[[Random], bytes]]] = [
    ("starbase orders client", starbase_client, from_starbase_venue),
    ("starbase orders client at logon", starbase_at_logon, from_starbase_venue),
    ("starbase orders server", starbase_server, from_starbase_client),
    ("starbase orders server at logon", lambda: Server(1, LISTED, 0), from_starbase_client),
]
