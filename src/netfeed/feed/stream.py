"""One sequenced stream: packets of all its lines in, events in sequence out.

Each packet is first judged (`epoch`: does it belong, can it be believed), then put in its place (`sequencer`), and
accounted for (`arbiter`). A channel has two streams: its incrementals and its snapshots.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from netfeed.feed.arbiter import Arbiter, Part
from netfeed.feed.epoch import Epoch, Mark, Sighting, Verdict
from netfeed.feed.events import (
    EndOfSession,
    Event,
    Heartbeat,
    Ignored,
    LostBy,
    RecoveredBy,
    SequenceReset,
    SessionChanged,
)
from netfeed.feed.framing import Framing, Kind, Packet
from netfeed.feed.gap import unwrap
from netfeed.feed.ranges import Range
from netfeed.feed.sequencer import Arrival, Sequencer

_BEGINS: Final[dict[Verdict, LostBy]] = {Verdict.SESSION: "session", Verdict.RESET: "reset"}
"""The verdicts that begin an epoch, and why gaps of the old one are lost."""


class Stream:
    """Keep one stream in sequence across its lines, sessions and resets."""

    def __init__(self, framing: Framing, epoch: Epoch, sequencer: Sequencer, *, start: int | None) -> None:
        self.epoch = epoch
        self.sequencer = sequencer
        self.arbiter = Arbiter()
        self.begun = False
        self._framing = framing
        self._start = start
        self._end: int | None = None
        self._announced: int | None = None

    def take(self, packet: Packet, port: int, now: int) -> list[Event]:
        """Take a packet that came on a line."""
        if not self.begun:
            if self.epoch.is_foreign(packet):
                return [Ignored(Verdict.FOREIGN.value, port, packet.sequence)]
            self._begin(self._sighting(packet, port, now))
        seen = self._sighting(packet, port, now)
        verdict, earlier, end = self.epoch.judge(seen, self._mark_for(seen))
        if verdict is Verdict.CURRENT and earlier is None:
            return self._accept(seen, "line")
        if verdict is Verdict.BACK:
            return [*self._go_back(end, now), *self._accept(seen, "line")]
        if verdict not in (Verdict.CURRENT, *_BEGINS):
            return [Ignored(verdict.value, port, packet.sequence)]
        events = self._change(_BEGINS[verdict], earlier or seen) if verdict in _BEGINS else []
        if earlier is not None:
            events += self._accept(self._sighting(earlier.packet, earlier.port, now), "line")
        events += self._accept(self._sighting(packet, port, now), "line")
        return events

    def answer(self, packet: Packet, port: int, now: int, parts: Iterable[Range] | None = None) -> list[Event]:
        """Take a packet that was sent again on request; of one that was asked for here, the `parts` that were."""
        if not self.begun:
            return [Ignored("an answer before the stream began", port, packet.sequence)]
        if parts is not None:
            return [
                event for first, end in parts for event in self.answer(_part(packet, first, end), port, now)
            ]  # fmt: skip
        seen = self._sighting(packet, port, now)
        verdict = self.epoch.judge_answer(seen, self._mark).verdict
        if verdict is not Verdict.CURRENT:
            beyond = verdict is Verdict.DOUBT
            return [Ignored("beyond what is known to exist" if beyond else verdict.value, port, packet.sequence)]
        return self._accept(seen, "retransmit")

    def expire(self, now: int) -> list[Event]:
        """Act on what is due, and on the bounds; then say whether the session is over."""
        if self.sequencer.in_order and self._end is None:
            return []
        return self.sequencer.expire(now) + self._over()

    def excuse(self, sequence: int, now: int) -> list[Event]:
        """Take note that a snapshot covers everything up to `sequence`."""
        return self.sequencer.excuse(sequence, now) + self._over()

    def give_up(self, below: int, now: int) -> list[Event]:
        """Take note that no server has what is missing below a number any more."""
        return self.sequencer.give_up(below, now) + self._over()

    @property
    def _mark(self) -> Mark:
        return Mark(self.sequencer.next, self.sequencer.gaps.high)

    def _mark_for(self, seen: Sighting) -> Mark:
        mark = self._mark
        late = seen.number < mark.next and self.epoch.has_jumped
        return mark._replace(late=True) if late and self.sequencer.is_late(seen.number, seen.number + 1) else mark

    def _sighting(self, packet: Packet, port: int, now: int) -> Sighting:
        number, modulus = packet.sequence, self._framing.modulus
        if modulus is not None and self.begun:
            number = unwrap(number, self.sequencer.next, modulus)
        return Sighting(packet, number, port, now)

    def _begin(self, seen: Sighting) -> None:
        self.begun = True
        self.epoch.begin(seen)
        self.sequencer.restart(seen.number if self._start is None else self._start)

    def _change(self, why: LostBy, seen: Sighting) -> list[Event]:
        old = self.epoch.session or b""
        events = self.sequencer.abandon(why, seen.now) + self._over()
        old_next = self.sequencer.next
        start = self.epoch.change(seen, self._mark)
        self.sequencer.restart(start)
        self.arbiter.restart()
        self._end = self._announced = None
        new, whole = self.epoch.session or b"", self._is_beginning(start)
        return [*events, SessionChanged(old, new, whole) if why == "session" else SequenceReset(old_next, start, whole)]

    def _is_beginning(self, start: int) -> bool:
        return self._framing.first is None or start <= self._framing.first

    def _go_back(self, end: int, now: int) -> list[Event]:
        """Forget what lies beyond a jump that was none; what it made us give up is given up, and counted anew."""
        self._end = self._announced = None
        self.epoch.ended = False
        if self.sequencer.next <= end:
            return self.sequencer.retract(end, now)
        events = self.sequencer.abandon("reset", now)
        old_next = self.sequencer.next
        self.sequencer.restart(end)
        self.arbiter.restart()
        return [*events, SequenceReset(old_next, end, self._is_beginning(end))]

    def _accept(self, seen: Sighting, by: RecoveredBy) -> list[Event]:
        packet, number, port, now = seen
        arrival = Arrival(port, now, packet.ts_send_ns, by)
        events, new = self.sequencer.take(number, packet.count, packet.messages, arrival)
        if packet.kind is Kind.HEARTBEAT:
            events.append(Heartbeat(port, number))
        elif packet.kind is Kind.END_OF_SESSION:
            self._take_end(number)
        elif not new and self.sequencer.is_late(number, number + packet.count):
            self.arbiter.note(port, number, Part.LATE, now)
            events.append(Ignored("too late: declared lost before it came", port, number))
        else:
            self.arbiter.note(port, number, Part.FIRST if new else Part.DUPLICATE, now)
        return events

    def _take_end(self, number: int) -> None:
        """Believe an end that does not lie before what is known to exist."""
        if number >= self.sequencer.gaps.high:
            self._end = number
            self.epoch.ended = True

    def _over(self) -> list[Event]:
        end = self._end
        if end is None or end == self._announced or self.sequencer.next < end:
            return []
        self._announced = end
        return [EndOfSession(self.epoch.session or b"", end)]


def _part(packet: Packet, first: int, end: int) -> Packet:
    """Cut the messages from `first` up to, not including, `end` out of a packet that has them."""
    at = first - packet.sequence
    return replace(packet, sequence=first, count=end - first, messages=packet.messages[at : at + end - first])
