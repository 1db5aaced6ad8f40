"""Every kind of snapshot makes good, through the channel, what was lost: cycles, loops, and parts of one snapshot.

Starbase's cycle and GLIMPSE are played in whole worlds (`tests/sim/test_world.py`).
"""

from typing import Any

from netfeed.book.level import Level
from netfeed.book.state import BookState
from netfeed.feed.channel import Channel
from netfeed.feed.delivery import Delivery
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.ports import Port
from netfeed.venues.cme import CmeFeed
from netfeed.venues.deribit_multicast import DeribitMulticastFeed
from netfeed.wire import cme, deribit

MS = 1_000_000
LIVE, SUSPECT = BookState.LIVE, BookState.SUSPECT


class Desk:
    """A delivery of one framing, and the numbers of its packets by port."""

    def __init__(self, framing: str, feed: Any, start: int = 1) -> None:
        channel = Channel(FRAMINGS[framing], name=framing, start=start, recovery_window_ns=10 * MS)
        self.feed, self.delivery, self.framing = feed, Delivery(channel, feed, step=0), framing
        self.numbers = {Port.LINE_A: start, Port.SNAPSHOT_A: 1}
        self.now = 0

    def send(self, *messages: bytes, port: Port = Port.LINE_A, lost: bool = False) -> None:
        number, self.now = self.numbers[port], self.now + MS // 10
        self.numbers[port] += 1
        if lost:
            return
        if self.framing == "cme":
            data = cme.encode_packet(number, messages, sending_time=self.now)
        else:
            data = deribit.encode_packet(number, messages, channel_id=2 if port == Port.LINE_A else 102)
        self.delivery.receive(data, self.now, port)

    def settle(self) -> None:
        """Let the recovery window pass."""
        self.now += 20 * MS
        self.delivery.wake(self.now)

    @property
    def states(self) -> list[BookState]:
        return [book.state for book in self.feed.books]


def definition(number: int) -> bytes:
    rows = deribit.SCHEMA.templates[1000].block.slots
    blank = {row.name: "" if row.codec.codes == "8s" else 0 for row in rows if not row.codec.nullable}
    own = {"instrumentId": number, "tickSize": 0.5, "minTradeAmount": 10.0, "contractSize": 10.0}
    return deribit.encode(1000, **{**blank, **own, "instrumentName": f"I{number}"})


def update(number: int, before: int, change: int, price: float) -> bytes:
    rows = [{"side": deribit.BookSide.BID, "change": 0, "price": price, "amount": 10.0}]
    return deribit.encode(
        1001, instrumentId=number, timestampMs=1, prevChangeId=before, changeId=change, isLast=True, changesList=rows
    )


def part(number: int, change: int, *prices: float, last: bool = True) -> bytes:
    rows = [{"side": deribit.BookSide.BID, "price": price, "amount": 10.0} for price in prices]
    return deribit.encode(
        1004, instrumentId=number, timestampMs=1, changeId=change, isBookComplete=True, isLastInBook=last,
        levelsList=rows,
    )  # fmt: skip


def classic() -> Desk:
    """Give a desk that has lost an update of instrument 7, and none of 8."""
    desk = Desk("deribit", DeribitMulticastFeed())
    desk.send(definition(7), definition(8), update(7, 0, 1, 100.0), update(8, 0, 1, 50.0))
    desk.send(update(7, 1, 2, 101.0), lost=True)
    desk.send(update(7, 2, 3, 102.0))
    return desk


def test_deribits_books_prove_by_their_chain_which_of_them_a_loss_touched() -> None:
    desk = classic()
    assert desk.states == [LIVE, LIVE]
    desk.delivery.wake(desk.now + MS)
    assert desk.states == [SUSPECT, SUSPECT]
    desk.settle()
    desk.send(update(8, 1, 2, 51.0))
    assert desk.states == [SUSPECT, LIVE]


def test_deribits_snapshot_is_joined_to_what_was_held() -> None:
    desk = classic()
    desk.settle()
    start = deribit.encode(1005, snapshotDelay=1)
    desk.send(start, part(7, 2, 100.0, 101.0), port=Port.SNAPSHOT_A)
    assert desk.states == [LIVE, SUSPECT]
    assert [level.price for level in desk.feed.books[0].depth(0, 9)] == [1020, 1010, 1000]


def test_a_snapshot_of_which_a_part_is_lost_is_not_taken() -> None:
    desk = classic()
    desk.settle()
    start = deribit.encode(1005, snapshotDelay=1)
    desk.send(start, part(7, 3, 100.0, last=False), port=Port.SNAPSHOT_A)
    desk.send(part(7, 3, 101.0, last=False), port=Port.SNAPSHOT_A, lost=True)
    desk.send(part(7, 3, 102.0), port=Port.SNAPSHOT_A)
    desk.settle()
    desk.send(start, port=Port.SNAPSHOT_A)
    assert desk.states[0] is SUSPECT
    desk.send(start, part(7, 3, 100.0, 101.0, 102.0), port=Port.SNAPSHOT_A)
    assert desk.states[0] is LIVE


def entry(security: int, number: int, price: int, position: int) -> bytes:
    rows = [{
        "MDEntryPx": price, "MDEntrySize": 5, "SecurityID": security, "RptSeq": number, "NumberOfOrders": 1,
        "MDPriceLevel": position, "MDUpdateAction": 0, "MDEntryType": "0",
    }]  # fmt: skip
    return cme.encode(46, TransactTime=1, MatchEventIndicator=0x80, NoMDEntries=rows)


def test_cmes_loop_makes_good_what_was_lost_and_the_others_prove_themselves() -> None:
    desk = Desk("cme", CmeFeed())
    desk.send(entry(7, 1, 100, 1), entry(8, 1, 50, 1))
    desk.send(entry(7, 2, 101, 1), lost=True)
    desk.send(entry(7, 3, 102, 1))
    desk.delivery.wake(desk.now + MS)
    assert desk.states == [SUSPECT, SUSPECT]
    desk.settle()
    desk.send(entry(8, 2, 51, 1))
    assert desk.states == [SUSPECT, LIVE]
    rows = [
        {"MDEntryPx": price, "MDEntrySize": 5, "NumberOfOrders": 1, "MDPriceLevel": at, "MDEntryType": "0",
         "SettlPriceType": 0}
        for at, price in enumerate((102, 101, 100), 1)
    ]  # fmt: skip
    whole = cme.encode(
        52, LastMsgSeqNumProcessed=3, TotNumReports=1, SecurityID=7, RptSeq=3, TransactTime=1, LastUpdateTime=1,
        MDSecurityTradingStatus=17, NoMDEntries=rows,
    )  # fmt: skip
    desk.send(whole, port=Port.SNAPSHOT_A)
    assert desk.states == [LIVE, LIVE]
    assert desk.feed.books[0].depth(0, 9) == [Level(102, 5, 1), Level(101, 5, 1), Level(100, 5, 1)]


def test_a_gap_that_closes_makes_chained_books_live_again_and_says_which_it_touched() -> None:
    desk = classic()
    desk.delivery.wake(desk.now + MS)
    assert desk.states == [SUSPECT, SUSPECT]
    desk.delivery.receive(
        deribit.encode_packet(2, [update(7, 1, 2, 101.0)], channel_id=2), desk.now + 2 * MS, Port.LINE_B
    )
    assert desk.states == [LIVE, LIVE]
    assert desk.delivery.touched == {(2, 2): frozenset({0})}
