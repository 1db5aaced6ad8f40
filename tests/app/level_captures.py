"""Small captures of the feeds that speak of price levels, made from values: packets of the lines and of snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netfeed.wire import cme, deribit, iex


@dataclass
class Capture:
    """Packets of the lines, and the snapshots that say what all of them together come to."""

    protocol: str
    packets: list[bytes] = field(default_factory=list)
    snapshots: list[bytes] = field(default_factory=list)


def made(protocol: str, updates: int = 60) -> Capture:
    """Make a capture of a protocol: two instruments, a level more, changed or gone with each packet."""
    return _MADE[protocol](updates)


def cme_definition(security: int, depth: int) -> bytes:
    """Make the definition of an instrument whose outright book has a depth."""
    slots = [slot for slot in cme.SCHEMA.templates[54].block.slots if not slot.codec.nullable]
    known: dict[str, Any] = {slot.name: "" if slot.codec.codes.endswith("s") else 0 for slot in slots}
    known |= {"MaturityMonthYear": (2026, 12, None, None), "Symbol": f"X{security}", "SecurityID": security}
    return cme.encode(54, version=12, **known, NoMDFeedTypes=[{"MDFeedType": "GBX", "MarketDepth": depth}])


def cme_snapshot(security: int, number: int, last: int, levels: Sequence[tuple[str, int, int, int]]) -> bytes:
    """Make a snapshot of (type, position, price, size)."""
    rows = [
        {"MDEntryPx": price, "MDEntrySize": size, "NumberOfOrders": 1, "MDPriceLevel": position, "MDEntryType": kind,
         "SettlPriceType": 0}
        for kind, position, price, size in levels
    ]  # fmt: skip
    return cme.encode(
        52, version=12, LastMsgSeqNumProcessed=last, TotNumReports=2, SecurityID=security, RptSeq=number,
        TransactTime=1, LastUpdateTime=1, MDSecurityTradingStatus=17, NoMDEntries=rows,
    )  # fmt: skip


def cme_entry(action: int, kind: str, position: int, price: int, size: int, security: int, number: int) -> bytes:
    """Make an event of one entry."""
    entry = {
        "MDEntryPx": price, "MDEntrySize": size, "SecurityID": security, "RptSeq": number, "NumberOfOrders": 1,
        "MDPriceLevel": position, "MDUpdateAction": action, "MDEntryType": kind,
    }  # fmt: skip
    return cme.encode(46, version=12, TransactTime=1000, MatchEventIndicator=0x80, NoMDEntries=[entry])


def _cme(updates: int) -> Capture:
    one = Capture("cme")
    numbers, levels = {7: 0, 8: 0}, {7: {}, 8: {}}
    for count in range(updates):
        security, kind = (7, 8)[count % 2], "01"[count // 2 % 2]
        numbers[security] += 1
        price = 100 if kind == "0" else 200
        action = 1 if (kind, 1) in levels[security] else 0
        levels[security][kind, 1] = (price, count + 1)
        message = cme_entry(action, kind, 1, price, count + 1, security, numbers[security])
        one.packets.append(cme.encode_packet(count + 1, [message], sending_time=count))
    for count, security in enumerate((7, 8)):
        told = [(kind, at, price, size) for (kind, at), (price, size) in sorted(levels[security].items())]
        message = cme_snapshot(security, numbers[security], updates, told)
        one.snapshots.append(cme.encode_packet(count + 1, [message], sending_time=updates))
    return one


def deribit_definition(number: int, name: str) -> bytes:
    """Make the definition of an instrument."""
    rows = deribit.SCHEMA.templates[1000].block.slots
    known: dict[str, Any] = {row.name: "c" if row.codec.codes == "8s" else 0 for row in rows if not row.codec.nullable}
    own = {"instrumentId": number, "tickSize": 0.5, "minTradeAmount": 10.0, "contractSize": 10.0}
    return deribit.encode(1000, **{**known, **own, "instrumentName": name})


def _deribit(updates: int) -> Capture:
    one = Capture("deribit")
    definitions = [deribit_definition(number, f"X-{number}") for number in (7, 8)]
    one.packets.append(deribit.encode_packet(1, definitions, channel_id=2))
    last, levels = {7: 0, 8: 0}, {7: {}, 8: {}}
    for count in range(1, updates):
        number, side = (7, 8)[count % 2], (deribit.BookSide.BID, deribit.BookSide.ASK)[count // 2 % 2]
        price, amount = (100.0, 200.0)[count // 2 % 2] + count % 5, 10.0 * count
        levels[number][side, price] = amount
        rows = [{"side": side, "change": 0, "price": price, "amount": amount}]
        message = deribit.encode(
            1001, instrumentId=number, timestampMs=count, prevChangeId=last[number], changeId=count, isLast=True,
            changesList=rows,
        )  # fmt: skip
        last[number] = count
        one.packets.append(deribit.encode_packet(count + 1, [message], channel_id=2))
    one.snapshots.append(deribit.encode_packet(1, [deribit.encode(1005, snapshotDelay=1)], channel_id=102))
    for count, number in enumerate((7, 8)):
        rows = [{"side": side, "price": price, "amount": amount} for (side, price), amount in levels[number].items()]
        message = deribit.encode(
            1004, instrumentId=number, timestampMs=1, changeId=last[number], isBookComplete=True, isLastInBook=True,
            levelsList=rows,
        )  # fmt: skip
        one.snapshots.append(deribit.encode_packet(count + 2, [message], channel_id=102))
    return one


def _iex(updates: int) -> Capture:
    one = Capture("iex")
    for count in range(updates):
        kind, symbol = "85"[count // 2 % 2], ("ZIEXT", "ZEXIT")[count % 2]
        price = (1_000_000, 2_000_000)[count // 2 % 2] + 100 * (count % 5)
        message = iex.encode(kind, flags=1, timestamp=count, symbol=symbol, size=count + 1, price=price)
        one.packets.append(iex.encode_segment(count + 1, [message], send_time=count))
    return one


_MADE: Final = {"cme": _cme, "deribit": _deribit, "iex": _iex}
