"""Ask a venue for its instruments over HTTP: one page after the other, on a connection of its own.

A machine over an `Exchange`, with one end: `Found`, or `Nothing` with the reason and what can be done. Each page has
PATIENCE_NS. A page that was read already, more than MAX_PAGES, or more than MAX_BYTES end it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from netfeed.app.discovery import LATE, PATIENCE_NS, Found, Nothing
from netfeed.errors import MisuseError, WireError
from netfeed.feed.exchange import Exchange
from netfeed.feed.fetcher import HEADERS
from netfeed.feed.websocket_talk import WHY
from netfeed.machine import NEVER, Buffer
from netfeed.proto import http
from netfeed.venues.entries import Listed

OK: Final = 200
MAX_PAGES: Final = 64
"""Pages of a list; the longest known has some ten."""
MAX_BYTES: Final = 64 * 2**20
"""All pages together: all instruments of the largest venue are some 20 MB."""
MAX_WAIT_S: Final = 3 * 86_400
"""A venue that wants to be left alone for longer is asked all the same: its longest ban is three days."""
TOLD: Final = 200
_SECOND: Final = 1_000_000_000
_ENDS: Final[dict[type, Callable[[Any], str]]] = WHY | {
    http.Closed: lambda event: event.reason,
    http.Malformed: lambda event: f"no HTTP: {event.what}",
    http.TimedOut: lambda event: f"waited in vain for {event.waiting_for}",
}
_REMEDIES: Final = {
    400: "it does not understand the question: compare `listing`, `category` and `currency`",
    403: "it does not answer this address: ask from where it does, or name another `listing`",
    404: "there is no list at that address: compare `listing`",
    418: "it was asked too often and has banned this address: leave it alone for that long",
    429: "it was asked too often: it is left alone for a while",
    451: "it does not serve the country of this address: ask from where it does, or name another `listing`",
}


class Listing:
    """One attempt. `read` gives what a page lists, `more` the target of the next; Raises: WireError, both."""

    def __init__(
        self, exchange: Exchange, target: str, read: Callable[[Buffer], Listed | None],
        more: Callable[[str, Buffer], str | None], now: int,
    ) -> None:  # fmt: skip
        self.is_over = False
        self._exchange, self._read, self._more = exchange, read, more
        self._listed = Listed()
        self._pages: list[bytes] = []
        self._targets: list[str] = []
        self._cut = ""
        self._ask(target, now)

    @property
    def deadline(self) -> int:
        """Say when to give up, or what is due below. Units: monotonic ns."""
        return NEVER if self.is_over else min(self._due, self._exchange.deadline)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Found | Nothing]:
        """Take bytes of the stream."""
        return [] if self.is_over else self._heard(self._exchange.receive(data, now), now)

    def wake(self, now: int) -> Sequence[Found | Nothing]:
        """Give up what takes too long."""
        if now < self.deadline:
            return []
        told = self._heard(self._exchange.wake(now), now) if self._exchange.deadline <= now else []
        return told if self.is_over or now < self._due else self._end(Nothing(LATE))

    def end(self, now: int) -> Sequence[Found | Nothing]:
        """Take note that the stream ended."""
        if self.is_over:
            return []
        return self._heard(self._exchange.end(now), now) or self._end(Nothing("the stream broke off"))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._exchange.transmit()

    def _ask(self, target: str, now: int) -> None:
        self._targets.append(target)
        self._due = now + PATIENCE_NS
        self._exchange.request("GET", target, now, HEADERS)

    def _heard(self, events: Sequence[Any], now: int) -> list[Found | Nothing]:
        for event in events:
            if isinstance(event, http.Response):
                told = self._answer(event, now)
                if told is not None:
                    return self._end(told)
            elif type(event) in _ENDS:
                cut = self._cut if isinstance(event, http.Closed) else ""
                return self._end(Nothing(cut or _ENDS[type(event)](event)[:TOLD]))
        return []

    def _answer(self, response: http.Response, now: int) -> Found | Nothing | None:
        """Read a page; give the end, or nothing when another page is asked for."""
        if response.status != OK:
            return _refused(response)
        self._pages.append(response.body)
        if sum(map(len, self._pages)) > MAX_BYTES:
            return Nothing(f"a list of more than {MAX_BYTES} bytes: name a `category`, or a narrower `listing`")
        try:
            self._listed += self._read(response.body) or Listed()
            target = self._more(self._targets[-1], response.body)
            if target is None:
                return Found(self._listed.some(), tuple(self._pages))
            if target in self._targets or len(self._targets) == MAX_PAGES:
                return Nothing(f"its list does not end: page {len(self._pages)} leads to {target[-TOLD:]}")
            self._ask(target, now)
        except WireError as error:
            return Nothing(str(error))
        except MisuseError:  # the conversation is over; why, the events behind this one say
            self._cut = f"it ends the connection after page {len(self._pages)}, before its list ends"
        return None

    def _end(self, told: Found | Nothing) -> list[Found | Nothing]:
        self.is_over = True
        return [told]


def _refused(response: http.Response) -> Nothing:
    wait = response.header("retry-after") or ""
    seconds = min(int(wait), MAX_WAIT_S) if wait.isascii() and wait.isdigit() and len(wait) < 9 else 0
    said = response.body[:TOLD].decode(errors="replace").strip()
    remedy = _REMEDIES.get(response.status, "it is out of order: it is asked again" if response.status >= 500 else "")
    text = f"status {response.status}" + (f", {remedy}" if remedy else "") + (f"; it says {said}" if said else "")
    return Nothing(text, seconds * _SECOND)
