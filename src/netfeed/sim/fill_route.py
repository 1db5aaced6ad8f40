"""The order session to a fill model: what an engine sends waits here until its driver hands it over, with the time."""

from netfeed.book.execution import Report, Request, Up


class FillRoute:
    """A session that takes every request. Its answers come from the model, through whoever drives both."""

    def __init__(self, number: int = 1, *, venue: str = "", name: str = "fill model") -> None:
        self.number, self.name, self.venue = number, name, venue
        self.is_up = False
        self.latency_ns: int | None = None
        self._waiting: list[Request] = []
        self._queued: list[Request] = []

    def takes(self, request: Request, /) -> bool:
        """Say that it has a word for anything."""
        return True

    def send(self, request: Request, /) -> None:
        """Queue a request."""
        self._queued.append(request)

    def flush(self) -> None:
        """Let what is queued go."""
        self._waiting += self._queued
        self._queued.clear()

    def drain(self) -> list[Request]:
        """Give what has gone, once, in order."""
        gone, self._waiting = self._waiting, []
        return gone

    def hear(self, report: Report) -> None:
        """Take note of what the model says of the session."""
        self.is_up = self.is_up or isinstance(report, Up)
