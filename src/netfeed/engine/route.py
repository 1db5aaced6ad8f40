"""A way to a venue, as whoever sends sees it: an order session, whatever its protocol and whoever drives its socket.

`send` queues a request's bytes, `flush` hands all that is queued to the socket in one write: small requests that are
not urgent share it. What the venue answers comes back to the engine as reports, with the number of the session.
"""

from typing import Protocol

from netfeed.book.execution import Request


class Route(Protocol):
    """One order session. Units: `latency_ns` ns."""

    @property
    def number(self) -> int:
        """Give the number that reports of this session bear."""

    @property
    def name(self) -> str:
        """Give what an operator calls it."""

    @property
    def venue(self) -> str:
        """Give the venue whose orders it carries; sessions of one venue see the same account."""

    @property
    def is_up(self) -> bool:
        """Say whether it is logged on and in sequence."""

    @property
    def latency_ns(self) -> int | None:
        """Give the time from a request to its answer, smoothed; None before the first."""

    def takes(self, request: Request, /) -> bool:
        """Say whether its venue has a message for a request of this kind."""

    def send(self, request: Request, /) -> None:
        """Queue a request's bytes. Raises: MisuseError when it cannot, and nothing was done."""

    def flush(self) -> None:
        """Write what is queued."""
