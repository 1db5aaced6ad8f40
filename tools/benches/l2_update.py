"""One update of a book of price levels, from numbers that are ready in memory to a book whose best is known.

    netfeed            all updates in one array call
    netfeed_batches    20 updates an array call, about what one message of a venue holds
    netfeed_one        one Python call each
    pure               the plain twin, one at a time (on fewer updates: it is slow)
    floor:loop         the Python loop of the rows that go one at a time, and nothing in it
    peer:sortedcontainers  a SortedDict a side, one at a time, and a look at the best after each
    peer:hftbacktest   an array of events through its backtester: the local book alone, no strategy, no exchange side,
                       as a hash map and as a vector over the range of prices; it has no call for a single update
    peer:nautilus_trader   OrderBook (L2_MBP), one `apply_delta` each, or one `apply_deltas` for all; the deltas are
                       made beforehand, which takes longer than to apply them and is not counted

Every row must end with the best prices of the netfeed row (`pure` with those of its own part), or it raises.

Input: a book that is never crossed, on a grid of one tick; the distance from the touch is log-uniform over 1 to 512
ticks, three in ten updates remove a level. With `--file`: a raw Binance recording in the form of hftbacktest (.gz:
receive time, JSON), its snapshot and what its depth stream adds.
"""

import gzip
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benches import Row, cached, peer, timed
from netfeed.book import LevelBook
from netfeed.book.l2 import LevelBook as Twin
from netfeed.units import parse_decimal

NAME = "l2_update"
UNIT = "ns/update"

SEED, DEEPEST, REMOVED, MIDDLE_MOVES = 7, 512, 0.3, 0.02
BATCH = 20
TWIN_UPDATES = 5_000

Columns = tuple["np.ndarray[Any, Any]", ...]
Best = tuple[int | None, int | None]


def rows(file: Path | None, quick: bool) -> list[Row]:
    table = recorded(file) if file else synthetic(5_000 if quick else 200_000)
    columns = tuple(np.ascontiguousarray(table[:, i].astype(t)) for i, t in enumerate(("u1", "i8", "i8", "u4")))
    expected = best(columns)
    found: list[Row] = [
        ("netfeed", lambda: in_arrays(columns, len(table), expected)),
        ("netfeed_batches", lambda: in_arrays(columns, BATCH, expected)),
        ("netfeed_one", one_at_a_time(LevelBook, columns)),
        ("pure", one_at_a_time(Twin, tuple(column[:TWIN_UPDATES] for column in columns))),
        ("floor:loop", empty_loop(columns)),
    ]
    return [*found, *sortedcontainers(columns, expected), *hftbacktest(columns, expected), *nautilus(columns, expected)]


# --- input


def synthetic(count: int) -> "np.ndarray[Any, Any]":
    parameters: dict[str, object] = {"count": count, "seed": SEED, "deepest": DEEPEST, "version": 1}
    table: np.ndarray[Any, Any] = np.load(cached("l2_update.npy", parameters, lambda path: np.save(path, made(count))))
    return table


def made(count: int) -> "np.ndarray[Any, Any]":
    """Make rows of side, price, quantity, orders around a middle that moves by a tick now and then."""
    chance = random.Random(SEED)
    middle = 1_000_000
    found: list[tuple[int, int, int, int]] = []
    while len(found) < count:
        if chance.random() < MIDDLE_MOVES:
            step = chance.choice((-1, 1))
            middle += step
            found.append((int(step > 0), middle, 0, 0))  # the level that would now stand in the middle
            continue
        side, distance = chance.getrandbits(1), int(math.exp(chance.random() * math.log(DEEPEST)))
        quantity = 0 if chance.random() < REMOVED else chance.randrange(1, 1000)
        found.append(
            (side, middle + (distance if side else -distance), quantity, chance.randrange(1, 20) if quantity else 0)
        )
    return np.array(found, np.int64)


def recorded(file: Path) -> "np.ndarray[Any, Any]":
    """Read the levels of a recording, prices as multiples of their greatest common divisor."""
    table = np.array([row for message in messages(file) for row in message], np.int64)
    table[:, 1] //= np.gcd.reduce(table[:, 1])
    return table


def messages(file: Path) -> Iterator[list[tuple[int, int, int, int]]]:
    """Give the snapshot, then the updates that are newer: some of them were received before the snapshot was."""
    with gzip.open(file, "rt") as lines:
        received = [json.loads(line.split(" ", 1)[1]) for line in lines]
    snapshot = next(message for message in received if "lastUpdateId" in message)
    yield levels(snapshot["bids"], snapshot["asks"])
    for message in received:
        update = message.get("data", {})
        if update.get("e") == "depthUpdate" and update["u"] > snapshot["lastUpdateId"]:
            yield levels(update["b"], update["a"])


def levels(bids: list[list[str]], asks: list[list[str]]) -> list[tuple[int, int, int, int]]:
    sides = enumerate((bids, asks))
    return [(side, parse_decimal(p, -8), parse_decimal(q, -8), 0) for side, found in sides for p, q in found]


# --- netfeed


def best(columns: Columns) -> Best:
    book = LevelBook()
    book.update_many(*columns)
    return best_of(book)


def best_of(book: LevelBook) -> Best:
    return book.bid.price if book.bid else None, book.ask.price if book.ask else None


def in_arrays(columns: Columns, size: int, expected: Best) -> float:
    count = len(columns[0])
    batches = [tuple(column[i : i + size] for column in columns) for i in range(0, count, size)]
    book = LevelBook()

    def work() -> None:
        update_many = book.update_many
        for batch in batches:
            update_many(*batch)

    return checked(timed(work) / count, best_of(book), expected)


def one_at_a_time(kind: type[LevelBook], columns: Columns) -> Callable[[], float]:
    rows, expected = list(zip(*(column.tolist() for column in columns), strict=True)), best(columns)

    def run() -> float:
        book = kind()

        def work() -> None:
            update = book.update
            for side, price, quantity, orders in rows:
                update(side, price, quantity, orders)

        return checked(timed(work) / len(rows), best_of(book), expected)

    return run


def empty_loop(columns: Columns) -> Callable[[], float]:
    rows = list(zip(*(column.tolist() for column in columns), strict=True))

    def work() -> None:
        for _side, _price, _quantity, _orders in rows:
            pass

    return lambda: timed(work) / len(rows)


def checked(value: float, found: Best, expected: Best) -> float:
    if found != expected:
        raise AssertionError(f"this row built another book: best {found}, wanted {expected}")
    return value


# --- peers


def sortedcontainers(columns: Columns, expected: Best) -> Iterator[Row]:
    name = peer("sortedcontainers")
    if name is None:
        return
    from sortedcontainers import SortedDict

    rows = list(zip(*(column.tolist() for column in columns), strict=True))

    def run() -> float:
        sides, changed = (SortedDict(), SortedDict()), 0
        last: list[Any] = [None, None]

        def work() -> None:
            nonlocal changed
            for side, price, quantity, orders in rows:
                levels = sides[side]
                if quantity:
                    levels[price] = (quantity, orders)
                else:
                    levels.pop(price, None)
                now = levels.peekitem(0 if side else -1) if levels else None
                if now != last[side]:
                    last[side] = now
                    changed += 1

        value = timed(work) / len(rows)
        return checked(value, (last[0] and last[0][0], last[1] and last[1][0]), expected)

    yield name, run


def hftbacktest(columns: Columns, expected: Best) -> Iterator[Row]:
    name = peer("hftbacktest")
    if name is None:
        return
    import hftbacktest as hft
    from hftbacktest.binding import event_dtype

    side, price, quantity, _ = columns
    events = np.zeros(len(side), event_dtype)
    events["ev"] = hft.DEPTH_EVENT | hft.LOCAL_EVENT | np.where(side == 0, hft.BUY_EVENT, hft.SELL_EVENT)
    events["exch_ts"] = np.arange(1, len(side) + 1) * 1_000
    events["local_ts"] = events["exch_ts"] + 1
    events["px"], events["qty"] = price, quantity

    def run(vector: bool) -> float:
        asset = hft.BacktestAsset().data([events]).linear_asset(1.0).constant_order_latency(0, 0)
        asset = asset.risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0, 0)
        asset = asset.tick_size(1.0).lot_size(1.0).last_trades_capacity(0)
        if vector:
            asset = asset.roi_lb(float(price.min() - 1)).roi_ub(float(price.max() + 1))
        backtest = (hft.ROIVectorMarketDepthBacktest if vector else hft.HashMapMarketDepthBacktest)([asset])
        value = timed(lambda: backtest.elapse(1_000 * len(side) + 1_000_000)) / len(side)
        depth = backtest.depth(0)
        found = int(depth.best_bid_tick), int(depth.best_ask_tick)
        backtest.close()
        return checked(value, found, expected)

    yield name, lambda: run(vector=False)
    yield f"{name}-vector", lambda: run(vector=True)


def nautilus(columns: Columns, expected: Best) -> Iterator[Row]:
    name = peer("nautilus_trader")
    if name is None:
        return
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId
    from nautilus_trader.model.objects import Price, Quantity

    instrument, sides = InstrumentId.from_str("BOOK.BENCH"), (OrderSide.BUY, OrderSide.SELL)

    def delta(number: int, side: int, price: int, quantity: int) -> Any:
        order = BookOrder(sides[side], Price(price, 0), Quantity(quantity, 0), 0)
        action = BookAction.UPDATE if quantity else BookAction.DELETE
        return OrderBookDelta(instrument, action, order, 0, number, number, number)

    deltas = [delta(i, *row) for i, row in enumerate(zip(*(column.tolist() for column in columns[:3]), strict=True))]
    together = OrderBookDeltas(instrument, deltas)

    def run(apply: Callable[[Any], None]) -> float:
        book = OrderBook(instrument, BookType.L2_MBP)
        value = timed(lambda: apply(book)) / len(deltas)
        return checked(value, (int(book.best_bid_price()), int(book.best_ask_price())), expected)

    def one_by_one(book: Any) -> None:
        apply_delta = book.apply_delta
        for one in deltas:
            apply_delta(one)

    yield name, lambda: run(one_by_one)
    yield f"{name}-batch", lambda: run(lambda book: book.apply_deltas(together))
