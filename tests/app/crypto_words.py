"""What each crypto venue says, for a server of tests: its list, its answers, and the snapshots of its books.

A `Words` has no sockets: requests and targets go in, messages come out. Depth is written by `depth_messages`.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from zlib import crc32

from tests.venues.depth_messages import MESSAGES, number, written

PAGE = 2
"""Instruments of one page of Bybit's list."""


class Book(Protocol):
    """The truth of one instrument: levels as texts, best first; `number` is the venue's."""

    name: str
    number: int

    def bids(self) -> list[tuple[str, str]]: ...

    def asks(self) -> list[tuple[str, str]]: ...


class Client(Protocol):
    """One connection: what it carries, and how many messages were said on it."""

    carried: dict[str, None]
    count: int


Snapshot = Callable[[str], bytes]
Said = Iterable[Any]


def digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")


class Words:
    """What all of them have. `shape` names the messages, `step` is how far numbers go at a time."""

    kind, shape, category, path, step = "", "", "", "/ws", 1
    greeting = b""
    kept = 1_000
    """Levels of a side: what falls out is told nowhere, as with a book of this depth."""
    doubles = True
    """Whether two lines can be arbitrated by the venue's numbers."""
    names: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")

    def listing(self, query: dict[str, str]) -> Any:
        raise NotImplementedError

    def wire(self, name: str) -> str:
        """Give what messages call an instrument."""
        return name

    def depth(self, book: Book, client: Client, kind: str, bids: Any, asks: Any) -> bytes:
        """Write a message of a book; a snapshot has all of it."""
        message = MESSAGES[self.shape](
            self.wire(book.name), kind, book.number - self.step, book.number, bids, asks, line=client.count,
            checksum=self.checksum(book),
        )  # fmt: skip
        client.count += 1
        return written(message)

    def checksum(self, book: Book) -> int:
        return 0

    def answer(self, client: Client, text: str, snapshot: Snapshot) -> Said:
        """Answer a request, and give what comes with it."""
        raise NotImplementedError

    def carry(self, client: Client, names: Iterable[str], on: bool, snapshot: Snapshot) -> Said:
        """Carry books, or no longer; give their snapshots."""
        for name in names:
            if on:
                client.carried[name] = None
                yield snapshot(name)
            else:
                client.carried.pop(name, None)


class Kraken(Words):
    kept, doubles = 10, False
    kind, shape, names = "kraken", "kraken", ("BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "DOGE/USD")
    greeting = b'{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2"}]}'

    def pairs(self) -> Any:
        fields = {
            "price_precision": 2, "qty_precision": 3, "price_increment": number("0.01"), "status": "online",
            "qty_increment": number("0.001"), "qty_min": number("0.001"),
        }  # fmt: skip
        pairs = [{"symbol": one, "base": one.split("/")[0], "quote": "USD", **fields} for one in self.names]
        return {"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": pairs}}

    def checksum(self, book: Book) -> int:
        levels = [*book.asks()[:10], *book.bids()[:10]]
        return crc32("".join(digits(price) + digits(quantity) for price, quantity in levels).encode())

    def answer(self, client: Client, text: str, snapshot: Snapshot) -> Said:
        asked = json.loads(text)
        method, params, head = asked["method"], asked.get("params", {}), {"req_id": asked["req_id"]}
        if method == "ping":
            yield {"method": "pong", **head}
        elif params["channel"] == "instrument":
            yield {"method": method, "result": {"channel": "instrument"}, "success": True, **head}
            yield self.pairs()
        else:
            for name in params["symbol"]:
                result = {"channel": "book", "depth": params["depth"], "snapshot": True, "symbol": name}
                yield {"method": method, "result": result, "success": True, **head}
                yield from self.carry(client, [name], method == "subscribe", snapshot)


class Binance(Words):
    kind, shape, path = "binance", "binance_spot", "/stream"

    def wire(self, name: str) -> str:
        return name.lower()

    def listing(self, query: dict[str, str]) -> Any:
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000.00", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000.000", "stepSize": "0.001"},
        ]
        return {"symbols": [self.symbol(name) | {"filters": filters} for name in self.names]}

    def symbol(self, name: str) -> dict[str, Any]:
        return {"symbol": name, "status": "TRADING", "baseAsset": name[:-4], "quoteAsset": "USDT",
                "quotePrecision": 8, "baseAssetPrecision": 8}  # fmt: skip

    def answer(self, client: Client, text: str, snapshot: Snapshot) -> Said:
        asked = json.loads(text)
        streams = asked.get("params", [])
        names = [one.split("@")[0].upper() for one in streams]
        list(self.carry(client, names, asked["method"] == "SUBSCRIBE", lambda name: b""))
        listed = [f"{self.wire(name)}@depth@100ms" for name in client.carried]
        yield {"result": listed if asked["method"] == "LIST_SUBSCRIPTIONS" else None, "id": asked["id"]}


class BinanceFutures(Binance):
    shape, category, path, step = "binance_usdm", "usdm", "/public/stream", 5

    def symbol(self, name: str) -> dict[str, Any]:
        return super().symbol(name) | {
            "contractType": "PERPETUAL",
            "marginAsset": "USDT",
            "deliveryDate": 4133404800000,
        }


class Okx(Words):
    kind, shape, category, step = "okx", "okx", "SPOT", 3
    names = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "DOGE-USDT")

    def listing(self, query: dict[str, str]) -> Any:
        listed = [
            {"instId": name, "instType": query["instType"], "tickSz": "0.01", "lotSz": "0.001", "minSz": "0.001",
             "baseCcy": name.split("-")[0], "quoteCcy": "USDT", "state": "live"}
            for name in self.names
        ]  # fmt: skip
        return {"code": "0", "msg": "", "data": listed}

    def answer(self, client: Client, text: str, snapshot: Snapshot) -> Said:
        if text == "ping":
            yield b"pong"
            return
        asked = json.loads(text)
        for one in asked["args"]:
            yield {"id": asked["id"], "event": asked["op"], "arg": one, "connId": "a4d3ae55"}
            yield from self.carry(client, [one["instId"]], asked["op"] == "subscribe", snapshot)


class Bybit(Words):
    kind, shape, category, path = "bybit", "bybit", "linear", "/v5/public/linear"

    def wire(self, name: str) -> str:
        return name

    def listing(self, query: dict[str, str]) -> Any:
        at = int(query.get("cursor", "at=0").removeprefix("at="))
        listed = [
            {"symbol": name, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": name[:-4],
             "quoteCoin": "USDT", "settleCoin": "USDT", "deliveryTime": "0", "priceFilter": {"tickSize": "0.01"},
             "lotSizeFilter": {"minOrderQty": "0.001", "qtyStep": "0.001"}}
            for name in self.names[at : at + PAGE]
        ]  # fmt: skip
        cursor = f"at%3D{at + PAGE}" if at + PAGE < len(self.names) else ""
        result = {"category": query["category"], "list": listed, "nextPageCursor": cursor}
        return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1_700_000_000_000}

    def answer(self, client: Client, text: str, snapshot: Snapshot) -> Said:
        asked = json.loads(text)
        head = {"conn_id": "a", "req_id": asked.get("req_id", ""), "op": asked["op"]}
        if asked["op"] == "ping":
            yield {"success": True, "ret_msg": "pong", **head}
            return
        names = [one.split(".")[2] for one in asked["args"]]
        on = asked["op"] == "subscribe"
        odd = next((name for name in names if (name in client.carried) is on), None)
        if odd is not None:
            what = "already" if on else "not"
            yield {"success": False, "ret_msg": f"error:{what} subscribed,topic:orderbook.50.{odd}", **head}
            return
        yield {"success": True, "ret_msg": "", **head}
        yield from self.carry(client, names, on, snapshot)


class Coinbase(Words):
    doubles = False
    kind, shape, names = "coinbase", "coinbase", ("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "DOGE-USD")

    def listing(self, query: dict[str, str]) -> Any:
        listed = [
            {"product_id": name, "base_increment": "0.001", "quote_increment": "0.01", "price_increment": "0.01",
             "base_min_size": "0.001", "base_currency_id": name.split("-")[0], "quote_currency_id": "USD",
             "product_type": "SPOT", "trading_disabled": False}
            for name in self.names
        ]  # fmt: skip
        return {"products": listed, "num_products": len(listed)}

    def answer(self, client: Client, text: str, snapshot: Snapshot) -> Said:
        asked = json.loads(text)
        if asked["channel"] == "level2":
            yield from self.carry(client, asked["product_ids"], asked["type"] == "subscribe", snapshot)
        carried = {"level2": list(client.carried), "heartbeats": ["heartbeats"]}
        yield {"channel": "subscriptions", "client_id": "", "timestamp": "2023-02-09T20:33:57.609931463Z",
               "sequence_num": client.count, "events": [{"subscriptions": carried}]}  # fmt: skip
        client.count += 1


VENUES: dict[str, Words] = {
    "kraken": Kraken(), "binance": Binance(), "usdm": BinanceFutures(), "okx": Okx(), "bybit": Bybit(),
    "coinbase": Coinbase(),
}  # fmt: skip
