"""The damaged captures that are shipped: small ITCH sessions in which something cannot be true.

Each function makes one file from a seed, and the facts that a reader of it must report (see `account`).
"""

from collections.abc import Callable
from typing import Final

from netfeed.sim.capture_itch import CLEAN_A, CLEAN_B, LINE_A, MS, SESSION, Capture, facts, session
from netfeed.sim.draws import Draws
from netfeed.sim.itch_day import Settings
from netfeed.sim.tap import Seen, Sent, file_pcap, frame, in_order
from netfeed.wire import moldudp64, pcap


def truncated() -> Capture:
    """A capture that ends inside a record."""
    made = session(Settings(600, 3, 60, 31), 5 * MS, {})
    seen = CLEAN_A.carry(made.sent, Draws(32))
    whole = seen[: len(seen) * 2 // 3]
    data = file_pcap(whole)
    torn = pcap.record(seen[len(whole)].at, frame(seen[len(whole)]))
    error = {"offset": len(data), "what": "the record is cut short"}
    account = facts("cut in the middle of a record", whole, made, errors=[error], exit=3)
    return Capture("truncated.pcap", data + torn[: len(torn) * 3 // 5], account)


def bad_lengths() -> Capture:
    """Lengths that are not true: two damaged packets of line A, and a message that the sender made wrong."""
    wrong = b"A" + (2).to_bytes(2) + bytes(8) + b"sixteen bytes"
    made = session(Settings(600, 3, 60, 41), 5 * MS, {}, {250: wrong})
    seen = in_order([*CLEAN_A.carry(made.sent, Draws(42)), *CLEAN_B.carry(made.sent, Draws(43))])
    at_a = [index for index, one in enumerate(seen) if one.route is LINE_A and one.sent.end > one.sent.first]
    damaged: dict[int, tuple[Callable[[bytes], bytes], str]] = {
        at_a[10]: (_long_block, "a MoldUDP64 block is longer than its packet"),
        at_a[30]: (_long_udp, "the UDP length is longer than the IP packet"),
    }
    data, errors = pcap.file_header(), []
    for index, one in enumerate(seen):
        damage, what = damaged.get(index, (bytes, ""))
        if what:
            errors.append({"offset": len(data), "what": what})
        data += pcap.record(one.at, damage(frame(one)))
    sound = [one for index, one in enumerate(seen) if index not in damaged]
    bad = next(number for number in range(1, len(made.stream) + 1) if made.stream[number - 1][11:] == wrong[11:])
    account = facts("lengths that are not true, in MoldUDP64, UDP and ITCH", sound, made, packets=len(seen), exit=3)
    account["errors"] = [*errors, {"sequence": bad, "what": "an ITCH message A of 24 bytes; it has 36"}]
    account["channels"][0]["lines"][0]["packets"] += 1  # the damaged one whose UDP header is sound
    account["books"][1]["state"] = "SUSPECT"  # of the locate code that the wrong message names
    return Capture("bad-lengths.pcap", data, account)


def _long_block(whole: bytes) -> bytes:
    at = 42 + moldudp64.HEADER_SIZE
    return whole[:at] + b"\xff\xf0" + whole[at + 2 :]


def _long_udp(whole: bytes) -> bytes:
    return whole[:38] + (int.from_bytes(whole[38:40]) + 100).to_bytes(2) + whole[40:]


def sequence_jump() -> Capture:
    """Three packets that cannot be true, among good ones: no number is lost by them."""
    made = session(Settings(600, 3, 60, 51), 5 * MS, {})
    seen = CLEAN_A.carry(made.sent, Draws(52))
    odd = [
        (12, SESSION, 2**60, "a sequence of 2**60"),
        (30, SESSION, 50_000, "a sequence that is 50,000 ahead"),
        (48, b"ANOTHER009", 4_321, "another session, in its middle"),
    ]
    nonsense = []
    for place, name, sequence, _ in odd:
        payload = moldudp64.encode(name, sequence, made.stream[:2])
        nonsense.append(Seen(seen[place].at + 3_000, LINE_A, Sent(seen[place].at, payload, sequence, sequence + 2)))
    every = in_order([*seen, *nonsense])
    account = facts("three packets with nonsense sequences or sessions; the stream goes on", seen, made)
    account |= {"packets": len(every), "ignored": [{"sequence": row[2], "what": row[3]} for row in odd], "exit": None}
    account["channels"][0]["lines"][0]["packets"] += len(odd)
    return Capture("sequence-jump.pcap", file_pcap(every), account)


CAPTURES: Final[tuple[Callable[[], Capture], ...]] = (truncated, bad_lengths, sequence_jump)
