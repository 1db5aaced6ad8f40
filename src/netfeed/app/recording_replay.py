"""`netfeed replay` of a recording of venues: the books that it makes, by the same markets as live.

Each message goes to the market of its venue with the line that its connection was: the smallest number that was free
when it began. What we said tells which topics a connection carried. What was given up at
the end of a recording, with nothing after it, leaves the books as they were.

Leaves out: sessions. What was refused, throttled or silent left its trace in what came, and is not judged again.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

import netfeed
from netfeed.app.changes import Book, Catalogue, Changes, Selection
from netfeed.app.configuration import Venue
from netfeed.app.final import final_book
from netfeed.app.findings import Findings, Place
from netfeed.app.report import book_json, errors
from netfeed.app.venue_feed import VenueFeed
from netfeed.app.venue_kind import Kind, Made, wanted
from netfeed.app.venue_kinds import KINDS
from netfeed.book.change import Refusal
from netfeed.errors import WireError
from netfeed.feed.venue import Numbers
from netfeed.transport.file import Source, SourceError, open_source
from netfeed.venues.entries import Listed
from netfeed.wire import recording
from netfeed.wire.recording import Record

BATCH: Final = 256
"""Messages between which changes are not handed on."""
MAX_CONNECTIONS: Final = 65_536
"""Connections that are open at a time; a recording with more is none of ours."""


class Recorded:
    """One venue of a recording. `name` and `index` are those of a lane, for who names changes."""

    def __init__(self, config: Venue, index: int) -> None:
        self.config, self.name, self.index = config, config.name, index
        self.feed = VenueFeed(index)
        self.kind: Kind = KINDS[config.venue]
        self.made: Made | None = None
        self.listed = Listed()
        self.numbers = Numbers()
        self.by_kind: Counter[str] = Counter()


class _Connection:
    __slots__ = ("line", "topics", "venue")

    def __init__(self, venue: Recorded) -> None:
        self.venue, self.line = venue, venue.numbers.take()
        self.topics: dict[str, None] = {}


class RecordingReplay:
    """The run over the files of one recording, in their order."""

    def __init__(self, files: Sequence[str], *, instruments: Sequence[str] = ()) -> None:
        self.files = list(files)
        self.catalogue = Catalogue(Selection(instruments))
        self.changes = Changes(self.catalogue)
        self.findings = Findings()
        self.venues: list[Recorded] = []
        self.messages = self.lost = 0
        self.first_ns = self.last_ns = 0
        self._connections: dict[int, _Connection] = {}
        self._ended: list[int] = []
        self._given_up: list[tuple[_Connection, list[str]]] = []

    @property
    def lanes(self) -> list[Recorded]:
        """List what changes name as their channel."""
        return self.venues

    def run(self, stop: Callable[[], bool] = lambda: False, pace: Callable[[int], None] = lambda ts_ns: None) -> None:
        """Read all files, or until `stop`; `pace` is told the time of each line before it is taken."""
        for file in self.files:
            for offset, record in self.records(file):
                pace(record.ts_ns)
                self._take(record, Place(file, offset, record.ts_ns))
                if stop():
                    break
        self.collect()

    def records(self, file: str) -> Iterator[tuple[int, Record]]:
        """Read the lines of a file; those that make no sense are findings."""
        with open_source(file) as source:
            for offset, view in lines(source):
                line = bytes(view)
                try:
                    if line.startswith(recording.MAGIC):
                        self._begin(recording.decode_header(line))
                    else:
                        yield offset, recording.decode(line, offset)
                except WireError as error:
                    self.findings.add(Place(file, offset), error.found, error.wanted)
            if source.error is not None:
                self.findings.add(Place(file, source.error.offset), source.error.found, source.error.wanted, torn=True)

    def collect(self) -> None:
        """Hand on what changed."""
        indexes = {id(one.feed): one.index for one in self.venues}
        feeds = [one.feed for one in self.venues]
        self.changes.collect(feeds, lambda feed, channel: indexes[id(feeds[feed])], self._refused)

    # -- inside

    def _begin(self, header: recording.Header) -> None:
        """Take the venues of the first file; those of the next ones are the same."""
        for told in header.venues[len(self.venues) :]:
            try:
                config = msgspec.convert(told, Venue)
            except msgspec.ValidationError as error:
                raise WireError("venue", offset=0, found=str(error), wanted="a venue that is known here") from None
            self.venues.append(Recorded(config, len(self.venues)))

    def _take(self, record: Record, place: Place) -> None:
        if not 0 <= record.venue < len(self.venues):
            self.findings.add(place, f"venue {record.venue}", f"one of {len(self.venues)}")
            return
        self.first_ns = self.first_ns or record.ts_ns
        self.last_ns = max(self.last_ns, record.ts_ns)
        venue = self.venues[record.venue]
        venue.by_kind[record.kind] += 1
        if record.kind not in (recording.ENDED, recording.OUT):
            self._settle()
        match record.kind:
            case recording.IN | recording.IN_BYTES:
                self._heard(venue, record, place)
            case recording.FETCHED:
                self._fetched(venue, record, place)
            case recording.OUT:
                self._said(venue, record)
            case recording.OPENED:
                self._open(venue, record.connection)
            case recording.ENDED:
                self._ended.append(record.connection)
            case _:
                self.lost += int(record.text) if record.text.isdigit() else 1
                self.findings.add(place, f"{record.text} lines were lost", "every line")

    def _heard(self, venue: Recorded, record: Record, place: Place) -> None:
        self.messages += 1
        try:
            message = record.payload
            if venue.made is None and venue.kind.question is not None:
                self._learn(venue, message)
        except WireError as error:
            self.findings.add(place, error.found, error.wanted)
            return
        connection = self._connections.get(record.connection)
        if venue.made is not None and connection is not None:
            venue.feed.apply([message], record.ts_ns, connection.line)
            venue.feed.wants()
            if venue.made.events is not None:
                venue.made.events.drain()
        if self.messages % BATCH == 0:
            self.collect()

    def _fetched(self, venue: Recorded, record: Record, place: Place) -> None:
        topic, _, body = record.text.partition("\n")
        try:
            if topic == "" and venue.made is None:
                self._learn(venue, body.encode())
            elif venue.made is not None and topic:
                venue.feed.fetched(topic, body.encode(), record.ts_ns)
        except WireError as error:
            self.findings.add(place, error.found, error.wanted)

    def _learn(self, venue: Recorded, message: bytes) -> None:
        """Take what a venue lists, a page at a time: after the last one there are books."""
        found = venue.kind.instruments(message)
        if found is None:
            return
        listed, venue.listed = venue.listed + found, Listed()
        if venue.kind.more("", message) is None:
            venue.made = venue.kind.made(venue.config, wanted(venue.config, listed.some().instruments))
            venue.feed.made(venue.made.market)
        venue.listed = listed

    def _said(self, venue: Recorded, record: Record) -> None:
        asked = venue.kind.asked(record.payload)
        connection = self._connections.get(record.connection)
        if asked is None or connection is None or venue.made is None:
            return
        on, topics = asked
        if not on:
            self._given_up.append((connection, topics))
        for topic in topics if on else ():
            connection.topics[topic] = None
            venue.feed.joined(connection.line, topic)

    def _open(self, venue: Recorded, number: int) -> None:
        if number in self._connections:  # it goes on from the file before
            return
        if len(self._connections) < MAX_CONNECTIONS:
            self._connections[number] = _Connection(venue)

    def _settle(self) -> None:
        """Let topics and connections go that were given up, or over, before something else came."""
        given_up, self._given_up = self._given_up, []
        for connection, topics in given_up:
            connection.venue.feed.left(connection.line, topics)
            for topic in topics:
                connection.topics.pop(topic, None)
        ended, self._ended = self._ended, []
        for number in ended:
            over = self._connections.pop(number, None)
            if over is None:
                continue
            over.venue.numbers.give(over.line)
            if over.venue.made is not None:
                over.venue.feed.left(over.line, list(over.topics))

    def _refused(self, index: int, sequence: int, reason: Refusal, order_id: int) -> None:
        self.findings.add(Place(self.files[0], -1), f"sequence {sequence}: {reason.name}", "a sound message")


def lines(source: Source) -> Iterator[tuple[int, memoryview]]:
    """Give the lines of a source with their offsets; the last one may lack its end."""
    reading, start = True, 0
    while reading:
        buffer = source.buffer
        at = 0
        while (end := _find(buffer, at)) >= 0:
            yield source.base + at, buffer[at:end]
            at = end + 1
        source.release(at)
        reading = source.more(at)
        start = at
    if len(source.buffer) > start:
        yield source.base + start, source.buffer[start:]


def _find(buffer: memoryview, start: int) -> int:
    """Find the end of a line in pieces, so that a long file is not copied."""
    step = 65_536
    for at in range(start, len(buffer), step):
        found = bytes(buffer[at : at + step]).find(b"\n")
        if found >= 0:
            return at + found
    return -1


def is_recording(file: str) -> bool:
    """Say whether a file is a recording of venues; a pipe, which can be read but once, is none."""
    if not os.path.isfile(file):
        return False
    try:
        with open_source(file) as source:
            return bytes(source.buffer[: len(recording.MAGIC)]) == recording.MAGIC
    except SourceError:  # whoever reads it will say so
        return False


def report(replay: RecordingReplay, *, depth: int | None = None) -> dict[str, Any]:
    """Give the report as JSON: what was read, and the books at the end."""
    return {
        "netfeed": netfeed.__version__, "build": netfeed.BUILD, "files": replay.files, "messages": replay.messages,
        "venues": [
            {"venue": one.name, "kind": one.config.venue, "lines": dict(sorted(one.by_kind.items())),
             "instruments": len(one.feed.books), "passed_over": [what._asdict() for what in one.listed.passed]}
            for one in replay.venues
        ],
        "changes": replay.changes.count, "lost": replay.lost,
        "books": [_book(replay, book, depth) for book in replay.catalogue.chosen()],
        "errors": errors(replay.findings.listed()), "elapsed_ns": replay.last_ns - replay.first_ns,
    }  # fmt: skip


def _book(replay: RecordingReplay, book: Book, depth: int | None) -> dict[str, Any]:
    venue = next(one for one in replay.venues if one.feed is book.feed)
    topic = venue.made.books[book.number] if venue.made is not None else ""
    standing = venue.feed.standing(topic)
    sequence = None if standing is None else standing.sequence
    return {"channel": venue.name, "sequence": sequence, **book_json(book, depth), "digest": final_book(book)["digest"]}
