"""JSON-RPC 2.0 over whole messages: requests and their answers, both ways, and notifications.

    peer = Peer()                                    each message that comes      one event
    peer.request("public/test", {}, now)             "result" of a known id       Answered
    peer.notify("hello", {})                         "error" of a known id        Failed
    peer.answer(7, {"ok": True})                     "method" with an id          Called
    peer.refuse(7, -32601, "no such method")         "method" without one         Notified
                                                     anything else                Malformed, Stray

A request that is not answered within its time is `TimedOut`; its answer, should it come later, is a `Stray`. Params and
results stay as they are on the wire: whoever knows the method decodes them. Ids of this side count up from 1.

A machine over messages: each `receive` is a whole one (of WebSocket, say), each item of `transmit` one to send.
Bounds: MAX_WAITING requests, MAX_BYTES a message. Where a key stands twice in a message, the last one counts.

Source: JSON-RPC 2.0 specification (2013). Leaves out: batches, which are `Malformed`; what a method means.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer

MAX_WAITING: Final = 1024
"""Requests that may wait for their answer; a venue's budget allows far fewer."""
MAX_BYTES: Final = 16 * 2**20
"""A message that is longer is not looked at. A list of all instruments of a venue takes two."""
TIMEOUT_NS: Final = 10_000_000_000
VERSION: Final = "2.0"
Id = int | str | None
"""What names a request of the other side."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Our request was answered. `result` is JSON; it took `took_ns`."""

    id: int
    method: str
    result: bytes
    took_ns: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Our request was refused. `data` is JSON, empty where there is none."""

    id: int
    method: str
    code: int
    message: str
    data: bytes
    took_ns: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Our request got no answer in time."""

    id: int
    method: str


@dataclass(frozen=True, slots=True)
class Called:
    """The other side asks for something: `answer` or `refuse` with its `id`. `params` is JSON, empty for none."""

    id: Id
    method: str
    params: bytes


@dataclass(frozen=True, slots=True)
class Notified:
    """The other side tells something. `params` is JSON, empty for none."""

    method: str
    params: bytes


@dataclass(frozen=True, slots=True)
class Stray:
    """An answer to nothing: it came too late, or nobody asked."""

    id: Id


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that is no JSON-RPC; it was dropped whole."""

    what: str


Event = Answered | Failed | TimedOut | Called | Notified | Stray | Malformed


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of one side. `waiting` requests have no answer yet."""

    requests: int
    answered: int
    failed: int
    timed_out: int
    called: int
    notified: int
    stray: int
    malformed: int
    waiting: int


class _Error(msgspec.Struct):
    code: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw()


class _Envelope(msgspec.Struct):
    """Any message. A member that is absent is UNSET, which null is not."""

    id: int | str | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Error | msgspec.UnsetType | None = msgspec.UNSET


class _Waiting(NamedTuple):
    method: str
    asked_at: int
    due: int


_DECODER: Final = msgspec.json.Decoder(_Envelope)


class Peer:
    """One side of a conversation. See the module for the events."""

    def __init__(self, *, max_waiting: int = MAX_WAITING, max_bytes: int = MAX_BYTES) -> None:
        self.next_id = 1
        self._max_waiting, self._max_bytes = max_waiting, max_bytes
        self._waiting: dict[int, _Waiting] = {}
        self._outbox: list[bytes] = []
        self._counts: dict[type, int] = dict.fromkeys(Event.__args__, 0)

    @property
    def deadline(self) -> int:
        """Say when the first request has waited too long. Units: monotonic ns, NEVER when none waits."""
        return min((one.due for one in self._waiting.values()), default=NEVER)

    def request(self, method: str, params: Any, now: int, *, timeout_ns: int = TIMEOUT_NS) -> None:
        """Ask for something under the number `next_id`, which moves on.

        Raises: MisuseError when too many wait, when it is no time, or when `params` is no JSON.
        """
        if len(self._waiting) >= self._max_waiting:
            raise MisuseError(f"{len(self._waiting)} requests wait already")
        if timeout_ns <= 0:
            raise MisuseError(f"a request waits for some time, not {timeout_ns} ns")
        self._send(id=self.next_id, method=method, params=params)
        self._waiting[self.next_id] = _Waiting(method, now, now + timeout_ns)
        self.next_id += 1

    def notify(self, method: str, params: Any) -> None:
        """Tell something. Raises: MisuseError when `params` is no JSON."""
        self._send(method=method, params=params)

    def answer(self, id: Id, result: Any) -> None:
        """Answer a `Called`. Raises: MisuseError when `result` is no JSON."""
        self._send(id=id, result=result)

    def refuse(self, id: Id, code: int, message: str) -> None:
        """Refuse a `Called`."""
        self._send(id=id, error={"code": code, "message": message})

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Event]:
        """Take one whole message."""
        if len(data) > self._max_bytes:
            return [self._told(Malformed(f"a message of {len(data)} bytes; at most {self._max_bytes} are read"))]
        try:
            envelope = _DECODER.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return [self._told(Malformed(str(error)[:200]))]
        return [self._told(self._meant(envelope, now))]

    def wake(self, now: int) -> list[Event]:
        """Give up the requests that have waited too long."""
        late = sorted(number for number, one in self._waiting.items() if one.due <= now)
        return [self._told(TimedOut(number, self._waiting.pop(number).method)) for number in late]

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain the messages that must go out."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        told = self._counts
        return Statistics(
            requests=self.next_id - 1, answered=told[Answered], failed=told[Failed], timed_out=told[TimedOut],
            called=told[Called], notified=told[Notified], stray=told[Stray], malformed=told[Malformed],
            waiting=len(self._waiting),
        )  # fmt: skip

    def _meant(self, envelope: _Envelope, now: int) -> Event:
        number, method = envelope.id, envelope.method
        if not isinstance(method, msgspec.UnsetType):
            params = bytes(envelope.params)
            return Notified(method, params) if isinstance(number, msgspec.UnsetType) else Called(number, method, params)
        failed = isinstance(envelope.error, _Error)
        if isinstance(envelope.result, msgspec.UnsetType) and not failed:
            return Malformed("neither a method nor a result nor an error")
        if isinstance(number, msgspec.UnsetType):
            return Malformed("an answer without an id")
        waiting = self._waiting.pop(number, None) if isinstance(number, int) else None
        if waiting is None or not isinstance(number, int):
            return Stray(number)
        took_ns = now - waiting.asked_at
        if isinstance(envelope.error, _Error):
            error = envelope.error
            return Failed(number, waiting.method, error.code, error.message, bytes(error.data), took_ns)
        return Answered(number, waiting.method, bytes(envelope.result or b"null"), took_ns)

    def _told(self, event: Event) -> Event:
        self._counts[type(event)] += 1
        return event

    def _send(self, **members: Any) -> None:
        try:
            self._outbox.append(msgspec.json.encode({"jsonrpc": VERSION, **members}))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise MisuseError(f"that is no JSON: {error}") from None
