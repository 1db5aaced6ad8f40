"""The ITCH captures that are shipped: two lines of a MoldUDP64 session, whole and with gaps, and compressed files.

Each function makes one file from a seed, and the facts that a reader of it must report (see `account`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from netfeed.sim.account import RETRANSMIT, Account, Facts, book
from netfeed.sim.draws import Draws
from netfeed.sim.itch_day import Day, Ladder, Settings
from netfeed.sim.itch_ledger import Ledger
from netfeed.sim.mold_packets import MTU_PAYLOAD, ending, messages, packets
from netfeed.sim.tap import Line, Route, Seen, Sent, file_pcap, file_pcapng, in_order
from netfeed.wire import binaryfile, moldudp64

SESSION: Final = b"NETFEED001"
PROTOCOL: Final = "itch50/moldudp64"
CHANNEL: Final = "233.252.0.1:26400"
MIDNIGHT_NS: Final = 1_772_427_600_000_000_000
"""2 March 2026, 00:00 in New York."""
OPEN_NS: Final = 34_200_000_000_000
"""09:30. Units: ns since midnight."""
MS: Final = 1_000_000
EXPONENTS: Final = (-4, 0)

LINE_A: Final = Route("A", ("192.0.2.1", 26400), ("233.252.0.1", 26400), 0)
LINE_B: Final = Route("B", ("192.0.2.2", 26400), ("233.252.0.2", 26400), 1)
_SERVER: Final = ("192.0.2.10", 26499)
_HOST: Final = ("192.0.2.77", 51000)
REQUEST: Final = Route("REQUEST", _HOST, _SERVER, 0)
ANSWER: Final = Route(RETRANSMIT, _SERVER, _HOST, 0)
CLEAN_A: Final = Line(LINE_A, latency_ns=6_000)
CLEAN_B: Final = Line(LINE_B, latency_ns=2_000, wander_ns=8_000)


@dataclass(frozen=True, slots=True)
class Capture:
    """A file and what must be said of it. Compressed: `data` is what the file holds when it is expanded."""

    name: str
    data: bytes
    facts: Facts


@dataclass(frozen=True, slots=True)
class Session:
    """A day, its messages as they were sent, and its packets."""

    day: Day
    sent: list[Sent]
    stream: list[bytes]

    def type_of(self, sequence: int) -> str:
        """Give the type of a message by its number."""
        return chr(self.stream[sequence - 1][0])


def session(
    settings: Settings, mean_gap_ns: int, pauses: dict[int, int], extra: dict[int, bytes] | None = None
) -> Session:
    """Make a session; `extra` messages are put in before those places of the stream."""
    day = Day(settings)
    stream = messages(day)
    for place, message in sorted((extra or {}).items(), reverse=True):
        stream.insert(place, message)
    sent = packets(
        stream, Draws(settings.seed + 1), session=SESSION, midnight_ns=MIDNIGHT_NS, begin_ns=OPEN_NS,
        mean_gap_ns=mean_gap_ns, pauses=pauses,
    )  # fmt: skip
    sent += ending(SESSION, len(stream) + 1, sent[-1].at)
    return Session(day, sent, [bytes(block) for one in sent for block in moldudp64.decode(one.payload).messages])


def facts(about: str, seen: Sequence[Seen], made: Session, **more: Any) -> Facts:
    """Gather what a reader of the stream reports; `more` replaces or adds."""
    stream = [one for one in seen if one.route is not REQUEST]
    account = Account(stream)
    gaps = account.gaps()
    lost = any(gap["closed_by"] is None for gap in gaps)
    held = [made.stream[number - 1] for number in sorted(account.arrived)]
    lines = account.lines()
    channel = {
        "channel": CHANNEL,
        "protocol": PROTOCOL,
        "first_sequence": 1,
        "next_sequence": account.next,
        "lines": lines,
        "gaps": gaps,
        "duplicates": sum(line["duplicates"] for line in lines),
        "messages": len(account.arrived),
        "messages_lost": account.lost,
    }
    return {
        "about": about,
        "packets": len(seen),
        "messages": len(account.arrived),
        "by_type": account.by_type(made.type_of),
        "channels": [channel],
        "books": books(held, "SUSPECT" if lost else "LIVE"),
        "errors": [],
        "exit": 3 if gaps else 0,
        **more,
    }


def books(held: Iterable[bytes], state: str = "LIVE") -> list[Facts]:
    """Describe the books of a reader who saw these messages."""
    ledger = Ledger()
    for message in held:
        ledger.apply(message)
    return [
        book(stock, ledger.rows(stock, "B"), ledger.rows(stock, "S"), EXPONENTS, state)
        for stock in sorted(ledger.stocks)
    ]


def known(ladders: dict[str, Ladder]) -> list[Facts]:
    """Describe the books that the exchange has at the end."""
    return [book(name, ladder.bids, ladder.asks, EXPONENTS) for name, ladder in sorted(ladders.items())]


# -- the captures ------------------------------------------------------------------------------------------------------


def both_lines() -> Capture:
    """A clean line and a bad one: together everything is there."""
    made = session(Settings(18_000, 12, 1_500, 20260302), 4 * MS, {900: 2_600 * MS})
    bad = replace(CLEAN_B, lost=150, late=300, twice=60)
    seen = in_order([*CLEAN_A.carry(made.sent, Draws(11)), *bad.carry(made.sent, Draws(12))])
    about = "lines A (clean) and B (loses, reorders, repeats); a pause with heartbeats; end of session"
    return Capture("itch-ab.pcap", file_pcap(seen), facts(about, seen, made, books=known(made.day.truth().books)))


def with_gaps() -> Capture:
    """Three holes that last: line B is late with the first, an answer fills the second, nothing the third."""
    made = session(Settings(3_000, 6, 300, 7), 12 * MS, {})
    quiet = frozenset(range(50, 60)) | frozenset(range(95, 105)) | frozenset(range(150, 160))
    late, asked, gone = frozenset({52, 53}), frozenset({98, 99, 100}), frozenset({152, 153, 154})
    line_a = replace(CLEAN_A, lost=120, without=late | asked | gone, kept=quiet)
    seen_a = line_a.carry(made.sent, Draws(21))
    came = {one.sent.at for one in seen_a}
    missing = frozenset(index for index, sent in enumerate(made.sent) if sent.at not in came)
    held = dict.fromkeys(late, 40 * MS)
    line_b = replace(CLEAN_B, lost=200, late=200, without=asked | gone, kept=quiet | missing, held=held)
    seen_b = line_b.carry(made.sent, Draws(22))
    lines = in_order([*seen_a, *seen_b])
    seen = in_order([*lines, *_asked(made, lines, sorted(asked))])
    account = facts(
        "two interfaces; a gap that line B closes late, one that a retransmit closes, one that nothing closes",
        seen, made,
    )  # fmt: skip
    true = {row["instrument"]: row for row in known(made.day.truth().books)}
    account["differs_from_venue"] = [
        row["instrument"] for row in account["books"] if {**row, "state": "LIVE"} != true[row["instrument"]]
    ]
    return Capture("itch-gap.pcapng", file_pcapng(seen, ["line-a", "line-b"]), account)


def _asked(made: Session, lines: Sequence[Seen], lost: Sequence[int]) -> list[Seen]:
    """Ask for lost packets when the gap is known, and again for what the answer had no room for."""
    first, end = made.sent[lost[0]].first, made.sent[lost[-1]].end
    at = next(one.at for one in lines if one.sent.first >= end) + 5 * MS
    seen: list[Seen] = []
    while first < end:
        request = moldudp64.encode_request(SESSION, first, end - first)
        seen.append(Seen(at, REQUEST, Sent(at, request, first, first)))
        blocks, size = [], moldudp64.HEADER_SIZE
        for block in made.stream[first - 1 : end - 1]:
            size += 2 + len(block)
            if size > MTU_PAYLOAD:
                break
            blocks.append(block)
        answer = moldudp64.encode(SESSION, first, blocks)
        at += 2 * MS
        seen.append(Seen(at, ANSWER, Sent(at, answer, first, first + len(blocks))))
        first += len(blocks)
        at += 100_000
    return seen


def compressed() -> Capture:
    """A clean line, to be compressed."""
    made = session(Settings(1_500, 4, 150, 61), 5 * MS, {40: 1_300 * MS})
    seen = CLEAN_A.carry(made.sent, Draws(62))
    return Capture("itch-line.pcap.zst", file_pcap(seen), facts("one clean line, compressed with zstd", seen, made))


def binary_file() -> Capture:
    """Messages behind their lengths, no packets; to be compressed."""
    day = Day(Settings(4_000, 5, 400, 71))
    data = b"".join(day.chunks()) + binaryfile.END_MARKER
    truth = day.truth()
    about = "an ITCH file (messages behind their lengths, end marker), compressed with gzip"
    return Capture(
        "itch.itch.gz",
        data,
        {
            "about": about, "packets": None, "messages": truth.messages, "by_type": truth.counts, "channels": [],
            "books": known(truth.books), "errors": [], "exit": 0,
        },
    )  # fmt: skip


CAPTURES: Final[tuple[Callable[[], Capture], ...]] = (both_lines, with_gaps, compressed, binary_file)
