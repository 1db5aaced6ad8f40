"""One depth message of Deribit as text, 20 levels, to exact integer levels.

    netfeed            the compiled scan of a batch, its levels as integers of the instrument's exponents
    netfeed_books      the same batch through `Market.apply`: chain, book, best levels, crossing
    pure               the plain way of reading, and its exact integers (on fewer messages: it is slow)
    floor:c            a scanner in C that was written for this message; what it does not check is said in json_depth.c
    peer:orjson        `loads` alone: dicts and floats, no integers
    peer:msgspec       a typed decoder alone: structs and floats, no integers
    peer:msgspec...:exact  the same with decimals, and integers made of them

The levels of netfeed, pure and the floor are counted, and the floor's sum is that of the twin, or the row raises.

Input: messages as `book.BTC-PERPETUAL.100ms` sends them, ten levels a side around a middle that moves.
"""

import ctypes
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from benches import Row, peer, timed
from netfeed.book import LevelBook
from netfeed.build import PURE
from netfeed.venues import deribit_json
from netfeed.venues.depth_path import path
from netfeed.venues.depth_shape import table
from netfeed.venues.depth_text import exact, read
from netfeed.venues.instrument import Instrument, Kind

NAME = "json_depth"
UNIT = "ns/message"

HERE = Path(__file__).parent
LEVELS, SEED = 20, 7
PRICE_EXPONENT, QUANTITY_EXPONENT = -1, 0
TWIN_MESSAGES = 200
INSTRUMENT = "BTC-PERPETUAL"


def rows(file: Path | None, quick: bool) -> list[Row]:
    texts = made(500 if quick else 4_000)
    lengths = np.array([len(text) for text in texts], np.int64)
    places = np.ascontiguousarray(np.stack([np.cumsum(lengths) - lengths, lengths], axis=1))
    data = b"".join(texts)
    found: list[Row] = []
    if not PURE:
        found.append(("netfeed", compiled(data, places)))
    found += [("netfeed_books" if not PURE else "netfeed", books(texts)), ("pure", plain(texts[:TWIN_MESSAGES]))]
    return [*found, *floor(data, places, texts), *orjson(texts), *msgspec(texts)]


def made(count: int) -> list[bytes]:
    """Make changes that chain, and keep the book uncrossed: what is new stands on its own side of the middle."""
    chance = random.Random(SEED)
    number, texts = 60_000_000_000, []
    for at in range(count):
        before, number = number, number + chance.randrange(1, 9)
        bids, asks = (
            [
                ["change" if amount else "delete", price / 2, float(amount)]
                for price in sorted(chance.sample(span, LEVELS // 2))
                for amount in (chance.randrange(0, 40) * 10,)
            ]
            for span in (range(59_000, 60_000), range(60_001, 61_000))
        )
        body: dict[str, Any] = {"type": "change", "timestamp": 1_700_000_000_000 + at, "prev_change_id": before}
        body |= {"instrument_name": INSTRUMENT, "change_id": number, "bids": bids, "asks": asks}
        params = {"channel": deribit_json.topic(INSTRUMENT), "data": body}
        message = {"jsonrpc": "2.0", "method": "subscription", "params": params}
        texts.append(json.dumps(message, separators=(",", ":")).encode())
    return texts


# --- netfeed


def compiled(data: bytes, places: "np.ndarray[Any, Any]") -> Callable[[], float]:
    shape = deribit_json.SHAPE
    words = (shape.accept.encode(), shape.snapshot.encode(), shape.update.encode())
    made_path: Any = path()(table(shape), words, int(deribit_json.RULES.numbering))
    made_path.open(b"x", LevelBook(), PRICE_EXPONENT, QUANTITY_EXPONENT)

    def run() -> float:
        counted = 0

        def work() -> None:
            nonlocal counted
            counted = made_path.levels(data, places, 0)

        return checked(timed(work) / len(places), counted, len(places))

    return run


def books(texts: list[bytes]) -> Callable[[], float]:
    instrument = Instrument(
        "deribit", INSTRUMENT, Kind.PERPETUAL, "BTC", "USD", "BTC", PRICE_EXPONENT, QUANTITY_EXPONENT, 5, 10, 10
    )
    first = json.loads(texts[0])
    first["params"]["data"] |= {"type": "snapshot", "change_id": first["params"]["data"]["prev_change_id"]}
    snapshot = json.dumps(first).encode()

    def run() -> float:
        market, _ = deribit_json.market([instrument])
        market.apply([snapshot], 0)

        def work() -> None:
            for at in range(0, len(texts), 64):
                market.apply(texts[at : at + 64], 0)
                market.changes()

        value = timed(work) / len(texts)
        return checked(value, market.statistics().taken * LEVELS, len(texts))

    return run


def plain(texts: list[bytes]) -> Callable[[], float]:
    def run() -> float:
        counted = 0

        def work() -> None:
            nonlocal counted
            counted = sum(len(integers(text)) for text in texts)

        return checked(timed(work) / len(texts), counted, len(texts))

    return run


def integers(text: bytes) -> list[tuple[int, int]]:
    """Read a message by the twin."""
    (entry,) = read(deribit_json.SHAPE, text).entries
    return [(exact(price, PRICE_EXPONENT), exact(amount, QUANTITY_EXPONENT)) for _, price, amount, *_ in entry.levels]


def checked(value: float, counted: int, messages: int) -> float:
    if counted != messages * LEVELS:
        raise AssertionError(f"this row read {counted} levels, wanted {messages * LEVELS}")
    return value


# --- the floor and the peers


def floor(data: bytes, places: "np.ndarray[Any, Any]", texts: list[bytes]) -> Iterator[Row]:
    out = Path(tempfile.mkdtemp()) / "json_depth.so"
    command = ["gcc", "-O3", "-march=native", "-shared", "-fPIC", str(HERE / "json_depth.c"), "-o", str(out)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        print("left out: floor:c, gcc does not work here", file=sys.stderr)
        return
    library = ctypes.CDLL(str(out))
    library.scan.restype = ctypes.c_uint64
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.scan.argtypes = [ctypes.c_char_p, pointer, ctypes.c_uint64, number, number, pointer]
    total = ctypes.c_int64()
    wanted = sum(price + amount for text in texts for price, amount in integers(text))

    def run() -> float:
        counted = 0

        def work() -> None:
            nonlocal counted
            counted = library.scan(
                data, places.ctypes.data, len(places), -PRICE_EXPONENT, -QUANTITY_EXPONENT, ctypes.byref(total)
            )

        value = checked(timed(work) / len(places), counted, len(places))
        if total.value != wanted:
            raise AssertionError(f"the floor's levels sum up to {total.value}, wanted {wanted}")
        return value

    yield "floor:c", run


def orjson(texts: list[bytes]) -> Iterator[Row]:
    name = peer("orjson")
    if name is None:
        return
    from orjson import loads

    yield name, decoding(loads, texts)


def msgspec(texts: list[bytes]) -> Iterator[Row]:
    name = peer("msgspec")
    if name is None:
        return
    import msgspec

    def decoder(number: type) -> "msgspec.json.Decoder[Any]":
        levels = list[tuple[str, number, number]]  # type: ignore[valid-type]
        fields = [("change_id", int), ("instrument_name", str), ("bids", levels), ("asks", levels)]
        fields += [("type", str), ("timestamp", int), ("prev_change_id", int)]
        data = msgspec.defstruct("Data", fields)
        params = msgspec.defstruct("Params", [("channel", str), ("data", data)])
        return msgspec.json.Decoder(msgspec.defstruct("Push", [("params", params)]))

    decode = decoder(Decimal).decode

    def exactly(text: bytes) -> object:
        data = decode(text).params.data
        return [(int(price.scaleb(-PRICE_EXPONENT)), int(amount)) for _, price, amount in data.bids + data.asks]

    yield name, decoding(decoder(float).decode, texts)
    yield f"{name}:exact", decoding(exactly, texts)


def decoding(decode: Callable[[bytes], object], texts: list[bytes]) -> Callable[[], float]:
    def work() -> None:
        for text in texts:
            decode(text)

    return lambda: timed(work) / len(texts)
