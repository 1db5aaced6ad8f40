"""The capture that is shipped for tick to trade: Starbase lines A and B, and an order session beside them.

Every few packets an order answers one: as its correlation id it carries the sequence of the packet's last message, and
it leaves a drawn time after the first copy of that packet. One order is sent again, because its first ACK is late; once
the gateway shuts its window. The sequence of the client's TCP wraps on the way.

What the report must say - the time of each order, and what happened to the connection - stands in the facts.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from netfeed.sim.capture_itch import Capture
from netfeed.sim.capture_starbase import LINE_A, LINE_B, MS, facts
from netfeed.sim.draws import Draws
from netfeed.sim.starbase_session import Session, Settings, simulate
from netfeed.sim.tap import Seen, frame, in_order
from netfeed.sim.tcp_talk import CLIENT, SERVER, Framed, Talk
from netfeed.wire import pcap
from netfeed.wire.layout import Layout

CLIENT_END: Final = ("192.0.2.77", 40001)
GATEWAY_END: Final = ("192.0.2.30", 8001)
US: Final = 1_000
NEW_ORDER, NEW_ORDER_RESPONSE, LOGON, LOGON_CONF = 100, 200, 1, 2
_EVERY: Final = 3
"""So many packets lie between two that are answered."""
_SAME: Final = 1_000_000
"""Packets that follow sooner belong together: an order would answer the last of them."""

HEADER: Final = Layout("OrderEntryHeader", "<", [
    ("protocolId", "u8"), ("flags", "u8"), ("messageLength", "u16"), ("messageTypeId", "u16"), ("version", "u16"),
    ("sequenceNumber", "i64"), ("lastProcessedSeqNo", "i64"), ("sendTimeNs", "i64"),
])  # fmt: skip
_IDS: Final = Layout("OrderIds", "<", [("clientOrderId", "i64"), ("correlationId", "i64"), ("instrumentId", "i64")])


def _message(kind: int, number: int, at: int, *, order: int = 0, correlation: int = 0, size: int = 64) -> bytes:
    """Write an order entry message: ids, and zeros for what nobody here reads."""
    body = _IDS.encode(order, correlation, 1)
    return HEADER.encode(0xDB, 0, HEADER.size + size, kind, 16, number, 0, at) + body + bytes(size - len(body))


def tick_to_trade() -> Capture:
    """Orders that answer packets, seen on one host with one clock."""
    made = simulate(Settings(110, 20260305, cycle_ns=700 * MS))
    seen = in_order([*LINE_A.carry(made.sent, Draws(91)), *LINE_B.carry(made.sent, Draws(92))])
    answered = _answered(seen, made)
    talk = Talk(CLIENT_END, GATEWAY_END, first=(2**32 - 900, 7_000), scale=7)
    ready = talk.open(made.settings.begin_ns + 1 * MS, 180 * US, 20 * US)
    talk.send(ready + 5 * US, CLIENT, _message(LOGON, 1, ready, size=72))
    talk.send(ready + 300 * US, SERVER, _message(LOGON_CONF, 1, ready + 200 * US, size=24))
    talk.acknowledge(ready + 310 * US, CLIENT)
    took = _orders(talk, answered)
    frames = sorted([*(Framed(one.at, frame(one)) for one in seen), *talk.frames], key=lambda one: one.at)
    about = "lines A and B, and an order session over TCP whose orders answer packets; one is sent again, a zero window"
    told = facts(about, seen, made, packets=len(frames), tick_to_trade={
        "gateway": f"{GATEWAY_END[0]}:{GATEWAY_END[1]}", "segments": len(talk.frames), "orders": len(took),
        "took_ns": took, "retransmitted": 1, "zero_windows": 1, "zero_window_ns": 700 * US, "handshake_ns": 200 * US,
    })  # fmt: skip
    (channel,) = told["channels"]
    channel["lines"] = [line for line in channel["lines"] if line["packets"]]  # no snapshots are carried here
    data = pcap.file_header() + b"".join(pcap.record(one.at, one.data) for one in frames)
    return Capture("tick-to-trade.pcap", data, told)


def _answered(seen: Sequence[Seen], made: Session) -> list[Seen]:
    """Choose first copies of packets behind which nothing comes for a while."""
    firsts: dict[int, Seen] = {}
    for one in seen:
        if one.sent.end > one.sent.first:
            firsts.setdefault(one.sent.first, one)
    order = sorted(firsts.values(), key=lambda one: one.at)
    begin = made.settings.begin_ns + 20 * MS
    quiet = [one for one, after in pairwise(order) if one.at > begin and after.at - one.at > _SAME]
    return quiet[::_EVERY]


def _orders(talk: Talk, answered: Sequence[Seen]) -> list[int]:
    """Answer packets; give how long each order took."""
    drawn = Draws(93).parts(len(answered))[0].tolist()
    took = []
    for number, (packet, draw) in enumerate(zip(answered, drawn, strict=True), 1):
        took.append(6 * US + draw % (40 * US))
        at = packet.at + took[-1]
        order = _message(NEW_ORDER, number + 1, at, order=number, correlation=packet.sent.end - 1)
        talk.send(at, CLIENT, order)
        if number == 3:
            talk.repeat(at + 250 * US, CLIENT, order)
            at += 260 * US
        if number == 5:
            talk.window[SERVER] = 0
            talk.acknowledge(at + 100 * US, SERVER)
            talk.window[SERVER] = 65_535
            at += 740 * US
        answer = _message(NEW_ORDER_RESPONSE, number + 1, at, order=number, size=96)
        talk.send(at + 60 * US, SERVER, answer)
        talk.acknowledge(at + 65 * US, CLIENT)
    last = talk.frames[-1].at
    talk.finish(last + 1 * MS, CLIENT)
    talk.finish(last + 1 * MS + 150 * US, SERVER)
    talk.acknowledge(last + 1 * MS + 160 * US, CLIENT)
    return took


CAPTURES: Final[tuple[Callable[[], Capture], ...]] = (tick_to_trade,)
