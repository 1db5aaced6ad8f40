"""What a simulated venue tells its driver: the truth about its books, and what became of requests."""

from dataclasses import dataclass
from typing import Any

from netfeed.book.digest import Row
from netfeed.units import decimal_text


@dataclass(frozen=True, slots=True)
class Truth:
    """A book as it is after a transaction, whose messages were numbered `first` to `sequence`.

    `epoch` counts the beginnings of the count, `session` is the transport's name of it. `digest` is that of
    `book.digest` over the whole book. Units: prices and quantities as on the wire, `exponents` say of what;
    `ts_event_ns` since 1970.
    """

    epoch: int
    session: str
    first: int
    sequence: int
    instrument: str
    bid: Row | None
    ask: Row | None
    digest: int
    exponents: tuple[int, int]
    ts_event_ns: int

    def record(self) -> dict[str, Any]:
        """Give it as one record of a truth file: decimal texts, absent is None."""
        return {
            "epoch": self.epoch, "session": self.session, "first": self.first, "sequence": self.sequence,
            "instrument": self.instrument, "bid": self._level(self.bid), "ask": self._level(self.ask),
            "digest": self.digest, "ts_event_ns": self.ts_event_ns,
        }  # fmt: skip

    def _level(self, row: Row | None) -> dict[str, Any] | None:
        if row is None:
            return None
        price, quantity = (decimal_text(value, exponent) for value, exponent in zip(row, self.exponents, strict=False))
        return {"price": price, "quantity": quantity, "orders": row[2]}


@dataclass(frozen=True, slots=True)
class Answered:
    """Messages were sent again: `count` of them from `first` on."""

    port: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A request was refused, or left without an answer, for this reason."""

    port: int
    first: int
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes came that are no request, or came where nothing is asked."""

    port: int
    what: str


@dataclass(frozen=True, slots=True)
class SnapshotServed:
    """A client of the snapshot server was sent a whole snapshot; the next message to apply is `sequence`."""

    port: int
    messages: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A client of the snapshot server was let in, or not."""

    port: int
    username: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection is over, for this reason; the driver drains and closes it."""

    port: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionBegan:
    """The count begins at 1."""

    epoch: int
    session: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over: there is no message `next_sequence`."""

    epoch: int
    session: str
    next_sequence: int


@dataclass(frozen=True, slots=True)
class StreamTruth:
    """A book as it is after the change `change_id` of what a stream tells: levels only, no orders.

    `digest` is that of `book.digest` with prices and quantities in 1e-9 and no counts of orders. Units: as in `Truth`.
    """

    instrument: str
    change_id: int
    bid: Row | None
    ask: Row | None
    digest: int
    exponents: tuple[int, int]
    ts_event_ns: int

    def record(self) -> dict[str, Any]:
        """Give it as one record of a truth file: decimal texts, absent is None."""
        return {
            "change_id": self.change_id, "instrument": self.instrument, "bid": self._level(self.bid),
            "ask": self._level(self.ask), "digest": self.digest, "ts_event_ns": self.ts_event_ns,
        }  # fmt: skip

    def _level(self, row: Row | None) -> dict[str, Any] | None:
        if row is None:
            return None
        price, quantity = (decimal_text(value, exponent) for value, exponent in zip(row, self.exponents, strict=False))
        return {"price": price, "quantity": quantity}


@dataclass(frozen=True, slots=True)
class HungUp:
    """The venue ends a JSON-RPC connection with this WebSocket code, after what it has said already.

    `code` 1006: without any word. The driver drains the port, and closes it.
    """

    port: int
    code: int
    reason: str


Event = (
    Truth | Answered | Refused | Malformed | SnapshotServed | Connected | Disconnected | SessionBegan | SessionEnded
    | StreamTruth | HungUp
)  # fmt: skip
