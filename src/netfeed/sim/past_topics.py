"""What a venue of topics said, in the order of time, for `past_streams` to say it again.

    past = PastTopics(words)
    past.add(ts_ns, connection, message)      for each message, in the order of their times
    past.over(connection)                     it ended, or gave topics up: others may carry them on
    past.beginning(topic, index)              where a client that joins can begin: a snapshot

A topic that two connections carried is that of one of them at a time: what the second one brought is kept from when the
first one is over, but for copies of what was said already.

What a venue counted and the recording lacks is a hole before the message that showed it, for who hears that one.

Bounds: MAX_FRAMES messages. Leaves out: who hears it, and when; snapshots that were had over HTTP.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from netfeed.sim.past import COPIES, MAX_FRAMES, Frame
from netfeed.sim.past_words import Topic
from netfeed.venues import answers


class PastTopics:
    """What a venue said. `topic` tells which topic a message is of, and whether a client can begin with it."""

    def __init__(self, topic: Callable[[dict[str, Any]], Topic | None]) -> None:
        self.frames: list[Frame] = []
        self.passed_over = 0
        self.holes: dict[int, int] = {}
        """Messages that the recording lacks before one of its own, by its place, where the venue counts them."""
        self._counted: dict[int, int] = {}
        self._lacks: dict[int, int] = {}
        self._topic = topic
        self._places: dict[str, list[int]] = {}
        self._begins: dict[str, list[int]] = {}
        self._carrier: dict[str, int | None] = {}
        self._recent: dict[str, deque[bytes]] = {}

    @property
    def channels(self) -> Mapping[str, Sequence[int]]:
        """Give the places of each topic's messages."""
        return self._places

    def add(self, ts_ns: int, connection: int, message: bytes) -> None:
        """Take a message; what is of no topic, or a second connection's, is passed over."""
        root = answers.said(message)
        found = None if root is None else self._topic(root)
        self._count(connection, None if root is None else answers.whole_number(root.get("sequence_num")))
        if found is None or len(self.frames) >= MAX_FRAMES or not self._is_carried(found[0], connection, message):
            self.passed_over += 1
            return
        topic, begins = found
        places = self._places.setdefault(topic, [])
        if begins:
            self._begins.setdefault(topic, []).append(len(places))
        places.append(len(self.frames))
        if lacks := self._lacks.pop(connection, 0):
            self.holes[len(self.frames)] = lacks
        self._recent.setdefault(topic, deque(maxlen=COPIES)).append(message)
        self.frames.append(Frame(ts_ns, topic, message))

    def over(self, connection: int, topics: Iterable[str] | None = None) -> None:
        """Take note that a connection carries topics no longer, or none any more."""
        if topics is None:
            self._counted.pop(connection, None)
            self._lacks.pop(connection, None)
        for topic in list(self._carrier) if topics is None else topics:
            if self._carrier.get(topic) == connection:
                self._carrier[topic] = None

    def beginning(self, topic: str, index: int = 0) -> int:
        """Give where a client begins that joins behind `index` messages of a topic: at the next snapshot.

        Where none follows any more it is the last one, and the first message where there is none at all.
        """
        begins = self._begins.get(topic)
        if not begins:
            return 0
        at = bisect_left(begins, index)
        return begins[min(at, len(begins) - 1)]

    def _count(self, connection: int, number: int | None) -> None:
        """Note a hole in the count of a connection: it shows before the next message that is kept."""
        if number is None:
            return
        lacks = number - self._counted.get(connection, number) - 1
        self._counted[connection] = number
        if lacks > 0:
            self._lacks[connection] = self._lacks.get(connection, 0) + lacks

    def _is_carried(self, topic: str, connection: int, message: bytes) -> bool:
        carrier = self._carrier.setdefault(topic, connection)
        if carrier == connection:
            return True
        if carrier is not None or message in self._recent[topic]:
            return False
        self._carrier[topic] = connection
        return True
