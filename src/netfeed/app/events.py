"""Write changes to a file: JSON Lines for people and tools, `.npy` and `.parquet` for analysis.

    FILE.jsonl, -, any other name   one object a line; names, decimals as strings; .gz and .zst compress
    FILE.npy                        the CHANGE records as they are, and FILE.npy.json with what the numbers in them mean
    FILE.parquet                    columns with names; prices and quantities as integers beside their exponents

Batches are written as they come, memory does not grow with the file, and a file gets its name only when it is complete.
"""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

import numpy as np

from netfeed.app.changes import NO_LANE, Catalogue, Rows
from netfeed.app.lane import Lane
from netfeed.book.change import CHANGE, NO_BOOK, NO_PRICE, NO_SIDE, NO_TIME, Kind, Refusal, TradeFlag
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.errors import ConfigurationError
from netfeed.transport.file import SinkError, open_sink
from netfeed.units import decimal_text

_SIDES: Final = {Side.BID: "BID", Side.ASK: "ASK"}
_PRICED: Final = frozenset({Kind.BBO, Kind.TRADE})

Decoded = dict[str, Any]


class Words:
    """Turn rows of changes into words: instruments, channels, decimals."""

    def __init__(self, catalogue: Catalogue, lanes: Sequence[Lane]) -> None:
        self._catalogue = catalogue
        self._lanes = lanes

    def channel(self, lane: int) -> str | None:
        """Name a channel; None for a file of messages, which has none."""
        return self._lanes[lane].name if lane != NO_LANE else None

    def row(self, row: tuple[Any, ...]) -> Decoded:
        """Describe one change; what its kind does not tell is None."""
        sequence, event, recv, price, quantity, reference, number, orders, code, side, state, flags, lane, _ = row
        book = self._catalogue.books[number] if number != NO_BOOK else None
        kind = Kind(code)
        told = kind in _PRICED and book is not None and price != NO_PRICE
        exponents = book.exponents if book is not None else (0, 0)
        return {
            "kind": kind.name,
            "ts_recv_ns": None if recv == NO_TIME else recv,
            "ts_event_ns": None if event == NO_TIME else event,
            "channel": self.channel(lane),
            "sequence": sequence,
            "instrument": book.name if book is not None else None,
            "side": _SIDES.get(side),
            "price": decimal_text(price, exponents[0]) if told else None,
            "quantity": decimal_text(quantity, exponents[1]) if told else None,
            "orders": orders or None,
            "state": BookState(state).name if book is not None else None,
            "reference": reference if kind in (Kind.TRADE, Kind.GAP, Kind.REFUSED) else None,
            "flags": _flags(kind, flags),
        }


def _flags(kind: Kind, flags: int) -> str | None:
    if kind is Kind.REFUSED:
        return Refusal(flags).name if flags in Refusal._value2member_map_ else str(flags)
    if kind is Kind.TRADE and flags:
        return "|".join(flag.name or "" for flag in TradeFlag(flags & 31)) or str(flags)
    return None


class JsonLines:
    """One object a line."""

    def __init__(self, path: str, words: Words) -> None:
        self._sink = open_sink(path)
        self._words = words
        self._live = path == "-"

    def take(self, rows: Rows) -> None:
        """Write a batch."""
        lines = [json.dumps(self._words.row(row), separators=(",", ":")) for row in rows.tolist()]
        self._sink.write(("\n".join(lines) + "\n").encode())
        if self._live:
            self._sink.flush()

    def close(self) -> None:
        """Finish the file."""
        self._sink.close()

    def abandon(self) -> None:
        """Leave the part that was written under its own name."""
        self._sink.abandon()


class _Part:
    """A file that gets its name when it is complete, and can be written anew at its beginning until then."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.part = f"{path}.{os.getpid()}.part"
        with self.told():
            self.file: BinaryIO = open(self.part, "wb")  # noqa: SIM115 (closed by `close`)

    def close(self) -> None:
        with self.told():
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            os.replace(self.part, self.path)

    @contextlib.contextmanager
    def told(self) -> Any:
        try:
            yield
        except OSError as error:
            raise SinkError(f"{self.path} cannot be written: {error.strerror or error}") from None


class Npy:
    """The records as they are; the number of them is written into the header at the end."""

    def __init__(self, path: str, words: Words, catalogue: Catalogue, lanes: Sequence[Lane]) -> None:
        self._part = _Part(path)
        self._catalogue, self._lanes = catalogue, lanes
        self._count = 0
        with self._part.told():
            self._header(10**18)  # as long as it can become
            self._length = self._part.file.tell()

    def take(self, rows: Rows) -> None:
        """Write a batch."""
        self._count += len(rows)
        with self._part.told():
            self._part.file.write(np.ascontiguousarray(rows).tobytes())

    def close(self) -> None:
        """Finish the file and write the one beside it."""
        with self._part.told():
            self._part.file.seek(0)
            self._header(self._count)
        self._part.close()
        meaning = {
            "books": [
                {"instrument": book.name, "price_exponent": book.exponents[0], "quantity_exponent": book.exponents[1]}
                for book in self._catalogue.books
            ],
            "channels": [lane.name for lane in self._lanes],
        }
        with open_sink(self._part.path + ".json") as sink:
            sink.write(json.dumps(meaning, indent=1).encode() + b"\n")

    def abandon(self) -> None:
        """Leave the part that was written under its own name."""
        self._part.file.close()

    def _header(self, count: int) -> None:
        """Write a header of format 1.0 that is as long for every count."""
        described = {"descr": np.lib.format.dtype_to_descr(CHANGE), "fortran_order": False, "shape": (count,)}
        text = repr(described)
        text = text.ljust(len(text) + 18 - len(str(count)))
        text += " " * (-(len(text) + 11) % 64) + "\n"
        self._part.file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1"))


class Parquet:
    """Columns with names, in row groups of a batch or more."""

    GROUP: Final = 131_072

    def __init__(self, path: str, words: Words) -> None:
        pa, parquet = _arrow()
        self._pa = pa
        text = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema([
            ("kind", text), ("ts_recv_ns", pa.int64()), ("ts_event_ns", pa.int64()), ("channel", text),
            ("sequence", pa.uint64()), ("instrument", text), ("side", text), ("price", pa.int64()),
            ("price_exponent", pa.int8()), ("quantity", pa.int64()), ("quantity_exponent", pa.int8()),
            ("orders", pa.uint32()), ("state", text), ("reference", pa.uint64()), ("flags", pa.uint8()),
        ])  # fmt: skip
        self._part = _Part(path)
        self._words = words
        self._catalogue = words._catalogue
        self._writer = parquet.ParquetWriter(self._part.file, self._schema, compression="zstd")
        self._waiting: list[Rows] = []
        self._rows = 0

    def take(self, rows: Rows) -> None:
        """Collect a batch, and write a row group when there is enough for one."""
        self._waiting.append(rows)
        self._rows += len(rows)
        if self._rows >= self.GROUP:
            self._write()

    def close(self) -> None:
        """Finish the file."""
        self._write()
        with self._part.told():
            self._writer.close()
        self._part.close()

    def abandon(self) -> None:
        """Leave the part that was written under its own name."""
        self._part.file.close()

    def _write(self) -> None:
        if not self._rows:
            return
        rows = np.concatenate(self._waiting)
        self._waiting, self._rows = [], 0
        with self._part.told():
            self._writer.write_table(self._pa.table(self._columns(rows), schema=self._schema))

    def _columns(self, rows: Rows) -> list[Any]:
        pa, kinds = self._pa, rows["kind"]
        named = rows["book"] != NO_BOOK
        priced = named & np.isin(kinds, list(_PRICED)) & (rows["price"] != NO_PRICE)
        books = np.where(named, rows["book"], len(self._catalogue.books))
        exponents = np.array([*(book.exponents for book in self._catalogue.books), (0, 0)], "i1")[books]
        referring = np.isin(kinds, [Kind.TRADE, Kind.GAP, Kind.REFUSED])

        def words(column: Rows, name: Callable[[int], str | None]) -> Any:
            codes, places = np.unique(column, return_inverse=True)
            names = [name(int(code)) for code in codes]
            empty = np.array([one is None for one in names])[places] if len(names) else None
            return pa.DictionaryArray.from_arrays(
                pa.array(places.astype("i4"), mask=empty), pa.array([one or "" for one in names], pa.string())
            )

        def numbers(field: str, there: Any) -> Any:
            return pa.array(rows[field], mask=~there)

        last = len(self._catalogue.books)
        return [
            words(kinds, lambda code: Kind(code).name),
            numbers("ts_recv_ns", rows["ts_recv_ns"] != NO_TIME),
            numbers("ts_event_ns", rows["ts_event_ns"] != NO_TIME),
            words(rows["channel"], self._words.channel),
            pa.array(rows["sequence"]),
            words(books, lambda number: self._catalogue.books[number].name if number < last else None),
            words(rows["side"], lambda code: _SIDES.get(Side(code)) if code != NO_SIDE else None),
            numbers("price", priced),
            pa.array(exponents[:, 0], mask=~priced),
            numbers("quantity", priced),
            pa.array(exponents[:, 1], mask=~priced),
            numbers("orders", rows["orders"] != 0),
            words(np.where(named, rows["state"], 255), lambda code: BookState(code).name if code != 255 else None),
            numbers("reference", referring),
            pa.array(rows["flags"]),
        ]


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigurationError(
            "--events FILE.parquet needs pyarrow: pip install 'netfeed[parquet]', or name a .npy or .jsonl file"
        ) from error
    return pyarrow, pyarrow.parquet


def open_events(path: str, catalogue: Catalogue, lanes: Sequence[Lane]) -> JsonLines | Npy | Parquet:
    """Open the file of changes that its name asks for.

    Raises: SinkError when it cannot be written, ConfigurationError when a package is missing.
    """
    words = Words(catalogue, lanes)
    if path.endswith(".npy"):
        return Npy(path, words, catalogue, lanes)
    if path.endswith(".parquet"):
        return Parquet(path, words)
    return JsonLines(path, words)
