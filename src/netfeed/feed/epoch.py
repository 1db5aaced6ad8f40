"""Which beginning a packet belongs to, and whether it can be believed.

An *epoch* is one counting of a stream: a session, or what follows when the sender counts anew under the same name. A
number alone says little - a low one is a late copy or a new beginning, a high one is a loss or nonsense - so that two
rules decide.

*A doubtful packet needs a second one that agrees* (the idea of RFC 3550, appendix A.1). It is kept, one at most, and
nothing moves until another packet continues it, or another line brings the same. So one corrupt or forged packet
neither moves the high-water mark by more than `max_jump`, nor ends a session in the middle, nor resets a count.

*A fallen number is a duplicate unless time rose.* It begins a new epoch only when it was sent more than `quiet_ns`
after the newest packet of the stream. That is more than two heartbeats, so that no late line can look like it as long
as any other line lives. Where the transport has no send time, the time of arrival stands in.

    what is odd                        believed at once when                    otherwise
    another session, while the old     the old one has said that it is over     when a second packet agrees
      one is silent (LIVELY_NS)
    another session, sooner            never                                    never
    a fallen number, `quiet_ns` later  it is the first number, and stamped      when a second packet agrees
    a fallen number, sooner            never: it is a duplicate
    more than `max_jump` ahead         never                                    when a second packet agrees
    far away, or another channel,      never                                    when a second packet agrees
      while the start is unsettled

*A jump is taken back when the stream goes on below it* (`jump`), be it one that two packets agreed on or a small one.

The start is *unsettled* while it was taken from the very first packet and no second one has agreed: that first one
may have been the nonsense.

What an ended epoch left on its way is ignored for `straggle_ns`: packets of its session, or stamped before the middle
between its last packet and the new epoch's first. After that a packet with numbers that the ended session did not have
is news again, so that a forged epoch does not lock out the true one for ever: two that agree bring it back, where it
was left.

The bad cases: one forged number less than `max_jump` ahead is believed for a moment, and costs a gap that is reported;
a sender that restarts in less than `quiet_ns` is taken for duplicates until that time has passed, then the loss is
reported; one whose new count passes the old one before that is never noticed here, and goes on where the old one was.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

from netfeed.feed.framing import Framing, Kind, Packet
from netfeed.feed.jump import LIVELY_NS, Jump

MAX_RETIRED: Final = 8
"""Sessions that are remembered after they ended; the oldest is forgotten."""
MAX_LOSS_ACROSS_WRAP: Final = 2**24
"""A counter that jumps over its wrap by more than this began anew; no line loses so much and goes on."""
_NEVER_YET: Final = -(2**63)


class Verdict(Enum):
    """What to do with a packet."""

    CURRENT = "of this epoch"
    SESSION = "another session begins"
    RESET = "the count begins anew"
    BACK = "the count goes on where it was before a jump"
    DOUBT = "in doubt until a second packet agrees"
    STRAGGLER = "of an ended session or count"
    FOREIGN = "of another channel"


class Mark(NamedTuple):
    """How far the stream is: the next number to deliver, and the end of what is known to exist.

    `late`: the packet that is judged begins with a number that was declared lost before it came.
    """

    next: int
    high: int
    late: bool = False


class Sighting(NamedTuple):
    """A packet as it is judged: its number is `packet.sequence`, unwrapped."""

    packet: Packet
    number: int
    port: int
    now: int

    @property
    def stamp(self) -> int:
        """Give when it was sent or, where the transport does not say, when it came."""
        return self.now if self.packet.ts_send_ns is None else self.packet.ts_send_ns

    def is_fallen(self, mark: Mark) -> bool:
        """Say whether it brings nothing that is not below what is delivered."""
        return self.number < mark.next and self.number + self.packet.count <= mark.next

    def owned(self) -> "Sighting":
        """Copy what belongs to the caller's buffer."""
        messages = tuple(bytes(message) for message in self.packet.messages)
        return self._replace(packet=replace(self.packet, messages=messages))


class Ruling(NamedTuple):
    """A verdict. `earlier`: the doubtful packet that this one confirmed, it goes first; `end`: where BACK leads."""

    verdict: Verdict
    earlier: Sighting | None = None
    end: int = 0


@dataclass(slots=True)
class _Retired:
    next: int
    until: int


class Epoch:
    """Judge the packets of the lines of one stream.

    `start_given`: where to begin is known, and not taken from the first packet. `channel`: None to take the first's.
    """

    def __init__(
        self,
        framing: Framing,
        *,
        quiet_ns: int,
        straggle_ns: int,
        max_jump: int,
        channel: int | None,
        start_given: bool,
    ) -> None:
        self.session: bytes | None = None
        self.channel = channel
        self.ended = False
        self._framing = framing
        self._quiet_ns = quiet_ns
        self._straggle_ns = straggle_ns
        self._max_jump = max_jump
        self._channel_given = channel is not None
        self._start_given = start_given
        self._opening: tuple[int, int] | None = None
        self._settled = False
        self._stamped = False
        self._newest: int | None = None
        self._latest = _NEVER_YET
        self._heard = _NEVER_YET
        self._boundary = self._boundary_until = _NEVER_YET
        self._retired: dict[bytes, _Retired] = {}
        self._doubt: tuple[Verdict, Sighting] | None = None
        self._jump: Jump | None = None

    def begin(self, seen: Sighting) -> None:
        """Take the first packet of the stream for its session and channel."""
        self.session, self.channel = seen.packet.session, seen.packet.channel
        self._newest = self._latest = seen.stamp
        self._stamped = seen.packet.ts_send_ns is not None
        self._opening = (seen.number, seen.port)

    def is_foreign(self, packet: Packet) -> bool:
        """Say whether the packet is of a channel that was not asked for."""
        return self._channel_given and packet.channel != self.channel

    def advance(self, now: int, ts_send_ns: int | None) -> None:
        """Take note that somebody else followed the stream; `ts_send_ns` of the newest packet, where known."""
        self._newest = ts_send_ns if ts_send_ns is not None or self._stamped else now
        self._latest = _NEVER_YET if self._newest is None else self._newest
        self._heard = now
        self._settled = True
        self._confirm(now)

    def may_straggle(self, now: int) -> bool:
        """Say whether packets from before a reset may still come, with numbers that fit the new count."""
        return now < self._boundary_until

    def judge(self, seen: Sighting, mark: Mark) -> Ruling:
        """Say what a packet of a line is."""
        verdict, sure = self._suspect(seen, mark)
        earlier = None
        if verdict is Verdict.SESSION and seen.now - self._heard < LIVELY_NS:
            self._doubt = (verdict, seen.owned())
            return Ruling(Verdict.DOUBT)
        if not sure:
            earlier = self._confirmed(verdict, seen)
            if earlier is None:
                self._doubt = (verdict, seen.owned())
                return Ruling(Verdict.DOUBT)
            self._doubt = None
            if verdict is Verdict.CURRENT and earlier.number > mark.high + self._max_jump:
                self._leap(earlier.number, mark, seen.now)
        elif verdict is Verdict.CURRENT and self._is_refuted(seen, mark):
            return self._back(seen)
        if verdict is Verdict.CURRENT and earlier is None and seen.number > mark.high:
            self._hop(seen, mark)
        if verdict is Verdict.CURRENT:
            self._follow(seen, mark)
        return Ruling(verdict, earlier)

    def judge_answer(self, seen: Sighting, mark: Mark) -> Ruling:
        """Say what a retransmitted packet is: it can fill what is missing, and nothing else."""
        if seen.packet.channel != self.channel:
            return Ruling(Verdict.FOREIGN)
        if seen.packet.session != self.session or self._is_from_before(seen):
            return Ruling(Verdict.STRAGGLER)
        return Ruling(Verdict.CURRENT if seen.number <= mark.high else Verdict.DOUBT)

    def change(self, seen: Sighting, mark: Mark) -> int:
        """Enter the epoch that a SESSION or RESET begins, and give the number that it starts with."""
        start = self._start(seen.packet.sequence)
        until = seen.now + self._straggle_ns
        if seen.packet.session != self.session:
            jump = self._jump
            left = jump.end if jump is not None and jump.is_doubtful else mark.next
            start = self._change_session(seen.packet.session, start, left, until)
        elif seen.packet.ts_send_ns is not None and self._newest is not None and seen.stamp > self._newest:
            self._boundary, self._boundary_until = (self._newest + seen.stamp) // 2, until
        self.channel = seen.packet.channel
        self.ended, self._settled, self._doubt, self._jump = False, True, None, None
        self._newest = self._latest = seen.stamp
        return start

    def _suspect(self, seen: Sighting, mark: Mark) -> tuple[Verdict, bool]:
        """Give the verdict that the packet asks for, and whether it needs no second one."""
        packet = seen.packet
        if packet.channel != self.channel:
            foreign = self._settled or self._channel_given
            return (Verdict.FOREIGN, True) if foreign else (Verdict.RESET, False)
        if packet.session != self.session:
            return self._other_session(seen)
        if self._is_from_before(seen):
            return Verdict.STRAGGLER, True
        if not self._settled and not self._start_given and abs(seen.number - mark.next) > self._max_jump:
            return Verdict.RESET, False
        if seen.number > mark.high + self._max_jump:
            return (Verdict.RESET if self._is_below(seen, mark) else Verdict.CURRENT), False
        if self._is_reset(seen, mark):
            return Verdict.RESET, packet.ts_send_ns is not None and packet.sequence == self._framing.first
        return Verdict.CURRENT, True

    def _other_session(self, seen: Sighting) -> tuple[Verdict, bool]:
        retired = self._retired.get(seen.packet.session)
        if retired is not None:
            old = seen.now < retired.until or seen.number + seen.packet.count <= retired.next
            return (Verdict.STRAGGLER, True) if old else (Verdict.SESSION, False)
        return Verdict.SESSION, self.ended

    def _is_from_before(self, seen: Sighting) -> bool:
        stamped = seen.packet.ts_send_ns is not None
        return stamped and seen.now < self._boundary_until and seen.stamp < self._boundary

    def _is_below(self, seen: Sighting, mark: Mark) -> bool:
        """Say whether a number far ahead across the wrap of a counter is rather a lower one, of a new count."""
        modulus = self._framing.modulus
        if modulus is None or not self._framing.resets or seen.number - mark.high < MAX_LOSS_ACROSS_WRAP:
            return False
        return seen.packet.sequence < mark.next % modulus

    def _is_reset(self, seen: Sighting, mark: Mark) -> bool:
        if not self._framing.resets or not seen.is_fallen(mark):
            return False
        if self._newest is None:
            self._newest = self._latest = seen.stamp  # somebody else followed the stream: the silence counts from here
        quiet_ns = self._framing.quiet_ns if seen.packet.ts_send_ns is None else self._quiet_ns
        return seen.stamp - self._newest > quiet_ns

    def _confirmed(self, verdict: Verdict, seen: Sighting) -> Sighting | None:
        """Give the doubtful packet when this one agrees with it."""
        if self._doubt is None or self._doubt[0] is not verdict:
            return None
        earlier = self._doubt[1]
        one, two = earlier.packet, seen.packet
        if (one.session, one.channel) != (two.session, two.channel):
            return None
        same = one.sequence == two.sequence and earlier.port != seen.port
        ahead = two.sequence - one.sequence - one.count
        if self._framing.modulus is not None:
            ahead %= self._framing.modulus
        return earlier if same or 0 <= ahead <= self._max_jump else None

    @property
    def has_jumped(self) -> bool:
        """Say whether a jump may still be taken back."""
        return self._jump is not None

    def _leap(self, far: int, mark: Mark, now: int) -> None:
        """Take note of a jump that two packets agreed on; a small one before it may have been of the same making."""
        if self._jump is None or not self._jump.agreed:
            end = mark.high if self._jump is None else self._jump.end
            self._jump = Jump(end, far, now, reach=self._max_jump, agreed=True)

    def _hop(self, seen: Sighting, mark: Mark) -> None:
        """Take note of a small jump, which is what every loss looks like."""
        if self._jump is None or (self._jump.agreed and self._jump.stands):
            self._jump = Jump(mark.high, seen.number, seen.now, reach=self._max_jump, agreed=False)
        elif not self._jump.agreed:
            self._jump.move(seen.number, seen.now)

    def _confirm(self, now: int) -> None:
        if self._jump is not None:
            self._jump.confirm(now)
            if self._jump.stands:
                self._jump = None

    def _is_refuted(self, seen: Sighting, mark: Mark) -> bool:
        if self._jump is None:
            return False
        missing = mark.late or seen.number >= mark.next
        refuted = self._jump.is_refuted(seen.number, seen.packet.count, seen.now, missing=missing)
        if self._jump.stands and not self._jump.agreed:
            self._jump = None  # what comes from below it is old
        return refuted

    def _back(self, seen: Sighting) -> Ruling:
        assert self._jump is not None
        end, self._jump = self._jump.end, None
        self._newest = self._latest = seen.stamp
        self._heard = seen.now
        return Ruling(Verdict.BACK, end=end)

    def _follow(self, seen: Sighting, mark: Mark) -> None:
        """Take a believed packet for the newest; not the greatest stamp, so that a wrong one is soon forgotten.

        Nor that of a packet that jumped ahead, which may be a lie, nor a single one that went back: by an old stamp
        honest copies would look like a new beginning.
        """
        if seen.packet.kind is not Kind.END_OF_SESSION:
            self._heard = seen.now
        if not seen.is_fallen(mark) and seen.number <= mark.high:
            self._newest, self._latest = max(seen.stamp, self._latest), seen.stamp
        if (seen.number, seen.port) != self._opening:
            self._settled = True

    def _start(self, number: int) -> int:
        first = self._framing.first
        if first is None or number < first or not (self._settled or self._start_given):
            return number
        return first

    def _change_session(self, new: bytes, start: int, left: int, until: int) -> int:
        back = self._retired.pop(new, None)
        if self.session is not None:
            self._retired[self.session] = _Retired(left, until)
        while len(self._retired) > MAX_RETIRED:
            del self._retired[next(iter(self._retired))]
        self.session = new
        return start if back is None else back.next
