"""Order sessions for the laws of machines: each side of each, as it is in the middle of a conversation."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from netfeed.app.trading.ouch_speech import Look
from netfeed.book.execution import Amend, Cancel, CancelAll, List, MassQuote, New, Quote
from netfeed.book.level import Side
from netfeed.proto.ouch_orders import Client as OuchClient
from netfeed.proto.ouch_server import Server as OuchServer
from netfeed.proto.ouch_server import VenuePast as OuchPast
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_orders_server import Server
from netfeed.proto.starbase_past import VenuePast
from netfeed.venues.deribit_order_stream import OrderStream
from netfeed.venues.deribit_order_words import Listing, Terms
from netfeed.venues.deribit_orders import Session
from netfeed.wire import ouch
from netfeed.wire import soupbintcp as soup
from netfeed.wire import starbase_orders as starbase
from tests.feed.plain_talk import HELLO, Plain
from tests.proto import ouch_pair
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
    near = random.choice([2, 3, 4, 5, *[random.randrange(1, 40)] * 8, random.choice([2**62, -1, 5])])
    return {"sequence": near, "resend": random.random() < 0.95}


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


# --- OUCH


def ouch_at_login() -> OuchClient:
    """Give a client that has said who it is."""
    client = OuchClient(1, ouch_pair.LISTED)
    client.login("user", "password", 0)
    return client


def ouch_client() -> OuchClient:
    """Give a client that is up and has asked for things."""
    client = ouch_at_login()
    client.receive(soup.encode(soup.LoginAccepted("S", 1)), 0)
    client.receive(_ouch(ouch.Way.OUT, "Q", timestamp=1, next_user_ref_num=1), 0)
    for request in (ouch_pair.bid(7), Amend(7, 0, 1_400_000, 9), ouch_pair.bid(8), CancelAll(9)):
        client.send(request, 0)
    return client


def ouch_server() -> OuchServer:
    """Give a venue's side with its client in."""
    server = OuchServer(1, ouch_pair.LISTED, 0)
    server.receive(soup.encode(soup.LoginRequest("user", "password", "", 0)), 0)
    server.accept(OuchPast(max_messages=100), 0)
    return server


def _ouch(way: ouch.Way, kind: str, **fields: Any) -> bytes:
    message = ouch.encode(way, kind, **fields)
    return soup.encode(soup.SequencedData(message) if way is ouch.Way.OUT else soup.UnsequencedData(message))


def _drawn(random: Random, way: ouch.Way, kinds: str) -> bytes:
    """Draw one message; its numbers are mostly those of orders, its texts mostly right."""
    kind = random.choice(kinds)
    known = {
        "side": "B", "symbol": random.choice(["AAPL", "AAPL", "X"]), "clordid": random.choice(["7", "8", "?"]),
        "time_in_force": "0", "order_state": random.choice(["L", "L", "D"]), "price": 1_500_000, "quantity": 2,
        "reason": "U",
    }  # fmt: skip
    fields = {
        name: known.get(name, "A") if code[0] == "c" else known.get(name, random.randrange(1, 9))
        for name, code in ouch.LAYOUTS[way, kind].rows[1:]
    }
    if kind == "J" and way is ouch.Way.OUT:
        fields["reason"] = 0x1D
    return _ouch(way, kind, **fields)


def from_ouch_venue(random: Random) -> bytes:
    """Draw what a venue may say."""
    if random.random() < 0.2:
        packets: list[soup.Packet] = [
            soup.LoginAccepted("S", 5),
            soup.ServerHeartbeat(),
            soup.EndOfSession(),
            soup.SequencedData(b"E!"),
        ]
        return soup.encode(random.choice(packets))
    return _drawn(random, ouch.Way.OUT, "AAAEEEUUCCDJPITMRQSBXGK")


def from_ouch_client(random: Random) -> bytes:
    """Draw what a client may say."""
    if random.random() < 0.1:
        packets: list[soup.Packet] = [soup.ClientHeartbeat(), soup.LogoutRequest(), soup.UnsequencedData(b"O")]
        return soup.encode(random.choice(packets))
    return _drawn(random, ouch.Way.IN, "OOOUUXXMQCDE")


def from_ouch_stranger(random: Random) -> bytes:
    """Draw what one may say who is not in yet."""
    packets: list[soup.Packet] = [
        soup.LoginRequest("user", "password", "", 0),
        soup.ClientHeartbeat(),
        soup.Debug("hello"),
    ]
    return soup.encode(random.choice(packets))


# --- Deribit


class Framed:
    """A machine over messages as one over a stream: each message has its length before it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.waits = bytearray()

    @property
    def is_closed(self) -> bool:
        return self.session.is_closed

    @property
    def deadline(self) -> int:
        return self.session.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        told: list[Any] = []
        self.waits += b"" if self.is_closed else data
        while len(self.waits) >= 2 and len(self.waits) >= 2 + int.from_bytes(self.waits[:2], "big"):
            size = 2 + int.from_bytes(self.waits[:2], "big")
            message = bytes(self.waits[2:size])
            del self.waits[:size]
            told += self.session.receive(message, now)
        if self.is_closed:
            self.waits.clear()
        return told

    def wake(self, now: int) -> list[Any]:
        return list(self.session.wake(now))

    def end(self, now: int) -> list[Any]:
        return list(self.session.lost(now))

    def transmit(self, port: int = 0) -> list[bytes]:
        return self.session.transmit()


DERIBIT = Listing([Terms(0, "BTC-PERPETUAL", -1, 0), Terms(1, "BTC-C", -4, -1)])


def deribit_at_logon() -> Framed:
    """Give a session that has said who it is."""
    session = Session(1, DERIBIT, 0, groups={3: ("mm", "btc_usd")})
    session.logon("id", lambda data: "signature", "nonce", 0)
    return Framed(session)


def deribit_session() -> Framed:
    """Give a session that is up and has asked for things."""
    framed = deribit_at_logon()
    results = ["{}", '"ok"', '"ok"', '["user.changes.any.any.raw","user.mmp_trigger.btc_usd"]']
    for number, result in enumerate(results, 1):
        framed.session.receive(f'{{"id":{number},"result":{result}}}'.encode(), 0)
    requests: list[Any] = [
        New(7, 0, Side.BID, 437_005, 50), Amend(7, 0, 437_000, 60), Cancel(7, 0), CancelAll(9),
        MassQuote(8, 3, (Quote(1, 400, 10, None, 0),)), List(10),
    ]  # fmt: skip
    for request in requests:
        framed.session.send(request, 0)
    return framed


def from_deribit(random: Random) -> bytes:
    """Draw what the venue may say."""
    state = random.choice(["open", "open", "filled", "cancelled"])
    order = (
        f'{{"order_id":"{random.randrange(4)}","instrument_name":"{random.choice(["BTC-PERPETUAL", "X"])}",'
        f'"direction":"buy","order_state":"{state}","amount":50,"filled_amount":0,"price":{random.randrange(3)}.5,'
        f'"label":"{random.choice(["7", "11", "x"])}","last_update_timestamp":{random.randrange(9)}}}'
    )
    trade = (
        f'{{"trade_id":"{random.randrange(9)}","order_id":"{random.randrange(4)}","instrument_name":"BTC-PERPETUAL",'
        f'"direction":"buy","price":1.5,"amount":1,"fee":0.00001,"liquidity":"M","label":"7"}}'
    )
    number = random.randrange(1, 14)
    message = random.choice([
        f'{{"id":{number},"result":{{"order":{order},"trades":[{trade}]}}}}', f'{{"id":{number},"result":{order}}}',
        f'{{"id":{number},"result":3}}', f'{{"id":{number},"result":[]}}', f'{{"id":{number},"result":"ok"}}',
        f'{{"id":{number},"error":{{"code":{random.choice([10028, 11044])},"message":"no"}}}}',
        *[f'{{"method":"subscription","params":{{"channel":"user.changes.any.any.raw",'
          f'"data":{{"orders":[{order}],"trades":[{trade}]}}}}}}'] * 12,
        '{"method":"heartbeat","params":{"type":"test_request"}}',
        '{"method":"subscription","params":{"channel":"user.mmp_trigger.btc_usd",'
        '"data":{"index_name":"btc_usd","frozen_until":0,"mmp_group":"mm"}}}',
    ]).encode()  # fmt: skip
    return len(message).to_bytes(2, "big") + message


@dataclass
class Logon:
    """How a session logs on: with a state that can be compared."""

    session: Session

    def __call__(self, now: int) -> None:
        self.session.logon("id", lambda data: "signature", "nonce", now)


def deribit_stream() -> OrderStream:
    """Give a session that is up over messages in the plainest way."""
    session = Session(1, DERIBIT, 0)
    stream = OrderStream(Plain(), session, Logon(session))
    stream.receive(HELLO, 0)
    for number, result in enumerate(["{}", '"ok"', '"ok"', '["user.changes.any.any.raw"]'], 1):
        stream.receive(_plainly(f'{{"id":{number},"result":{result}}}'.encode()), 0)
    for request in (New(7, 0, Side.BID, 437_005, 50), Cancel(7, 0), List(10)):
        session.send(request, 0)
    return stream


def from_deribit_stream(random: Random) -> bytes:
    """Draw a frame: a message of the venue, or another kind."""
    return _plainly(from_deribit(random)[2:], random.choice([*[b"M"] * 20, b"P", b"C"]))


def _plainly(message: bytes, kind: bytes = b"M") -> bytes:
    return kind + len(message).to_bytes(4, "big") + message


def ouch_look() -> Look:
    """Give a connection that only looks."""
    return Look(ouch_at_login())


MACHINES: list[tuple[str, Callable[[], Any], Callable[[Random], bytes]]] = [
    ("starbase orders client", starbase_client, from_starbase_venue),
    ("starbase orders client at logon", starbase_at_logon, from_starbase_venue),
    ("starbase orders server", starbase_server, from_starbase_client),
    ("starbase orders server at logon", lambda: Server(1, LISTED, 0), from_starbase_client),
    ("ouch orders client", ouch_client, from_ouch_venue),
    ("ouch orders client at login", ouch_at_login, from_ouch_venue),
    ("ouch orders server", ouch_server, from_ouch_client),
    ("deribit orders", deribit_session, from_deribit),
    ("deribit orders at logon", deribit_at_logon, from_deribit),
    ("deribit orders on a stream", deribit_stream, from_deribit_stream),
    ("ouch look", ouch_look, from_ouch_venue),
    ("ouch orders server at login", lambda: OuchServer(1, ouch_pair.LISTED, 0), from_ouch_stranger),
]


def endless(name: str) -> bytes:
    """Give how a long packet of a machine begins."""
    return b"\xdb\x00\xf8\xff" if name.startswith("starbase") else b"\xff\xff"
