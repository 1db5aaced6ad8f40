"""What depth messages do to the books of a venue, by its table of rules. `depth_market` brings them here.

    message is              book is whole                         book waits for a snapshot
    a snapshot              takes its place; a copy of an older   LIVE, with what was held behind it
                            one is a duplicate
    the next update         applied                               held (the next of an unbroken chain heals it)
    an older update         duplicate: another line was first     duplicate, or held
    a later update          SUSPECT, held, `Resync` or `Fetch`    held
    refused                 SUSPECT, `Resync` or `Fetch`          -

Where a message is whole the book is judged: a checksum that is another, or a crossed book, makes it SUSPECT and asks
for a snapshot of it alone, once, whatever comes until then.

Bounds: MAX_BOOKS books (`level_market`), held updates by `chain.Room`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from netfeed.book import LevelBook
from netfeed.book.change import Refusal
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Resync, Want, Why
from netfeed.machine import Buffer
from netfeed.venues.chain import Link, Room
from netfeed.venues.depth_book import Track
from netfeed.venues.depth_rules import MOST_OLD, Rules, Summing, digits_checksum, text_checksum
from netfeed.venues.depth_text import Entry, Flaw, Refused, exact, read_snapshot
from netfeed.venues.level_market import WHOLE, LevelMarket

Rows = list[tuple[Side, int, int, int]]
CROSSED: tuple[Refusal, Why] = (Refusal.CROSSED, "crossed")
UNSUMMED: tuple[Refusal, Why] = (Refusal.CHECKSUM, "checksum")


class DepthBooks:
    """All books of one market, what is remembered of each, and what they want."""

    def __init__(self, rules: Rules, new_book: Callable[[], LevelBook]) -> None:
        self.rules = rules
        self.market = LevelMarket(new_book=new_book)
        self.flaws: Counter[Flaw] = Counter()
        self.tracks: list[Track] = []
        self.by_topic: dict[str, Track] = {}
        self.by_wire: dict[str, Track] = {}
        self.wants: list[Want] = []
        self.taken = self.snapshots = self.duplicates = self.gaps = 0
        self._room = Room()

    def open(self, topic: str, wire: str, name: str, exponents: tuple[int, int]) -> Track:
        """Open a book.

        Raises: MisuseError when there is one already, or no room.
        """
        if topic in self.by_topic or wire in self.by_wire or not wire.isascii():
            raise MisuseError(f"the book of {topic} ({wire}) is open already, or its name is not ASCII")
        index = self.market.open(name, exponents)
        if index is None:
            raise MisuseError("there is no room for another book")
        track = Track(index, topic, wire, self._room, self.rules)
        self.tracks.append(track)
        self.by_topic[topic] = self.by_wire[wire] = track
        return track

    def take(self, track: Track, entry: Entry, line: int) -> None:
        """Do to a book what a message says.

        Raises: Refused.
        """
        shape = self.rules.shape
        if entry.kind not in (None, shape.snapshot, shape.update):
            raise Refused(Flaw.BAD_KIND, entry.name)
        is_snapshot = entry.kind == shape.snapshot or entry.number == self.rules.restart is not None
        if not self.rules.numbered and self._follows_another(track, line, is_snapshot):
            self.duplicates += 1
        elif is_snapshot:
            self._snapshot(track, entry, line)
        else:
            self._update(track, entry, line)

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
                track.olds = 0
                track.hold(before, number, entry, line)
            else:
                self._old_of_broken(track)
            if self.rules.fetch is not None:
                self.want(track, line, "sequence")
            return
        link = track.chain.link(before, number)
        if link is Link.NEXT:
            track.chain.follow(before, number)
            track.olds = 0
            self._apply(track, [entry], line)
            self._join_held(track, line)
        elif link is Link.OLD:
            self._old(track, line)
        else:
            self.gaps += not track.chain.holding
            track.hold(before, number, entry, line)
            self.market.doubt(track.index)
            self.want(track, line, "sequence")

    def _old(self, track: Track, line: int) -> None:
        """Count a copy; where nothing but copies comes, the venue has begun to count anew."""
        self.duplicates += 1
        track.olds += 1
        if track.olds > MOST_OLD:
            track.chain.reset()
            track.olds = 0
            self.mend(track, line, None, "sequence")

    @staticmethod
    def _old_of_broken(track: Track) -> None:
        """Count an old update of a book that waits for a snapshot: no snapshot would ever reach a count of before."""
        track.olds += 1
        if track.olds > MOST_OLD:
            track.chain.reset()
            track.olds = 0

    def _join_held(self, track: Track, line: int) -> None:
        """Go on with what was held behind a hole, where the hole is closed now."""
        if track.chain.holding and not track.broken and track.chain.last is not None:
            held = track.chain.splice(track.chain.last)
            if held is None:
                self.market.doubt(track.index)
                self.want(track, line, "sequence")
            else:
                self._is_whole(track)
                self._apply(track, [entry for entry, _ in held], line)

    def _snapshot(self, track: Track, entry: Entry, line: int) -> None:
        """Put a snapshot in the place of the book, and what was held behind it on top."""
        chain, whole = track.chain, self.market.books[track.index].state in WHOLE and not track.broken
        rest: list[Entry] = []
        if self.rules.numbered:
            if entry.number is None:
                raise Refused(Flaw.UNNUMBERED, entry.name)
            if whole and self._is_copy(track, entry.number, line):
                self.duplicates += 1
                return
            held = None if whole else chain.splice(entry.number)
            if held is None and self.rules.fetch is not None:
                track.asked = False
                self.want(track, line, "sequence")
                return
            if held is None:
                chain.reset()
                chain.last = entry.number
            self._is_whole(track)
            rest = [one for one, _ in held or ()]
        rows = self._rows(track, entry)
        sides: tuple[list[Level], list[Level]] = ([], [])
        for side, *level in rows:
            sides[side].append(Level(*level))
        track.asked = False
        if not self.market.replace(track.index, *sides):
            self.mend(track, line, None, "refused")
            return
        self.snapshots += 1
        track.broken, track.olds = False, 0
        track.texts.clear()
        self._remember_texts(track, entry, rows)
        self._settle(track, entry, line)
        if rest and not track.broken:
            self._apply(track, rest, line)

    @staticmethod
    def _is_whole(track: Track) -> None:
        """Take note that what was joined last is whole: here no other message of the same number follows."""
        if track.chain.last is not None:
            track.chain.follow(track.chain.last, track.chain.last)

    def _is_copy(self, track: Track, number: int, line: int) -> bool:
        """Say whether another line has brought all that a snapshot holds."""
        if number == self.rules.restart or track.chain.last is None:
            return False
        return number <= track.chain.last and bool(track.lines - {line})

    def _apply(self, track: Track, entries: list[Entry], line: int) -> None:
        """Set the levels of updates, one after the other, each judged by itself."""
        for entry in entries:
            rows = self._rows(track, entry)
            refused = self.market.books[track.index].refused
            for side, price, quantity, orders in rows:
                self.market.set(track.index, side, price, quantity, orders)
            if self.market.books[track.index].refused != refused:
                self.mend(track, line, None, "overflow")
                return
            self.taken += 1
            self._remember_texts(track, entry, rows)
            self._settle(track, entry, line)
            if track.broken:
                return

    def _settle(self, track: Track, entry: Entry, line: int) -> None:
        """Judge a book where a message is whole, and tell what changed."""
        book = self.market.books[track.index]
        for side in Side if self.rules.depth else ():
            book.truncate(side, self.rules.depth)
        verdict = None if self._sums_up(track, entry, book) else UNSUMMED
        if verdict is None and book.crossed:
            verdict = CROSSED
        if verdict is None:
            track.asked = False
            self.market.to(track.index, BookState.LIVE)  # a STALE one, too: somebody has just spoken
        self.market.publish(track.index)
        if verdict is not None:
            self.mend(track, line, *verdict)

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

    def fetched(self, track: Track, body: Buffer, line: int) -> None:
        """Take the snapshot that was fetched, unless the book was healed in another way.

        Raises: Refused.
        """
        track.asked = False
        if self.rules.fetch is None or not (track.broken or track.chain.holding):
            return
        entry = read_snapshot(self.rules.fetch.shape, body, track.wire)
        self.market.happened(entry.ts_event_ns)
        track.broken = True
        self._snapshot(track, entry, line)

    # --- what went wrong

    def refuse(self, track: Track | None, refused: Refused, line: int) -> None:
        """Count a message that is not taken; the book that it names needs a snapshot."""
        self.flaws[refused.flaw] += 1
        if track is None:
            self.market.refuse(None, Refusal.BAD_VALUE)
            return
        if not self.rules.numbered and track.leader not in (None, line):
            return
        self.mend(track, line, Refusal.BAD_VALUE, "refused")

    def mend(self, track: Track, line: int, refusal: Refusal | None, why: Why) -> None:
        """Let a book wait for a snapshot."""
        track.broken = True
        if refusal is not None:
            self.market.refuse(track.index, refusal)
        self.market.doubt(track.index)
        self.want(track, line, why)

    def want(self, track: Track, line: int, why: Why) -> None:
        """Ask for a snapshot, unless that has been done."""
        if track.asked:
            return
        track.asked, track.asked_of, track.deserted = True, line, False
        if self.rules.fetch is None:
            self.wants.append(Resync(track.topic, line, why))
        else:
            self.wants.append(replace(self.rules.fetch.ask(track.topic), why=why))
