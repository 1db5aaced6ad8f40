"""What an account can ask over JSON-RPC of a venue whose orders have owners."""

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

from netfeed.book.execution import New
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.order_venue import OrderVenue, order_venue
from netfeed.sim.protection import Limits
from netfeed.sim.session_gateway import Key
from netfeed.sim.terms import MONEY
from netfeed.sim.venue import Settings
from netfeed.sim.venue_ports import STREAM
from netfeed.sim.wired_venue import WiredVenue
from tests.sim.exchange_room import BUY, PERPETUAL, SELL, Quote
from tests.sim.exchange_room import MassQuote as Quotes

S = 10**9
USD = 10**9


class Talk:
    """A venue behind lines, a client on its JSON-RPC, and time."""

    def __init__(self, credentials: tuple[str, str] | None = None) -> None:
        self.inner: OrderVenue = order_venue(Settings(seed=3, rate=1, instruments=3), [Key("mm", "s3cret")])
        self.inner.exchange.join("mm", Permit(groups={1: Limits(S, S)}), 100 * MONEY)
        settings = StreamSettings(credentials=credentials)
        self.venue = JsonRpcVenue(WiredVenue(self.inner), settings, random_bytes=bytes)
        self.venue.wake(0)
        assert self.venue.open(STREAM, 0, peer="192.0.2.1")
        self.exchange = self.inner.exchange

    def call(self, method: str, **params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.venue.receive(json.dumps(request).encode(), 0, STREAM)
        answer = json.loads(self.venue.transmit(STREAM)[0], parse_float=Decimal)
        return answer.get("result", answer.get("error"))

    def log_on(self, client_id: str = "mm", secret: str = "s3cret") -> Any:
        return self.call("public/auth", grant_type="client_credentials", client_id=client_id, client_secret=secret)


def test_an_account_is_told_what_rests_and_what_it_holds() -> None:
    talk = Talk()
    assert talk.call("private/get_open_orders")["code"] == 13009
    assert "access_token" in talk.log_on()
    now = talk.inner.wall(0)
    price, offered, _ = talk.exchange.trading.markets[PERPETUAL].rows(SELL)[0]
    talk.exchange.new("mm", New(7, PERPETUAL, BUY, price, offered + 50), now)
    quote = Quote(1008, 89_000 * USD, 20, None, 0)
    talk.exchange.mass_quote("mm", Quotes(8, 1, (quote,)), now)
    order, quoted = talk.call("private/get_open_orders")
    assert (order["label"], order["direction"], order["order_state"]) == ("7", "buy", "open")
    assert (order["amount"], order["filled_amount"]) == (offered + 50, offered)
    assert (order["price"] * USD, order["instrument_name"]) == (price, "BTC-PERPETUAL")
    assert (quoted["quote"], quoted["quote_id"], quoted["price"], quoted["label"]) == (True, "8", 89_000, "")
    (position,) = talk.call("private/get_positions", currency="any")
    assert (position["size"], position["instrument_name"]) == (offered, "BTC-PERPETUAL")
    assert position["average_price"] * USD == price
    assert {order["order_id"], quoted["order_id"]} == {str(one.order_id) for one in talk.exchange.listed("mm").orders}


def test_everything_leaves_when_it_is_told_to_and_the_feed_says_so() -> None:
    talk = Talk()
    talk.log_on()
    talk.inner.wake(0)
    for client_id in (1, 2):
        talk.exchange.new("mm", New(client_id, PERPETUAL, BUY, 89_000 * USD, 10), talk.inner.wall(0))
    numbered = talk.inner.lines.next
    assert talk.call("private/cancel_all") == 2
    assert talk.call("private/get_open_orders") == []
    assert talk.venue.deadline == 0
    talk.venue.wake(0)
    assert talk.inner.lines.next == numbered + 2


def test_a_key_needs_its_secret_whoever_else_may_come() -> None:
    talk = Talk()
    assert talk.log_on(secret="wrong")["code"] == 13004
    assert "access_token" in talk.log_on("anybody", "at all")
    assert talk.call("private/get_positions")["code"] == 13009
    talk = Talk(("reader", "r"))
    assert talk.log_on("anybody", "at all")["code"] == 13004
    assert "access_token" in talk.log_on("reader", "r")
    assert talk.call("private/get_positions")["code"] == 13009
    assert "access_token" in talk.log_on()
    assert talk.call("private/get_positions") == []


def test_a_key_may_sign_instead() -> None:
    talk = Talk()
    for secret, word in (("s3cret", "access_token"), ("other", "code")):
        signature = hmac.new(secret.encode(), b"1\nn\n", hashlib.sha256).hexdigest()
        answer = talk.call(
            "public/auth", grant_type="client_signature", client_id="mm", timestamp=1, nonce="n", data="",
            signature=signature,
        )  # fmt: skip
        assert word in answer
    assert talk.call("private/get_positions") == []
