"""The fast lane: what is expected goes through `feed.path`, and everybody else's account stays true.

    path.take      takes the expected packets of a batch and stops at the first that is not
    give_way       before plain Python touches a channel: what the path did is written into it
    take_over      after plain Python touched a channel: when it is in order again, the path is armed anew

Invariant: of the path and the channel only one moves at a time, and a channel that is asked for its account has been
written to.
"""

from typing import Any

from netfeed.app.changes import Rows
from netfeed.app.lane import Lane
from netfeed.feed import Path
from netfeed.feed.path import MAX_CHANNELS, MAX_FLOWS, MAX_LINES
from netfeed.feed.ports import LINES, MORE_LINES
from netfeed.machine import Buffer


class Fast:
    """One path for all channels of a run whose books it can feed."""

    def __init__(self) -> None:
        self.path = Path()
        self.packets = 0
        self.skew_ns = 0  # what stamps are ahead of the time of channels
        self._channels: dict[int, int] = {}
        self._armed: set[int] = set()
        self._flows: set[tuple[bytes, int]] = set()

    def take(self, data: Buffer, packets: Rows, start: int, until_ns: int, newest_ns: int) -> tuple[int, int]:
        """Take packets from `start` on as long as they are as expected; give the next index and why it stopped."""
        self.path.newest_ns = newest_ns
        return self.path.take(data, packets, start, until_ns)

    @property
    def idle(self) -> bool:
        """Say whether no channel is armed: then nothing would be taken."""
        return not self._armed

    def following(self, lane: Lane) -> int | None:
        """Give the next sequence of a lane, whoever has it; None before the first."""
        number = self._channels.get(id(lane))
        return self.path.position(number)[0] if number in self._armed else lane.channel.next_sequence

    def give_way(self, lane: Lane) -> None:
        """Write into a channel what the path did for it."""
        number = self._channels.get(id(lane))
        if number is None or number not in self._armed:
            return
        position, ts_ns, send_ns = self.path.position(number)
        if position > (lane.channel.next_sequence or 0):
            lane.channel.advance(position, ts_ns - self.skew_ns, ts_send_ns=send_ns)
            lane.feed.advance(position - 1)
        for line, packets, first, duplicates, size, last_ts, behind in self.path.drain_lines(number):
            heard = last_ts - self.skew_ns
            lane.channel.merge_line(_port(line), packets, first, duplicates, size, heard, behind)
            self.packets += packets

    def take_over(self, lane: Lane, port: int, destination: bytes, at: int) -> None:
        """Arm the path for a channel that is in order, and disarm it for one that is not."""
        number = self._number(lane)
        if number is None:
            return
        channel = lane.channel
        line = port if port < 2 else port - MORE_LINES + 2
        if port in LINES and line < MAX_LINES and (destination, at) not in self._flows and len(self._flows) < MAX_FLOWS:
            self._flows.add((destination, at))
            self.path.add_flow(destination, at, number, line)
        if lane.delivery.in_order and channel.next_sequence is not None:
            self.path.arm(number, lane.identity, channel.next_sequence)
            self._armed.add(number)
        elif number in self._armed:
            self.path.disarm(number)
            self._armed.discard(number)

    def reset(self, lane: Lane) -> None:
        """Forget the first copies of a channel that counts anew."""
        if id(lane) in self._channels:
            self.path.forget_firsts(self._channels[id(lane)])

    def locate(self, lane: Lane, data: Any, packets: Rows, sequence: int) -> Any:
        """Find the packet of a batch that brought a message first; None when it is not among them."""
        found, nearest = None, -1
        for packet in packets:
            key = packet["destination"].tobytes(), int(packet["destination_port"])
            start = int(packet["payload_offset"])
            payload = data[start : start + int(packet["payload_length"])]
            first = lane.protocol.sequence_of(payload) if key in self._flows else None
            if first is None or not nearest < first <= sequence:
                continue  # the first copy of the nearest packet that begins at the message or before it
            if lane.protocol.identity(payload) == lane.identity:
                found, nearest = packet, first
        return found

    def _number(self, lane: Lane) -> int | None:
        number = self._channels.get(id(lane))
        stream = getattr(lane.feed, "stream", None)
        if number is None and stream is not None and len(self._channels) < MAX_CHANNELS:
            number = self._channels[id(lane)] = self.path.add_channel(stream, lane.number)
        return number


def _port(line: int) -> int:
    return line if line < 2 else MORE_LINES + line - 2
