"""The methods of a simulated Deribit venue: what each takes, and what it answers.

    public/  hello test get_time status set_heartbeat disable_heartbeat auth
             get_currencies get_instruments get_instrument get_order_book ticker get_last_trades_by_instrument
             get_index_price subscribe unsubscribe unsubscribe_all
    private/ what `jsonrpc_orders` has, where orders have owners

Source: docs.deribit.com (API 2.1.1). private/subscribe and its kin are those of public/ for who has authenticated.

Channels that do not exist are left out of the answer without a word; a raw one refuses the whole request of a client
that has not authenticated. Listening twice is listening once: only who leaves a book's channel and joins it again is
told a snapshot.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

from netfeed.sim.jsonrpc_board import Board
from netfeed.sim.jsonrpc_client import MAX_TOPICS, Client
from netfeed.sim.jsonrpc_instruments import CURRENCIES, KINDS, currency, describe
from netfeed.sim.jsonrpc_orders import OrderMethods
from netfeed.sim.jsonrpc_private import PREFIX
from netfeed.sim.jsonrpc_text import VERSION, RefusedError, Request, number
from netfeed.sim.session_gateway import Key
from netfeed.sim.starbase_chain import INDEXES
from netfeed.sim.stream_faults import WallClock
from netfeed.wire.starbase import PRICE_EXPONENT

MAX_DEPTH: Final = 10_000
MAX_COUNT: Final = 1_000
DEFAULT_DEPTH, DEFAULT_COUNT = 5, 10
TOKEN_S: Final = 31_536_000
_MS, _S = 1_000_000, 1_000_000_000


class Methods:
    """What can be asked. `behind`: what is to be said to a client behind the answer, by channel.

    `credentials`: id and secret of who may hear raw channels, None for everybody who asks. `orders` and the `keys` of
    their accounts: where orders have owners. Units: `least_heartbeat_s` in seconds.
    """

    def __init__(
        self, board: Board, wall: WallClock, random_bytes: Callable[[int], bytes], *,
        credentials: tuple[str, str] | None = None, least_heartbeat_s: int = 10,
        orders: OrderMethods | None = None, keys: Mapping[str, Key] | None = None,
    ) -> None:  # fmt: skip
        self.behind: list[tuple[str, Any]] = []
        self._board, self._wall, self._random = board, wall, random_bytes
        self._credentials, self._least_s = credentials, least_heartbeat_s
        self._orders, self._keys = orders, keys or {}

    def call(self, client: Client, request: Request, now: int) -> Any:
        """Do what is asked and give the result. Raises: RefusedError."""
        name = request.method
        if self._orders is not None and self._orders.knows(name):
            if not client.account:
                raise RefusedError(13009)
            return self._orders.call(client, name, request.params, now, request.id)
        if name in ("private/subscribe", "private/unsubscribe", "private/unsubscribe_all"):
            if not client.authorised:
                raise RefusedError(13009)
            name = name.replace("private", "public")
        method = _TABLE.get(name)
        if method is None:
            raise RefusedError(-32601)
        return method(self, client, request.params, now)

    # -- the connection

    def _hello(self, client: Client, params: dict[str, Any], now: int) -> Any:
        _text(params, "client_name")
        _text(params, "client_version")
        return {"version": VERSION}

    def _test(self, client: Client, params: dict[str, Any], now: int) -> Any:
        client.tested = False
        if params.get("expected_result") == "exception":
            raise RefusedError(10001)
        return {"version": VERSION}

    def _time(self, client: Client, params: dict[str, Any], now: int) -> Any:
        return self._wall.at(now) // _MS

    def _status(self, client: Client, params: dict[str, Any], now: int) -> Any:
        return {"locked": "false", "locked_indices": []}

    def _set_heartbeat(self, client: Client, params: dict[str, Any], now: int) -> Any:
        interval_s = _whole(params, "interval", least=self._least_s, most=86_400)
        client.beat_every(interval_s * _S, now)
        return "ok"

    def _disable_heartbeat(self, client: Client, params: dict[str, Any], now: int) -> Any:
        client.beat_every(0, now)
        return "ok"

    def _auth(self, client: Client, params: dict[str, Any], now: int) -> Any:
        grant = _text(params, "grant_type")
        judge = {
            "client_credentials": self._knows_secret, "client_signature": self._knows_signature,
            "refresh_token": self._knows_token,
        }.get(grant)  # fmt: skip
        if judge is None:
            raise RefusedError(-32602, "grant_type", "must be a valid grant type")
        if not judge(client, params):
            raise RefusedError(13004)
        client.authorised, client.refresh_token = True, f"{_TOKEN}.{self._random(16).hex()}"
        if grant != "refresh_token":
            client.account = params["client_id"] if params["client_id"] in self._keys else ""
        return {
            "access_token": f"{_TOKEN}.{self._random(16).hex()}", "expires_in": TOKEN_S, "token_type": "bearer",
            "refresh_token": client.refresh_token, "scope": "connection mainaccount",
            "enabled_features": [], "sid": None,
        }  # fmt: skip

    def _knows_secret(self, client: Client, params: dict[str, Any]) -> bool:
        given = _text(params, "client_id"), _text(params, "client_secret")
        known = self._known(given[0])
        return known is None or _same(given, known)

    def _knows_signature(self, client: Client, params: dict[str, Any]) -> bool:
        given = _text(params, "client_id"), _text(params, "signature")
        known = self._known(given[0])
        if known is None:
            return True
        signed = "\n".join(str(params.get(name, "")) for name in ("timestamp", "nonce", "data"))
        secret = known[1].encode()
        right = hmac.new(secret, signed.encode(*_ANY), hashlib.sha256).hexdigest()
        return _same(given, (known[0], right))

    def _known(self, client_id: str) -> tuple[str, str] | None:
        """Give the id and the secret that a client must have; None: anybody may come, but for those who have a key."""
        key = self._keys.get(client_id)
        return self._credentials if key is None else (key.client_id, key.secret)

    def _knows_token(self, client: Client, params: dict[str, Any]) -> bool:
        return bool(client.refresh_token) and _same((_text(params, "refresh_token"), ""), (client.refresh_token, ""))

    # -- the market

    def _currencies(self, client: Client, params: dict[str, Any], now: int) -> Any:
        return [currency(name) for name in CURRENCIES]

    def _instruments(self, client: Client, params: dict[str, Any], now: int) -> Any:
        wanted, kind = _text(params, "currency"), params.get("kind")
        if wanted not in (*CURRENCIES, "USDC", "USDT", "EURR", "any"):
            raise RefusedError(-32602, "currency", "value must be a currency")
        if kind is not None and kind not in KINDS:
            raise RefusedError(-32602, "kind", "value must be a kind of instrument")
        if params.get("expired") or wanted not in ("BTC", "any"):
            return []
        return [describe(one.instrument) for one in self._board.listings.values() if kind in (None, one.kind)]

    def _instrument(self, client: Client, params: dict[str, Any], now: int) -> Any:
        return describe(self._board.listings[self._named(params)].instrument)

    def _order_book(self, client: Client, params: dict[str, Any], now: int) -> Any:
        depth = _whole(params, "depth", least=1, most=MAX_DEPTH, otherwise=DEFAULT_DEPTH)
        return self._board.order_book(self._named(params), depth, self._wall.at(now))

    def _ticker(self, client: Client, params: dict[str, Any], now: int) -> Any:
        return self._board.ticker(self._named(params), self._wall.at(now))

    def _trades(self, client: Client, params: dict[str, Any], now: int) -> Any:
        count = _whole(params, "count", least=1, most=MAX_COUNT, otherwise=DEFAULT_COUNT)
        trades = self._board.listings[self._named(params)].trades
        first = _whole(params, "start_seq", least=0, otherwise=0)
        last = _whole(params, "end_seq", least=0, otherwise=2**62)
        found = [one for one in trades if first <= one["trade_seq"] <= last]
        if params.get("sorting") != "asc":
            found.reverse()
        return {"trades": found[:count], "has_more": len(found) > count}

    def _index_price(self, client: Client, params: dict[str, Any], now: int) -> Any:
        name = _text(params, "index_name")
        if name != INDEXES[1][0]:
            raise RefusedError(-32602, "index_name", "value must be an index of this venue")
        price = number(self._board.index, PRICE_EXPONENT)
        return {"index_price": price, "estimated_delivery_price": price}

    def _named(self, params: dict[str, Any]) -> int:
        instrument = self._board.ids.get(_text(params, "instrument_name"))
        if instrument is None:
            raise RefusedError(13020, "instrument_name", "there is no such instrument")
        return instrument

    # -- channels

    def _subscribe(self, client: Client, params: dict[str, Any], now: int) -> Any:
        names = _channels(params)
        own = [name for name in names if name.startswith(PREFIX) and self._listen(client, name)]
        found = [topic for topic in map(self._board.topics.find, names) if topic is not None]
        if not client.authorised and any(topic.raw for topic in found):
            raise RefusedError(13778)
        joined = own
        for topic in found:
            known = topic.name in client.topics
            if not known and len(client.topics) >= MAX_TOPICS:
                continue
            joined.append(topic.name)
            if known:
                continue
            client.topics[topic.name] = topic
            first = self._board.join(topic, client.port, now)
            if first is not None:
                self.behind.append((topic.name, first))
        return joined

    def _unsubscribe(self, client: Client, params: dict[str, Any], now: int) -> Any:
        return [name for name in _channels(params) if self._leave(client, name)]

    def _unsubscribe_all(self, client: Client, params: dict[str, Any], now: int) -> Any:
        client.private.clear()
        for name in list(client.topics):
            self._leave(client, name)
        return "ok"

    def _listen(self, client: Client, name: str) -> bool:
        """Let an account hear of itself on a private channel; False when there is no such channel, or no account."""
        channel = self._orders.channel(name) if self._orders is not None and client.account else None
        if channel is None or len(client.private) >= MAX_TOPICS:
            return False
        client.private[name] = channel
        return True

    def _leave(self, client: Client, name: str) -> bool:
        if client.private.pop(name, None) is not None:
            return True
        if client.topics.pop(name, None) is None:
            return False
        self._board.topics.leave(name, client.port)
        return True


_TABLE: Final[Mapping[str, Callable[[Methods, Client, dict[str, Any], int], Any]]] = {
    "public/hello": Methods._hello, "public/test": Methods._test, "public/get_time": Methods._time,
    "public/status": Methods._status, "public/set_heartbeat": Methods._set_heartbeat,
    "public/disable_heartbeat": Methods._disable_heartbeat, "public/auth": Methods._auth,
    "public/get_currencies": Methods._currencies, "public/get_instruments": Methods._instruments,
    "public/get_instrument": Methods._instrument, "public/get_order_book": Methods._order_book,
    "public/ticker": Methods._ticker, "public/get_last_trades_by_instrument": Methods._trades,
    "public/get_index_price": Methods._index_price, "public/subscribe": Methods._subscribe,
    "public/unsubscribe": Methods._unsubscribe, "public/unsubscribe_all": Methods._unsubscribe_all,
}  # fmt: skip
_TOKEN: Final = "1767225600000.1A2B3C4D"
_ANY: Final = ("utf-8", "surrogatepass")


def _channels(params: dict[str, Any]) -> list[str]:
    names = params.get("channels")
    if names is None:
        raise RefusedError(-32000, "channels", "is missing")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RefusedError(-32602, "channels", "must be a list of strings")
    return list(dict.fromkeys(names))


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    if value is None:
        raise RefusedError(-32000, name, "is missing")
    if not isinstance(value, str):
        raise RefusedError(-32602, name, "must be a string")
    return value


def _whole(
    params: dict[str, Any], name: str, *, least: int, most: int = 2**62, otherwise: int | None = None
) -> int:  # fmt: skip
    value = params.get(name, otherwise)
    if value is None:
        raise RefusedError(-32000, name, "is missing")
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RefusedError(-32602, name, f"must be a whole number from {least} to {most}")
    return value


def _same(given: tuple[str, str], known: tuple[str, str]) -> bool:
    return all(hmac.compare_digest(one.encode(*_ANY), two.encode(*_ANY)) for one, two in zip(given, known, strict=True))
