"""The last messages of a stream, to be sent again: a window of `retain` of them.

Invariant: message n is kept while `first` <= n < `next`.
"""

from typing import Final

RETAIN: Final = 100_000
"""How many messages a venue keeps, if nothing else is said."""


class History:
    """Numbered messages, the newest `retain` of them."""

    def __init__(self, retain: int = RETAIN) -> None:
        self.next = 1
        self._retain = max(retain, 1)
        self._ring: list[bytes] = []

    @property
    def first(self) -> int:
        """Give the number of the oldest message that is kept; `next` when there is none."""
        return self.next - len(self._ring)

    def add(self, message: bytes) -> int:
        """Keep the next message and give its number."""
        number = self.next
        if len(self._ring) < self._retain:
            self._ring.append(message)
        else:
            self._ring[(number - 1) % self._retain] = message
        self.next += 1
        return number

    def get(self, first: int, count: int) -> list[bytes]:
        """Give messages from `first` on, as many as are kept of `count`."""
        if not self.first <= first < self.next:
            return []
        return [self._ring[(number - 1) % self._retain] for number in range(first, min(first + count, self.next))]

    def restart(self) -> None:
        """Forget everything, and count from 1."""
        self.next = 1
        self._ring.clear()
