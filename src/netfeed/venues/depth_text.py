"""Depth messages from JSON text, the plain way that defines the compiled one: what one says, or why it is refused.

`read` gives what stands in a message at the places that its `Shape` names. Prices and quantities stay text until the
instrument is known; `exact` then makes integers of them, or nothing: never a rounded one. A message that is no depth
message has no entries and no flaw, unless it is no JSON at all.

A refused message changes nothing. `Refused.name` is the book that it speaks of, where that could be read; where not,
the numbers or the checksum of the book's next message show what is missing.

The compiled way (`netfeed._core.depth`) takes what is plain and leaves everything else to this one: escapes in names,
doubled keys, numbers of more than 18 digits, and all that is wrong.

Source: RFC 8259. Bytes that are not UTF-8 inside of strings are let through: the WebSocket machine has looked at them.
Bounds: MAX_BYTES, MAX_DEPTH, MAX_LEVELS.
"""

import json
import re
from calendar import timegm
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import accumulate
from typing import Any, Final

from netfeed.book.change import NO_TIME
from netfeed.book.level import Side
from netfeed.machine import Buffer
from netfeed.units import parse_decimal
from netfeed.venues.depth_shape import Node, Role, Rung, Shape

MAX_BYTES: Final = 32 * 2**20
"""A message that is longer is not looked at; the largest real one is a full snapshot of some megabytes."""
MAX_DEPTH: Final = 32
"""Brackets within brackets; real messages have six."""
MAX_LEVELS: Final = 131_072
"""Levels of one message, of both sides together."""
MAX_NAME: Final = 255

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(r"[][{}]")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})\Z")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z\Z", re.ASCII)
_STEP: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_ACTIONS: Final = {"new": False, "change": False, "delete": True}
_SIDES: Final = {"bid": Side.BID, "offer": Side.ASK, "ask": Side.ASK}


class Flaw(Enum):
    """Why a message is refused."""

    TOO_LONG = "it is longer than MAX_BYTES"
    TOO_DEEP = "its brackets are nested deeper than MAX_DEPTH"
    NOT_JSON = "it is no JSON"
    TWICE = "a key stands there twice"
    BAD_TYPE = "a value is of another type"
    BAD_TEXT = "a name is no text, or too long"
    BAD_NUMBER = "a number of the sequence is no integer of 64 bits"
    BAD_LEVEL = "a level makes no sense"
    TOO_MANY = "it has more than MAX_LEVELS levels"
    INEXACT = "a price or quantity does not fit the instrument's exponents in 64 bits"
    BAD_KIND = "it is neither a snapshot nor an update"
    UNNUMBERED = "it lacks the number that its venue's rule needs"


class Refused(ValueError):
    """A message is not taken. `name` and `line` are what could be read of it all the same."""

    def __init__(self, flaw: Flaw, name: str | None = None, line: int | None = None) -> None:
        super().__init__(flaw.value)
        self.flaw, self.name, self.line = flaw, name, line


class Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


Rows = list[tuple[Side, str, str, int, bool | None]]
"""Side, price, quantity, orders, and whether the level is said to be deleted (None: nothing is said)."""


@dataclass(slots=True)
class Entry:
    """What a message says of one book."""

    name: str
    kind: str | None = None
    before: int | None = None
    first: int | None = None
    number: int | None = None
    checksum: int | None = None
    ts_event_ns: int = NO_TIME
    levels: Rows = field(default_factory=list)


@dataclass(slots=True)
class Depth:
    """What a message says. `line` is the count of the connection, where the venue has one."""

    line: int | None
    entries: list[Entry]


class _Object(dict[str, Any]):
    """A JSON object, and the keys that stand in it twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        twice = len(self) != len(pairs)
        self.twice = {key for key, count in Counter(key for key, _ in pairs).items() if count > 1} if twice else set()


def read(shape: Shape, data: Buffer) -> Depth:
    """Read a message; one that is no depth message has no entries.

    Raises: Refused.
    """
    root = parse(data)
    if root is None:
        return Depth(None, [])
    head: dict[Role, Any] = {}
    found: list[dict[Role, Any]] = []
    flaws: list[Flaw] = []
    _collect(shape.root, root, head, found, flaws)
    values = [head | one for one in found]
    line = _integer(head.get(Role.LINE), None)
    if not values or not _accepted(shape, values[0]):
        return Depth(line, [])
    name = values[0].get(Role.NAME) if len(values) == 1 else None
    if flaws:
        raise Refused(flaws[0], name if type(name) is str else None, line)
    try:
        return Depth(line, [_entry(shape.rung, one) for one in values])
    except Refused as refused:
        raise Refused(refused.flaw, refused.name, line) from None


def read_snapshot(shape: Shape, data: Buffer, name: str) -> Entry:
    """Read the answer to a question for one book: it is what was asked for, whatever it calls itself.

    Raises: Refused.
    """
    root = parse(data)
    head: dict[Role, Any] = {Role.NAME: name}
    found: list[dict[Role, Any]] = []
    flaws: list[Flaw] = []
    if root is None:
        raise Refused(Flaw.NOT_JSON, name)
    _collect(shape.root, root, head, found, flaws)
    if flaws or len(found) != 1:
        raise Refused(flaws[0] if flaws else Flaw.BAD_TYPE, name)
    return _entry(shape.rung, head | found[0])


def parse(data: Buffer) -> _Object | None:
    """Parse a JSON object, None for text that begins otherwise.

    Raises: Refused.
    """
    if len(data) > MAX_BYTES:
        raise Refused(Flaw.TOO_LONG)
    text = bytes(data).decode("latin-1")
    if not text.lstrip(" \t\n\r").startswith("{"):
        return None
    if max(accumulate(_STEP[bracket] for bracket in _BRACKET.findall(_STRING.sub("", text))), default=0) > MAX_DEPTH:
        raise Refused(Flaw.TOO_DEEP)
    try:
        root = json.loads(
            text, object_pairs_hook=_Object, parse_float=Number, parse_int=Number, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise Refused(Flaw.NOT_JSON) from None
    assert isinstance(root, _Object)
    return root


def exact(text: str, exponent: int) -> int:
    """Give a decimal as an integer of 10**`exponent`.

    Raises: Refused where it is finer than that, too large for 64 bits, or no number.
    """
    try:
        number = parse_decimal(text, exponent)
    except ValueError:
        raise Refused(Flaw.INEXACT) from None
    if not -(2**63) <= number < 2**63:
        raise Refused(Flaw.INEXACT)
    return number


def nanoseconds(text: str) -> int:
    """Read an RFC 3339 time in UTC; NO_TIME when it is none. Units: ns."""
    match = _TIME.match(text)
    try:
        moment = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S") if match else None
    except ValueError:
        return NO_TIME
    if match is None or moment is None:
        return NO_TIME
    return _fitting(timegm(moment.timetuple()) * 10**9 + int((match[2] or "0").ljust(9, "0")))


def _collect(node: Node, value: Any, into: dict[Role, Any], found: list[dict[Role, Any]], flaws: list[Flaw]) -> None:
    """Gather what stands at the named places, whatever it is; the entries in their order."""
    objects = value if node.many else [value]
    if type(objects) is not list or not all(isinstance(one, _Object) for one in objects):
        flaws.append(Flaw.BAD_TYPE)
        return
    for one in objects:
        if node.entry:
            found.append(into := {})
        if one.twice & node.keys.keys():
            flaws.append(Flaw.TWICE)
        for key, what in node.keys.items():
            if key not in one:
                continue
            if isinstance(what, Node):
                _collect(what, one[key], into, found, flaws)
            elif what is Role.TOPIC:
                into[Role.CHANNEL] = into[Role.NAME] = one[key]
            else:
                into[what] = one[key]


def _accepted(shape: Shape, values: dict[Role, Any]) -> bool:
    channel = values.get(Role.CHANNEL)
    if type(channel) is not str:
        return False
    return channel.startswith(shape.accept) if shape.accept.endswith(".") else channel == shape.accept


def _entry(rung: Rung, values: dict[Role, Any]) -> Entry:
    name = values.get(Role.NAME)
    if type(name) is not str or len(name) > MAX_NAME:
        raise Refused(Flaw.BAD_TEXT)
    try:
        entry = Entry(name, _text(values.get(Role.KIND)))
        entry.before, entry.first = _integer(values.get(Role.BEFORE)), _integer(values.get(Role.FIRST))
        entry.number, entry.checksum = _integer(values.get(Role.NUMBER)), _integer(values.get(Role.CHECKSUM))
        entry.ts_event_ns = _time(values)
        for role, side in ((Role.BIDS, Side.BID), (Role.ASKS, Side.ASK), (Role.LEVELS, None)):
            if values.get(role) is not None:
                entry.levels += _levels(rung, values[role], side)
    except Refused as refused:
        raise Refused(refused.flaw, name) from None
    if len(entry.levels) > MAX_LEVELS:
        raise Refused(Flaw.TOO_MANY, name)
    return entry


def _levels(rung: Rung, values: Any, side: Side | None) -> Rows:
    if type(values) is not list:
        raise Refused(Flaw.BAD_TYPE)
    try:
        return [_row(rung, value, side) for value in values]
    except (KeyError, IndexError, TypeError):
        raise Refused(Flaw.BAD_LEVEL) from None


def _row(rung: Rung, value: Any, side: Side | None) -> tuple[Side, str, str, int, bool | None]:
    if not isinstance(value, _Object if isinstance(rung.price, str) else list):
        raise Refused(Flaw.BAD_LEVEL)
    if isinstance(value, _Object) and value.twice & {rung.price, rung.quantity, rung.side}:
        raise Refused(Flaw.TWICE)
    cells: Any = value
    price, quantity = cells[rung.price], cells[rung.quantity]
    if not isinstance(price, str) or not isinstance(quantity, str):
        raise Refused(Flaw.BAD_LEVEL)
    orders = 0 if rung.orders is None else _integer(cells[rung.orders])
    if orders is None or not 0 <= orders < 2**32:
        raise Refused(Flaw.BAD_LEVEL)
    where = _SIDES[cells[rung.side]] if side is None else side
    deleted = None if rung.action is None else _ACTIONS[cells[rung.action]]
    return where, price, quantity, orders, deleted


def _text(value: Any) -> str | None:
    if value is not None and (type(value) is not str or len(value) > MAX_NAME):
        raise Refused(Flaw.BAD_TEXT)
    return value


def _integer(value: Any, *fallback: None) -> int | None:
    """Read an integer that may stand in quotes; None for none. With a fallback, what is none is not refused."""
    if value is None:
        return None
    if isinstance(value, str) and _INTEGER.match(value) and -(2**63) <= int(value) < 2**63:
        return int(value)
    if fallback:
        return None
    raise Refused(Flaw.BAD_NUMBER)


def _time(values: dict[Role, Any]) -> int:
    milliseconds, text = _integer(values.get(Role.MILLISECONDS), None), values.get(Role.TIMESTAMP)
    if milliseconds is not None:
        return _fitting(milliseconds * 10**6)
    return nanoseconds(text) if isinstance(text, str) else NO_TIME


def _fitting(ns: int) -> int:
    return ns if -(2**63) <= ns < 2**63 else NO_TIME


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
