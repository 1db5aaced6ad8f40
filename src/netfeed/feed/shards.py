"""Which topic goes over which connection: as few connections as the venue's limits need, and no topic ever moves.

A shard is a set of topics that fits on one connection; it is carried by as many lines as the feed is redundant. A topic
that is wanted goes to the first shard with room, else to a new one, and stays there until the venue has let it go: so
two shards never carry one topic. A shard with none left ends. Topics are not moved to fill holes: that would break a
book that is right.

    connections = shards x lines + one spare, on which a line moves over (a venue that allows one has no spare)
"""

from collections.abc import Iterable, Sequence

from netfeed.errors import MisuseError
from netfeed.feed.dialect import Limits


class Shards:
    """The topics of one venue by shard. `lines`: how many connections carry each shard."""

    def __init__(self, limits: Limits, *, lines: int = 1) -> None:
        if lines < 1 or limits.connections < lines:
            raise MisuseError(f"{limits.connections} connections cannot carry {lines} lines")
        spare = 1 if limits.connections > lines else 0
        self._most = (limits.connections - spare) // lines
        self._per_shard = limits.topics_per_connection
        self._shards: dict[int, dict[str, None]] = {}
        self._home: dict[str, int] = {}

    def __contains__(self, topic: str) -> bool:
        return topic in self._home

    def __len__(self) -> int:
        return len(self._shards)

    @property
    def capacity(self) -> int:
        """Say how many topics the venue allows."""
        return self._most * self._per_shard

    def home(self, topic: str) -> int | None:
        """Give the shard of a topic, None when it has none."""
        return self._home.get(topic)

    def topics(self, shard: int) -> Sequence[str]:
        """List the topics of a shard."""
        return list(self._shards.get(shard, ()))

    def place(self, topics: Iterable[str]) -> dict[int, list[str]]:
        """Give all topics that have none a shard, and say which shard each of `topics` is on.

        Raises: MisuseError when the venue allows fewer; nothing has changed then.
        """
        wanted = dict.fromkeys(topics)
        new = [topic for topic in wanted if topic not in self._home]
        if len(self._home) + len(new) > self.capacity:
            raise MisuseError(
                f"{len(self._home) + len(new)} topics are wanted, {self.capacity} fit on the venue's connections"
            )
        for topic in new:
            shard = self._room()
            self._shards.setdefault(shard, {})[topic] = None
            self._home[topic] = shard
        placed: dict[int, list[str]] = {}
        for topic in wanted:
            placed.setdefault(self._home[topic], []).append(topic)
        return placed

    def remove(self, topics: Iterable[str]) -> None:
        """Take topics away that the venue has let go. A shard with none left is gone."""
        for topic in topics:
            shard = self._home.pop(topic, None)
            if shard is None:
                continue
            del self._shards[shard][topic]
            if not self._shards[shard]:
                del self._shards[shard]

    def _room(self) -> int:
        for shard, topics in self._shards.items():
            if len(topics) < self._per_shard:
                return shard
        return next(number for number in range(self._most) if number not in self._shards)
