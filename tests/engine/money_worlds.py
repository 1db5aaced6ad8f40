"""A world of money in virtual time: an engine against a simulated exchange, with faults on everything between them.

    world = World(7)              its faults, its deaths and its luck follow from the seed
    world.run()                   until the books are settled; `world.judge.wrong` says what should not have been

The venue publishes A/B multicast, snapshots and retransmissions through links that lose, repeat, reorder, damage and
fall silent; orders go to gateways A and B over connections that stall and are cut, and the gateways lose, repeat, delay
and refuse, and die. The engine's process dies with nothing left but its journal; its clock steps; somebody kills it.

    python tests/engine/money_worlds.py --seed 7 --trace          one world, told as it goes
    python tests/engine/money_worlds.py --seeds 0:1000            many, and what they were made of
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from netfeed.book.execution import New, Report, Tripped
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine, EngineSettings
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.hedge import Hedge, Hedger, HedgerSettings
from netfeed.engine.hedge_band import Fixed
from netfeed.engine.journal import Began, Decided, Record, encode, last_run, read, replay
from netfeed.engine.kill_switch import KillSwitch, Thrown
from netfeed.engine.limits import Limits
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.router import Router
from netfeed.engine.targets import Abilities, Differ
from netfeed.machine import NEVER
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.faults import RATE, Faults
from netfeed.sim.order_faults import NONE, OrderFaults
from netfeed.sim.order_venue import OrderVenue, order_venue
from netfeed.sim.protection import Limits as Protected
from netfeed.sim.starbase_chain import NANO, Instrument
from netfeed.sim.starbase_gateway import Key, listed
from netfeed.sim.terms import MONEY, Fees, terms_of
from netfeed.sim.venue import Settings
from tests.engine.money_feed import DETECT_NS, HEARTBEAT_NS, Awaited, Books, Wires
from tests.engine.money_judge import Judge
from tests.engine.money_paths import MS, Distance, Lister
from tests.engine.money_paths import Path as OrderPath
from tests.engine.money_pricer import FlatPricer
from tests.engine.money_script import END_NS, script

INSTRUMENTS: Final = 4
PERPETUAL, FUTURE, CALL, PUT = 1001, 1008, 1015, 1022
FUTURES, OPTIONS = (PERPETUAL, FUTURE), (CALL, PUT)
VENUE: Final = "starbase"
BORN_NS: Final = 20 * MS
CALM_NS: Final = 4_000 * MS
"""How long a world may take to settle when all works again."""
WAY_NS: Final = MS
"""The longest that a request takes to arrive while nothing is wrong with the way."""
ORDER_NS: Final = 250 * MS
SETTLED_NS: Final = 400 * MS
"""So long after a trouble of the way something of it may be left: an order in doubt, a connection that is not noticed."""
"""The longest that it takes to be gone while something is: a stall, a storm, a cut that the venue has not noticed yet."""
ON_THE_WAY: Final = frozenset({
    "cut", "die", "forget", "die_in_between", "dead_for_long", "storm", "stall", "crash", "kill",
})  # fmt: skip
LIMITS: Final = Limits(
    order_size={None: 10, PERPETUAL: 2_000, FUTURE: 2_000}, position={None: 20, PERPETUAL: 4_000, FUTURE: 4_000},
    expiry=3.0, delta=1.6, gamma=0.00006, vega=24_000.0, open_orders=10, rate=400, burst=24, stale_ns=400 * MS,
    clock_offset_ns=5 * MS, collar_ppm=100_000, collar_ticks=40,
)  # fmt: skip
LOOK_NS: Final = 50 * MS
GATE: Final = GateSettings(settle_ns=20 * MS, max_forward_age_ns=500 * MS, min_expiry_ns=0)
SETTINGS: Final = EngineSettings(look_ns=LOOK_NS, list_ns=250 * MS, again_ns=40 * MS, patience_ns=150 * MS)
DEPOSIT: Final = 1_000 * MONEY


def contract(of: Instrument) -> Contract:
    """Make a contract of an instrument, under the venue's number."""
    terms = terms_of(of)
    return Contract(
        of.id, of.name, terms.payoff, "BTC", True, -9, of.quantity_exponent, of.tick, of.lot,
        strike=None if of.strike is None else of.strike / NANO, expiry_ns=of.expiry_ns,
        steps=((of.threshold, of.large_tick),) if of.large_tick else (), venue=VENUE,
    )  # fmt: skip


class World:
    """One world. `said` is told what happens, where somebody listens."""

    limits = LIMITS
    size = 4

    def __init__(self, seed: int, *, said: Any = None) -> None:
        self.seed, self.script, self.now = seed, script(seed), 0
        self.random = Random(seed + 1_000_003)
        self._said = said
        settings = Settings(
            seed=seed, rate=self.script.rate, instruments=INSTRUMENTS, truth=False, cycle_ns=200 * MS, lag_ns=5 * MS,
            heartbeat_ns=HEARTBEAT_NS,
        )  # fmt: skip
        self.venue: OrderVenue = order_venue(settings, [Key("mm", "secret")], bump_ns=self.script.bump_ns)
        groups = {
            0: Protected(100 * MS, 60 * MS, quantity=3 * NANO),
            1: Protected(100 * MS, 60 * MS, quantity=2 * NANO),
        }
        self.venue.exchange.join("mm", Permit(fees=Fees(), groups=groups), DEPOSIT)
        self.wall = settings.wall_ns
        markets = self.venue.exchange.trading.markets
        self.contracts = {number: contract(market.instrument) for number, market in markets.items()}
        slack = LIMITS.rate * 70 * MS // 10**9 + 1 if LIMITS.rate else 0
        self.judge = Judge(self.venue, self.contracts, LIMITS, slack=slack)
        self.wires = Wires(self.venue, seed)
        self.books: Books | None = Books(0, whole=True, jitter=self.random.random)
        self.engine: Engine | None = None
        self.paths: list[Any] = []
        self.journal = bytearray()
        self.handed = 0
        self.clock_off: int | None = 0
        self.ended = False
        self.tally: Counter[str] = Counter()
        self._agenda = list(self.script.happenings)
        self._later: list[tuple[int, Any]] = [(BORN_NS, self._born), (END_NS, self._end)]
        self._latch: Thrown | None = None
        self._heard = True
        self._clock_was: int | None = None
        self._venue_due = 0

    # --- the process

    def _born(self) -> None:
        """Begin a run with what the journal says, and nothing else."""
        records, tail = read(bytes(self.journal))
        if tail.why and not tail.is_torn:
            self.judge.wrong.append(f"the journal is broken: {tail.why}")
        del self.journal[tail.offset :]
        account = replay(records, self._account_of_nothing())
        run = last_run(records) + 1
        self._count = len(records)
        sides = {
            one.request.client_id: one.request.side
            for one in records
            if isinstance(one, Decided) and isinstance(one.request, New)
        }
        if self.books is None:
            self.books = Books(self.now, whole=False, jitter=self.random.random)
        self._account = account
        self._record(Began(self.now, run))
        account.restarted(self.now)
        self.handed = len(self.journal)
        self._make_paths(run, sides)
        self.engine = self._make_engine(account, run)
        self.tell(f"run {run} begins with {len(records)} records")

    def _account_of_nothing(self) -> Account:
        sessions = dict.fromkeys((1, 2, 3), VENUE)
        return Account(self.contracts, answer_ns=200 * MS, settle_ns=100 * MS, sessions=sessions)

    def _make_paths(self, run: int, sides: dict[int, Side]) -> None:
        terms = self.venue.exchange.trading.ledger.terms
        made = listed(self.venue.exchange)
        self.paths = [
            OrderPath(
                number, number - 1, self.venue, made, self._hear, self.random, run=run, sides=sides,
                distance=Distance(), clock=lambda: self.now,
            )
            for number in (1, 2)
        ]  # fmt: skip
        lister = Lister(3, self.venue, terms, self._hear, self.random, clock=lambda: self.now)
        lister.most_ns, lister.refuses = self.script.list_ns, 0.0 if self.ended else self.script.list_refuses
        self.paths.append(lister)

    def _make_engine(self, account: Account, run: int) -> Engine:
        board, ids = Board(self.contracts.values()), ClientIds(run)
        for number in self.contracts:
            board.set_book(number, self._book(number))
        quoter = Quoter(OPTIONS, QuoterSettings(
            (Tier(1.0, self.size), Tier(2.0, self.size + 2)), half_ticks=1.0, half_volatility=0.002, max_position=16,
            skew_delta=10.0, requote_ticks=2, mass_quote=self.script.mass_quotes, fill_pause_ns=5 * MS,
        ))  # fmt: skip
        hedges = [Hedge(PERPETUAL, 3_000, 500), Hedge(FUTURE, 3_000, 300)]
        hedger = Hedger("BTC", hedges, Fixed(0.05), HedgerSettings())
        differ = Differ(Abilities(mass_quotes=self.script.mass_quotes), ids.take, lambda _: 1)
        quoting = Desk(quoter, OPTIONS, Gate(GATE, dict.fromkeys(OPTIONS, PERPETUAL)), differ, look_ns=LOOK_NS)
        bare = Gate(replace(GATE, needs_worth=False))
        hedging = Desk(hedger, FUTURES, bare, Differ(Abilities(mass_quotes=False), ids.take), look_ns=LOOK_NS)
        pricer: Any = FlatPricer(self.contracts, PERPETUAL)
        return Engine(
            account, board, Risk(account, self.limits, switch=KillSwitch(killed=self._latch)), Router(account, self.paths), pricer, ids, desks=[quoting],
            hedging=[hedging], record=self._record, settings=SETTINGS,
        )  # fmt: skip

    def _book(self, instrument: int) -> Awaited:
        assert self.books is not None
        return Awaited(self.books, instrument)

    def _record(self, record: Record) -> None:
        """Write a record down; what is handed over survives a crash, what came after it may."""
        self._count += 1
        self.journal += encode(record, self._count)
        if isinstance(record, Decided):
            exposure = self._account.exposure
            units = {one: tuple(exposure.sensitivity(one) or (0, 0, 0)) for one in self.contracts}
            self.judge.passed(record.request, self.now, units)  # type: ignore[arg-type]
            self.tell(f"{record.request}")
        if self.random.random() < 0.5:
            self.handed = len(self.journal)

    def _hear(self, session: int, report: Report) -> None:
        if self.engine is None:
            return
        self.tally[type(report).__name__] += 1
        self.tell(f"  {session}: {report}")
        until = NEVER
        if isinstance(report, Tripped) and report.until_ns is not None:
            until = report.until_ns - self.wall
        self.engine.hear(session, report, self.now, until=until)
        self._heard = True

    # --- what befalls it

    def _befall(self, one: Any) -> None:
        self.tell(f"--- {one.what} {one.which} until {one.until / MS:.1f}")
        self.tally[one.what] += 1
        getattr(self, f"_{one.what}")(one)

    def _dark(self, one: Any) -> None:
        self.wires.dark((0, 1, 2, 3), one.at, one.until)

    def _line(self, one: Any) -> None:
        self.wires.dark((one.which,), one.at, one.until)

    def _cut(self, one: Any) -> None:
        if self.engine is not None:
            self.paths[one.which].cut(self.now)

    def _die(self, one: Any) -> None:
        self.venue.kill(one.which, self.now)
        self._at(one.until, self.venue.order_gateways[one.which].revive)

    def _forget(self, one: Any) -> None:
        self.venue.kill(one.which, self.now, forget=True)
        self._at(one.until, self.venue.order_gateways[one.which].revive)

    def _dead_for_long(self, one: Any) -> None:
        self._die(one)

    def _die_in_between(self, one: Any) -> None:
        self.venue.order_gateways[one.which].kill_after(self.random.randrange(1, 4))
        self._at(one.until, self.venue.order_gateways[one.which].revive)

    def _storm(self, one: Any) -> None:
        gateway = self.venue.order_gateways[one.which]
        gateway.faults = OrderFaults(refuse=RATE * 9 // 10)
        self._at(one.until, lambda: setattr(gateway, "faults", NONE if self.ended else self.script.orders))

    def _stall(self, one: Any) -> None:
        if self.engine is not None:
            self.paths[one.which].stall(one.at, one.until, min(one.until - one.at, 60 * MS))

    def _clock(self, one: Any) -> None:
        self.clock_off = self.random.choice((None, 50 * MS, -50 * MS))
        self._at(one.until, lambda: setattr(self, "clock_off", 0))

    def _crash(self, one: Any) -> None:
        """Kill the process: of its journal remains what was handed over, and perhaps more."""
        if self.engine is None:
            return
        cut = self.random.randrange(self.handed, len(self.journal) + 1)
        del self.journal[cut:]
        for path in self.paths:
            path.die(self.now)
        self.engine, self.books = None, None
        self._at(max(one.until, self.now + 20 * MS), self._born)

    def _kill(self, one: Any) -> None:
        if self.engine is not None:
            self._latch = Thrown("somebody", "to see what happens", self.now)
            self.engine.kill(self._latch.by, self._latch.why, self.now)
            self.judge.killed(self.now)

    def _halt(self, one: Any) -> None:
        number = (PERPETUAL, FUTURE, CALL, PUT)[one.which]
        self._exchange(self.venue.exchange.halt(number, self.wall + self.now, halted=True))
        self._at(one.until, lambda: self._exchange(
            self.venue.exchange.halt(number, self.wall + self.now, halted=False)))  # fmt: skip

    def _jump(self, one: Any) -> None:
        index = self.venue.exchange.trading.index + self.random.choice((-1, 1)) * 150 * NANO
        self._exchange(self.venue.exchange.move(index, self.wall + self.now))

    def _exchange(self, outcome: Any) -> None:
        self.venue.board.route(outcome, self.now)
        self.venue.tell(self.now)

    def _at(self, when: int, what: Any) -> None:
        self._later.append((when, what))

    def _end(self) -> None:
        """Let everything work again, and everything leave."""
        self.tell("--- the end")
        self.ended = True
        self.wires.spoil(Faults(delay_ns=200_000, jitter_ns=100_000))
        for gateway in self.venue.order_gateways:
            gateway.faults = NONE
            gateway._lives = None
            gateway.revive()
        self.clock_off = 0
        self.venue.pace(0, self.now)
        if self.engine is None:
            self._at(self.now + 200 * MS, self._end)
            return
        self.paths[2].refuses = 0.0
        self.engine.kill("the end", "it is late", self.now)
        if self.judge._killed is None:
            self.judge.killed(self.now)

    # --- time

    def run(self) -> "World":
        """Let time pass until the books are settled, or too much of it has."""
        begun, before, stuck = False, -1, 0
        while self.now < END_NS + CALM_NS and not (self.ended and self.is_settled):
            self.now = max(self.now, self._deadline())
            if not begun and self.now >= self.script.happenings[0].at if self.script.happenings else False:
                begun = True
                self.wires.spoil(self.script.feed)
                for gateway in self.venue.order_gateways:
                    gateway.faults = self.script.orders
            self._turn()
            stuck = stuck + 1 if self.now == before else 0
            before = self.now
            if stuck > 1_000:
                self.judge.wrong.append(f"{self.now / MS:.3f} ms: nothing lets time go on")
                break
        self._settle()
        return self

    @property
    def is_settled(self) -> bool:
        """Say whether nothing is under way any more."""
        engine = self.engine
        if engine is None or self._agenda or self._later:
            return False
        if engine.account.orders.open_count or self.venue.exchange.trading.orders.count("mm"):
            return False
        return engine.account.agrees and not engine.account.orders.suspects and all(path.is_up for path in self.paths)

    def _deadline(self) -> int:
        self._venue_due = self.venue.deadline
        times = [self._venue_due, self.wires.deadline, self.judge.deadline]
        times += [path.deadline for path in self.paths]
        times += [when for when, _ in self._later] + [one.at for one in self._agenda[:1]]
        if self.books is not None:
            times.append(self.books.deadline)
        if self.engine is not None:
            times.append(self.engine.deadline)
        return min(times)

    def _turn(self) -> None:
        now, venue = self.now, self.venue
        while self._agenda and self._agenda[0].at <= now:
            self._befall(self._agenda.pop(0))
        for one in [one for one in self._later if one[0] <= now]:
            self._later.remove(one)
            one[1]()
        if self._venue_due <= now:
            venue.wake(now)
        for path in self.paths:
            if path.deadline <= now or path.is_orphan:
                path.turn(now)
        for path in self.paths[:2]:
            path.drain(now)
        self.wires.send(now)
        self.wires.turn(now, self.books)
        if self.books is not None and self.engine is not None:
            self._read(self.books, self.engine)
        if self.judge.deadline <= now:
            self.judge.wake(now)

    def _read(self, books: Books, engine: Engine) -> None:
        """Let the engine see what has changed, and do what it does; see that no fault went unseen."""
        since = self.wires.missing_since(books.delivery.as_of + 1)
        touched, sequence, bad = books.changed(tuple(self.contracts))
        if bad:
            self._fault(books, since)
        elif self.now - since > DETECT_NS and books.is_live:
            self.judge.wrong.append(f"{self.now / MS:.3f} ms: a loss of {since / MS:.3f} ms was not seen")
        if touched:
            engine.touch(touched, sequence)
        if touched or self._heard or self.clock_off != self._clock_was:
            self._heard, self._clock_was = False, self.clock_off
            engine.step(self.now, self.wall + self.now, self.clock_off)
        elif engine.deadline <= self.now:
            engine.wake(self.now, self.wall + self.now, self.clock_off)

    def _fault(self, books: Books, since: int) -> None:
        begin = min(since, self.now)
        silent = books.silence.since == self.now
        if silent:
            begin = self.now - books.silence.limit_ns
        self.tell(f"--- a feed fault of {begin / MS:.3f} is seen")
        wrong = self.now - begin > DETECT_NS
        if wrong:
            self.judge.wrong.append(f"{self.now / MS:.3f} ms: a loss of {begin / MS:.3f} ms was seen late")
        clear = self._is_clear()
        until = self.now + (WAY_NS if clear else ORDER_NS)
        self.judge.fault(begin, self.now, until, "a feed fault", clear=clear)

    def _is_clear(self) -> bool:
        """Say whether nothing is or was wrong with the way to the venue, so that a cancel arrives and is done."""
        since, until = self.now - SETTLED_NS, self.now + WAY_NS
        wrong = any(one.what in ON_THE_WAY and one.at < until and one.until > since for one in self.script.happenings)
        refuses = self.script.orders.refuse and not self.ended
        return not wrong and not refuses and all(path.is_up for path in self.paths)

    # --- the end

    def _settle(self) -> None:
        """Hold our books against the venue's."""
        wrong, engine, exchange = self.judge.wrong, self.engine, self.venue.exchange
        if engine is None:
            wrong.append("nobody is there at the end")
            return
        account = engine.account
        if not self.is_settled:
            wrong.append(f"not settled: {self._unsettled()}")
        theirs = exchange.listed("mm")
        held = {one.instrument: one.quantity for one in theirs.positions}
        ours = {one: account.positions[one].quantity for one in account.positions if account.positions[one].quantity}
        if held != ours:
            wrong.append(f"the venue says that we hold {held}, we say {ours}")
        if theirs.orders:
            wrong.append(f"{len(theirs.orders)} orders rest at the end: {theirs.orders[0]}")
        sums = account.positions.totals("BTC")
        cash = sums.realised - sums.basis
        if cash != self.judge.cash():
            wrong.append(f"our cash is {cash}, our executions come to {self.judge.cash()}")
        ledger = exchange.trading.ledger.accounts["mm"]
        basis = sum(h.basis for n, h in ledger.holdings.items() if exchange.trading.ledger.terms[n].margined)
        flow = ledger.cash["BTC"] - DEPOSIT + ledger.fees.get("BTC", 0) - basis
        bound = sum(
            10**6 // 2 + one.quantity for one in self.judge.fills if not self.contracts[one.instrument].is_option
        )
        if abs(flow - cash * 10**6) > bound:
            wrong.append(f"our cash is {cash}e-18, the venue's {flow}e-24")
        wrong += check(exchange.trading) + audit(self.judge.steps)

    def _unsettled(self) -> str:
        assert self.engine is not None
        account = self.engine.account
        ups = [path.is_up for path in self.paths]
        states = Counter(order.state.name for order in account.orders.open())
        return (
            f"{dict(states)}, at the venue {self.venue.exchange.trading.orders.count('mm')}, agrees {account.agrees}, "
            f"suspects {account.orders.suspects}, up {ups}, findings {account.reconciled and account.reconciled.findings}"
        )

    def tell(self, what: str) -> None:
        """Say what happens, where somebody listens."""
        if self._said is not None:
            self._said(f"{self.now / MS:10.3f} {what}")


def main() -> int:
    """Run worlds from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", default="0:30", metavar="FIRST:END")
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    first, end = map(int, given.seeds.split(":")) if given.seed is None else (given.seed, given.seed + 1)
    tally: Counter[str] = Counter()
    failed, pulled, closest, took = 0, {True: [], False: []}, {}, time.process_time()
    for seed in range(first, end):
        world = World(seed, said=print if given.trace else None).run()
        tally += world.tally + Counter(
            steps=world.judge.counts.steps,
            asked=world.judge.counts.asked,
            faults=world.judge.counts.faults,
            own_fills=world.judge.counts.fills,
        )
        for clear, took_ns in world.judge.counts.pulled_ns:
            pulled[clear].append(took_ns)
        for what, share in world.judge.counts.closest.items():
            closest[what] = max(closest.get(what, 0.0), float(share))
        if world.judge.wrong:
            failed += 1
            print(f"seed {seed}:", *world.judge.wrong[:4], sep="\n    ")
    took = time.process_time() - took
    for clear, words in ((True, "the way clear"), (False, "the way troubled")):
        times = sorted(pulled[clear]) or [0]
        shares = [f"{times[len(times) * share // 100] / MS:.1f}" for share in (50, 99)]
        print(
            f"quotes out after a feed fault, {words}: {len(times)}, p50 {shares[0]}, p99 {shares[1]}, max {times[-1] / MS:.1f} ms"
        )
    print("limits used:", closest)
    print(f"{end - first} worlds, {failed} wrong, {took / (end - first) * 1000:.1f} ms each", dict(tally))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
