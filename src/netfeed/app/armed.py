"""A channel in three hands: the receiving thread's, the loop's by the same path, and its plain lane's.

`Armed` moves a lane from one to the other and writes into its channel what was done for it meanwhile; it stands where a
`Fast` stands when there is a thread. Invariant: one owner at a time. Leaves out: packets (`receive_thread`).
"""

from typing import Any

from netfeed.app.lane import Lane
from netfeed.app.slots import Slot, line_port
from netfeed.feed import Path
from netfeed.machine import Buffer


class Armed:
    """Stands where a `Fast` stands: who moves a channel, the thread, the loop by the same path, or its plain lane.

    out     the thread has it, or may take it
    near    the loop has it and takes what is expected by the path: how a backlog is worked off at the path's pace
    else    the lane's `Channel` is the only one that moves
    """

    idle = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.receiver: Any = None
        self.packets = 0
        self.skew_ns = 0
        self.closed = False
        self.numbers: dict[int, int] = {}
        self.attached: set[int] = set()  # those that have a socket: of others the receiver knows nothing
        self._near: set[int] = set()

    def add(self, slot: Slot) -> None:
        """Give a channel its place in the path, when its books can be fed there."""
        stream = getattr(slot.feed.feed, "stream", None)
        if stream is not None:
            self.numbers[slot.index] = self.path.add_channel(stream, slot.index)

    def is_out(self, lane: Lane) -> bool:
        """Say whether the thread has a lane, or may take it."""
        number = self.numbers.get(lane.number)
        return number in self.attached and not self.closed and self.receiver.owner(number) != 0

    def following(self, lane: Lane) -> int | None:
        """Give the next sequence of a lane, whoever has it; None before the first."""
        number = self.numbers.get(lane.number)
        if number is None or not (number in self._near or self.is_out(lane)):
            return lane.channel.next_sequence
        return int(self.path.position(number)[0] if number in self._near else self.receiver.progress(number)[0])

    def accept(self, lane: Lane, line: int, payload: Buffer, ts_ns: int) -> int | None:
        """Let the path take a packet for the loop; give its status, None when the lane's channel is the one to ask."""
        number = self.numbers.get(lane.number)
        return self.path.accept(number, line, payload, ts_ns) if number in self._near and number is not None else None

    def give_way(self, lane: Lane) -> None:
        """Call a lane back, and write into its channel what was done for it."""
        number = self.numbers.get(lane.number)
        if number is None:
            return
        if number in self._near:
            self._near.discard(number)
            self.path.disarm(number)
        elif self.is_out(lane):
            self.receiver.recall(number)
        else:
            return
        position, ts_ns, send_ns = self.path.position(number)
        if position > (lane.channel.next_sequence or 0):
            lane.channel.advance(position, ts_ns - self.skew_ns, ts_send_ns=send_ns)
            lane.feed.advance(position - 1)
        for line, packets, first, duplicates, size, last_ts, behind in self.path.drain_lines(number):
            lane.channel.merge_line(line_port(line), packets, first, duplicates, size, last_ts - self.skew_ns, behind)
            self.packets += packets

    def offer(self, lane: Lane) -> bool:
        """Offer a lane that is in order; False while packets of it wait."""
        return bool(self.receiver.offer(self.numbers[lane.number], lane.identity, lane.channel.next_sequence))

    def take_over(self, lane: Lane, port: int, destination: bytes, at: int) -> None:
        """Let the path take what follows, for the loop, when the lane is in order."""
        number, following = self.numbers.get(lane.number), lane.channel.next_sequence
        if (
            number is not None
            and following is not None
            and lane.identity
            and lane.delivery.in_order
            and not self.closed
        ):
            self.path.arm(number, lane.identity, following)
            self._near.add(number)

    def reset(self, lane: Lane) -> None:
        """Forget the first copies of a channel that counts anew."""
        if lane.number in self.numbers:
            self.path.forget_firsts(self.numbers[lane.number])
