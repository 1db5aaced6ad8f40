"""The Starbase captures that are shipped: a session with every way of recovery, and a late join.

Each function makes one file from a seed, and the facts that a reader of it must report (see `account`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from netfeed.sim.account import RETRANSMIT, Account, Facts, book
from netfeed.sim.capture_itch import Capture
from netfeed.sim.draws import Draws
from netfeed.sim.starbase_packets import MTU_PAYLOAD
from netfeed.sim.starbase_session import Cycle, Session, Settings, simulate, template_of
from netfeed.sim.tap import Line, Route, Seen, Sent, file_pcap, file_pcapng, in_order
from netfeed.wire import starbase
from netfeed.wire.starbase import PACKET_HEADER, PacketType, RejectReason, TemplateId

CHANNEL: Final = "233.252.0.11:7001"
PROTOCOL: Final = "starbase"
MS: Final = 1_000_000
SNAPSHOT: Final = "SNAPSHOT_A"

_GATEWAY: Final = ("192.0.2.20", 7003)
_HOST: Final = ("192.0.2.77", 52000)
LINE_A: Final = Line(Route("A", ("192.0.2.11", 7001), ("233.252.0.11", 7001), 0), latency_ns=5_000)
LINE_B: Final = Line(Route("B", ("192.0.2.12", 7001), ("233.252.0.12", 7001), 1), latency_ns=2_000, wander_ns=7_000)
COPIES: Final = Line(Route(SNAPSHOT, ("192.0.2.13", 7002), ("233.252.0.13", 7002), 0), latency_ns=5_000)
REQUEST: Final = Route("REQUEST", _HOST, _GATEWAY, 0)
ANSWER: Final = Route(RETRANSMIT, _GATEWAY, _HOST, 0)
_MOST: Final = 255
"""A request is for so many messages at most."""


def facts(about: str, seen: Sequence[Seen], made: Session, *, start: int = 1, **more: Any) -> Facts:
    """Gather what a reader of the capture reports; `more` replaces or adds."""
    whole = _whole_cycles(seen, made)
    covered = whole[-1].snapshots[0].sequence if whole else 0
    account = Account(
        [one for one in seen if one.route.name not in (SNAPSHOT, REQUEST.name)], start=start, covered=covered
    )
    gaps, lines = account.gaps(), account.lines()
    copies = [made.snapshot_stream[number - 1] for number in _numbers(seen)]
    channel = {
        "channel": CHANNEL,
        "protocol": PROTOCOL,
        "first_sequence": start,
        "next_sequence": account.next,
        "lines": [*lines, {"line": SNAPSHOT, "packets": sum(one.route.name == SNAPSHOT for one in seen)}],
        "gaps": gaps,
        "duplicates": sum(line["duplicates"] for line in lines),
        "messages": len(account.arrived),
        "messages_lost": account.lost,
        "snapshot_messages": len(copies),
        "snapshot_by_type": _counted(map(template_of, copies)),
        "snapshot_cycles": len(whole),
    }
    return {
        "about": about,
        "packets": len(seen),
        "messages": len(account.arrived),
        "by_type": _counted(template_of(made.stream[number - 1]) for number in account.arrived),
        "channels": [channel],
        "books": books(made),
        "errors": [],
        "exit": 3 if gaps else 0,
        **more,
    }


def books(made: Session) -> list[Facts]:
    """Describe the books at the end, with the orders of the best levels in the order in which they will be filled."""
    return [
        book(one.name, one.bids, one.asks, one.exponents)
        | {"queue": {"bid": one.bid_queue[: _first(one.bids)], "ask": one.ask_queue[: _first(one.asks)]}}
        for one in made.books
    ]


def _first(rows: Sequence[tuple[int, int, int]]) -> int:
    return rows[0][2] if rows else 0


def _counted(types: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(types).items(), key=lambda item: int(item[0])))


def _numbers(seen: Sequence[Seen]) -> list[int]:
    return [n for one in seen if one.route.name == SNAPSHOT for n in range(one.sent.first, one.sent.end)]


def _whole_cycles(seen: Sequence[Seen], made: Session) -> list[Cycle]:
    came = set(_numbers(seen))
    return [
        cycle for cycle in made.cycles
        if all(number in came for copy in cycle.snapshots for number in range(copy.first, copy.last + 1))
    ]  # fmt: skip


# -- the captures ------------------------------------------------------------------------------------------------------


def recovered() -> Capture:
    """Losses that the other line makes good, at once and late, a retransmit, and a snapshot."""
    made = simulate(Settings(2_000, 20260302, cycle_ns=4_000 * MS, pauses={1_400: 11_000 * MS}))
    begin, sent = made.settings.begin_ns, made.sent
    late, asked, gone = (_from(sent, begin + after * MS, n) for after, n in ((2_000, 3), (2_600, 9), (3_500, 5)))
    quiet = frozenset(near for zone in (late, asked, gone) for index in zone for near in range(index - 8, index + 9))
    line_a = replace(LINE_A, lost=120, without=frozenset([*late, *asked, *gone]), kept=quiet)
    seen_a = line_a.carry(sent, Draws(71))
    came = {one.sent.first for one in seen_a}
    missing = frozenset(index for index, one in enumerate(sent) if one.first not in came)
    line_b = replace(
        LINE_B, lost=150, late=250, twice=60, without=frozenset([*asked, *gone]), kept=quiet | missing,
        held=dict.fromkeys(late, 30 * MS),
    )  # fmt: skip
    lines = in_order([*seen_a, *line_b.carry(sent, Draws(72))])
    copies = COPIES.carry(made.snapshots, Draws(73))
    seen = in_order([*lines, *copies, *_asked(made, lines, asked), *_refused(made, lines, gone)])
    about = (
        "lines A and B, both with losses, snapshots, retransmits; a gap that line B closes late, one that a retransmit "
        "closes (asked for twice, answered in parts), one that only a snapshot closes; 11 s of silence"
    )
    return Capture("starbase.pcap", file_pcap(seen), facts(about, seen, made))


def late_join() -> Capture:
    """A capture that begins in the middle of a session and of a snapshot cycle."""
    made = simulate(Settings(1_000, 9, cycle_ns=1_500 * MS))
    cut = _quiet_moment(made.sent, made.cycles[0].taken_ns + 50 * MS)
    line_b = replace(LINE_B, lost=100)
    torn = next(index for index, one in enumerate(made.snapshots) if one.first > made.cycles[1].snapshots[5].first)
    copies = replace(COPIES, without=frozenset({torn}))
    seen = in_order([
        one for line, packets, seed in ((LINE_A, made.sent, 81), (line_b, made.sent, 82), (copies, made.snapshots, 83))
        for one in line.carry(packets, Draws(seed)) if one.at >= cut
    ])  # fmt: skip
    start = next(one.sent.first for one in seen if one.route.name in "AB")
    about = "a late join in the middle of a snapshot cycle, no definitions in the lines; the next cycle lacks a packet"
    told = facts(about, seen, made, start=start, exit=None)  # is a lost snapshot packet a gap? both can be defended
    return Capture("starbase-late.pcapng", file_pcapng(seen, ["line-a", "line-b"]), told)


def _from(sent: Sequence[Sent], at: int, count: int) -> list[int]:
    """Name the first packets from a time on."""
    first = next(index for index, one in enumerate(sent) if one.at >= at)
    return list(range(first, first + count))


def _quiet_moment(sent: Sequence[Sent], after: int) -> int:
    """Find a time between two packets that are far apart."""
    return next(two.at - MS for one, two in pairwise(sent) if one.at >= after and two.at - one.at > 2 * MS)


# -- the retransmit gateway --------------------------------------------------------------------------------------------


def _request(made: Session, at: int, correlation: int, first: int, count: int) -> Seen:
    message = starbase.encode(
        TemplateId.RETRANSMIT_REQUEST, transact_time=at, beginSeqNum=first, messageCount=min(count, _MOST)
    )
    return _unnumbered(made, REQUEST, at, correlation, message)


def _reject(made: Session, at: int, correlation: int, reason: RejectReason, details: str, delay_ns: int = 0) -> Seen:
    message = starbase.encode(
        TemplateId.RETRANSMIT_REJECT, transact_time=at, retryDelayNanos=delay_ns, details=details, reason=int(reason)
    )
    return _unnumbered(made, ANSWER, at, correlation, message)


def _unnumbered(made: Session, route: Route, at: int, correlation: int, message: bytes) -> Seen:
    channel = made.settings.channel_id
    payload = starbase.encode_packet(correlation, [message], channel_id=channel, type=PacketType(0), sending_time=at)
    return Seen(at, route, Sent(at, payload, 0, 0))


def _known(made: Session, lines: Sequence[Seen], lost: Sequence[int]) -> tuple[int, int, int]:
    """Say when a client asks, and the range of what it lacks."""
    first, end = made.sent[lost[0]].first, made.sent[lost[-1]].end
    return next(one.at for one in lines if one.sent.first >= end) + 3 * MS, first, end


def _asked(made: Session, lines: Sequence[Seen], lost: Sequence[int]) -> list[Seen]:
    """Ask, be put off, ask again, and page on what came."""
    at, first, end = _known(made, lines, lost)
    delay, correlation = 4 * MS, 501
    seen = [
        _request(made, at, correlation, first, end - first),
        _reject(made, at + 200_000, correlation, RejectReason.RATE_LIMIT_EXCEEDED, "rate limit", delay),
    ]
    at += delay + 300_000
    while first < end:
        correlation += 1
        seen.append(_request(made, at, correlation, first, end - first))
        page, size = first, PACKET_HEADER.size
        while page < min(end, first + _MOST) and size + len(made.stream[page - 1]) <= MTU_PAYLOAD // 2:
            size += len(made.stream[page - 1])
            page += 1
        kind, channel = PacketType.INCREMENTAL | PacketType.RETRANSMIT, made.settings.channel_id
        messages = made.stream[first - 1 : page - 1]
        answer = starbase.encode_packet(first, messages, channel_id=channel, type=kind, sending_time=at + 150_000)
        seen.append(Seen(at + 200_000, ANSWER, Sent(at + 150_000, answer, first, page)))
        first, at = page, at + 400_000
    return seen


def _refused(made: Session, lines: Sequence[Seen], lost: Sequence[int]) -> list[Seen]:
    """Ask for what the gateway has no longer."""
    at, first, end = _known(made, lines, lost)
    return [
        _request(made, at, 601, first, end - first),
        _reject(made, at + 200_000, 601, RejectReason.SEQ_TOO_LOW, "sequence too low"),
    ]


CAPTURES: Final[tuple[Callable[[], Capture], ...]] = (recovered, late_join)
