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
from pathlib import Path
from random import Random
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from netfeed.book.execution import Listed, New, Report, Tripped
from netfeed.book.level import Side
from netfeed.engine.engine import Engine
from netfeed.engine.journal import Began, Decided, Record, encode, last_run, read, replay
from netfeed.engine.kill_switch import Thrown
from netfeed.engine.order import Anomaly
from netfeed.machine import NEVER
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.faults import RATE
from netfeed.sim.order_faults import NONE, OrderFaults
from netfeed.sim.order_venue import OrderVenue, order_venue
from netfeed.sim.protection import Limits as Protected
from netfeed.sim.session_gateway import Key
from netfeed.sim.starbase_chain import NANO
from netfeed.sim.starbase_gateway import listed
from netfeed.sim.venue import Settings
from tests.engine.money_feed import CLEAN, DETECT_NS, HEARTBEAT_NS, Awaited, Books, Wires
from tests.engine.money_judge import Judge
from tests.engine.money_paths import MS, Distance, Lister
from tests.engine.money_paths import Path as OrderPath
from tests.engine.money_script import END_NS, Happening, script
from tests.engine.money_settlement import DEPOSIT, settle, unsettled
from tests.engine.money_trader import CALL, FUTURE, LIMITS, PERPETUAL, PUT, contract, engine, nobody

INSTRUMENTS: Final = 4
BORN_NS: Final = 20 * MS
CALM_NS: Final = 4_000 * MS
"""How long a world may take to settle when all works again."""
WAY_NS: Final = MS
"""The longest that a request takes to arrive, be done and be seen to be, while nothing is wrong with the way."""
ORDER_NS: Final = 250 * MS
"""The same while something is: a stall, a storm, a cut that the venue has not noticed yet."""
SETTLED_NS: Final = 400 * MS
"""So long after that something of it may be left: an order in doubt, a connection that nobody has given up."""
BUNCHED_NS: Final = 70 * MS
"""By so much a stall can bunch requests that were sent at their pace."""
ON_THE_WAY: Final = frozenset({
    "cut", "die", "forget", "die_in_between", "dead_for_long", "storm", "stall", "crash", "kill",
})  # fmt: skip


class World:
    """One world. `said` is told what happens, where somebody listens."""

    calm_ns = CALM_NS
    judged = LIMITS
    """The limits that the judge holds the account to; what the engine was given are LIMITS."""

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
        self.venue.exchange.join("mm", Permit(groups=groups), DEPOSIT)
        self.wall = settings.wall_ns
        markets = self.venue.exchange.trading.markets
        self.contracts = {number: contract(market.instrument) for number, market in markets.items()}
        slack = (LIMITS.rate or 0) * BUNCHED_NS // 10**9 + 1
        self.judge = Judge(self.venue, self.contracts, self.judged, slack=slack)
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
        self._listed = False
        self._heard = True
        self._clock_was: int | None = None
        self._venue_due = 0
        self._busy = True

    # --- the process

    def _born(self) -> None:
        """Begin a run with what the journal says, and nothing else."""
        records, tail = read(bytes(self.journal))
        if tail.why and not tail.is_torn:
            self.judge.wrong.append(f"the journal is broken: {tail.why}")
        del self.journal[tail.offset :]
        account = replay(records, nobody(self.contracts))
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
        books = {number: self._book(number) for number in self.contracts}
        self.engine = engine(
            account, self.paths, books, run, self.script, record=self._record, killed=self._latch
        )  # fmt: skip
        self.tell(f"run {run} begins with {len(records)} records")

    def _make_paths(self, run: int, sides: dict[int, Side]) -> None:
        terms = self.venue.exchange.trading.ledger.terms
        made = listed(self.venue.exchange)
        self.paths = [
            OrderPath(
                number, number - 1, self.venue, made, self._hear, self.random, run=run, sides=sides,
                distance=Distance(self.script.way), clock=lambda: self.now,
            )
            for number in (1, 2)
        ]  # fmt: skip
        lister = Lister(3, self.venue, terms, self._hear, self.random, clock=lambda: self.now)
        lister.most_ns, lister.refuses = self.script.list_ns, 0.0 if self.ended else self.script.list_refuses
        self.paths.append(lister)

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
            self.judge.passed(record.request, self.now, units, self._live())  # type: ignore[arg-type]
            self.tell(f"{record.request}")
        if self.random.random() < 0.5:
            self.handed = len(self.journal)

    def _live(self) -> set[int]:
        """Give the instruments whose books are LIVE, whatever the engine makes of them."""
        assert self.books is not None
        books = {number: self.books.book(number) for number in self.contracts}
        return {number for number, book in books.items() if book is not None and book.quotable}

    def _hear(self, session: int, report: Report) -> None:
        if self.engine is None:
            return
        self.tally[type(report).__name__] += 1
        self._listed = self._listed or (self.ended and isinstance(report, Listed))
        self.tell(f"  {session}: {report}")
        until = NEVER
        if isinstance(report, Tripped) and report.until_ns is not None:
            until = report.until_ns - self.wall
        self.engine.hear(session, report, self.now, until=until)
        if isinstance(report, Listed) and self.ended:
            self._look_up(self.engine)
        self._heard = True

    def _look_up(self, engine: Engine) -> None:
        """Let a person hand in the venue's list of trades, where a gateway has forgotten some that it had to tell."""
        if self.tally["forget"] and Anomaly.POSITION in engine.account.orders.suspects.values():
            self.tally["looked up"] += 1
            for fill in self.judge.fills:
                engine.hear(3, fill, self.now)

    # --- what befalls it

    def _befall(self, one: Happening) -> None:
        self.tell(f"--- {one.what} {one.which} until {one.until / MS:.1f}")
        self.tally[one.what] += 1
        getattr(self, f"_{one.what}")(one)

    def _dark(self, one: Happening) -> None:
        self.wires.dark((0, 1, 2, 3), one.at, one.until)

    def _line(self, one: Happening) -> None:
        self.wires.dark((one.which,), one.at, one.until)

    def _cut(self, one: Happening) -> None:
        if self.engine is not None:
            self.paths[one.which].cut(self.now)

    def _die(self, one: Happening) -> None:
        self.venue.kill(one.which, self.now)
        self._at(one.until, self.venue.order_gateways[one.which].revive)

    def _forget(self, one: Happening) -> None:
        self.venue.kill(one.which, self.now, forget=True)
        self._at(one.until, self.venue.order_gateways[one.which].revive)

    def _dead_for_long(self, one: Happening) -> None:
        self._die(one)

    def _die_in_between(self, one: Happening) -> None:
        self.venue.order_gateways[one.which].kill_after(self.random.randrange(1, 4))
        self._at(one.until, self.venue.order_gateways[one.which].revive)

    def _storm(self, one: Happening) -> None:
        gateway = self.venue.order_gateways[one.which]
        gateway.faults = OrderFaults(refuse=RATE * 9 // 10)
        self._at(one.until, lambda: setattr(gateway, "faults", NONE if self.ended else self.script.orders))

    def _stall(self, one: Happening) -> None:
        if self.engine is not None:
            self.paths[one.which].stall(one.at, one.until, min(one.until - one.at, 60 * MS))

    def _clock(self, one: Happening) -> None:
        self.clock_off = self.random.choice((None, 50 * MS, -50 * MS))
        self._at(one.until, lambda: setattr(self, "clock_off", 0))

    def _crash(self, one: Happening) -> None:
        """Kill the process: of its journal remains what was handed over, and perhaps more."""
        if self.engine is None:
            return
        cut = self.random.randrange(self.handed, len(self.journal) + 1)
        del self.journal[cut:]
        for path in self.paths:
            path.die(self.now)
        self.engine, self.books = None, None
        self._at(max(one.until, self.now + 20 * MS), self._born)

    def _kill(self, one: Happening) -> None:
        if self.engine is not None:
            self._latch = Thrown("somebody", "to see what happens", self.now)
            self.engine.kill(self._latch.by, self._latch.why, self.now)
            self.judge.killed(self.now)

    def _halt(self, one: Happening) -> None:
        number = (PERPETUAL, FUTURE, CALL, PUT)[one.which]
        self._exchange(self.venue.exchange.halt(number, self.wall + self.now, halted=True))
        self._at(one.until, lambda: self._exchange(
            self.venue.exchange.halt(number, self.wall + self.now, halted=False)))  # fmt: skip

    def _jump(self, one: Happening) -> None:
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
        self.wires.spoil(CLEAN)
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
        while self.now < END_NS + self.calm_ns and not (self.ended and self.is_settled):
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
        if engine is None or self._agenda or self._later or not self._listed:
            return False
        if engine.account.orders.open_count or self.venue.exchange.trading.orders.count("mm"):
            return False
        return engine.account.agrees and not engine.account.orders.suspects and all(path.is_up for path in self.paths)

    def _deadline(self) -> int:
        if self._busy:
            self._venue_due, self._busy = self.venue.deadline, False
        times = [self._venue_due, self.wires.deadline, self.judge.deadline]
        times += [path.deadline for path in self.paths]
        times += [when for when, _ in self._later] + [one.at for one in self._agenda[:1]]
        if self.books is not None:
            times.append(self.books.deadline)
        if self.engine is not None:
            times.append(self.engine.deadline)
        return min(times)

    def _turn(self) -> None:
        now = self.now
        while self._agenda and self._agenda[0].at <= now:
            self._befall(self._agenda.pop(0))
            self._busy = True
        for one in [one for one in self._later if one[0] <= now]:
            self._later.remove(one)
            one[1]()
            self._busy = True
        if self._venue_due <= now:
            self.venue.wake(now)
            self._busy = True
        for path in self.paths:
            if path.deadline <= now or path.is_orphan:
                path.turn(now)
                self._busy = True
        if self.wires.up.deadline <= now:
            self._busy = True
        if self._busy:
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
        if self.now - begin > DETECT_NS:
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
        if not self.is_settled:
            ups = [path.is_up for path in self.paths]
            self.judge.wrong.append(f"not settled: {unsettled(self.engine, self.venue.exchange, ups)}")
        self.judge.wrong += settle(self.judge, self.engine, self.venue.exchange, self.contracts)

    def tell(self, what: str) -> None:
        """Say what happens, where somebody listens."""
        if self._said is not None:
            self._said(f"{self.now / MS:10.3f} {what}")


def main() -> int:
    """Run worlds from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, help="one world")
    parser.add_argument("--seeds", default="0:30", metavar="FIRST:END", help="many (default: %(default)s)")
    parser.add_argument("--trace", action="store_true", help="tell what happens")
    given = parser.parse_args()
    first, end = map(int, given.seeds.split(":")) if given.seed is None else (given.seed, given.seed + 1)
    tally, pulled, closest, failed, began = Counter[str](), [], {}, 0, time.process_time()
    for seed in range(first, end):
        world = World(seed, said=print if given.trace else None).run()
        counts = world.judge.counts
        tally += world.tally + Counter(steps=counts.steps, asked=counts.asked, faults=counts.faults, ours=counts.fills)
        pulled += counts.pulled_ns
        closest = {what: max(share, closest.get(what, 0.0)) for what, share in (closest | counts.closest).items()}
        if world.judge.wrong:
            failed += 1
            print(f"seed {seed}:", *world.judge.wrong, sep="\n    ")
    took_ms = (time.process_time() - began) / (end - first) * 1000
    for clear, words in ((True, "clear"), (False, "troubled")):
        print(
            f"quotes out after a feed fault, the way {words}: {_spread([one for is_, one in pulled if is_ is clear])}"
        )
    print("limits used:", {what: round(share, 3) for what, share in closest.items()})
    print(f"{end - first} worlds, {failed} wrong, {took_ms:.1f} ms each", dict(tally))
    return 1 if failed else 0


def _spread(times: list[int]) -> str:
    if not times:
        return "none"
    ordered = [one / MS for one in sorted(times)]
    return f"{len(times)}, p50 {ordered[len(times) // 2]:.1f}, max {ordered[-1]:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
