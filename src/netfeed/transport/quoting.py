"""From a packet to quotes in one turn: receive, path, books, move, bytes, send. The twin of `netfeed.transport.turn`.

    turn.arm(fd, client_id, group, sequence, last_processed, epoch_ns, most)      by the plain path, for one shot
    turn.receive(fd, until_ns) -> packets     spin until packets come; `taken`, `status`, `changes` as of `Path.take`
    turn.quoted, turn.sent, turn.size         rows that a shot has put into `step.rows`; bytes that left, of so many

A shot is fired when the turn is armed, all that came was as expected and ends a transaction, the book that leads is
LIVE with two sides that do not cross, and quotes change. An instrument whose own book has changed in this turn is left
to the plain path: its mandate is spent unused; a change that is about a whole channel keeps the turn from firing. A
turn that has fired is not armed: whoever armed it takes down what left before he arms it again.

What the kernel did not take is in `rest`, and must go out before anything else; nothing of it at all (`sent` 0), for
which a price that the wire cannot say is a reason, too (`size` 0), is as if nothing had been asked.

The compiled one rehearses a shot now and then while it waits, so that code and data are in the caches when a packet
comes; nothing shows it but the time.

Leaves out: instruments on another channel than the book that leads.
"""

import socket
from collections.abc import Mapping
from time import monotonic_ns, time_ns
from typing import Any

from netfeed.wire.capture import NO_TIME

LIVE = 2
"""`BookState.LIVE`."""
NO_BOOK = 2**32 - 1
_END = 1
_SPENT = -(2**63)


class QuoteTurn:
    """One feed, its channel with its books, and one session.

    `step` and `frames` are a `QuoteStep` with its `limits` and `QuoteFrames`; `book` leads, and `slots` are those of
    other books. Units: `scale` 10**exponent of the prices of `book`.
    """

    def __init__(
        self, batch: Any, path: Any, books: Any, step: Any, limits: Any, frames: Any, *, book: int, scale: float,
        slots: Mapping[int, int],
    ) -> None:  # fmt: skip
        self._batch, self._path, self._books, self._step, self._limits = batch, path, books, step, limits
        self._frames, self._book, self._scale, self._slots = frames, book, scale, dict(slots)
        self._shot: tuple[int, ...] | None = None
        self.taken = self.status = self.quoted = self.sent = self.size = 0
        self.changes: Any = books.books.take()
        self.rest = b""
        self.lead = 0.0
        self.published_ns = self.decided_ns = self.sent_ns = NO_TIME
        """Of the last turn and its shot. Units: ns since 1970."""

    def arm(
        self, fd: int, client_id: int, group: int, sequence: int, last_processed: int, epoch_ns: int, most: int
    ) -> None:
        """Let the next turn send one mass quote of at most so many quotes."""
        self._shot = (fd, client_id, group, sequence, last_processed, epoch_ns, most)

    def disarm(self) -> None:
        """Let no turn send anything."""
        self._shot = None

    @property
    def armed(self) -> bool:
        """Say whether a turn may send."""
        return self._shot is not None

    def receive(self, fd: int, until_ns: int) -> int:
        """Wait for packets, spinning; give how many came, 0 when none did. Units: monotonic ns.

        Raises: OSError when the socket has failed; ValueError as `Path.take`.
        """
        self.quoted = self.sent = self.size = 0
        self.rest = b""
        count: int = self._batch.receive(fd)
        while not count and monotonic_ns() < until_ns:
            count = self._batch.receive(fd)
        if count:
            self.taken, self.status = self._path.take(self._batch.data, self._batch.packets[:count], 0)
            self.changes = self._books.books.take()
            self.published_ns = time_ns()
            if self._shot is not None and self._may_fire(count):
                self._fire(*self._shot)
        return count

    def _may_fire(self, count: int) -> bool:
        if self.status != _END or self.taken != count or (self.changes["book"] == NO_BOOK).any():
            return False
        for book in self.changes["book"].tolist():
            slot = self._slots.get(book)
            if slot is not None and book != self._book:
                self._limits[slot]["until_ns"] = _SPENT
        books = self._books.books
        bids, asks = books.depth(self._book, 0, 1), books.depth(self._book, 1, 1)
        if books.in_transaction or books.state(self._book) != LIVE or not bids or not asks:
            return False
        bid, ask = bids[0].price, asks[0].price
        if bid >= ask:
            return False
        self.lead = 0.5 * (bid * self._scale + ask * self._scale)
        return True

    def _fire(
        self, fd: int, client_id: int, group: int, sequence: int, last_processed: int, epoch_ns: int, most: int
    ) -> None:
        now = monotonic_ns()
        self.quoted = self._step.step(self.lead, now, most)
        if not self.quoted:
            return
        self._shot = None
        try:
            data = self._frames.write(
                self._step.rows, self.quoted, client_id, group, sequence, last_processed, now + epoch_ns
            )
        except ValueError:  # a price that does not fit: nothing is sent
            self.sent_ns = time_ns()
            return
        self.size, self.decided_ns = len(data), time_ns()
        one = socket.socket(fileno=fd)
        try:
            self.sent = one.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            self.sent = 0
        finally:
            one.detach()
        self.sent_ns = time_ns()
        self.rest = data[self.sent :] if self.sent else b""
