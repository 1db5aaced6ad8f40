"""`netfeed replay FILE --serve ws://ADDRESS:PORT`: a recording of a venue, served as the venue did, to any client.

Without TLS: who wants to test a client against the past trusts this host. Deribit's is the only recording so far that
can be served; others are refused by name.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from netfeed.app.config import split_endpoint
from netfeed.app.recording_replay import RecordingReplay
from netfeed.errors import ConfigurationError, MisuseError
from netfeed.sim.past import Past
from netfeed.sim.past_venue import PastVenue
from netfeed.sim.stream_venue import TARGET, StreamVenue
from netfeed.sim.venue_events import Disconnected
from netfeed.sim.venue_ports import STREAMS
from netfeed.transport.endpoint import Endpoint
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import Listener, Stream
from netfeed.wire import recording

GLANCE_NS: Final = 50_000_000
SERVED: Final = "deribit"


class Serving:
    """One recording on a listening socket."""

    def __init__(
        self, files: Sequence[str], address: str, *, speed: float | None, stop: Callable[[], bool]
    ) -> None:  # fmt: skip
        """Read the recording and listen. Raises: ConfigurationError; NetworkError; SourceError."""
        past, self.name = read(files)
        self._past = past
        try:
            self._venue = StreamVenue(PastVenue(past, speed=speed))
        except MisuseError as error:
            raise ConfigurationError(f"{', '.join(files)}: {error}") from None
        self._stop = stop
        self._ports: dict[int, int] = {}
        self.turned_away = 0
        self.loop = Loop()
        try:
            self._listener = Listener(*_listened(address), self._accept)
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
        host = f"[{self._listener.host}]" if ":" in self._listener.host else self._listener.host
        return f"ws://{host}:{self._listener.port}{TARGET}"

    def run(self) -> None:
        """Serve until `stop`."""
        self.loop.run()

    def report(self) -> dict[str, Any]:
        """Give the account."""
        inner = self._venue.inner
        assert isinstance(inner, PastVenue)
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


def read(files: Sequence[str]) -> tuple[Past, str]:
    """Read what the venue of a recording said. Raises: ConfigurationError when it cannot be served."""
    past, replay = Past(), RecordingReplay(files)
    for file in files:
        for _, record in replay.records(file):
            if record.kind in (recording.IN, recording.FETCHED):
                past.add(record.ts_ns, record.text.lstrip("\n").encode())
    kinds = {one.config.venue for one in replay.venues}
    if len(replay.venues) != 1 or kinds != {SERVED}:
        raise ConfigurationError(f"a recording of one venue, {SERVED}, can be served; this has {len(replay.venues)}")
    return past, replay.venues[0].name


def _listened(address: str) -> tuple[str, int]:
    url = urlsplit(address)
    if url.scheme != "ws" or url.path not in ("", "/", TARGET):
        raise ConfigurationError(f"--serve ws://ADDRESS:PORT, not {address!r}; clients connect to {TARGET} there")
    try:
        return split_endpoint(url.netloc)
    except ValueError as error:
        raise ConfigurationError(f"--serve: {error}") from None
