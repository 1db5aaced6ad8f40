"""A venue that says again what it said: a recording of Deribit's JSON-RPC, served to any client in its own pace.

    past = Past(); past.add(ts_ns, message) for each message of the venue     in the order of their times
    venue = PastVenue(past, speed=1.0)                                         a machine, message by message

Each client's past begins with its first subscription. What was recorded of a channel goes to those who listen to it, as
it stands; who joins a book's channel later, or again, is told a snapshot that is put together from what came before.
The instruments are those that were recorded, and so is the time: the venue's clock shows the past.

Answers are made for the questions that every client has to ask (subscribe, heartbeat, test, time, hello, auth,
instruments); all others are refused. Copies that a second line brought are said once.

Bounds: MAX_FRAMES messages; AT_ONCE of them in one turn. Leaves out: channels that nobody recorded, which are dropped
in silence, as the venue does.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.sim import jsonrpc_text as text
from netfeed.sim.jsonrpc_client import Client
from netfeed.sim.jsonrpc_text import RefusedError, Request
from netfeed.sim.outbox import Outbox
from netfeed.sim.stream_faults import StreamWindows
from netfeed.sim.venue_events import Event, HungUp, Malformed
from netfeed.sim.venue_ports import STREAMS

MAX_FRAMES: Final = 5_000_000
AT_ONCE: Final = 2_000
AGAIN_NS: Final = 1_000_000
"""How soon the next ones follow when all are due."""
MAX_QUEUED: Final = 64 * 2**20
MAX_CLIENTS: Final = 64
COPIES: Final = 256
"""Messages of a channel among which copies are looked for."""
_S: Final = 10**9


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
        except (msgspec.MsgspecError, ValueError, RecursionError):
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
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass

    def snapshot(self, channel: str, until: int) -> bytes | None:
        """Put together the snapshot of a book's channel as of a place; None where it was not told by then."""
        places = [place for place in self._by_channel[channel] if place < until]
        if not channel.startswith("book.") or not places:
            return None
        sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        data: dict[str, Any] = {}
        for place in places:
            data = json.loads(self.frames[place].payload, parse_float=str)["params"]["data"]
            for name, levels in sides.items():
                if data["type"] == "snapshot":
                    levels.clear()
                _set(levels, data[name])
        told = {name: [["new", _raw(price), _raw(amount)] for price, amount in levels.items()]
                for name, levels in sides.items()}  # fmt: skip
        data.pop("prev_change_id", None)
        return text.notification(channel, data | {"type": "snapshot"} | told)


@dataclass(slots=True)
class _Listener(Client):
    """A client, and where it is in the past. Units: `begun_ns` monotonic, None before it listens."""

    begun_ns: int | None = None
    at: int = 0
    joined: dict[str, None] = field(default_factory=dict)


class PastVenue:
    """The venue. `speed`: so many times as fast as it happened, None for as fast as can be."""

    def __init__(self, past: Past, *, speed: float | None = 1.0) -> None:
        if not past.frames:
            raise MisuseError("nothing was recorded of any channel")
        self.past = past
        self.faults = StreamWindows()
        self.is_up = True
        self.requests = self.said = self.over = 0
        self.clients: dict[int, _Listener] = {}
        self._speed = speed
        self._first_ns = past.frames[0].ts_ns
        self._outbox = Outbox(MAX_QUEUED)
        self._again = 0
        self._told: list[Event] = []
        self._told_ns = 0

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        due = min((min(one.beat_due, self._due(one)) for one in self.clients.values()), default=NEVER)
        return min(due, self._told_ns) if self._told else due

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take a message of a client."""
        client = self.clients.get(port)
        if client is None:
            return [Malformed(port, "nobody is connected there")]
        client.heard_ns = now
        self.requests += 1
        us, request = self._wall(client, now) // 1000, None
        behind: list[bytes] = []
        try:
            request = text.read(data)
            result, behind = self._do(client, request, now)
            self._outbox.put(port, text.answer(request.id, result, us, us))
        except RefusedError as error:
            self._outbox.put(port, text.refusal(request.id if request else error.id, error, us, us))
        for message in behind:
            self._outbox.put(port, message)
        return []

    def end(self, now: int, port: int = STREAMS[0]) -> Sequence[Event]:
        """Take note that a client has gone."""
        self.clients.pop(port, None)
        self._outbox.take(port)
        return []

    def wake(self, now: int) -> Sequence[Event]:
        """Say what is due."""
        if now < self.deadline:
            return []
        events, self._told = self._told, []
        for client in list(self.clients.values()):
            self._play(client, now)
            if client.beat_due <= now:
                events += self._beat(client, now)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain a port."""
        return self._outbox.take(port)

    # -- commands, as those of `JsonRpcVenue`

    def open(self, port: int, now: int, peer: str = "") -> bool:
        """Let a client in; False when there are too many."""
        if port not in STREAMS or port in self.clients:
            raise MisuseError(f"port {port} cannot be opened")
        if len(self.clients) >= MAX_CLIENTS:
            return False
        self.clients[port] = _Listener(port, peer, heard_ns=now)
        return True

    def once(self, what: str, ports: Iterable[int], now: int) -> None:
        """Refuse: the past has happened. Raises: MisuseError."""
        raise MisuseError(f"{what!r} is nothing that a recording can do")

    def close(self, code: int, ports: Iterable[int], now: int) -> None:
        """End connections with a WebSocket code."""
        for port in [port for port in ports if port in self.clients]:
            del self.clients[port]
            self._told.append(HungUp(port, code, "as commanded"))
            self._told_ns = now

    def flush(self, now: int) -> None:
        """Do nothing: commands queue nothing."""

    # -- inside

    def _wall(self, client: _Listener, now: int) -> int:
        """Give what the clock shows a client: the past. Units: ns since 1970."""
        if client.begun_ns is None or self._speed is None:
            return self._first_ns if client.at == 0 else self.past.frames[client.at - 1].ts_ns
        return self._first_ns + int((now - client.begun_ns) * self._speed)

    def _due(self, client: _Listener) -> int:
        if client.begun_ns is None or client.at >= len(self.past.frames):
            return NEVER
        if self._speed is None:
            return max(client.begun_ns, self._again)
        due = client.begun_ns + int((self.past.frames[client.at].ts_ns - self._first_ns) / self._speed)
        return max(due, self._again)

    def _play(self, client: _Listener, now: int) -> None:
        """Say what came in the past by now, to who listens."""
        frames = self.past.frames
        for _ in range(AT_ONCE):
            if client.at >= len(frames) or self._due(client) > now:
                return
            frame = frames[client.at]
            client.at += 1
            self.over += client.at == len(frames)
            if frame.channel in client.joined:
                self.said += 1
                self._outbox.put(client.port, frame.payload)
        self._again = now + AGAIN_NS

    def _beat(self, client: _Listener, now: int) -> list[Event]:
        kinds = client.beat(now)
        if kinds is None:
            del self.clients[client.port]
            return [HungUp(client.port, 1008, "test_request was not answered")]
        for kind in kinds:
            self._outbox.put(client.port, text.heartbeat(kind))
        return []

    def _do(self, client: _Listener, request: Request, now: int) -> tuple[Any, list[bytes]]:
        """Do what is asked: the result, and what is said behind it."""
        name = request.method.removeprefix("public/").removeprefix("private/")
        if name == "subscribe":
            return self._join(client, _names(request), now)
        answer = _ANSWERS.get(name)
        if answer is None:
            raise RefusedError(-32601)
        return answer(self, client, request, now), []

    def _join(self, client: _Listener, names: Sequence[str], now: int) -> tuple[list[str], list[bytes]]:
        known = [name for name in dict.fromkeys(names) if name in self.past.channels]
        fresh = [name for name in known if name not in client.joined]
        if client.begun_ns is None and known:
            client.begun_ns = now
        client.joined.update(dict.fromkeys(fresh))
        found = [self.past.snapshot(name, client.at) for name in fresh]
        return known, [one for one in found if one is not None]

    def _leave(self, client: _Listener, request: Request, now: int) -> Any:
        return [name for name in _names(request) if client.joined.pop(name, _ABSENT) is not _ABSENT]

    def _leave_all(self, client: _Listener, request: Request, now: int) -> Any:
        client.joined.clear()
        return "ok"

    def _test(self, client: _Listener, request: Request, now: int) -> Any:
        client.tested = False
        return {"version": text.VERSION}

    def _time(self, client: _Listener, request: Request, now: int) -> Any:
        return self._wall(client, now) // 1_000_000

    def _heartbeat(self, client: _Listener, request: Request, now: int) -> Any:
        interval = request.params.get("interval")
        if not isinstance(interval, int) or not 10 <= interval <= 86_400:
            raise RefusedError(-32602, "interval", "must be a whole number from 10 to 86400")
        client.beat_every(interval * _S, now)
        return "ok"

    def _no_heartbeat(self, client: _Listener, request: Request, now: int) -> Any:
        client.beat_every(0, now)
        return "ok"

    def _auth(self, client: _Listener, request: Request, now: int) -> Any:
        client.authorised = True
        return {"access_token": "past", "expires_in": 900, "refresh_token": "past", "scope": "", "token_type": "bearer"}

    def _instruments(self, client: _Listener, request: Request, now: int) -> Any:
        return msgspec.Raw(self.past.instruments)


_ANSWERS: Final[dict[str, Callable[[PastVenue, _Listener, Request, int], Any]]] = {
    "unsubscribe": PastVenue._leave, "unsubscribe_all": PastVenue._leave_all, "test": PastVenue._test,
    "hello": PastVenue._test, "get_time": PastVenue._time, "set_heartbeat": PastVenue._heartbeat,
    "disable_heartbeat": PastVenue._no_heartbeat, "auth": PastVenue._auth, "get_instruments": PastVenue._instruments,
}  # fmt: skip
_ABSENT: Final = object()


def _names(request: Request) -> list[str]:
    names = request.params.get("channels")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RefusedError(-32602, "channels", "must be a list of strings")
    return names


def _set(levels: dict[str, str], changes: Iterable[Sequence[Any]]) -> None:
    for action, price, amount in changes:
        if action == "delete":
            levels.pop(str(price), None)
        else:
            levels[str(price)] = str(amount)


def _raw(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())
