"""A process that trades until it is killed: account, risk, doors and sessions that are real, and a journal.

    python -m tests.app.trading.order_child FOLDER SEED PORT_A PORT_JSON MID KEEPS trade|settle plain|engine

`engine`: the engine decides, and around it stands what a run has (`Safety`); `plain`: anything that risk lets pass.
`settle`: it sends nothing new, asks until the venue agrees, prints what it holds and what rests, and ends.
"""

import json
import random
import sys
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from netfeed.app.configuration import Reconnect, Session, SessionInstrument
from netfeed.app.trading.order_tally import OrderTally
from netfeed.app.trading.restart import restart
from netfeed.app.trading.safety import Safety
from netfeed.app.trading.session_driver import Sessions
from netfeed.app.trading.session_link import SessionLink
from netfeed.app.trading.session_numbers import SessionNumbers
from netfeed.app.trading.session_places import instruments_of, traded_of
from netfeed.book import OrderBooks
from netfeed.book.execution import Amend, Cancel, Flag, List, New, Report, Request
from netfeed.book.handle import OrderBook
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.desk import Desk
from netfeed.engine.door import Door
from netfeed.engine.engine import Engine, EngineSettings
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.journal import Decided, Heard, Sent, Unsent, Woke
from netfeed.engine.kill_switch import KillSwitch
from netfeed.engine.limits import Limits
from netfeed.engine.order import State
from netfeed.engine.orders import ASKS
from netfeed.engine.pricer import Pricer, PricerSettings
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from netfeed.engine.router import Router
from netfeed.engine.strategy import Targets, View, Want
from netfeed.engine.targets import UNNUMBERED, Abilities, Differ
from tests.sim.exchange_room import PERPETUAL

SETTLE_NS = 50_000_000
ANSWER_NS = 500_000_000
QUICK = Reconnect(first=1_000_000, cap=2_000_000)
PATIENCE_S = 60


def sessions_of(port: int, listing: int, *, cancels: bool) -> list[Session]:
    perpetual = SessionInstrument(
        name="BTC-PERPETUAL", id=PERPETUAL, tick="0.5", lot="10", payoff="perpetual", underlying="BTC", inverse=True
    )  # fmt: skip
    shared: dict[str, Any] = {
        "venue": "sim", "key": "mm", "secret_env": "SECRET", "reconnect": QUICK, "instruments": [perpetual]
    }  # fmt: skip
    return [
        Session(
            name="a", protocol="starbase", endpoints=[f"tcp://127.0.0.1:{port}"], cancel_on_disconnect=cancels, **shared
        ),
        Session(name="json", protocol="deribit", endpoints=[f"ws://127.0.0.1:{listing}"], **shared),
    ]


class Trader:
    """One run of the process."""

    def __init__(self, folder: str, seed: int, configs: list[Session], mid: int) -> None:
        self.draw, self.mid = random.Random(seed), mid
        contracts = {index: replace(contract, venue="sim") for index, (_, contract) in instruments_of(configs).items()}
        self.lot = contracts[0].lot
        now = time.monotonic_ns()
        self.begun = restart(
            folder, lambda: Account(contracts, answer_ns=ANSWER_NS, settle_ns=SETTLE_NS), now, time.time_ns(),
            sessions={1: "sim", 2: "sim"}, compacts=False, size=2**16,
        )  # fmt: skip
        self.account = self.begun.account
        self.risk = Risk(self.account, Limits(open_orders=40))
        self.sessions = Sessions(configs, {"sim": traded_of(configs)}, {"SECRET": "secret-of-mm"}, hear=self.hear)
        self.orders, self.listing = self.sessions.links
        sides = {order.client_id: order.side for order in self.account.orders.open()}
        self.orders.keep(SessionNumbers(f"{folder}/a.numbers"), sides)
        self.doors = {link.number: Door(self.account, link.number, link.send) for link in self.sessions.links}
        self.asked = 0

    def hear(self, number: int, report: Report, now: int) -> None:
        self.begun.journal.record(Heard(now, report))
        self.account.apply(report, now)

    def send(self, request: Request, session: int) -> None:
        now = self.sessions.loop.clock()
        self.risk.see(0, Seen(at=now, live=True, bid=self.mid - 5, ask=self.mid + 5, fair=self.mid))
        cleared = self.risk.pass_(request, now).cleared
        if cleared is None:
            return
        self.begun.journal.record(Decided(now, 0, request))
        door, ask = self.doors[session], ASKS[type(request)]
        before = door.sent
        door.send(cleared, now)
        sent = Sent(now, session, ask, request.client_id)
        self.begun.journal.record(sent if door.sent > before else Unsent(now, ask, request.client_id))

    def turn(self) -> None:
        self.sessions.loop.turn(self.sessions.loop.clock() + 1_000_000)
        now = self.sessions.loop.clock()
        if now >= self.account.deadline:
            self.begun.journal.record(Woke(now))
            self.account.wake(now)
        doubt = not self.account.agrees or self.account.orders.uncertain or self.account.orders.suspects
        if doubt and self.listing.is_up and self.orders.is_up and now - self.asked > SETTLE_NS:
            self.asked = now
            self.send(List(self.begun.ids.take()), self.listing.number)
            self.listing.flush()

    def trade(self) -> None:
        """Do a few things at random, and hand them out in one write."""
        if not (self.orders.is_up and self.account.agrees):
            return
        for _ in range(self.draw.randrange(4)):
            self.send(self.wish(), self.orders.number)
        self.orders.flush()

    def wish(self) -> Request:
        resting = [one for one in self.account.orders.open() if one.state in (State.LIVE, State.PARTIAL)]
        choice = self.draw.random()
        price, quantity = self.mid + 5 * self.draw.randint(-6, 6), self.lot * self.draw.randint(1, 9)
        if resting and choice < 0.25:
            return Cancel(self.draw.choice(resting).client_id, 0)
        if resting and choice < 0.4:
            order = self.draw.choice(resting)
            return Amend(order.client_id, 0, price, order.filled + quantity, Flag.KEEP)
        return New(self.begun.ids.take(), 0, self.draw.choice(list(Side)), price, quantity, flags=Flag.KEEP)

    def is_settled(self) -> bool:
        orders = self.account.orders
        resting = all(one.state in (State.LIVE, State.PARTIAL) for one in orders.open())
        return self.account.agrees and not orders.uncertain and not orders.suspects and resting

    def told(self) -> str:
        orders = [[one.client_id, one.filled, one.quantity] for one in self.account.orders.open()]
        found = self.account.reconciled
        return json.dumps({
            "position": self.account.positions[0].quantity, "orders": sorted(orders), "notes": self.begun.notes,
            "found": [] if found is None else [str(one) for one in found.findings], "run": self.begun.ids.run,
            "uncertain": self.account.orders.uncertain,
            "refused": {one.value: count for one, count in self.risk.refused.items()},
        })  # fmt: skip


class Whims:
    """A strategy that wants something else each time, and nothing new once it shall come to rest."""

    def __init__(self, draw: random.Random, mid: int, lot: int) -> None:
        self.draw, self.mid, self.lot, self.rests = draw, mid, lot, False

    def decide(self, view: View, touched: Collection[int], /) -> Targets:
        if self.rests or 0 not in touched or self.draw.random() < 0.3:
            return {}
        return {0: [*self._side(Side.BID, -5), *self._side(Side.ASK, 5)]}

    def _side(self, side: Side, step: int) -> list[Want]:
        places = self.draw.sample(range(1, 7), self.draw.randrange(4))
        return [
            Want(side, self.mid + step * place, self.lot * self.draw.randint(1, 9), flags=Flag.KEEP) for place in places
        ]


class Lister:
    """A session that lists alone: the venue on these sockets tells no fills over JSON-RPC."""

    def __init__(self, link: SessionLink) -> None:
        self.link, self.number, self.name, self.venue = link, link.number, link.name, link.venue
        self.latency_ns: int | None = None

    @property
    def is_up(self) -> bool:
        return self.link.is_up

    def takes(self, request: Request, /) -> bool:
        return isinstance(request, List)

    def send(self, request: Request, /) -> None:
        self.link.send(request)

    def flush(self) -> None:
        self.link.flush()


class EngineTrader(Trader):
    """The same with an engine: it decides, sends, asks for lists and doubts by itself."""

    def __init__(self, folder: str, seed: int, configs: list[Session], mid: int) -> None:
        super().__init__(folder, seed, configs, mid)
        switch, contracts, books = KillSwitch(), self.account.contracts, OrderBooks()
        board = Board(contracts.values())
        board.set_book(0, OrderBook(books, books.add_book(BookState.LIVE)))
        for at, side in enumerate(Side):
            books.add(0, at + 1, side, mid + (-50 if side is Side.BID else 50), 1000)
        books.end()
        self.whims = Whims(self.draw, mid, self.lot)
        gate = Gate(GateSettings(settle_ns=0, needs_worth=False))
        desk = Desk(self.whims, [0], gate, Differ(Abilities(mass_quotes=False), lambda: UNNUMBERED))
        tally = OrderTally(self.begun.journal.record)
        self.engine: Engine | None = Engine(
            self.account, board, Risk(self.account, Limits(open_orders=40), switch=switch),
            Router(self.account, [self.orders, Lister(self.listing)]), Pricer(contracts.values(), PricerSettings()),
            self.begun.ids, desks=[desk], record=tally,
            settings=EngineSettings(list_ns=100_000_000, again_ns=SETTLE_NS),
        )  # fmt: skip
        self.safety = Safety(self.engine, switch, self.begun, tally, f"{folder}/kill", tell=lambda text: None)
        self.sequence = 0

    def hear(self, number: int, report: Report, now: int) -> None:
        assert self.engine is not None
        self.engine.hear(number, report, now)

    def turn(self) -> None:
        assert self.engine is not None
        self.sessions.loop.turn(self.sessions.loop.clock() + 1_000_000)
        now = self.sessions.loop.clock()
        self.sequence += 1
        self.engine.touch([0], self.sequence)
        self.engine.step(now, time.time_ns(), 0)
        self.safety.turn(now)

    def trade(self) -> None:
        """Nothing: the engine does."""

    def is_settled(self) -> bool:
        self.whims.rests = True
        return super().is_settled()


def main(folder: str, seed: str, port: str, listing: str, mid: str, keeps: str, what: str, who: str) -> None:
    configs = sessions_of(int(port), int(listing), cancels=keeps == "no")
    kind = EngineTrader if who == "engine" else Trader
    one = kind(folder, int(seed), configs, int(mid))
    one.sessions.open()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and not (what == "settle" and one.is_settled() and one.orders.is_up):
        one.turn()
        if what == "trade":
            one.trade()
    print(one.told(), flush=True)
    one.begun.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
