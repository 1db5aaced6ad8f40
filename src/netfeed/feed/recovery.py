"""Ask for what is missing: which messages, from which server, when, and when again.

A *page* is a stretch of missing numbers that one request can ask for. It is asked for when its gap is opened, and again
when the answer does not come; what an answer did not hold is asked for next. A page that has been asked for is not
asked for by another gap, packet or wake: a storm of gaps costs one request a page, and never more than the token bucket
gives.

    a page is new            asked at once, of the first server that is not resting
    an answer came           the rest at once (an answer is one packet), or when no more has come for `settle_ns`
    no answer in `retry_ns`  the next server; after a round of all of them the time is doubled, up to `max_retry_ns`,
                             and up to a half of it is added by `jitter`, so that a crowd of receivers spreads out
    a reject                 the server rests as long as it says (at most MAX_REST_NS), the page goes to the next one
    rejected as too low      by all servers: nobody has its first number any more; `refused` says so, a snapshot helps.
                             Of the rest the later half is asked for by itself: what is refused is found by halving

What comes from a server is believed only where it was asked of *that* server: everything else is counted (`unasked`)
and touches nothing. A second copy of an answer that was asked for is a duplicate like any other.

Source of the ideas: Aeron's LossDetector and its NAK back-off; the retry delays of Starbase's gateway. What it avoids:
clients that ask once for every packet behind a gap, and are banned by the server.

Bounds: MAX_PAGES pages (the lowest numbers first; the others follow as these are done), MAX_ASKED ranges remembered for
each server. A forged number below the channel's `max_jump` costs so many requests and no more.

Leaves out: sockets and addresses - a server is a port - and what is missing, which the channel says.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from netfeed.errors import MisuseError
from netfeed.feed.ports import RETRANSMITS, Port, port_name
from netfeed.feed.ranges import Range, RangeSet
from netfeed.feed.requests import Reason, Reject, Requests
from netfeed.machine import NEVER
from netfeed.proto.bucket import TokenBucket

MAX_PAGES: Final = 64
MAX_ASKED: Final = 256
MAX_REST_NS: Final = 60_000_000_000
"""No reject, a forged one least of all, keeps a server out for longer."""
MAX_DOUBLINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient recovery is. Units: ns; `rate` in requests a second, `burst` in requests, the others in messages.

    `page` is what one request asks for, None for all that the transport allows. Gaps that lie no more than `join` apart
    share a request.
    """

    retry_ns: int = 20_000_000
    max_retry_ns: int = 200_000_000
    settle_ns: int = 5_000_000
    rate: float = 200.0
    burst: int = 16
    page: int | None = None
    join: int = 32

    def __post_init__(self) -> None:
        if not 0 < self.retry_ns <= self.max_retry_ns or self.settle_ns <= 0:
            raise MisuseError("retries come after a positive time that does not exceed the longest one")
        if self.join < 0 or (self.page is not None and self.page < 1):
            raise MisuseError("a page holds one message or more, and a distance is not negative")


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """The account of one server. `answered` and `unasked` are packets, the others requests or their rejects."""

    port: int
    name: str
    asked: int
    answered: int
    timeouts: int
    rejects: int
    unasked: int
    resting_until: int | None


class Request(NamedTuple):
    """Bytes that ask a server for the numbers from `first` up to, not including, `end`."""

    port: int
    first: int
    end: int
    data: bytes


@dataclass(slots=True)
class _Server:
    port: int
    asked: int = 0
    answered: int = 0
    timeouts: int = 0
    rejects: int = 0
    unasked: int = 0
    rests_until: int = -(2**63)
    ranges: RangeSet = field(default_factory=lambda: RangeSet(limit=MAX_ASKED))


@dataclass(slots=True)
class _Page:
    """Numbers from `first` up to, not including, `end` that are asked for together; `left` of them are missing.

    `turn`: the place of the server that is or was asked. `tag`: of the request that waits for its answer, which asked
    from `begin` on. `too_low`: the ports of the servers to which that was too low, with what they were asked for.
    """

    first: int
    end: int
    due: int
    left: int
    turn: int = 0
    tag: int | None = None
    tries: int = 0
    answered: bool = False
    begin: int = 0
    too_low: dict[int, int] = field(default_factory=dict)


class Recovery:
    """Ask the servers of one channel. `jitter` gives numbers from 0 up to 1; `tag` is the first request's own number.

    Raises: MisuseError when there is no server, or one is no port for answers.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        servers: Sequence[int] = (Port.RETRANSMIT,),
        pace: Pace | None = None,
        jitter: Callable[[], float] = lambda: 0.5,
        tag: int = 1,
    ) -> None:
        if not servers or not RETRANSMITS.issuperset(servers) or len(set(servers)) != len(servers):
            raise MisuseError(f"servers are one or more of the ports {sorted(RETRANSMITS)}, each once")
        self.refused = 0
        self.requests = requests
        self._pace = pace or Pace()
        self._page = min(self._pace.page or requests.limit, requests.limit)
        self._jitter = jitter
        self._tag = tag
        self._servers = [_Server(port) for port in servers]
        self._bucket = TokenBucket(rate=self._pace.rate, burst=self._pace.burst)
        self._pages: list[_Page] = []
        self._wait = NEVER

    @property
    def deadline(self) -> int:
        """Say when something must be asked for, or again. Units: monotonic ns, NEVER when nothing is missing."""
        return self._wait

    @property
    def idle(self) -> bool:
        """Say whether nothing is asked for."""
        return not self._pages

    def forget(self) -> None:
        """Ask for nothing any more: the numbers begin anew."""
        self._pages.clear()
        self._wait, self.refused = NEVER, 0
        for server in self._servers:
            server.ranges.clear()

    def asked(self, port: int, first: int, end: int) -> list[Range]:
        """Give the part of an answer that was asked of this server; an answer without one is counted as unasked."""
        server = self._server(port)
        parts = server.ranges.overlap(first, end) if server else []
        if server is None:
            return []
        if not parts:
            server.unasked += 1
            return []
        server.answered += 1
        for page in self._pages:
            page.answered |= any(low < page.end and page.first < high for low, high in parts)
        return parts

    def reject(self, port: int, answer: Reject, now: int) -> bool:
        """Take a server's no; say whether it was to a request that waits."""
        server = self._server(port)
        page = next((page for page in self._pages if page.tag == answer.tag), None)
        if server is None:
            return False
        if page is None or self._servers[page.turn] is not server:
            server.unasked += 1
            return False
        server.rejects += 1
        self._pass_on(page)
        delay = min(max(answer.retry_delay_ns, 0), MAX_REST_NS)
        if answer.reason is Reason.TOO_LOW:
            page.too_low[port] = page.begin
            page.due = now
        else:
            server.rests_until = max(server.rests_until, now + (delay or self._patience(page)))
            page.due = now
        if len(page.too_low) == len(self._servers):
            self._halve(page)
        return True

    def plan(self, missing: Iterable[Range], session: bytes, channel: int, now: int) -> list[Request]:
        """Compare with what is missing, and give the requests that are due.

        `missing` are the ranges of opened gaps, in rising order and apart.
        """
        wanted = list(missing)
        self._refresh(wanted, now)
        self._add(wanted, now)
        out: list[Request] = []
        starved = False
        for page in self._pages:
            if page.due > now:
                continue
            if page.tag is not None:
                self._servers[page.turn].timeouts += 1
                self._pass_on(page)
            server = self._choose(page, now)
            if server is None:
                page.due = self._rested(page, now)
            elif not starved and self._bucket.take(now):
                out.append(self._ask(page, server, session, channel, now))
            else:
                starved = True
        due = min((page.due for page in self._pages if page.due > now), default=NEVER)
        self._wait = min(due, max(now + 1, self._bucket.ready_at())) if starved else due
        return out

    def statistics(self) -> tuple[ServerStatistics, ...]:
        """Give the account of every server, in the order in which they are tried."""
        return tuple(
            ServerStatistics(
                one.port, port_name(one.port), one.asked, one.answered, one.timeouts, one.rejects, one.unasked,
                None if one.rests_until == -(2**63) else one.rests_until,
            )
            for one in self._servers
        )  # fmt: skip

    # --- pages

    def _refresh(self, wanted: list[Range], now: int) -> None:
        """Shorten pages to what is still missing of them; those of which an answer brought a part go on."""
        kept = []
        for page in self._pages:
            parts = [(max(a, page.first), min(b, page.end)) for a, b in wanted if a < page.end and page.first < b]
            if not parts:
                continue
            left = sum(b - a for a, b in parts)
            page.first, page.end = parts[0][0], parts[-1][1]
            if page.answered and left < page.left:
                page.tries, page.tag = 0, None
                page.due = now if self.requests.whole else now + self._pace.settle_ns
            page.answered, page.left = False, left
            kept.append(page)
        self._pages = kept

    def _add(self, wanted: list[Range], now: int) -> None:
        """Make pages of what no page holds yet, near gaps together, the lowest first."""
        covered = RangeSet((page.first, page.end) for page in self._pages)
        free = [part for first, end in wanted for part in _without(covered, first, end)]
        at = 0
        while at < len(free) and len(self._pages) < MAX_PAGES:
            first, end = free[at]
            if end - first > self._page:
                free[at], end = (first + self._page, end), first + self._page
                left = self._page
            else:
                left, at = end - first, at + 1
                while at < len(free) and self._joins(covered, first, end, free[at]):
                    left, end, at = left + free[at][1] - free[at][0], free[at][1], at + 1
            self._pages.append(_Page(first, end, now, left))
        self._pages.sort(key=lambda page: page.first)

    def _joins(self, covered: RangeSet, first: int, end: int, more: Range) -> bool:
        near = more[0] - end <= self._pace.join and more[1] - first <= self._page
        return near and not covered.overlap(end, more[0])

    # --- requests

    def _pass_on(self, page: _Page) -> None:
        """Wait for this server no longer: the next one's turn comes."""
        page.turn, page.tag = (page.turn + 1) % len(self._servers), None

    def _halve(self, page: _Page) -> None:
        """Give up what no server has any more, its first number, and go on with the later half of the rest."""
        low = min(page.too_low.values()) + 1
        self.refused = max(self.refused, low)
        page.first = max(page.first, (low + page.end) // 2)
        page.left, page.tries = min(page.left, page.end - page.first), 0
        page.too_low.clear()

    def _choose(self, page: _Page, now: int) -> _Server | None:
        """Give the server whose turn it is, passing over those that rest and those that do not have it any more."""
        for _ in self._servers:
            server = self._servers[page.turn]
            if server.rests_until <= now and server.port not in page.too_low:
                return server
            self._pass_on(page)
        return None

    def _rested(self, page: _Page, now: int) -> int:
        """Give when the first server that can be asked has rested."""
        times = [server.rests_until for server in self._servers if server.port not in page.too_low]
        return max(now + 1, min(times, default=now + self._pace.max_retry_ns))

    def _ask(self, page: _Page, server: _Server, session: bytes, channel: int, now: int) -> Request:
        page.tag, page.begin, page.tries = self._tag, page.first, page.tries + 1
        page.due = now + self._patience(page)
        self._tag += 1
        server.asked += 1
        server.ranges.add(page.first, page.end)
        data = self.requests.encode(session, channel, page.first, page.end - page.first, page.tag)
        return Request(server.port, page.first, page.end, data)

    def _patience(self, page: _Page) -> int:
        """Give how long to wait for an answer: doubled after each round of all servers, and spread by the jitter."""
        rounds = min(max(page.tries - 1, 0) // len(self._servers), MAX_DOUBLINGS)
        wait = min(self._pace.retry_ns << rounds, self._pace.max_retry_ns)
        return wait + int(wait * min(max(self._jitter(), 0.0), 1.0)) // 2 if rounds else wait

    def _server(self, port: int) -> _Server | None:
        return next((server for server in self._servers if server.port == port), None)


def _without(covered: RangeSet, first: int, end: int) -> list[Range]:
    """Give the parts of a range that are not covered."""
    parts = []
    for low, high in covered.overlap(first, end):
        parts.append((first, low))
        first = high
    return [(low, high) for low, high in [*parts, (first, end)] if low < high]
