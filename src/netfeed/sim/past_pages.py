"""What a venue told over HTTP, told again: its list of instruments page by page, and Binance's snapshots.

    pages = PastPages("/api/v3/exchangeInfo", more)
    pages.add(ts_ns, topic, body)             each body in the order of their times; topic "" for a page of the list
    pages.answer(target, heard_ns)            status and body for who asks; `heard_ns` tells how far clients are

The snapshot of a topic is the last one from before what its clients have heard, else the first one: who is asked for it
at the same time of the past is told the same.

Bounds: MAX_PAGES pages of a list, MAX_SNAPSHOTS snapshots. Leaves out: queries that choose among instruments (the list
is the recorded one, whole), and how many levels a snapshot has.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from netfeed.errors import WireError
from netfeed.machine import Buffer

MAX_PAGES: Final = 1_000
MAX_SNAPSHOTS: Final = 100_000
Page = tuple[int, bytes]


class PastPages:
    """The pages. `listing` is the path of the list; `more` gives the target behind a page of it, None behind the last.

    Units: `heard_ns` of `answer` gives ns since 1970 for a topic.
    """

    def __init__(self, listing: str, more: Callable[[str, Buffer], str | None]) -> None:
        self.listing = listing
        self.passed_over = 0
        self._more = more
        self._pages: dict[str, bytes] = {}
        self._cursor: str | None = ""
        self._snapshots: dict[str, list[tuple[int, bytes]]] = {}
        self._count = 0

    def add(self, ts_ns: int, topic: str, body: bytes) -> None:
        """Take what was had; a list that was had again is passed over."""
        if topic and self._count < MAX_SNAPSHOTS:
            self._count += 1
            self._snapshots.setdefault(topic, []).append((ts_ns, body))
        elif not topic and self._cursor is not None and len(self._pages) < MAX_PAGES:
            self._pages.setdefault(self._cursor, body)
            self._cursor = self._behind(body)
        else:
            self.passed_over += 1

    def answer(self, target: str, heard_ns: Callable[[str], int]) -> Page:
        """Give status and body for a target."""
        try:
            asked = urlsplit(target)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        except ValueError:
            return 400, b'{"code":400,"msg":"no target"}'
        if asked.path == self.listing:
            body = self._pages.get(query.get("cursor", ""))
        elif asked.path.endswith("/depth"):
            body = self._snapshot(query.get("symbol", ""), heard_ns)
        else:
            body = None
        return (404, b'{"code":404,"msg":"this is not in the recording"}') if body is None else (200, body)

    def _behind(self, body: bytes) -> str | None:
        """Give the cursor of the page behind one, None behind the last."""
        try:
            target = self._more("", body)
        except WireError:
            return None
        found = parse_qs((target or "").lstrip("?&")).get("cursor")
        return found[0] if found else None

    def _snapshot(self, symbol: str, heard_ns: Callable[[str], int]) -> bytes | None:
        start = f"{symbol.lower()}@"
        topic = next((one for one in self._snapshots if one.startswith(start)), None)
        if topic is None:
            return None
        known = self._snapshots[topic]
        at = bisect_right(known, heard_ns(topic), key=lambda one: one[0])
        return known[max(at - 1, 0)][1]
