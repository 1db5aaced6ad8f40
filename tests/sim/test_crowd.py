"""The crowd: it trades by the rules, the same for a seed, and the informed one costs whoever quotes slowly."""

from netfeed.book.execution import Filled, MassQuote, Quote
from netfeed.sim.crowd import EDGE, INFORMED, Crowd
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.matching import ASK, BID
from netfeed.sim.protection import Limits
from netfeed.sim.terms import MONEY
from tests.sim.exchange_room import START_NS
from tests.sim.exchange_worlds import markets

MS = 1_000_000


def trading(seed: int, steps: int, *, informed: bool = True, slow: int = 0) -> Exchange:
    """Let the crowd trade; `slow`: somebody quotes the perpetual and the future anew after so many steps."""
    exchange = Exchange(markets(4))
    crowd = Crowd(exchange, seed, informed=informed)
    exchange.join("mm", Permit(groups={1: Limits(MS, MS)}), 10_000 * MONEY)
    for _ in crowd.open(3, START_NS):
        pass
    for number in range(steps):
        now = START_NS + number * MS
        crowd.step(now)
        if slow and number % slow == 0:
            exchange.mass_quote("mm", MassQuote(number, 1, quotes(exchange)), now)
    return exchange


def quotes(exchange: Exchange) -> tuple[Quote, ...]:
    made = []
    for number in (1001, 1008):
        of, mark = exchange.trading.markets[number].instrument, exchange.trading.marks[number]
        bid = of.on_tick(mark)
        made.append(Quote(number, bid - of.tick, 1_000, bid + 2 * of.tick, 1_000))
    return tuple(made)


def test_the_crowd_trades_and_everything_adds_up() -> None:
    exchange = trading(1, 800)
    assert check(exchange.trading) == []
    assert audit(exchange.log.steps) == []
    for market in exchange.trading.markets.values():
        assert market.best(BID) is not None
        assert market.best(ASK) is not None
    taken = sum(isinstance(one.report, Filled) for step in exchange.log.steps for one in step.deliveries)
    assert taken > 100
    assert exchange.log.reports(INFORMED)


def test_one_seed_is_one_crowd() -> None:
    first, again, other = (list(trading(seed, 200).log.steps) for seed in (3, 3, 4))
    assert first == again != other


def test_the_informed_one_trades_only_at_prices_that_are_about_to_be_wrong() -> None:
    exchange = trading(5, 600, slow=40)
    steps = list(exchange.log.steps)
    trades, against_slow = 0, 0
    for place, step in enumerate(steps):
        if step.account != INFORMED:
            continue
        after = next(one for one in steps[place:] if one.what == "move")
        index = after.told[0][1]["indexPrice"]
        for account, _, report in step.deliveries:
            if isinstance(report, Filled) and account == INFORMED:
                of = exchange.trading.markets[report.instrument].instrument
                fair = of.fair(index)
                gain = fair - report.price if report.side == BID else report.price - fair
                assert gain > EDGE * of.step(fair)
                trades += 1
            against_slow += isinstance(report, Filled) and account == "mm"
    assert trades > 20
    assert against_slow


def test_nobody_is_informed_where_nobody_shall_be() -> None:
    assert trading(1, 400, informed=False).log.reports(INFORMED) == []


def test_the_crowd_leaves_a_halted_instrument_alone() -> None:
    exchange = Exchange(markets(1))
    crowd = Crowd(exchange, 1)
    exchange.halt(1001, START_NS, halted=True)
    assert [one for _ in range(50) for one in crowd.step(START_NS)] == []
