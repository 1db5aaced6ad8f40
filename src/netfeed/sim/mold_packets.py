"""A day of simulated ITCH as the packets of a MoldUDP64 session: bursts, pauses with heartbeats, an end.

Source: MoldUDP64 1.00 for the packets. A day's own clock runs from night to night; a capture of it would be silence for
the most part. So the messages get new times: bursts of some of them travel in one packet, and their timestamps are
those of the last few microseconds before it is sent.

Invariant: order and content of the messages are those of the day but for the timestamps, which do not fall. No packet
is longer than MTU_PAYLOAD.

Leaves out: lines and their faults (`tap`), requests.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from netfeed.sim.draws import Draws
from netfeed.sim.itch_day import Day
from netfeed.sim.tap import Sent
from netfeed.wire import moldudp64

MTU_PAYLOAD: Final = 1472
"""What fits an Ethernet frame behind the headers of IPv4 and UDP. Units: bytes."""
HEARTBEAT_NS: Final = 1_000_000_000
_MESSAGE_NS: Final = 600
_LEAST_GAP_NS: Final = 40_000
"""Longer than the messages of the greatest burst take."""
_BURSTS: Final = (1, 1, 2, 3, 5, 8, 12, 17, 24, 36)
"""How many messages are sent together; each is as likely."""
_TIMESTAMP: Final = slice(5, 11)


def messages(day: Day) -> list[bytes]:
    """Give the messages of a day, without their lengths."""
    found: list[bytes] = []
    for chunk in day.chunks():
        at = 0
        while at < len(chunk):
            end = at + 2 + int.from_bytes(chunk[at : at + 2])
            found.append(chunk[at + 2 : end])
            at = end
    return found


def stamped(message: bytes, time_ns: int) -> bytes:
    """Give a message another timestamp. Units: ns since midnight."""
    return message[: _TIMESTAMP.start] + time_ns.to_bytes(6) + message[_TIMESTAMP.stop :]


def packets(
    stream: Sequence[bytes],
    draws: Draws,
    *,
    session: bytes,
    midnight_ns: int,
    begin_ns: int,
    mean_gap_ns: int,
    pauses: Mapping[int, int],
) -> list[Sent]:
    """Pack messages and time the packets. `pauses` says behind which packets nothing comes for how long.

    Units: `midnight_ns` since 1970, `begin_ns` since midnight.
    """
    sent: list[Sent] = []
    now, done = begin_ns, 0
    picks, left, right, _ = (part.tolist() for part in draws.parts(len(stream)))
    while done < len(stream):
        at = len(sent)
        burst = _fitting(stream[done : done + _BURSTS[picks[at] % len(_BURSTS)]])
        blocks = [
            stamped(message, now - 2_000 - _MESSAGE_NS * (len(burst) - index)) for index, message in enumerate(burst)
        ]
        end = done + len(burst)
        sent.append(Sent(midnight_ns + now, moldudp64.encode(session, done + 1, blocks), done + 1, end + 1))
        done = end
        # The product of two even numbers: mean a quarter, many short gaps and a few long ones.
        now += _LEAST_GAP_NS + (4 * mean_gap_ns * left[at] * right[at] >> 32)
        if (pause := pauses.get(len(sent) - 1, 0)) and done < len(stream):
            sent += heartbeats(session, done + 1, sent[-1].at, pause)
            now += pause
    return sent


def _fitting(burst: Sequence[bytes]) -> Sequence[bytes]:
    size = moldudp64.HEADER_SIZE
    for count, message in enumerate(burst):
        size += 2 + len(message)
        if size > MTU_PAYLOAD:
            return burst[:count]
    return burst


def heartbeats(session: bytes, following: int, at: int, pause_ns: int) -> Iterable[Sent]:
    """Give the heartbeats of a pause that begins at `at`."""
    payload = moldudp64.encode_heartbeat(session, following)
    return [Sent(beat, payload, following, following) for beat in range(at + HEARTBEAT_NS, at + pause_ns, HEARTBEAT_NS)]


def ending(session: bytes, following: int, at: int, count: int = 3) -> list[Sent]:
    """Give the packets that say for a short while that the session is over, in the place of heartbeats."""
    payload = moldudp64.encode_end_of_session(session, following)
    return [Sent(at + HEARTBEAT_NS * (n + 1), payload, following, following) for n in range(count)]
