"""`netfeed replay FILE --serve ws://ADDRESS:PORT`: a recording of a venue, served as the venue did, to any client.

Without TLS: who wants to test a client against the past trusts this host. What a venue told over HTTP (lists of
instruments, Binance's snapshots) is told on the same port.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from netfeed.app.config import split_endpoint
from netfeed.app.recording_replay import Recorded, RecordingReplay
from netfeed.errors import ConfigurationError, MisuseError
from netfeed.proto.websocket_server import Pages
from netfeed.sim.past import Past
from netfeed.sim.past_pages import PastPages
from netfeed.sim.past_streams import PastStreams
from netfeed.sim.past_topics import PastTopics
from netfeed.sim.past_venue import PastVenue
from netfeed.sim.past_words import words
from netfeed.sim.stream_venue import TARGET, StreamVenue
from netfeed.sim.venue_events import Disconnected
from netfeed.sim.venue_ports import STREAMS
from netfeed.transport.endpoint import Endpoint
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import Listener, Stream
from netfeed.wire import recording
from netfeed.wire.recording import Record

GLANCE_NS: Final = 50_000_000
JSONRPC: Final = "deribit"


class Served(NamedTuple):
    """What a recording is served as. `target`: where clients connect to; `accepts` the same, "" for anything."""

    inner: PastVenue | PastStreams
    name: str
    target: str
    accepts: str
    pages: Pages | None = None


class Serving:
    """One recording on a listening socket."""

    def __init__(
        self, files: Sequence[str], address: str, *, speed: float | None, stop: Callable[[], bool]
    ) -> None:  # fmt: skip
        """Read the recording and listen. Raises: ConfigurationError; NetworkError; SourceError."""
        self._served = read(files, speed)
        self.name = self._served.name
        self._past = self._served.inner.past
        self._venue = StreamVenue(self._served.inner, target=self._served.accepts, pages=self._served.pages)
        self._stop = stop
        self._ports: dict[int, int] = {}
        self.turned_away = 0
        self.loop = Loop()
        try:
            self._listener = Listener(*_listened(address, self._served), self._accept)
        except BaseException:
            self.loop.close()
            raise
        self._task = self.loop.add(self._venue, {}, events=self._take, failed=self._failed)
        self.loop.watch(self._listener.fileno(), self._listener.ready)
        self.loop.every(GLANCE_NS, self._glance)

    @property
    def frames(self) -> int:
        """Count the messages that there are to be said."""
        return len(self._past.frames)

    @property
    def url(self) -> str:
        """Give what a client connects to."""
        return f"ws://{self._where}{self._served.target}"

    @property
    def web(self) -> str | None:
        """Give where pages are had over HTTP; None where there are none."""
        return None if self._served.pages is None else f"http://{self._where}"

    @property
    def _where(self) -> str:
        host = f"[{self._listener.host}]" if ":" in self._listener.host else self._listener.host
        return f"{host}:{self._listener.port}"

    def run(self) -> None:
        """Serve until `stop`."""
        self.loop.run()

    def report(self) -> dict[str, Any]:
        """Give the account."""
        inner = self._served.inner
        return {
            "url": self.url, "messages": self.frames, "requests": inner.requests, "said": inner.said,
            "clients": len(inner.clients), "heard_to_the_end": inner.over,
            "handshakes_given_up": self._venue.counts.given_up, "turned_away_without_port": self.turned_away,
        }  # fmt: skip

    def close(self) -> None:
        """Listen no more."""
        self.loop.forget(self._listener.fileno())
        self._listener.close()
        self.loop.close()

    def _accept(self, stream: Stream, now: int) -> None:
        port = next((port for port in STREAMS if port not in self._task.ports), None)
        if port is None:
            self.turned_away += 1
            stream.close()
            return
        self._venue.open(port, now, split_endpoint(stream.peer)[0])
        self._ports[id(stream)] = port
        self.loop.open_port(self._task, port, stream)

    def _take(self, events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, Disconnected):
                port = event.port
                self.loop.post(lambda port=port: self._close(port))  # type: ignore[misc]

    def _close(self, port: int) -> None:
        self._ports = {stream: known for stream, known in self._ports.items() if known != port}
        self.loop.close_port(self._task, port)

    def _failed(self, endpoint: Endpoint, error: NetworkError) -> None:
        port = self._ports.pop(id(endpoint), None)
        if port is not None:
            now = self.loop.clock()
            self._task.take(self._venue.end(now, port), now)

    def _glance(self, now: int) -> None:
        if self._stop():
            self.loop.stop()


def read(files: Sequence[str], speed: float | None) -> Served:
    """Read what the venue of a recording said. Raises: ConfigurationError when it cannot be served."""
    replay = RecordingReplay(files)
    records = (record for file in files for _, record in replay.records(file))
    first = list(islice(records, 1))  # the line before it says whose recording it is
    try:
        served = _read(replay.venues[0], chain(first, records), speed) if replay.venues else None
    except MisuseError as error:
        raise ConfigurationError(f"{', '.join(files)}: {error}") from None
    if served is None or len(replay.venues) != 1:
        raise ConfigurationError(f"a recording of one venue can be served; this has {len(replay.venues)}")
    return served


def _read(venue: Recorded, records: Iterable[Record], speed: float | None) -> Served:
    config = venue.config
    if config.venue == JSONRPC:
        return Served(PastVenue(_jsonrpc(records), speed=speed), venue.name, TARGET, TARGET)
    said = words(config.venue, config.category, config.depth)
    listing = venue.kind.listing
    past = PastTopics(said.topic)
    pages = PastPages("" if listing is None else urlsplit(listing(config)).path, venue.kind.more)
    for record in records:
        _take(past, pages, venue, record)
    target = urlsplit(venue.kind.endpoint(config)).path or "/"
    inner = PastStreams(past, said, venue.kind.asked, speed=speed)
    return Served(inner, venue.name, target, "", lambda target: pages.answer(target, inner.heard_ns))


def _jsonrpc(records: Iterable[Record]) -> Past:
    past = Past()
    for record in records:
        if record.kind in (recording.IN, recording.FETCHED):
            past.add(record.ts_ns, record.text.lstrip("\n").encode())
    return past


def _take(past: PastTopics, pages: PastPages, venue: Recorded, record: Record) -> None:
    """Take a line of a recording of topics."""
    if record.kind == recording.IN:
        past.add(record.ts_ns, record.connection, record.text.encode())
    elif record.kind == recording.FETCHED:
        topic, _, body = record.text.partition("\n")
        pages.add(record.ts_ns, topic, body.encode())
    elif record.kind == recording.ENDED:
        past.over(record.connection)
    elif record.kind == recording.OUT:
        asked = venue.kind.asked(record.text.encode())
        if asked is not None and not asked[0]:
            past.over(record.connection, asked[1])


def _listened(address: str, served: Served) -> tuple[str, int]:
    url = urlsplit(address)
    if url.scheme != "ws" or url.path not in ("", "/", served.target):
        raise ConfigurationError(
            f"--serve ws://ADDRESS:PORT, not {address!r}; clients connect to {served.target} there"
        )
    try:
        return split_endpoint(url.netloc)
    except ValueError as error:
        raise ConfigurationError(f"--serve: {error}") from None
