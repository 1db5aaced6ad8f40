"""The market of a venue that sends depth as JSON text: batches of messages to `depth_books`, over however many lines.

The core takes a batch up to the first message that is not the plain next one of a LIVE book (`depth_path`); that one
goes the plain way, which defines what happens, and then the core goes on. A book is *armed* while the core may take its
messages. Messages that are no depth go to `other`, the venue's own, or are handed back.

Two lines are arbitrated by the venue's own numbers: the first copy wins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netfeed.book import LevelBook
from netfeed.book.change import CHANGE, NO_TIME, Refusal
from netfeed.book.state import BookState
from netfeed.feed.dialect import Batch, Standing, Want
from netfeed.machine import Buffer
from netfeed.venues import depth_path
from netfeed.venues.depth_book import Track
from netfeed.venues.depth_books import CROSSED, UNSUMMED, DepthBooks
from netfeed.venues.depth_path import DONE, ODD, DepthPath
from netfeed.venues.depth_rules import Numbering, Rules, Summing
from netfeed.venues.depth_shape import table
from netfeed.venues.depth_text import Entry, Flaw, Refused, read
from netfeed.venues.level_market import WHOLE


@dataclass(frozen=True, slots=True)
class DepthStatistics:
    """Counters of a market, as of the call."""

    taken: int
    snapshots: int
    duplicates: int
    gaps: int
    checksum_failures: int
    crossed: int
    unknown: int
    """Messages of books that nobody opened."""
    refused: dict[str, int]
    """By `Flaw`."""


class DepthMarket:
    """The books of one venue, by its rules. `other` takes what is no depth, and says whether it did."""

    def __init__(
        self, rules: Rules, *, other: Callable[[Buffer, int, int], bool] | None = None,
        new_book: Callable[[], LevelBook] = LevelBook, path: type[DepthPath] | None = None,
    ) -> None:  # fmt: skip
        shape = rules.shape
        words = (shape.accept.encode(), shape.snapshot.encode(), shape.update.encode())
        self._books = DepthBooks(rules, new_book)
        self._rules, self._other, self._unknown = rules, other, 0
        self._path = (path or depth_path.path())(
            table(shape), words, int(rules.numbering), straddle=rules.straddle,
            summed=rules.summing is Summing.DIGITS, kept=rules.depth, restart=rules.restart,
        )  # fmt: skip

    # --- the books

    def open(self, topic: str, wire: str, name: str, exponents: tuple[int, int]) -> int:
        """Open the book of a topic; `wire` is what messages call it, `name` the instrument.

        Raises: MisuseError when there is one already, or no room.
        """
        track = self._books.open(topic, wire, name, exponents)
        self._path.open(wire.encode("ascii"), self.books[track.index], *exponents)
        return track.index

    @property
    def books(self) -> Sequence[LevelBook]:
        """Give the books in the order in which they were opened."""
        return self._books.market.books

    @property
    def names(self) -> Sequence[str]:
        """Name the instrument of each book."""
        return self._books.market.names

    @property
    def exponents(self) -> Sequence[tuple[int, int]]:
        """Give the decimal exponents of price and quantity of each book."""
        return self._books.market.exponents

    def standing(self, topic: str) -> Standing | None:
        """Say where the book of a topic is; None for a topic without one."""
        track = self._books.by_topic.get(topic)
        if track is None:
            return None
        last = self._path.last(track.index)
        known = track.chain.last if last is None else last
        return Standing(self.books[track.index].state, known if self._rules.numbered else None)

    def statistics(self) -> DepthStatistics:
        """Return the counters, as of the call."""
        books, refused = self._books, self._books.market.refused
        return DepthStatistics(
            books.taken + self._path.taken, books.snapshots, books.duplicates + self._path.duplicates, books.gaps,
            refused[Refusal.CHECKSUM], refused[Refusal.CROSSED], self._unknown,
            {flaw.name: count for flaw, count in books.flaws.items()},
        )  # fmt: skip

    # --- messages

    def apply(self, batch: Batch | Sequence[Buffer], ts_recv_ns: int, line: int = 0) -> list[int]:
        """Apply the depth of a batch; give the places of the messages that are none."""
        data, places = _laid_out(batch)
        foreign: list[int] = []
        at, count = 0, len(batch)
        while at < count:
            at, verdict = self._path.run(data, places, at, ts_recv_ns, line, foreign)
            if at == count:
                break
            self._drain()
            if verdict == ODD:
                start, length = int(places[at, 0]), int(places[at, 1])
                if not self._message(data[start : start + length], ts_recv_ns, line):
                    foreign.append(at)
            elif verdict != DONE:
                self._judged_in_core(verdict, ts_recv_ns, line)
            at += verdict != DONE
        if self._other is None or not foreign:
            return foreign
        other = self._other
        return [place for place in foreign if not other(batch[place], ts_recv_ns, line)]

    def wants(self) -> list[Want]:
        """Drain what the books need to become right again; each need is told once."""
        wants, self._books.wants = self._books.wants, []
        return wants

    def changes(self) -> "np.ndarray[Any, Any]":
        """Drain the changes, valid until the next call."""
        self._drain()
        return self._books.market.changes.take()

    def _drain(self) -> None:
        """Put what the core has announced behind what was announced before it."""
        if changes := self._path.drain():
            self._books.market.changes.extend(np.frombuffer(changes, CHANGE))

    def _message(self, data: Buffer, ts_recv_ns: int, line: int) -> bool:
        """Do what a message says; False when it is no depth, or of no book that is here: others judge it, too."""
        books = self._books
        books.market.at(0, ts_recv_ns, line)
        try:
            depth = read(self._rules.shape, data)
        except Refused as refused:
            self._count_line(line, refused.line)
            track = books.by_wire.get(refused.name or "")
            self._refuse(track, refused, line)
            return track is not None
        self._count_line(line, depth.line)
        known = False
        for entry in depth.entries:
            track = books.by_wire.get(entry.name)
            if track is None:
                self._unknown += 1
            else:
                self._entry(track, entry, ts_recv_ns, line, depth.line)
                known = True
        return known

    def _entry(self, track: Track, entry: Entry, ts_recv_ns: int, line: int, count: int | None) -> None:
        self._disarm(track)
        market, numbering = self._books.market, self._rules.numbering
        market.at((entry.number if self._rules.numbered else count) or 0, ts_recv_ns, line)
        market.happened(entry.ts_event_ns)
        try:
            if numbering is Numbering.LINE and count is None:
                raise Refused(Flaw.UNNUMBERED, entry.name)
            self._books.take(track, entry, line)
        except Refused as refused:
            self._books.refuse(track, refused, line)
        if track.asked and track.deserted and line != track.asked_of and self._rules.fetch is None:
            track.asked = False  # others speak, and whoever was asked has not come back
            self._books.want(track, line, "sequence")
        self._arm(track)

    def _refuse(self, track: Track | None, refused: Refused, line: int) -> None:
        if track is not None:
            self._disarm(track)
        self._books.refuse(track, refused, line)
        if track is not None:
            self._arm(track)

    def _judged_in_core(self, verdict: int, ts_recv_ns: int, line: int) -> None:
        """Do what follows on a message that the core has applied, and found crossed or of another checksum."""
        track = self._books.tracks[self._path.stopped]
        self._disarm(track)
        number = track.chain.last if self._rules.numbered else self._path.line(line)
        if self._rules.numbering is Numbering.NOTHING:
            number = 0
        self._books.market.at(number or 0, ts_recv_ns, line)
        self._books.market.happened(self._path.stopped_ns)
        self._books.mend(track, line, *(CROSSED if verdict == depth_path.CROSSED else UNSUMMED))

    def _count_line(self, line: int, number: int | None) -> None:
        """Follow the count of a connection; a hole touches every book that it carries."""
        if number is None or self._rules.numbering is not Numbering.LINE:
            return
        last = self._path.line(line)
        self._path.set_line(line, number)
        if last is None or number == last + 1:
            return
        self._books.gaps += 1
        for track in self._books.tracks:
            if track.leader == line and not track.broken:
                self._disarm(track)
                self._books.mend(track, line, None, "sequence")

    # --- lines

    def fetched(self, topic: str, body: Buffer, ts_recv_ns: int) -> None:
        """Take the snapshot that was fetched."""
        track = self._books.by_topic.get(topic)
        if track is None:
            return
        self._drain()
        self._disarm(track)
        line = min(track.lines, default=0)
        self._books.market.at(0, ts_recv_ns, line)
        try:
            self._books.fetched(track, body, line)
        except Refused as refused:
            self._books.refuse(track, refused, line)
        self._arm(track)

    def failed(self, topic: str) -> None:
        """Take note that a `Fetch` came to nothing; it is wanted again while a line carries the topic."""
        track = self._books.by_topic.get(topic)
        if track is not None and track.asked:
            track.asked = False
            if track.lines and self.books[track.index].state not in WHOLE:
                self._books.want(track, min(track.lines), "sequence")

    def joined(self, line: int, topic: str) -> None:
        """Take note that a line was asked for a topic: what comes on it begins with a snapshot."""
        track = self._books.by_topic.get(topic)
        if track is not None:
            track.join(line)

    def left(self, line: int, topics: Sequence[str]) -> None:
        """Take note that a line carries these topics no more; books that no other line carries become SUSPECT."""
        for track in self._tracks(topics):
            led = track.leader == line
            track.leave(line)
            if not track.lines:
                track.chain.forget()
                track.broken, track.asked = True, False
                self._books.market.doubt(track.index)
            elif led:
                track.asked = track.deserted
                self._books.mend(track, min(track.lines), None, "sequence")
            self._hush(track)
        if not any(line in track.lines for track in self._books.tracks):
            self._path.set_line(line, None)

    def silent(self, line: int, topics: Sequence[str], *, silent: bool) -> None:
        """Take note that a line has missed its heartbeat, or speaks again; a mute book is STALE."""
        for track in self._tracks(topics):
            (track.silent.add if silent else track.silent.discard)(line)
            self._hush(track)

    def _tracks(self, topics: Sequence[str]) -> list[Track]:
        """Take the books of topics back from the core, before something is said of their lines."""
        self._drain()
        self._books.market.at(0, NO_TIME, 0)
        tracks = [self._books.by_topic[topic] for topic in topics if topic in self._books.by_topic]
        for track in tracks:
            self._disarm(track)
        return tracks

    def _hush(self, track: Track) -> None:
        """Let a LIVE book be STALE while nobody speaks, and a STALE one LIVE when somebody does."""
        if self.books[track.index].state in WHOLE and not track.broken:
            self._books.market.to(track.index, BookState.STALE if track.mute else BookState.LIVE)
        self._arm(track)

    # --- the core

    def _arm(self, track: Track) -> None:
        """Let the core go on with a book that is LIVE."""
        live = self.books[track.index].state is BookState.LIVE
        if not live or track.broken or track.chain.holding or self._rules.summing is Summing.TEXT:
            return
        if not self._rules.numbered:
            self._path.arm(track.index, 0, -1 if track.leader is None else track.leader)
        elif track.chain.last is not None:
            self._path.arm(track.index, track.chain.last, -1, track.olds)

    def _disarm(self, track: Track) -> None:
        """Take a book back from the core, with what it did."""
        done = self._path.disarm(track.index)
        if done is None:
            return
        last, olds, moved = done
        if self._rules.numbered:
            track.chain.follow(last, last)
            track.olds = olds
        if moved:
            self._books.market.told(track.index)


def _laid_out(batch: "Batch | Sequence[Buffer]") -> tuple[Any, Any]:
    """Give a batch as one buffer and the places in it; one that is not laid out so is copied together."""
    data = getattr(batch, "data", None)
    if data is not None:
        return data, batch.places  # type: ignore[union-attr]
    messages = [bytes(batch[place]) for place in range(len(batch))]
    lengths = np.fromiter(map(len, messages), np.int64, len(messages))
    places = np.empty((len(messages), 2), np.int64)
    places[:, 0], places[:, 1] = np.cumsum(lengths) - lengths, lengths
    return b"".join(messages), places
