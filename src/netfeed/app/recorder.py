"""`netfeed record`: what venues and we said to each other, into files of `wire.recording`, by a thread of its own.

A slow disk costs lines, by the policy of a bounded queue, and never the loop's time; what was lost is a line of its own
in its place. Files rotate by size or time; each gets its name when it is complete, and begins with the first line of a
recording and with the connections that were open then.

Secrets are not written: the values of what names one in a message (SECRETS), whoever said it, are ***. An endpoint's
query is left out.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from netfeed.app.configuration import Recording as Config
from netfeed.app.configuration import Venue
from netfeed.app.journal import rotation_of
from netfeed.app.queue import Queue
from netfeed.feed.talk import Ended, Heard, Opened, Talk, Word
from netfeed.machine import Buffer
from netfeed.transport.sink import Sink, open_sink
from netfeed.wire import recording

SECRETS: Final = frozenset({
    "access_token", "refresh_token", "client_secret", "signature", "sign", "secret", "password", "passphrase", "token",
    "apiKey", "api_key", "api_secret", "listenKey", "client_id", "jwt",
})  # fmt: skip
_NAMED: Final = tuple(f'"{name}"'.encode() for name in sorted(SECRETS))
_ESCAPE: Final = b"\\u"  # a name can be written with it, too
HIDDEN: Final = "***"
_OVERHEAD: Final = 120
"""What a message costs in the queue beside its text."""
FLUSH_S: Final = 1.0
"""What was written is handed to the kernel at least this often, so that a killed recorder leaves all but the newest."""

Line = tuple[int, int, int, str, bytes]


class Recorder:
    """Write what `talk`s say and hear. `skew_ns` gives what real time is ahead of monotonic time."""

    def __init__(
        self, config: Config, path: str, venues: Sequence[Venue], *, skew_ns: Callable[[], int],
        failed: Callable[[str], None] = lambda text: None,
    ) -> None:  # fmt: skip
        """Begin a file. Raises: SinkError."""
        self._rotation, self._skew_ns = rotation_of(config, path), skew_ns
        self._venues = [plain(one) for one in venues]
        self._places = {one.name: place for place, one in enumerate(venues)}
        self._open: dict[int, Line] = {}
        self._listings: dict[str, list[Line]] = {}
        self._connections = self._size = 0
        self._until: float | None = None
        self._sink: Sink
        self._flush_at: float
        self._dropped: tuple[int, int, int] = (0, 0, 0)
        self._begin([])
        self.queue = Queue("recording", config.queue, config.policy, self._write)

    def talk(self, talk: Talk, venue: str, endpoint: str) -> Talk:
        """Give the talk whose words are recorded."""
        number, self._connections = self._connections, self._connections + 1
        return RecordedTalk(talk, self, self._places[venue], number, endpoint.partition("?")[0])

    def listed(self, venue: str, answers: Sequence[bytes], heard: bool) -> None:
        """Keep what a venue lists, page by page: each file begins with it, since no book is known without it.

        `heard`: it was a message, and is recorded as one already.
        """
        lines = self._listings[venue] = [self._over_http(venue, "", answer) for answer in answers]
        for line in () if heard else lines:
            self.put(line)

    def fetched(self, venue: str, topic: str, body: Buffer) -> None:
        """Take the snapshot of a topic that was had over HTTP."""
        self.put(self._over_http(venue, topic, body))

    def _over_http(self, venue: str, topic: str, body: Buffer) -> Line:
        text = topic.encode() + b"\n" + bytes(body)
        return self.stamp(time.monotonic_ns()), self._places[venue], 0, recording.FETCHED, text

    def put(self, line: Line) -> None:
        """Take a line. The payload of a message is copied before this is called."""
        if line[3] == recording.OPENED:
            self._open[line[2]] = line
        elif line[3] == recording.ENDED:
            self._open.pop(line[2], None)
        if not self.queue.put((line, list(self._open.values())), len(line[4]) + _OVERHEAD):
            self._dropped = line[:3]

    def stamp(self, now: int) -> int:
        """Give real time. Units: `now` monotonic ns; ns since 1970."""
        return now + self._skew_ns()

    @property
    def files(self) -> list[str]:
        """List the files that are complete."""
        return self._rotation.files

    def close(self) -> bool:
        """Write what waits, and close the file; say whether all could be written."""
        done = self.queue.close()
        if done and self.queue.error is None:
            if self.queue.lost:  # no line came behind them that could have told it
                self._put(recording.encode(*self._dropped, recording.LOST, str(self.queue.lost)))
            self._end()
        return done

    def _write(self, batch: tuple[Line, list[Line]], lost: int) -> None:
        line, still_open = batch
        if self._is_full():
            self._end()
            self._begin([one for one in still_open if one[2] != line[2] or line[3] != recording.OPENED])
        if lost:
            self._put(recording.encode(line[0], line[1], line[2], recording.LOST, str(lost)))
        ts_ns, venue, connection, kind, payload = line
        if kind == recording.IN:
            self._put(recording.encode_message(ts_ns, venue, connection, masked(payload)))
        else:
            self._put(recording.encode(ts_ns, venue, connection, kind, masked(payload).decode("utf-8", "replace")))
        if time.monotonic() >= self._flush_at:
            self._flush()

    def _flush(self) -> None:
        self._sink.flush()
        self._flush_at = time.monotonic() + FLUSH_S

    def _put(self, data: bytes) -> None:
        self._size += len(data)
        self._sink.write(data)

    def _is_full(self) -> bool:
        return self._rotation.is_full(self._size) or (self._until is not None and time.monotonic() >= self._until)

    def _begin(self, still_open: Iterable[Line]) -> None:
        name, every_ns = self._rotation.next(), self._rotation.every_ns
        self._sink, self._size = open_sink(name), 0
        self._until = None if every_ns is None else time.monotonic() + every_ns / 1e9
        self._put(recording.encode_header(time.time_ns(), self._venues))
        listed = [line for lines in self._listings.values() for line in lines]
        for ts_ns, venue, connection, kind, payload in (*listed, *still_open):
            self._put(recording.encode(ts_ns, venue, connection, kind, payload.decode("utf-8", "replace")))
        self._flush()

    def _end(self) -> None:
        self._sink.close()
        self._rotation.completed(self._sink.name)


class RecordedTalk:
    """A talk whose messages both ways are recorded; it is what it was otherwise."""

    def __init__(self, talk: Talk, recorder: Recorder, venue: int, connection: int, endpoint: str) -> None:
        self._talk, self._recorder = talk, recorder
        self._venue, self._connection, self._endpoint = venue, connection, endpoint
        self._is_over = False

    @property
    def deadline(self) -> int:
        """Say until when the driver may sleep. Units: monotonic ns."""
        return self._talk.deadline

    def say(self, message: bytes, now: int) -> None:
        """Send a message."""
        self._put(now, recording.OUT, message)
        self._talk.say(message, now)

    def ping(self, now: int) -> None:
        """Ask for a sign of life."""
        self._talk.ping(now)

    def leave(self, reason: str, now: int) -> None:
        """End it."""
        self._over(now, reason or "left")
        self._talk.leave(reason, now)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Iterator[Word]:
        """Take bytes of the stream: each word is recorded, told, and answered before the next one is read."""
        for word in self._talk.receive(data, now):
            self._note(word, now)
            yield word

    def wake(self, now: int) -> Sequence[Word]:
        """Act on a deadline that has passed."""
        return self._noted(self._talk.wake(now), now)

    def end(self, now: int) -> Sequence[Word]:
        """Take note that the stream has ended."""
        return self._noted(self._talk.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    def _noted(self, words: Sequence[Word], now: int) -> Sequence[Word]:
        for word in words:
            self._note(word, now)
        return words

    def _note(self, word: Word, now: int) -> None:
        if isinstance(word, Heard):
            for place in range(len(word.batch)):
                self._put(now, recording.IN, bytes(word.batch[place]))
        elif isinstance(word, Opened):
            self._put(now, recording.OPENED, self._endpoint.encode())
        elif isinstance(word, Ended):
            self._over(now, word.reason or f"closed with {word.code}")

    def _over(self, now: int, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._put(now, recording.ENDED, reason.encode())

    def _put(self, now: int, kind: str, payload: bytes) -> None:
        self._recorder.put((self._recorder.stamp(now), self._venue, self._connection, kind, payload))


def plain(venue: Venue) -> dict[str, Any]:
    """Give what a recording says of a venue: what its books depend on, and no more."""
    named = ("name", "venue", "instruments", "category", "depth", "currency", "interval", "trades", "tickers")
    return {name: getattr(venue, name) for name in named}


def masked(message: bytes) -> bytes:
    """Give a message without what is secret in it.

    >>> masked(b'{"id":1,"params":{"client_secret":"x","n":5}}')
    b'{"id":1,"params":{"client_secret":"***","n":5}}'
    """
    is_named = any(name in message for name in _NAMED)
    if not is_named and _ESCAPE not in message:
        return message
    try:
        value = msgspec.json.decode(message)
        clean = _masked(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return HIDDEN.encode() if is_named else message  # names something secret, and is no JSON: nothing is kept
    return message if not is_named and clean == value else msgspec.json.encode(clean)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: HIDDEN if name in SECRETS else _masked(one) for name, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value
