"""What a session tells of its connection. What it hears of the market goes to the books, not into words."""

from dataclasses import dataclass
from typing import NamedTuple

from netfeed.feed.talk import EndedBy


@dataclass(frozen=True, slots=True)
class Ready:
    """The conversation stands, and the opening has been said."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The venue carries these topics now."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The venue carries these topics no longer: it was asked to, or it ended them by itself."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TopicsRefused:
    """The venue will not carry these topics; unless it is `final` they are asked for again, later each time."""

    topics: tuple[str, ...]
    code: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class OpeningRefused:
    """The venue refused what was said first: a login, say. The connection goes on with what is public."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The venue did not answer for these topics in time: they are asked for again, later each time."""

    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Silent:
    """The connection missed its signs of life, or, not `silent`, speaks again. Units: ns; `since` monotonic."""

    silent: bool
    since: int


@dataclass(frozen=True, slots=True)
class Held:
    """The venue wants to be asked nothing for a while. Units: ns; `until` monotonic, `wait_ns` the venue's own wish."""

    until: int
    wait_ns: int
    code: str


@dataclass(frozen=True, slots=True)
class Parting:
    """The venue will close this connection soon."""

    reason: str


class Last(NamedTuple):
    """The last that was heard of a topic. `sequence` is the venue's own number, None where there is none."""

    topic: str
    sequence: int | None


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is over. Units: `uptime_ns` since it was ready, `quiet_ns` since something was heard.

    `wait_ns`: how long the venue wants to be left alone. `last`: the topics that it carried or was asked for.
    """

    by: EndedBy
    code: int | None
    reason: str
    uptime_ns: int
    quiet_ns: int
    last: tuple[Last, ...]
    wait_ns: int = 0


Event = (
    Ready | Subscribed | Unsubscribed | TopicsRefused | OpeningRefused | Unanswered | Silent | Held | Parting | Lost
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of one connection. `puzzling` counts by kind what nobody understood, `topics` by state."""

    messages: int
    answers: int
    beats: int
    pings: int
    subscribes: int
    unsubscribes: int
    asked_topics: int
    unanswered: int
    unasked: int
    puzzling: dict[str, int]
    topics: dict[str, int]
