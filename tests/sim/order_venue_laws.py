"""A venue that takes orders for the laws of machines: two clients are in, one knocks, and all say what they like."""

import json
from random import Random
from typing import Any

from netfeed.sim.commands import command
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.order_venue import ORDERS_A, ORDERS_B, OrderVenue, order_venue
from netfeed.sim.protection import Limits
from netfeed.sim.session_gateway import Key
from netfeed.sim.terms import MONEY
from netfeed.sim.venue import Settings
from netfeed.sim.venue_ports import ORDERS_OUCH, STREAM
from netfeed.sim.wired_venue import WiredVenue
from netfeed.wire import soupbintcp as soup
from netfeed.wire import starbase
from netfeed.wire import starbase_orders as orders

PORTS = (0, 4, ORDERS_A, ORDERS_A, ORDERS_A, ORDERS_B, ORDERS_A + 1)
OUCH_PORTS = (0, ORDERS_OUCH, ORDERS_OUCH + 1)
WIRED_PORTS = (0, 4, ORDERS_A + 2, ORDERS_A + 2, ORDERS_B + 2)
JSON_PORTS = (0, STREAM, STREAM + 1, STREAM)
_S = 10**9
_PERPETUAL = 1001
_NEAR = 90_003 * _S


def venue() -> OrderVenue:
    """Give a venue with a client on each gateway, and a connection on which nobody has logged on."""
    settings = Settings(
        rate=20, transactions=6, cycle_ns=20 * _S, instruments=1, retain=50, max_queued=50_000, gateways=2
    )
    made = order_venue(settings, [Key("mm", "s"), Key("bob", "s")], bump_ns=1_000)
    groups = {0: Limits(_S, _S, quantity=10**7), 3: Limits(_S, _S, quantity=10**7)}
    for name, port in (("mm", ORDERS_A), ("bob", ORDERS_B)):
        made.exchange.join(name, Permit(rate=50.0, max_orders=10, groups=groups), 100 * MONEY)
        assert made.connect(port, 0)
        made.receive(orders.encode(1, sequence=1, **_logon(name)), 0, port)
    assert made.connect(ORDERS_A + 1, 0)
    made.wake(0)
    for port in PORTS:
        made.transmit(port)
    return made


def over_ouch() -> OrderVenue:
    """Give the venue with a client on its OUCH gateway, and a connection on which nobody has logged in."""
    made = venue()
    for port in OUCH_PORTS[1:]:
        assert made.connect(port, 0)
    made.receive(soup.encode(soup.LoginRequest("mm", "s", "", 0)), 0, ORDERS_OUCH)
    made.transmit(ORDERS_OUCH)
    return made


def wired() -> WiredVenue:
    """Give the venue behind its wires, one of them slow, with a client on gateway A."""
    made = WiredVenue(venue(), seed=1)
    command(made, "orders B slow 1ms", 0)
    for port in (ORDERS_A + 2, ORDERS_B + 2):
        assert made.connect(port, 0)
    made.venue.end(0, ORDERS_A)
    made.venue.end(0, ORDERS_B)
    made.receive(orders.encode(1, sequence=1, **_logon("mm")), 0, ORDERS_A + 2)
    for port in WIRED_PORTS:
        made.transmit(port)
    return made


def told_json() -> JsonRpcVenue:
    """Give the venue with two accounts that trade over JSON-RPC."""
    inner = venue()
    made = JsonRpcVenue(inner, StreamSettings(max_queued=50_000, truth=False), random_bytes=bytes)
    for port, name in zip(JSON_PORTS[1:3], ("mm", "bob"), strict=True):
        made.open(port, 0, peer="a")
        asks = [
            ("public/auth", {"grant_type": "client_credentials", "client_id": name, "client_secret": "s"}),
            ("private/subscribe", {"channels": ["user.changes.any.any.raw", "user.portfolio.btc"]}),
            ("private/enable_cancel_on_disconnect", {}),
        ]  # fmt: skip
        for method, params in asks:
            made.receive(_call(method, params), 0, port)
        made.transmit(port)
    return made


def said_in_json(random: Random) -> bytes:
    """Draw what a client of JSON-RPC may ask: mostly orders around the mark."""
    price = (_NEAR + random.randrange(-6, 7) * _S // 2) / _S
    order = {
        "instrument_name": "BTC-PERPETUAL", "amount": random.choice([10, 20, 15]), "price": price,
        "label": str(random.randrange(1, 30)), "post_only": random.random() < 0.3,
    }  # fmt: skip
    side = {"price": price - 1, "amount": random.choice([0, 10])}
    quotes = [{"instrument_name": "BTC-PERPETUAL", "bid": side, "ask": {"price": price + 1, "amount": 10}}]
    name = {"order_id": str(7_000_000 + random.randrange(1, 40))}
    method, params = random.choice([
        *[("buy", order), ("sell", order)] * 4, ("edit", order | name), ("cancel", name),
        *[("mass_quote", {"quote_id": "9", "mmp_group": "3", "wait_for_response": True, "quotes": quotes})] * 2,
        ("cancel_all", {}), ("get_open_orders", {}), ("get_positions", {}), ("cancel_quotes", {"cancel_type": "all"}),
        ("reset_mmp", {"mmp_group": "3"}), ("buy", {}), ("edit", {"order_id": 7}),
    ])  # fmt: skip
    return _call(f"private/{method}", params)


def _call(method: str, params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def said(random: Random) -> bytes:
    """Draw what a client may say: mostly orders around the mark, some under a number that is due."""
    if random.random() < 0.1:
        request = starbase.encode(200, beginSeqNum=random.choice([1, 5, 2**40]), messageCount=3)
        return starbase.encode_packet(random.randrange(9), [request], type=0)
    number, side = random.randrange(1, 30), random.choice([1, -1])
    price = _NEAR + random.randrange(-6, 7) * _S // 2
    ids: dict[str, Any] = {"clientOrderId": number, "correlationId": number, "instrumentId": _PERPETUAL}
    sized: dict[str, Any] = {"price": price, "quantity": (10 * random.randrange(1, 9), 0)}
    quote = {
        "instrumentId": _PERPETUAL, "bidPrice": price, "bidQty": (50, 0), "askPrice": price + _S, "askQty": (50, 0),
        "bidFlags": 0, "askFlags": 0,
    }  # fmt: skip
    kinds: list[tuple[int, dict[str, Any]]] = [
        (1, _logon("bob")), (4, {"reason": "bye"}), (10, {"correlationId": 0}),
        *[(100, ids | sized | {"selfMatchPreventionId": 0, "side": side, "timeInForce": random.choice([0, 0, -1, -2]),
                               "flags": random.choice([0, 1, 3, 17]), "selfTradingMode": 0})] * 8,
        (110, ids | sized | {"flags": 0}), (120, ids),
        *[(130, {"quoteId": number, "correlationId": number, "mmpGroupId": 3, "selfMatchPreventionId": 0,
                 "flags": random.choice([0, 1]), "quotes": [quote]})] * 3,
        (140, {"correlationId": number, "currencyPairId": 0, "productType": 0, "side": 0}),
    ]  # fmt: skip
    kind, fields = random.choice(kinds)
    return orders.encode(kind, sequence=random.choice([*range(1, 9), 2**40]), **fields)


def _logon(name: str) -> dict[str, Any]:
    return {"clientId": name, "secret": "s", "resetSeqNum": 0, "schemaVersion": 16, "cancelOnDisconnect": 1}
