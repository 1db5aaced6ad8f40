"""The stream of changes as JSON Lines: one object a line, written by a thread of its own, flushed with every batch.

A slow reader costs lines, never time of the loop (unless the policy is `block`): what was lost is one line with kind
DROPPED and the count, where it was lost. Under `coalesce` it is followed by the books as they are then.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from netfeed.app.changes import Catalogue, Rows
from netfeed.app.configuration import Stream
from netfeed.app.events import Words
from netfeed.app.queue import Queue
from netfeed.app.report import book_json
from netfeed.book.change import NO_BOOK
from netfeed.transport.sink import Sink, open_sink

_Named = dict[int, "Named"]


class Named(NamedTuple):
    """What a writer must know of a book; taken by the loop, for a writer must not touch feeds."""

    name: str
    exponents: tuple[int, int]


class JsonStream:
    """A consumer of changes, of what else is told in between (`tell`), and of the lines that end it (`end`)."""

    def __init__(
        self, config: Stream, catalogue: Catalogue, lanes: Callable[[], Any], held: Callable[[], Any], path: str
    ) -> None:
        self._catalogue = catalogue
        self._lanes, self._held = lanes, held
        self._sink: Sink = open_sink(path)
        self._missed: set[int] = set()
        self.queue = Queue("stream", config.queue, config.policy, self._write)

    def take(self, rows: Rows) -> None:
        """Hand a batch to the writer."""
        books = np.unique(rows["book"])
        if self._missed:
            self._catch_up()
        if not self.queue.put((rows, self._names(books)), len(rows)) and self.queue.policy == "coalesce":
            self._missed.update(int(book) for book in books if book != NO_BOOK)

    def tell(self, lines: list[dict[str, Any]]) -> None:
        """Hand lines that are no changes to the writer."""
        self.queue.put(lines, len(lines))

    def end(self, lines: list[dict[str, Any]]) -> None:
        """Hand the last lines to the writer."""
        self.queue.put(lines, len(lines), last=True)

    def close(self) -> bool:
        """Write what waits, and close; say whether all could be written."""
        done = self.queue.close()
        if done and self.queue.error is None:
            self._sink.close()
        return done

    def _catch_up(self) -> None:
        with self._held():
            lines = [{"kind": "BOOK", **book_json(self._catalogue.books[book])} for book in sorted(self._missed)]
        if self.queue.put(lines, len(lines)):
            self._missed.clear()

    def _names(self, books: Any) -> _Named:
        known = self._catalogue.books
        return {int(book): Named(known[book].name, known[book].exponents) for book in books if book != NO_BOOK}

    def _write(self, batch: Any, lost: int) -> None:
        lines: list[dict[str, Any]] = [{"kind": "DROPPED", "lines": lost}] if lost else []
        if isinstance(batch, tuple):
            rows, names = batch
            words = Words(_Books(names), self._lanes())  # type: ignore[arg-type]
            lines += [words.row(row) for row in rows.tolist()]
        else:
            lines += batch
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        self._sink.write(text.encode())
        self._sink.flush()


class _Books:
    """Stands where a catalogue stands."""

    def __init__(self, books: _Named) -> None:
        self.books = books
