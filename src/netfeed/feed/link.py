"""One connection of a line, from the wish for it to its end: where to, under which number, and the session on it."""

from netfeed.feed.gateway_words import ConnectionStatistics
from netfeed.feed.session import Session
from netfeed.feed.subscriptions import Subscriptions
from netfeed.feed.venue import Shared, shown
from netfeed.machine import NEVER


class Link:
    """One connection. `session` None until its stream stands, which is waited for until `due_at`.

    `leave_at`: when another one is to be opened beside it.
    """

    __slots__ = ("due_at", "endpoint", "leave_at", "number", "port", "session", "topics")

    def __init__(self, port: int, number: int, endpoint: str, topics: Subscriptions, due_at: int) -> None:
        self.port, self.number, self.endpoint, self.topics = port, number, endpoint, topics
        self.session: Session | None = None
        self.due_at, self.leave_at = due_at, NEVER

    @property
    def deadline(self) -> int:
        """Say when something of it is due. Units: monotonic ns."""
        return self.due_at if self.session is None else self.session.deadline

    @property
    def is_ready(self) -> bool:
        """Say whether topics can be asked for on it."""
        return self.session is not None and self.session.is_open

    def stand(self, shared: Shared, now: int) -> None:
        """Begin the session: the stream stands."""
        venue = shared.venue
        self.session = Session(
            venue.dialect, venue.market, venue.talk(self.endpoint, now), topics=self.topics, throttle=shared.throttle,
            offset=shared.offset, line=self.number, now=now, skew=shared.skew,
        )  # fmt: skip

    def statistics(self, shard: int) -> ConnectionStatistics:
        """Give the account as it is now."""
        session = self.session
        return ConnectionStatistics(
            port=self.port, line=self.number, shard=shard, endpoint=shown(self.endpoint), ready=self.is_ready,
            silent=session is not None and session.is_silent,
            session=None if session is None else session.statistics(),
        )  # fmt: skip
