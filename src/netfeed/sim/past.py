"""What a venue said, in the order of time: a recording of Deribit's JSON-RPC as `past_venue` says it again.

    past = Past(); past.add(ts_ns, message)     for each message of the venue, in the order of their times
    past.snapshot(channel, place)               a book's channel as of a place, put together from what came before

Copies that a second line brought are kept once. Bounds: MAX_FRAMES messages. Leaves out: who hears it, and when.
"""

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from netfeed.sim import jsonrpc_text as text

MAX_FRAMES: Final = 5_000_000
COPIES: Final = 256
"""Messages of a channel among which copies are looked for."""


class Frame(NamedTuple):
    """One message of a channel. Units: ns since 1970."""

    ts_ns: int
    channel: str
    payload: bytes


class _Params(msgspec.Struct):
    channel: str = ""


class _Message(msgspec.Struct):
    method: str = ""
    params: _Params | None = None
    result: msgspec.Raw = msgspec.Raw()


class _Listed(msgspec.Struct):
    instrument_name: str


class _Changes(msgspec.Struct):
    type: Literal["snapshot", "change"]
    bids: list[tuple[str, float, float]]
    asks: list[tuple[str, float, float]]


class _Data(msgspec.Struct):
    data: _Changes


class _Book(msgspec.Struct):
    params: _Data


_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_BOOK: Final = msgspec.json.Decoder(_Book)
_MESSAGE: Final = msgspec.json.Decoder(_Message)
_LISTING: Final = msgspec.json.Decoder(list[_Listed])


class Past:
    """What a venue said, in the order of time."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.instruments: bytes = b"[]"
        self.passed_over = 0
        self._by_channel: dict[str, list[int]] = {}
        self._recent: dict[str, deque[bytes]] = {}

    @property
    def channels(self) -> Mapping[str, Sequence[int]]:
        """Give the places of each channel's messages."""
        return self._by_channel

    def add(self, ts_ns: int, message: bytes) -> None:
        """Take a message; what is of no channel, and no list of instruments, is passed over."""
        try:
            told = _MESSAGE.decode(message)
        except _UNREADABLE:
            self.passed_over += 1
            return
        if told.method == "subscription" and told.params is not None and len(self.frames) < MAX_FRAMES:
            recent = self._recent.setdefault(told.params.channel, deque(maxlen=COPIES))
            if message not in recent:
                recent.append(message)
                self._by_channel.setdefault(told.params.channel, []).append(len(self.frames))
                self.frames.append(Frame(ts_ns, told.params.channel, message))
                return
        self.passed_over += 1
        if bytes(told.result) and self.instruments == b"[]":
            self._learn(bytes(told.result))

    def _learn(self, result: bytes) -> None:
        try:
            if _LISTING.decode(result):
                self.instruments = result
        except _UNREADABLE:
            pass

    def snapshot(self, channel: str, until: int) -> bytes | None:
        """Put together the snapshot of a book's channel as of a place; None where it was not told by then.

        What is no book's change (a channel whose messages are whole each, or garbage) adds nothing.
        """
        if not channel.startswith("book."):
            return None
        sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        data: dict[str, Any] = {}
        for place in self._by_channel[channel]:
            changes = _changes(self.frames[place].payload) if place < until else None
            if changes is None:
                continue
            data = changes
            for name, levels in sides.items():
                if data["type"] == "snapshot":
                    levels.clear()
                _set(levels, data[name])
        if not data:
            return None
        told = {name: [["new", _raw(price), _raw(amount)] for price, amount in levels.items()]
                for name, levels in sides.items()}  # fmt: skip
        data.pop("prev_change_id", None)
        return text.notification(channel, data | {"type": "snapshot"} | told)


def _changes(payload: bytes) -> dict[str, Any] | None:
    """Read what a book's message changes, numbers as their text; None for any other message."""
    try:
        _BOOK.decode(payload)
        told: dict[str, Any] = json.loads(payload, parse_float=str)["params"]["data"]
    except (*_UNREADABLE, ValueError):
        return None
    return told


def _set(levels: dict[str, str], changes: Iterable[Sequence[Any]]) -> None:
    for action, price, amount in changes:
        if action == "delete":
            levels.pop(str(price), None)
        else:
            levels[str(price)] = str(amount)


def _raw(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())
