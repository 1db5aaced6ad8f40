"""All venues of a run on one loop, which turns inside the loop of the run whenever it has something to do.

After each turn the books' changes are collected, and trades and tickers go to the stream.
"""

from collections.abc import Callable, Sequence
from typing import Any

from netfeed.app import venue_words as words
from netfeed.app.configuration import Venue as Config
from netfeed.app.venue_link import VenueLink, Wrap
from netfeed.feed.gateway import ATTEMPTS_BURST, ATTEMPTS_RATE
from netfeed.machine import Buffer
from netfeed.proto.bucket import TokenBucket
from netfeed.transport.loop import Loop

Json = dict[str, Any]


class VenueDriver:
    """The venues. `collect` hands on what changed; `first` is the index of the first venue among the run's feeds."""

    def __init__(
        self, configs: Sequence[Config], first: int, *, tell: Callable[[str], None], collect: Callable[[], None]
    ) -> None:  # fmt: skip
        """Read what venues need. Raises: ConfigurationError."""
        self.loop = Loop()
        self.stream: Callable[[list[Json]], None] | None = None
        self.wrap: Wrap | None = None
        self.listed: Callable[[str, Sequence[bytes], bool], None] | None = None
        self.fetched: Callable[[str, str, Buffer], None] | None = None
        budget = TokenBucket(rate=ATTEMPTS_RATE, burst=ATTEMPTS_BURST)
        self._collect = collect
        self.links = [
            VenueLink(
                one, first + place, self.loop, budget=budget, tell=tell, stream=self._into_stream, wrap=self._held,
                listed=self._has_listed, fetched=self._has_fetched,
            )
            for place, one in enumerate(configs)
        ]  # fmt: skip

    @property
    def deadline(self) -> int:
        """Say when a turn is due though nothing comes. Units: monotonic ns."""
        return self.loop.deadline

    def fileno(self) -> int:
        """Give the descriptor to watch."""
        return self.loop.fileno()

    def open(self) -> None:
        """Begin with all venues."""
        for link in self.links:
            link.open()

    def ready(self) -> None:
        """Turn once, without waiting."""
        self.loop.turn(self.loop.clock())
        self._collect()
        for link in self.links:
            events = link.events()
            if events and self.stream is not None:
                self.stream([words.told(one, link.name) for one in events])

    def wake(self, now: int) -> None:
        """Turn, because something is due."""
        self.ready()

    def hang_up(self) -> None:
        """Close all connections; the books stay as they are."""
        for link in self.links:
            link.close()

    def close(self) -> None:
        """Close all connections, and the loop."""
        self.hang_up()
        self.loop.close()

    def _into_stream(self, lines: list[Json]) -> None:
        if self.stream is not None:
            self.stream(lines)

    def _has_listed(self, venue: str, answers: Sequence[bytes], heard: bool) -> None:
        if self.listed is not None:
            self.listed(venue, answers, heard)

    def _has_fetched(self, venue: str, topic: str, body: Buffer) -> None:
        if self.fetched is not None:
            self.fetched(venue, topic, body)

    def _held(self, talk: Any, venue: str, endpoint: str) -> Any:
        return talk if self.wrap is None else self.wrap(talk, venue, endpoint)
