"""A venue that plays a session from a script, and answers whoever missed something: a machine for simulated worlds.

    wake(now), transmit(LINE_A ...)   packets of the script when their time has come, the same on every line; then
                                      heartbeats, and for Starbase one snapshot cycle after the other
    receive(data, now, RETRANSMIT)    a request; the answer, or the reject, is in transmit(RETRANSMIT)
    glimpse(now)                      the server's side of a connection that brings a snapshot, as of now

`Limits` says what the servers are like: how far back they remember, how much they send at once, how often they may be
asked. A server never sends what has not been published yet.

Invariant: one script, one behaviour. The script is not changed.

Leaves out: lines and their faults (`link`), an order flow of its own (the sessions of `starbase_session`, `itch_day`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from netfeed.errors import WireError
from netfeed.feed.ports import LINES, RETRANSMITS, SNAPSHOTS, Port
from netfeed.machine import Buffer
from netfeed.sim.tap import Sent
from netfeed.wire import moldudp64, starbase
from netfeed.wire.starbase import PACKET_HEADER, PacketType, TemplateId

MTU_PAYLOAD: Final = 1400
_TOO_LOW, _TOO_HIGH, _RATE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What servers are like. Units: messages that they remember and send at once; requests in `rate_ns`."""

    window: int = 10**9
    count: int = 255
    requests: int = 1_000
    rate_ns: int = 1_000_000_000
    retry_delay_ns: int = 30_000_000


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: packets of the lines and of snapshots, and how to go on when they end.

    `answer` gives the packets that send messages again: (first, messages, now). `reject`: (tag, reason, delay, now).
    `request` reads (tag, first, count). `beat` makes a heartbeat: (next sequence, now).
    """

    lines: Sequence[Sent]
    stream: Sequence[bytes]
    snapshots: Sequence[Sent]
    cycle: Sequence[Sent]
    heartbeat_ns: int
    cycle_ns: int
    request: Callable[[Buffer], tuple[int, int, int]]
    answer: Callable[[int, Sequence[bytes], int], list[bytes]]
    reject: Callable[[int, int, int, int], bytes] | None
    beat: Callable[[int, int], bytes]


class Playback:
    """Play a script. `lines` and `servers` are the ports that there are."""

    def __init__(
        self, script: Script, *, limits: Limits | None = None, lines: Sequence[int] = (Port.LINE_A, Port.LINE_B)
    ) -> None:
        self.limits = limits or Limits()
        self.next_sequence = 1
        self.requests = self.rejected = 0
        self._script = script
        self._lines = lines
        self._at = self._snapshot_at = 0
        self._beat_at = script.lines[-1].at + script.heartbeat_ns
        self._cycle = list(script.snapshots)
        self._cycles = 0
        self._asked: list[int] = []
        self._outbox: dict[int, list[bytes]] = {}

    @property
    def finished(self) -> bool:
        """Say whether the script is over; heartbeats and snapshots go on."""
        return self._at == len(self._script.lines)

    @property
    def deadline(self) -> int:
        """Say when the next packet is due. Units: ns."""
        following = self._beat_at if self.finished else self._script.lines[self._at].at
        if self._snapshot_at < len(self._cycle):
            following = min(following, self._cycle[self._snapshot_at].at)
        return following

    def wake(self, now: int) -> Sequence[object]:
        """Send what is due."""
        while not self.finished and self._script.lines[self._at].at <= now:
            sent = self._script.lines[self._at]
            self._publish(sent.payload)
            self.next_sequence, self._at = sent.end, self._at + 1
        while self.finished and self._beat_at <= now:
            self._publish(self._script.beat(self.next_sequence, self._beat_at))
            self._beat_at += self._script.heartbeat_ns
        while self._snapshot_at < len(self._cycle) and self._cycle[self._snapshot_at].at <= now:
            payload = self._cycle[self._snapshot_at].payload
            for port in sorted(SNAPSHOTS):
                self._outbox.setdefault(port, []).append(payload)
            self._snapshot_at += 1
            if self._snapshot_at == len(self._cycle):
                self._next_cycle()
        return []

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[object]:
        """Take a request; one that makes no sense is not answered."""
        script, limits = self._script, self.limits
        try:
            tag, first, count = script.request(data)
        except WireError:
            return []
        self.requests += 1
        self._asked = [at for at in self._asked if at > now - limits.rate_ns]
        reason = 0
        if len(self._asked) >= limits.requests:
            reason = _RATE
        elif first >= self.next_sequence:
            reason = _TOO_HIGH
        elif first < self.next_sequence - limits.window:
            reason = _TOO_LOW
        self._asked.append(now)
        if reason:
            self.rejected += 1
            if script.reject is not None:
                out = [script.reject(tag, reason, limits.retry_delay_ns if reason != _TOO_LOW else 0, now)]
                self._outbox.setdefault(port, []).extend(out)
            return []
        end = min(first + min(count, limits.count), self.next_sequence)
        answer = script.answer(first, script.stream[first - 1 : end - 1], now)
        self._outbox.setdefault(port, []).extend(answer)
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what goes out on a port."""
        return self._outbox.pop(port, [])

    @property
    def ports(self) -> list[int]:
        """List the ports on which something goes out."""
        return [port for port in self._outbox if port in LINES | SNAPSHOTS | RETRANSMITS]

    def _publish(self, payload: bytes) -> None:
        for port in self._lines:
            self._outbox.setdefault(port, []).append(payload)

    def _next_cycle(self) -> None:
        """Send the last cycle again, which is as of the end of the script, under new numbers and times."""
        script = self._script
        if not script.cycle:
            return
        self._cycles += 1
        first, last = script.cycle[0], self._cycle[-1]
        moved, number = last.at + script.cycle_ns - first.at, last.end - first.first
        self._cycle = [
            Sent(sent.at + moved, _renumbered(sent.payload, sent.first + number, sent.at + moved),
                 sent.first + number, sent.end + number)
            for sent in script.cycle
        ]  # fmt: skip
        self._snapshot_at = 0


def _renumbered(payload: bytes, sequence: int, at: int) -> bytes:
    _, _, channel, kind, count = PACKET_HEADER.decode(payload)
    return PACKET_HEADER.encode(at, sequence, channel, kind, count) + payload[PACKET_HEADER.size :]


def _packed(messages: Sequence[bytes], overhead: int) -> list[Sequence[bytes]]:
    """Share messages out among packets, in order."""
    packets: list[list[bytes]] = []
    size = MTU_PAYLOAD + 1
    for message in messages:
        size += overhead + len(message)
        if size > MTU_PAYLOAD:
            packets.append([])
            size = 24 + overhead + len(message)
        packets[-1].append(message)
    return list(packets)


# --- Starbase


def starbase_script(
    lines: Sequence[Sent], stream: Sequence[bytes], snapshots: Sequence[Sent], *, channel: int, cycle_ns: int
) -> Script:
    """Make a script of a Starbase session."""

    def request(data: Buffer) -> tuple[int, int, int]:
        packet = starbase.decode_packet(data)
        if len(packet.messages) != 1:
            raise WireError("no retransmit request", offset=22, found=len(packet.messages), wanted="one message")
        header, body = starbase.decode(packet.messages[0])
        if header.templateId != TemplateId.RETRANSMIT_REQUEST:
            raise WireError("no retransmit request", offset=26, found=header.templateId, wanted="a request")
        return packet.seqNum, body.beginSeqNum, body.messageCount

    def answer(first: int, messages: Sequence[bytes], now: int) -> list[bytes]:
        packets, kind = [], PacketType.INCREMENTAL | PacketType.RETRANSMIT
        for part in _packed(messages, 0):
            packets.append(starbase.encode_packet(first, part, channel_id=channel, type=kind, sending_time=now))
            first += len(part)
        return packets

    def reject(tag: int, reason: int, delay_ns: int, now: int) -> bytes:
        message = starbase.encode(TemplateId.RETRANSMIT_REJECT, retryDelayNanos=delay_ns, details="", reason=reason)
        return starbase.encode_packet(tag, [message], channel_id=channel, type=0, sending_time=now)

    def beat(sequence: int, now: int) -> bytes:
        return starbase.encode_packet(sequence, channel_id=channel, sending_time=now)

    ends = [k for k, sent in enumerate(snapshots) if _ends_cycle(sent.payload)]
    cycle = snapshots[ends[-2] + 1 :] if len(ends) > 1 else ()
    return Script(
        lines, stream, snapshots[: ends[-1] + 1] if ends else (), cycle, 1_000_000_000, cycle_ns, request, answer,
        reject, beat,
    )  # fmt: skip


def _ends_cycle(payload: bytes) -> bool:
    messages = starbase.decode_packet(payload).messages
    return bool(messages) and starbase.MESSAGE_HEADER.decode(messages[-1]).templateId == TemplateId.END_OF_CYCLE


# --- MoldUDP64


def mold_script(lines: Sequence[Sent], session: bytes) -> Script:
    """Make a script of a MoldUDP64 session."""
    stream = [bytes(message) for sent in lines for message in moldudp64.decode(sent.payload).messages]

    def request(data: Buffer) -> tuple[int, int, int]:
        asked = moldudp64.decode_request(data)
        if asked.session != session or not asked.count or not asked.sequence:
            raise WireError("no request", offset=0, found=asked.session, wanted=session)
        return 0, asked.sequence, asked.count

    def answer(first: int, messages: Sequence[bytes], now: int) -> list[bytes]:
        return [moldudp64.encode(session, first, part) for part in _packed(messages, 2)[:1]]

    def beat(sequence: int, now: int) -> bytes:
        return moldudp64.encode_heartbeat(session, sequence)

    return Script(lines, stream, (), (), 1_000_000_000, 0, request, answer, None, beat)
