"""All channels of a run as one, whoever drives them: what is expected takes the fast path, the rest its lane.

    expected     let the path take what it can of a batch
    deliver      hand one packet to its lane, in plain Python
    take_over    arm the path again for a lane that is in order
    wake         let deadlines pass
    collect      write what the path did into the accounts, and hand changes on

A capture's driver (`replay`) and the live one (`live`) share it, so that both mean the same by a packet.

`skew_ns` is what the stamps of packets are ahead of the time that channels live in: 0 where the clock is the file's,
real time less monotonic time where packets are stamped by the kernel.
"""

from collections.abc import Callable, Sequence
from typing import Any

from netfeed.app.changes import NO_LANE, Changes, Refused, Rows
from netfeed.app.fast import Fast
from netfeed.app.findings import Place
from netfeed.app.lane import Lane
from netfeed.machine import NEVER, Buffer


class Lanes:
    """The channels of a run. `lanes` may grow; `feeds` gives the feeds in the order of their books."""

    def __init__(
        self, lanes: list[Lane], feeds: Callable[[], Sequence[Any]], changes: Changes, refused: Refused
    ) -> None:
        self.lanes = lanes
        self.changes = changes
        self.fast: Any = Fast()
        self.soonest = NEVER
        self.packets = 0
        self.guests: list[Any] = []
        """Feeds that come another way than by packets: each with its `feed`, its `name`, and its `index` behind the
        lanes, which its changes bear as their channel."""
        self._feeds = feeds
        self._refused = refused

    @property
    def skew_ns(self) -> int:
        """Give what stamps are ahead of the channels' time."""
        skew_ns: int = self.fast.skew_ns
        return skew_ns

    @skew_ns.setter
    def skew_ns(self, value: int) -> None:
        self.fast.skew_ns = value

    def expected(self, data: Buffer, packets: Rows, at: int, newest_ns: int) -> tuple[int, int]:
        """Let the path take packets from `at` on; give the next index and why it stopped.

        Units: `newest_ns` is the newest stamp that counts: an earlier one is for plain Python.
        """
        until_ns = NEVER if self.soonest == NEVER else min(self.soonest + self.skew_ns, NEVER)
        taken: tuple[int, int] = self.fast.take(data, packets, at, until_ns, newest_ns)
        return taken

    def deliver(self, lane: Lane, payload: Buffer, now: int, port: int, place: Place) -> None:
        """Hand a packet to a lane."""
        self.fast.give_way(lane)
        resets = lane.resets
        lane.receive(payload, now, port, place)
        if lane.resets != resets:
            self.fast.reset(lane)
        self.packets += 1
        if lane.deadline < self.soonest:
            self.soonest = lane.deadline

    def wake(self, before: int, place: Place, after: Callable[[Lane], None] = lambda lane: None) -> None:
        """Wake the lanes whose deadlines lie before a time, the earliest first; `after` is called with each."""
        while self.lanes:
            lane = min(self.lanes, key=lambda lane: lane.deadline)
            self.soonest = lane.deadline
            if self.soonest >= before:
                return
            self.fast.give_way(lane)
            lane.wake(self.soonest, place)
            after(lane)

    @property
    def named(self) -> list[Any]:
        """List lanes and guests, by the numbers that changes bear."""
        return [*self.lanes, *self.guests]

    def account(self) -> None:
        """Write what the path did into the channels."""
        for lane in self.lanes:
            self.fast.give_way(lane)
        self.packets += self.fast.packets
        self.fast.packets = 0

    def collect(self, now: int) -> None:
        """Hand on the changes of all feeds."""
        self.account()
        feeds = self._feeds()
        numbers = {(id(lane.feed), lane.number): index for index, lane in enumerate(self.lanes)}
        numbers |= {(id(guest.feed), guest.index): guest.index for guest in self.guests}

        def lane_of(feed: int, channel: int) -> int:
            return numbers.get((id(feeds[feed]), channel), NO_LANE)

        self.changes.collect(feeds, lane_of, self._refused)
        for lane in self.lanes:
            lane.placed.clear()
            lane.heal(now)
