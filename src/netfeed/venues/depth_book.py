"""What a market remembers of a book beside its levels: its chain, who carries it, and whether it needs a snapshot."""

from netfeed.venues.chain import Chain, Room
from netfeed.venues.depth_rules import Rules, Texts
from netfeed.venues.depth_text import Entry

HELD_LEVEL_BYTES = 160
"""What a held level costs, about."""


class Track:
    """One book of a market, by its index there. `topic` is what a session asks for, `wire` its name in messages.

    `broken`: only a snapshot makes the book right. `asked`: the market has said so, of the line `asked_of`, and waits.
    `deserted`: that line has left since; it comes back at once where it only does what it was asked.
    """

    __slots__ = (
        "asked", "asked_of", "broken", "chain", "deserted", "index", "leader", "lines", "olds", "silent", "texts",
        "topic", "wire",
    )  # fmt: skip

    def __init__(self, index: int, topic: str, wire: str, room: Room, rules: Rules) -> None:
        self.index, self.topic, self.wire = index, topic, wire
        self.chain = Chain(room, straddle=rules.straddle)
        self.broken, self.asked, self.deserted = True, False, False
        self.asked_of: int | None = None
        self.olds = 0  # copies since something new came
        self.lines: set[int] = set()
        self.silent: set[int] = set()
        self.leader: int | None = None  # the line that a book without numbers follows
        self.texts: Texts = {}

    def hold(self, before: int, number: int, entry: Entry, line: int) -> None:
        """Keep an update until a snapshot comes; the copy of one that is held already is not kept."""
        newest = self.chain.newest
        if newest is None or number > newest or before == newest:
            self.chain.hold(before, number, (entry, line), HELD_LEVEL_BYTES * len(entry.levels))

    def join(self, line: int) -> None:
        """Take note that a line was asked for the book."""
        self.lines.add(line)
        self.silent.discard(line)
        if self.asked_of == line:
            self.deserted = False

    def leave(self, line: int) -> None:
        """Take note that a line carries the book no more."""
        self.lines.discard(line)
        self.silent.discard(line)
        if self.leader == line:
            self.leader = None
        if self.asked and self.asked_of == line:
            self.deserted = True

    @property
    def mute(self) -> bool:
        """Say whether every line that carries the book has missed its heartbeat."""
        return bool(self.lines) and self.lines <= self.silent
