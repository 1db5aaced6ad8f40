"""A venue that lies: whatever a session says, the engine does not raise, and what is in doubt has no quotes left.

The exchange is honest and is the truth; the liar stands between it and the engine. It changes numbers, names and sides
of what was said, says it again, later, in another order, or not at all, and says what nobody did. At the end it stops,
and by the exchange nothing of ours may rest where we are in doubt; once everything is told to leave, nothing at all.
"""

from dataclasses import fields, replace
from random import Random
from typing import Any, Final

import pytest

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amended,
    Ask,
    Canceled,
    Cause,
    Filled,
    Freed,
    Listed,
    New,
    OpenOrder,
    Position,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    Report,
    Tripped,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.engine import EngineSettings
from netfeed.engine.order import Anomaly, State
from netfeed.engine.strategy import Fair
from netfeed.sim.order_venue import ORDERS_A, ORDERS_B
from tests.engine.engine_world import MS, PERPETUAL, World

ABSURD: Final = (0, -1, 1, 2**31, 2**62, 2**63 - 1, -(2**63), 2**64, 10**30)
NOBODY: Final = 999_999
STAYS: Final = frozenset({State.PENDING, State.LIVE, State.PARTIAL, State.AMENDING})
"""Nobody has asked such an order to leave."""
QUICK: Final = EngineSettings(list_ns=200 * MS, again_ns=50 * MS, patience_ns=50 * MS)
HEADER: Final = 40
"""Bytes of a frame and a message before its fields, or some of them."""
WHERE: Final = (PERPETUAL, NOBODY, 0, -1)


class Liar:
    """Change reports, by a seed. `rate`: of how many in a hundred."""

    def __init__(self, seed: int, rate: int) -> None:
        self.random, self.rate = Random(seed), rate
        self.past: list[Report] = []
        self.kept: list[Report] = []
        self.lies = 0

    def tell(self, reports: list[Report], world: World) -> list[Report]:
        """Give what the engine is told instead."""
        told: list[Report] = []
        for report in reports:
            told += self._instead(report) if self._now() else [report]
            self.past = [*self.past[-200:], report]
        if self._now():
            self.lies += 1
            told.append(self._invented(world))
        if self.kept and self._now():
            told += self.kept
            self.kept = []
        return told

    def _now(self) -> bool:
        return self.random.randrange(100) < self.rate

    def _instead(self, report: Report) -> list[Report]:
        self.lies += 1
        how = self.random.randrange(5)
        if how == 0:
            return [report, report]
        if how == 1:
            self.kept.append(report)
            return []
        if how == 2:
            return []
        if how == 3 and self.past:
            return [report, self.random.choice(self.past)]
        return [self._changed(report)]

    def _changed(self, word: Any) -> Any:
        """Change one field; of what holds others, of one of those."""
        name = self.random.choice([one.name for one in fields(word)])
        value = getattr(word, name)
        if isinstance(value, tuple):
            return replace(word, **{name: tuple(self._member(one) for one in value)})
        return replace(word, **{name: self._value(name, value)})

    def _member(self, member: Any) -> Any:
        if isinstance(member, tuple):
            return tuple(self._changed(one) if hasattr(one, "__dataclass_fields__") else one for one in member)
        return self._changed(member) if hasattr(member, "__dataclass_fields__") else member

    def _value(self, name: str, value: Any) -> Any:
        if name == "session":
            return value
        if name == "instrument":
            return self.random.choice(WHERE)
        if isinstance(value, Side):
            return Side(1 - value)
        if isinstance(value, QuoteState | Cause | Ask):
            return self.random.choice(list(type(value)))
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return self.random.choice((*ABSURD, value + 1, value - 1, -value))
        return value

    def _invented(self, world: World) -> Report:
        """Say what nobody did, of an order that is ours or of one that is not."""
        assert world.engine is not None
        pick = self.random.choice
        known = [(one.client_id, one.instrument) for one in world.engine.account.orders.open()][:20]
        client_id, instrument = pick([*known, (10**9, pick(WHERE)), (-1, PERPETUAL)])
        size, price, side = pick(ABSURD), pick(ABSURD), pick(list(Side))
        entry = OpenOrder(pick((client_id, None)), instrument, "x", side, price, size, 0, pick((True, False)))
        quote = QuoteSide(pick(list(QuoteState)), 7, price, size, 0, Cause.OTHER, "")
        return pick([
            Accepted(client_id, instrument, 5, price, size, 0, True, None),
            Amended(client_id, instrument, 5, price, size, size, True, None),
            Rejected(client_id, pick(list(Ask)), pick(list(Cause)), "no", None),
            Filled(client_id, instrument, 5, self.random.randrange(10**6), side, price, size, pick((None, size)), True,
                   None, pick((None, size)), -8),
            Canceled(client_id, instrument, 5, pick((None, size)), Cause.VENUE, "", None),
            AllCanceled(client_id, size, None),
            Quoted(client_id, 0, ((instrument, quote, quote),), None),
            Tripped(pick((0, 1, 77)), "so it says", pick((None, size)), None),
            Freed(pick((0, 1, 77)), None),
            Listed(9, (entry,), (Position(instrument, size, None),), None),
        ])  # fmt: skip


class WireLiar:
    """Change the bytes of what a gateway says: a number, a byte, a message twice, none, or half of it."""

    def __init__(self, seed: int, rate: int) -> None:
        self.random, self.rate = Random(seed), rate
        self.lies = 0

    def tell(self, messages: list[bytes]) -> list[bytes]:
        """Give what the session receives instead."""
        told: list[bytes] = []
        for data in messages:
            lies = self.random.randrange(100) < self.rate
            self.lies += lies
            told += self._instead(data) if lies else [data]
        return told

    def _instead(self, data: bytes) -> list[bytes]:
        how, at = self.random.randrange(8), self.random.randrange(len(data))
        if how == 0:
            return [data, data]
        if how == 1:
            return []
        if how == 2:
            return [data[:at]]
        if how == 3:
            return [data[:at] + bytes([self.random.randrange(256)]) + data[at + 1 :]]
        number = self.random.choice([one for one in ABSURD if abs(one) < 2**63])
        at = self.random.randrange(HEADER // 8, max(HEADER // 8 + 1, len(data) // 8)) * 8
        return [data[:at] + number.to_bytes(8, "little", signed=True) + data[at + 8 :]]


class WireWorld(World):
    """A world whose gateways' bytes may be a liar's; a session that is lost is logged on again."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.liar: WireLiar | None = None
        self.downs = 0
        honest = self.venue.transmit

        def transmit(port: int = 0) -> list[bytes]:
            data = honest(port)
            return data if self.liar is None or port not in (ORDERS_A, ORDERS_B) else self.liar.tell(data)

        self.venue.transmit = transmit  # type: ignore[method-assign]

    def turn(self) -> None:
        super().turn()
        for route in self.gateways if self.engine is not None else ():
            if route.client is None:
                self.downs += 1
                self.venue.end(self.now, route.port)
                route.log_on(self.now)


class LyingWorld(World):
    """A world whose sessions may be a liar's; every turn what must hold is looked at."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.liar: Liar | None = None
        for route in self.routes:
            honest = route.pump
            route.pump = lambda now, honest=honest: self._pumped(honest(now))

    def _pumped(self, reports: list[Report]) -> list[Report]:
        return reports if self.liar is None else self.liar.tell(reports, self)

    def turn(self) -> None:
        super().turn()
        if self.engine is not None:
            doubtful = self.doubtful()
            stays = [one for one in self.engine.account.orders.open() if one.instrument in doubtful]
            assert not [one.snapshot() for one in stays if one.state in STAYS]

    def doubtful(self) -> set[int]:
        assert self.engine is not None
        return {one for one in self.ids if self.engine.account.orders.in_doubt(one)}


def lied_to(seed: int, rate: int, ns: int) -> None:
    """Lie to an engine for so long, then be honest for a while, and look at what rests; then have all of it leave."""
    world = LyingWorld(rate=400, settings=QUICK)
    engine = world.engine
    assert engine is not None
    while engine.statistics().orders < 20:
        world.run(50 * MS)
        assert world.now < 3_000 * MS
    world.liar = liar = Liar(seed, rate)
    world.run(ns)
    assert liar.lies > 3
    for one in (engine.picture(), engine.statistics(), engine.ready):
        assert repr(one)
    world.liar = None
    world.run(1_300 * MS)
    assert not {one for one, _, _ in world.resting()} & world.doubtful(), f"seed {seed}"
    assert not any(one.state is State.UNCERTAIN for one in engine.account.orders.open()), f"seed {seed}"
    engine.leave("the test ends", world.now)
    world.run(500 * MS)
    assert not world.resting(), f"seed {seed}"
    assert engine.is_out, f"seed {seed}"
    assert not engine.failed, f"seed {seed}"


def test_whatever_a_venue_says_the_engine_does_not_raise_and_what_is_in_doubt_has_no_quotes() -> None:
    lied_to(seed=7, rate=8, ns=400 * MS)


def test_an_execution_that_cannot_be_is_not_hedged() -> None:
    world = World(rate=400, settings=QUICK)
    engine = world.engine
    assert engine is not None
    quote = None
    while quote is None:
        world.run(20 * MS)
        assert world.now < 3_000 * MS
        quotes = (one for one in engine.account.orders.open() if one.group is not None and one.rests)
        quote = next(quotes, None)
    assert quote.price is not None
    hedges, held = engine.statistics().hedges, world.positions().get(PERPETUAL, 0)
    absurd = Filled(
        quote.client_id, quote.instrument, 5, "of-nobody", quote.side, quote.price, 10**6, None, True, None, quote=True
    )
    engine.hear(1, absurd, world.now)
    world.run(400 * MS)
    name = world.contracts[quote.instrument].name
    assert engine.statistics().hedges == hedges
    assert world.positions().get(PERPETUAL, 0) == held
    assert engine.counters()["unhedged"] > 0
    assert engine.ready.startswith(f"{name} is in doubt (more was executed than was ordered): not quoted")
    assert quote.instrument not in {one for one, _, _ in world.resting()}


def test_a_price_of_more_than_64_bits_is_a_doubt_and_is_not_taken_down() -> None:
    account = Account({})
    order = New(1, 7, Side.BID, 100, 5)
    account.decide(order, 0)
    account.sent(order, 1, 0)
    account.orders.doubt_all(0)  # what a list says of an order that is UNCERTAIN holds
    account.orders.listed(OpenOrder(1, 7, "x", Side.BID, 10**29, 5, 0, False), 0)
    assert account.orders.suspects == {7: Anomaly.WRONG_PRICE}
    assert [one.price for one in account.orders.open()] == [100]


def corrupted(seed: int, rate: int, ns: int) -> None:
    """Corrupt what two gateways say for so long; then all of ours leaves, whatever was believed."""
    world = WireWorld(rate=400, settings=QUICK, sessions=2)
    engine = world.engine
    assert engine is not None
    while engine.statistics().orders < 20:
        world.run(50 * MS)
        assert world.now < 3_000 * MS
    world.liar = liar = WireLiar(seed, rate)
    world.run(ns)
    assert liar.lies
    world.liar = None
    world.run(1_000 * MS)
    doubtful = {one for one in world.ids if engine.account.orders.in_doubt(one)}
    assert not {one for one, _, _ in world.resting()} & doubtful, f"seed {seed}"
    world.run(2_500 * MS)  # what was asked and not answered is given up
    assert world.resting() == world.ours(), f"seed {seed}"
    engine.leave("the test ends", world.now)
    world.run(500 * MS)
    assert not world.resting(), f"seed {seed}"
    assert engine.is_out, f"seed {seed}"
    assert not engine.failed, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_bytes_of_a_gateway_that_lies_leave_nothing_behind(seed: int) -> None:
    corrupted(seed, rate=(10, 20, 40)[seed], ns=600 * MS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_many_liars(seed: int) -> None:
    lied_to(seed, rate=(2, 4, 8, 16, 32)[seed], ns=800 * MS)


def test_worths_that_are_no_numbers_take_all_quotes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = float("nan")
    world = World(rate=400, hedged=False).run(700 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()
    follow, refit = engine.pricer.follow, engine.pricer.refit

    def spoiled(fairs: dict[int, Fair | None]) -> dict[int, Fair | None]:
        return {
            one: None if fair is None else replace(fair, value=odd, forward=odd, delta=odd, vega=odd, volatility=odd)
            for one, fair in fairs.items()
        }

    monkeypatch.setattr(engine.pricer, "follow", lambda view, touched: spoiled(follow(view, touched)))
    monkeypatch.setattr(engine.pricer, "refit", lambda view: spoiled(refit(view)))
    world.run(400 * MS)
    options = {one for one in world.ids if world.contracts[one].is_option}
    assert not {one for one, _, _ in world.resting()} & options
    assert not engine.failed
    assert repr(engine.picture())


def test_books_that_are_empty_all_at_once_take_all_quotes_out() -> None:
    world = World(rate=400, hedged=False).run(700 * MS)
    engine = world.engine
    assert engine is not None
    world.mute = True
    for book in world.feed.books:
        book._books.clear(book.index)
    engine.touch(world.ids, 0)
    world.run(300 * MS)
    assert not {one for one, _, _ in world.resting()}
    assert not engine.failed
    assert repr(engine.picture())
