"""What happened to our account, as lines that survive a crash: encode, read back, and make the account again.

    1 8f3a02c1 17 Heard {"at":5,"report":{...},"of":"Filled"}

version of the form, CRC-32 of all that follows it (hexadecimal), number of the record, its kind, its fields as JSON.
A record counts when its line is whole, newline included, its checksum is right and its number is the next one. Whatever
changes an account is one of RECORDS; so the account that `replay` makes is the one that there was, at every record.

A crash may cut the file at any byte: the torn line is left out and the state before it is what holds. A line that is
wrong with others after it is no crash: `Tail.is_torn` is False, and who starts must ask a person. The writer is not
here: whoever writes does so off the hot path, decisions before they are sent.

Leaves out: marks and sensitivities (they come with the market), and therefore delta and vega in protection groups.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import msgspec

from netfeed.book.execution import Ask, Report, Request
from netfeed.engine.account import Account
from netfeed.engine.orders import ASKS
from netfeed.errors import MisuseError
from netfeed.machine import NEVER

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Began:
    """A run begins. `run`: its number, for client ids; whatever was open before is in doubt from here on.

    `sessions`: the venue of each session of the run, by its number, where there are several venues.
    """

    at: int
    run: int
    sessions: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """A request passed risk. `book_sequence`: of the last change that the decision had seen."""

    at: int
    book_sequence: int
    request: Request


@dataclass(frozen=True, slots=True)
class Sent:
    """What was decided is handed to a session."""

    at: int
    session: int
    ask: Ask
    client_id: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """No session would take what was decided."""

    at: int
    ask: Ask
    client_id: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A venue said something."""

    at: int
    report: Report
    until: int = NEVER


@dataclass(frozen=True, slots=True)
class Woke:
    """A deadline had passed."""

    at: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """A person said what we hold."""

    at: int
    by: str
    instrument: int
    quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class Absolved:
    """A person has looked at an instrument of which something was said that cannot be."""

    at: int
    by: str
    instrument: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A contract expired at this price."""

    at: int
    instrument: int
    price: int


Record = Began | Decided | Sent | Unsent | Heard | Woke | Adopted | Absolved | Settled
RECORDS: Final[dict[str, type[Record]]] = {
    kind.__name__: kind for kind in (Began, Decided, Sent, Unsent, Heard, Woke, Adopted, Absolved, Settled)
}
_WORDS: Final[dict[str, Any]] = {kind.__name__: kind for kind in (*get_args(Request), *get_args(Report))}
_FAST: Final = msgspec.json.Encoder()
_INSIDE: Final = {"Decided": "request", "Heard": "report"}


@dataclass(frozen=True, slots=True)
class Tail:
    """How a journal ends. `offset`: where the last record that counts ends; `why` "": it ends there. Units: bytes."""

    offset: int
    records: int
    why: str
    is_torn: bool


def encode(record: Record, number: int) -> bytes:
    """Write a record as a line; in a few microseconds: it is done before each order is sent."""
    kind = type(record)
    inside = getattr(record, _INSIDE[kind.__name__]) if kind.__name__ in _INSIDE else None
    try:
        fields = _FAST.encode(record)
    except (UnicodeEncodeError, OverflowError):  # half of a surrogate pair, a match of more than 64 bits
        fields = json.dumps(msgspec.to_builtins(record), separators=(",", ":")).encode()
    of = b"" if inside is None else b',"of":"%s"' % type(inside).__name__.encode()
    body = b"%d %s %s%s}" % (number, kind.__name__.encode(), fields[:-1], of)
    return b"%d %08x %s\n" % (VERSION, zlib.crc32(body), body)


def decode(line: bytes) -> tuple[int, Record]:
    """Read a line without its newline: the number of the record, and the record.

    Raises: ValueError which says what is wrong with it.
    """
    parts = line.split(b" ", 2)
    if len(parts) != 3 or parts[0] != b"%d" % VERSION:
        raise ValueError(f"no record of version {VERSION}")
    if parts[1] != b"%08x" % zlib.crc32(parts[2]):
        raise ValueError("the checksum is wrong")
    number, _, rest = parts[2].decode().partition(" ")
    kind, _, text = rest.partition(" ")
    if kind not in RECORDS:
        raise ValueError(f"no kind of record: {kind}")
    return int(number), _record(kind, json.loads(text))


def _record(kind: str, fields: dict[str, Any]) -> Record:
    inside = _INSIDE.get(kind)
    if inside is None:
        record: Record = msgspec.convert(fields, RECORDS[kind], str_keys=True)
        return record
    word = msgspec.convert(fields.pop(inside), _WORDS[fields.pop("of")])
    made: Record = RECORDS[kind](**fields, **{inside: word})
    return made


def read(data: bytes, after: int = 0) -> tuple[list[Record], Tail]:
    """Read all records that count, and say how the journal ends. Nothing raises.

    `after`: the number of the record before the first one, where a journal is in several files.
    """
    records: list[Record] = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            return records, Tail(at, len(records), "the last line is not whole", True)
        try:
            number, record = decode(data[at:end])
        except (ValueError, KeyError, TypeError) as error:
            return records, Tail(at, len(records), str(error), end + 1 == len(data))
        if number != after + len(records) + 1:
            return records, Tail(at, len(records), f"record {number} follows {after + len(records)}", False)
        records.append(record)
        at = end + 1
    return records, Tail(at, len(records), "", False)


Waiting = dict[tuple[Ask, int], Request]
"""What was decided and is not sent yet."""


def replay(records: Iterable[Record], account: Account, waiting: Waiting | None = None) -> Account:
    """Bring an empty account to where the records end. `waiting` goes on from records before these, and is brought up.

    Raises: MisuseError when they are of no account that was.
    """
    undecided = {} if waiting is None else waiting
    for record in records:
        _apply(record, account, undecided)
    return account


def _apply(record: Record, account: Account, waiting: Waiting) -> None:
    now = record.at
    if isinstance(record, Began):
        for session, venue in record.sessions.items():
            account.venues.sent_by(session, venue)
        account.restarted(now)
        waiting.clear()
    elif isinstance(record, Decided):
        account.decide(record.request, now)
        waiting[ASKS[type(record.request)], record.request.client_id] = record.request
    elif isinstance(record, Sent | Unsent):
        request = waiting.pop((record.ask, record.client_id), None)
        if request is None:
            raise MisuseError(f"{record.client_id} was sent and never decided")
        if isinstance(record, Sent):
            account.sent(request, record.session, now)
        else:
            account.unsent(request, now)
    elif isinstance(record, Heard):
        account.apply(record.report, now, until=record.until)
    elif isinstance(record, Woke):
        account.wake(now)
    elif isinstance(record, Adopted):
        account.adopt(record.instrument, record.quantity, record.price)
    elif isinstance(record, Absolved):
        account.orders.absolve(record.instrument)
    else:
        account.settle(record.instrument, record.price)


def last_run(records: Iterable[Record]) -> int:
    """Give the number of the last run; -1 when none began. The next one is one more."""
    return max((record.run for record in records if isinstance(record, Began)), default=-1)
