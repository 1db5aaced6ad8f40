"""The books of a venue that sends depth as JSON text: what each message does to them, by the venue's table of rules.

    message is              book is whole                         book waits for a snapshot
    a snapshot              takes its place; a copy of an older   LIVE, with what was held behind it
                            one is a duplicate
    the next update         applied                               held (the next of an unbroken chain heals it)
    an older update         duplicate: another line was first     duplicate, or held
    a later update          SUSPECT, held, `Resync` or `Fetch`    held
    refused                 SUSPECT, `Resync` or `Fetch`          -

Where a message is whole the book is judged: a checksum that is another, or a crossed book, makes it SUSPECT and asks for
a snapshot of it alone, once, whatever comes until then.

The core takes a batch up to the first message that is not the next of a LIVE book (`depth_path`); the rest is here, and
defines it. Messages that are no depth go to `other`, the venue's own, or are handed back.

Bounds: MAX_BOOKS books (`level_market`), held updates by `chain.Room`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from netfeed.book import LevelBook
from netfeed.book.change import CHANGE, NO_TIME, Refusal
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Batch, Resync, Standing, Want
from netfeed.machine import Buffer
from netfeed.venues import depth_path
from netfeed.venues.chain import Link, Room
from netfeed.venues.depth_book import Track
from netfeed.venues.depth_path import CROSSED, DONE, ODD, DepthPath
from netfeed.venues.depth_rules import Numbering, Rules, Summing, digits_checksum, text_checksum
from netfeed.venues.depth_shape import table
from netfeed.venues.depth_text import Entry, Flaw, Refused, exact, read, read_snapshot
from netfeed.venues.level_market import WHOLE, LevelMarket

Why = Literal["sequence", "checksum", "crossed", "refused", "overflow"]
Rows = list[tuple[Side, int, int, int]]


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
        self.rules = rules
        self.market = LevelMarket(new_book=new_book)
        self.flaws: Counter[Flaw] = Counter()
        self._path = (path or depth_path.path())(
            table(shape), words, int(rules.numbering), straddle=rules.straddle,
            summed=rules.summing is Summing.DIGITS, kept=rules.depth,
        )  # fmt: skip
        self._other = other
        self._room = Room()
        self._tracks: list[Track] = []
        self._by_topic: dict[str, Track] = {}
        self._by_wire: dict[str, Track] = {}
        self._wants: list[Want] = []
        self._taken = self._snapshots = self._duplicates = self._gaps = self._unknown = 0

    # --- the books

    def open(self, topic: str, wire: str, name: str, exponents: tuple[int, int]) -> int:
        """Open the book of a topic; `wire` is what messages call it, `name` the instrument.

        Raises: MisuseError when there is one already, or no room.
        """
        if topic in self._by_topic or wire in self._by_wire or not wire.isascii():
            raise MisuseError(f"the book of {topic} ({wire}) is open already, or its name is not ASCII")
        index = self.market.open(name, exponents)
        if index is None:
            raise MisuseError("there is no room for another book")
        track = Track(index, topic, wire, self._room, self.rules)
        self._path.open(wire.encode("ascii"), self.market.books[index], *exponents)
        self._tracks.append(track)
        self._by_topic[topic] = self._by_wire[wire] = track
        return index

    @property
    def books(self) -> Sequence[LevelBook]:
        """Give the books in the order in which they were opened."""
        return self.market.books

    @property
    def names(self) -> Sequence[str]:
        """Name the instrument of each book."""
        return self.market.names

    @property
    def exponents(self) -> Sequence[tuple[int, int]]:
        """Give the decimal exponents of price and quantity of each book."""
        return self.market.exponents

    def standing(self, topic: str) -> Standing | None:
        """Say where the book of a topic is; None for a topic without one."""
        track = self._by_topic.get(topic)
        if track is None:
            return None
        last = self._path.last(track.index)
        known = track.chain.last if last is None else last
        return Standing(self.market.books[track.index].state, known if self.rules.numbered else None)

    def statistics(self) -> DepthStatistics:
        """Return the counters, as of the call."""
        refused = self.market.refused
        return DepthStatistics(
            self._taken + self._path.taken, self._snapshots, self._duplicates + self._path.duplicates, self._gaps,
            refused[Refusal.CHECKSUM], refused[Refusal.CROSSED], self._unknown,
            {flaw.name: count for flaw, count in self.flaws.items()},
        )  # fmt: skip

    # --- messages

    def apply(self, batch: Batch | Sequence[Buffer], ts_recv_ns: int, line: int = 0) -> list[int]:
        """Apply the depth of a batch; give the places of the messages that are none."""
        data, places = _laid_out(batch)
        foreign: list[int] = []
        at = 0
        while at < len(places):
            at, verdict = self._path.run(data, places, at, ts_recv_ns, line, foreign)
            self._drain()
            if at == len(places):
                break
            if verdict == ODD:
                start, length = map(int, places[at])
                if not self._message(data[start : start + length], ts_recv_ns, line):
                    foreign.append(at)
            elif verdict != DONE:
                self._judged_in_core(verdict, ts_recv_ns, line)
            at += verdict != DONE
        if self._other is None:
            return foreign
        other = self._other
        return [place for place in foreign if not other(batch[place], ts_recv_ns, line)]

    def wants(self) -> list[Want]:
        """Drain what the books need to become right again; each need is told once."""
        wants, self._wants = self._wants, []
        return wants

    def changes(self) -> "np.ndarray[Any, Any]":
        """Drain the changes, valid until the next call."""
        return self.market.changes.take()

    def _drain(self) -> None:
        if changes := self._path.drain():
            self.market.changes.extend(np.frombuffer(changes, CHANGE))

    def _judged_in_core(self, verdict: int, ts_recv_ns: int, line: int) -> None:
        """Do what follows on a message that the core has applied, and found crossed or of another checksum."""
        track = self._tracks[self._path.stopped]
        self._disarm(track)
        self.market.at(self._sequence(track, line), ts_recv_ns, line)
        self.market.happened(self._path.stopped_ns)
        self._break(track, line, *(_CROSSED if verdict == CROSSED else _UNSUMMED))

    def _message(self, data: Buffer, ts_recv_ns: int, line: int) -> bool:
        """Do what a message says; False when it is no depth."""
        self.market.at(0, ts_recv_ns, line)
        try:
            depth = read(self.rules.shape, data)
        except Refused as refused:
            self._refused(self._by_wire.get(refused.name or ""), refused, line)
            return True
        if self.rules.numbering is Numbering.LINE:
            if depth.line is not None:
                self._count_line(line, depth.line)
            elif depth.entries:
                self._refused(self._by_wire.get(depth.entries[0].name), Refused(Flaw.UNNUMBERED), line)
                return True
        for entry in depth.entries:
            track = self._by_wire.get(entry.name)
            if track is None:
                self._unknown += 1
            else:
                self._entry(track, entry, line, ts_recv_ns)
        return bool(depth.entries)

    def _entry(self, track: Track, entry: Entry, line: int, ts_recv_ns: int) -> None:
        self._disarm(track)
        try:
            if entry.kind not in (None, self.rules.shape.snapshot, self.rules.shape.update):
                raise Refused(Flaw.BAD_KIND, entry.name)
            is_snapshot = entry.kind == self.rules.shape.snapshot or entry.number == self.rules.restart is not None
            self.market.at((entry.number if self.rules.numbered else self._path.line(line)) or 0, ts_recv_ns, line)
            self.market.happened(entry.ts_event_ns)
            if not self.rules.numbered and self._follows_another(track, line, is_snapshot):
                self._duplicates += 1
            elif is_snapshot:
                self._snapshot(track, entry, line)
            else:
                self._update(track, entry, line)
        except Refused as refused:
            self._refused(track, refused, line)
        self._arm(track)

    def _follows_another(self, track: Track, line: int, is_snapshot: bool) -> bool:
        """Say whether a book without numbers follows another line than this one; a snapshot makes a line the one."""
        if is_snapshot and (track.broken or track.leader is None):
            track.leader = line
        return track.leader is not None and track.leader != line

    def _update(self, track: Track, entry: Entry, line: int) -> None:
        if not self.rules.numbered:
            if not track.broken:
                self._apply(track, [entry], line)
            return
        before, number = self.rules.pair(entry)
        if track.broken:
            if track.chain.last is None or number > track.chain.last or before == track.chain.last:
                track.hold(before, number, entry, line)
            if self.rules.fetch is not None:
                self._want(track, line, "sequence")
            return
        link = track.chain.link(before, number)
        if link is Link.NEXT:
            track.chain.follow(before, number)
            self._apply(track, [entry], line)
            self._join_held(track, line)
        elif link is Link.OLD:
            self._duplicates += 1
        else:
            self._gaps += not track.chain.holding
            track.hold(before, number, entry, line)
            self.market.doubt(track.index)
            self._want(track, line, "sequence")

    def _join_held(self, track: Track, line: int) -> None:
        """Go on with what was held behind a hole, where the hole is closed now."""
        if track.chain.holding and not track.broken and track.chain.last is not None:
            held = track.chain.splice(track.chain.last)
            if held:
                self._apply(track, [entry for entry, _ in held], line)

    def _snapshot(self, track: Track, entry: Entry, line: int) -> None:
        """Put a snapshot in the place of the book, and what was held behind it on top."""
        chain, whole = track.chain, self.market.books[track.index].state in WHOLE and not track.broken
        rest: list[Entry] = []
        if self.rules.numbered:
            if entry.number is None:
                raise Refused(Flaw.UNNUMBERED, entry.name)
            if whole and chain.last is not None and entry.number <= chain.last and track.lines - {line}:
                self._duplicates += 1
                return
            held = None if whole else chain.splice(entry.number)
            if held is None and self.rules.fetch is not None:
                track.asked = False
                self._want(track, line, "sequence")
                return
            if held is None:
                chain.reset()
                chain.last = entry.number
            rest = [one for one, _ in held or ()]
        rows = self._rows(track, entry)
        sides: tuple[list[Level], list[Level]] = ([], [])
        for side, *level in rows:
            sides[side].append(Level(*level))
        track.asked = False
        if not self.market.replace(track.index, *sides):
            self._break(track, line, None, "refused")
            return
        self._snapshots += 1
        track.broken = False
        track.texts.clear()
        self._remember_texts(track, entry, rows)
        self._settle(track, entry, line)
        if rest and not track.broken:
            self._apply(track, rest, line)

    def _apply(self, track: Track, entries: list[Entry], line: int) -> None:
        """Set the levels of updates, one after the other, each judged by itself."""
        for entry in entries:
            rows = self._rows(track, entry)
            refused = self.market.books[track.index].refused
            for side, price, quantity, orders in rows:
                self.market.set(track.index, side, price, quantity, orders)
            if self.market.books[track.index].refused != refused:
                self._break(track, line, None, "overflow")
                return
            self._taken += 1
            self._remember_texts(track, entry, rows)
            self._settle(track, entry, line)
            if track.broken:
                return

    def _settle(self, track: Track, entry: Entry, line: int) -> None:
        """Judge a book where a message is whole, and tell what changed."""
        book = self.market.books[track.index]
        for side in Side if self.rules.depth else ():
            book.truncate(side, self.rules.depth)
        verdict = None if self._sums_up(track, entry, book) else _UNSUMMED
        if verdict is None and book.crossed:
            verdict = _CROSSED
        if verdict is None:
            track.asked = False
            self.market.to(track.index, BookState.STALE if track.mute else BookState.LIVE)
        self.market.publish(track.index)
        if verdict is not None:
            self._break(track, line, *verdict)

    def _sums_up(self, track: Track, entry: Entry, book: LevelBook) -> bool:
        if entry.checksum is None or self.rules.summing is Summing.NOTHING:
            return True
        if self.rules.summing is Summing.DIGITS:
            return entry.checksum == digits_checksum(book)
        return entry.checksum in (0, text_checksum(book, track.texts))  # it has been 0 since it was given up

    def _remember_texts(self, track: Track, entry: Entry, rows: Rows) -> None:
        if self.rules.summing is Summing.TEXT:
            for (side, price, quantity, _), written in zip(rows, entry.levels, strict=True):
                if quantity:
                    track.texts[side, price] = written[1], written[2]
                else:
                    track.texts.pop((side, price), None)

    def _rows(self, track: Track, entry: Entry) -> Rows:
        """Make integers of all levels of a message, or refuse it."""
        price_exponent, quantity_exponent = self.market.exponents[track.index]
        rows: Rows = []
        for side, price, quantity, orders, deleted in entry.levels:
            row = side, exact(price, price_exponent), exact(quantity, quantity_exponent), orders
            if row[2] < 0 or (deleted is not None and deleted != (row[2] == 0)):
                raise Refused(Flaw.BAD_LEVEL, entry.name)
            rows.append(row)
        return rows

    # --- what went wrong

    def _refused(self, track: Track | None, refused: Refused, line: int) -> None:
        """Count a message that is not taken; the book that it names needs a snapshot."""
        self.flaws[refused.flaw] += 1
        if track is None:
            self.market.refuse(None, Refusal.BAD_VALUE)
            return
        self._disarm(track)
        if not self.rules.numbered and track.leader not in (None, line):
            return
        self._break(track, line, Refusal.BAD_VALUE, "refused")

    def _break(self, track: Track, line: int, refusal: Refusal | None, why: Why) -> None:
        """Let a book wait for a snapshot."""
        track.broken = True
        if refusal is not None:
            self.market.refuse(track.index, refusal)
        self.market.doubt(track.index)
        self._want(track, line, why)

    def _want(self, track: Track, line: int, why: Why) -> None:
        if track.asked:
            return
        track.asked = True
        if self.rules.fetch is None:
            self._wants.append(Resync(track.topic, line, why))
        else:
            self._wants.append(self.rules.fetch.ask(track.topic))

    def _count_line(self, line: int, number: int) -> None:
        """Follow the count of a connection; a hole touches every book that it carries."""
        last = self._path.line(line)
        self._path.set_line(line, number)
        if last is None or number == last + 1:
            return
        self._gaps += 1
        for track in self._tracks:
            if track.leader == line and not track.broken:
                self._disarm(track)
                self._break(track, line, None, "sequence")

    # --- lines

    def fetched(self, topic: str, body: Buffer, ts_recv_ns: int) -> None:
        """Take the snapshot that was fetched."""
        track, fetch = self._by_topic.get(topic), self.rules.fetch
        if track is None or fetch is None:
            return
        self._disarm(track)
        track.asked = False
        line = min(track.lines, default=0)
        self.market.at(0, ts_recv_ns, line)
        if not track.broken and not track.chain.holding:
            return  # it was healed in another way
        try:
            entry = read_snapshot(fetch.shape, body, track.wire)
            self.market.at(entry.number or 0, ts_recv_ns, line)
            self.market.happened(entry.ts_event_ns)
            track.broken = True
            self._snapshot(track, entry, line)
        except Refused as refused:
            self._refused(track, refused, line)
        self._arm(track)

    def failed(self, topic: str) -> None:
        """Take note that a `Fetch` came to nothing; it is wanted again while a line carries the topic."""
        track = self._by_topic.get(topic)
        if track is not None and track.asked:
            track.asked = False
            if track.lines and self.market.books[track.index].state not in WHOLE:
                self._want(track, min(track.lines), "sequence")

    def joined(self, line: int, topic: str) -> None:
        """Take note that a line was asked for a topic: what comes on it begins with a snapshot."""
        track = self._by_topic.get(topic)
        if track is not None:
            track.lines.add(line)
            track.silent.discard(line)

    def left(self, line: int, topics: Sequence[str]) -> None:
        """Take note that a line carries these topics no more; books that no other line carries become SUSPECT."""
        for track in [self._by_topic[topic] for topic in topics if topic in self._by_topic]:
            self._disarm(track)
            led = track.leader == line
            track.leave(line)
            if not track.lines:
                track.chain.forget()
                track.broken, track.asked = True, False
                self._stamp()
                self.market.doubt(track.index)
            elif led:
                self._stamp()
                track.asked = False
                self._break(track, min(track.lines), None, "sequence")
            self._hush(track)
            self._arm(track)
        if not any(line in track.lines for track in self._tracks):
            self._path.set_line(line, None)

    def silent(self, line: int, topics: Sequence[str], *, silent: bool) -> None:
        """Take note that a line has missed its heartbeat, or speaks again; a mute book is STALE."""
        for track in [self._by_topic[topic] for topic in topics if topic in self._by_topic]:
            self._disarm(track)
            (track.silent.add if silent else track.silent.discard)(line)
            self._hush(track)
            self._arm(track)

    def _hush(self, track: Track) -> None:
        """Let a LIVE book be STALE while nobody speaks, and a STALE one LIVE when somebody does."""
        state = self.market.books[track.index].state
        if state in WHOLE:
            self._stamp()
            self.market.to(track.index, BookState.STALE if track.mute else BookState.LIVE)

    def _stamp(self) -> None:
        self.market.at(0, NO_TIME, 0)

    # --- the core

    def _arm(self, track: Track) -> None:
        """Let the core go on with a book that is LIVE."""
        chain = track.chain
        if (
            self.market.books[track.index].state is not BookState.LIVE
            or track.broken or chain.holding or self.rules.summing is Summing.TEXT
        ):  # fmt: skip
            return
        if self.rules.numbered:
            assert chain.last is not None
            self._path.arm(track.index, chain.last)
        elif track.leader is not None:
            self._path.arm(track.index, 0, track.leader)

    def _disarm(self, track: Track) -> None:
        """Take a book back from the core, with what it did."""
        done = self._path.disarm(track.index)
        if done is not None:
            if self.rules.numbered:
                track.chain.follow(done[0], done[0])
            if done[1]:
                self.market.told(track.index)

    def _sequence(self, track: Track, line: int) -> int:
        return (track.chain.last if self.rules.numbered else self._path.line(line)) or 0


_CROSSED: tuple[Refusal, Why] = (Refusal.CROSSED, "crossed")
_UNSUMMED: tuple[Refusal, Why] = (Refusal.CHECKSUM, "checksum")


def _laid_out(batch: "Batch | Sequence[Buffer]") -> tuple[Any, Any]:
    """Give a batch as one buffer and the places in it; one that is not laid out so is copied together."""
    data = getattr(batch, "data", None)
    if data is not None:
        return data, np.asarray(batch.places)  # type: ignore[union-attr]
    whole = b"".join(bytes(batch[place]) for place in range(len(batch)))
    lengths = np.fromiter((len(batch[place]) for place in range(len(batch))), np.int64, len(batch))
    places = np.empty((len(batch), 2), np.int64)
    places[:, 0], places[:, 1] = np.cumsum(lengths) - lengths, lengths
    return whole, places
