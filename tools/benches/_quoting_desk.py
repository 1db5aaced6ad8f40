"""Who quotes in `tick_to_order`: the engine's parts over one session, the plain way and the hot one."""

import socket
from collections.abc import Callable, Collection
from itertools import count
from time import monotonic_ns, time_ns
from typing import Any

import numpy as np

from benches._quoted_chain import CONTRACTS, FLAGS, GROUP, LISTED, OPTIONS, PERPETUAL, WALL_NS, fairs
from netfeed.app.trading.quote_shots import QuoteShots
from netfeed.book.execution import List, Listed, MassQuote, Quoted, Report
from netfeed.book.handle import OrderBook
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine import quote_step
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.desk import Desk
from netfeed.engine.door import Door
from netfeed.engine.forward import Forward, Source
from netfeed.engine.gate import Gate, GateSettings, Reason
from netfeed.engine.greeks import unit_delta
from netfeed.engine.hot_quotes import HotQuotes
from netfeed.engine.limits import Limits
from netfeed.engine.order import State
from netfeed.engine.quote_door import QuoteDoor, Went
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from netfeed.engine.strategy import Phase, Working
from netfeed.engine.targets import Abilities, Differ
from netfeed.engine.worth import moved_all
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_requests import bits_of
from netfeed.proto.starbase_rows import QuoteRows
from netfeed.wire import starbase_quotes

LIMITS = Limits(
    order_size={None: 100}, position={None: 10_000}, expiry=1e6, delta=1e6, gamma=1e6, vega=1e12, collar_ppm=50_000,
    open_orders=1_000, rate=1_000_000, burst=10_000, stale_ns=10**9, loss={"USD": 1e9}, clock_offset_ns=10**6,
)  # fmt: skip
SETTINGS = QuoterSettings((Tier(1.0, 10),), half_ticks=2.0, requote_ticks=1)
TURN, CALLS, PLAIN, PURE = "turn", "calls", "plain", "pure"
PHASES = {State.NEW: Phase.SENT, State.PENDING: Phase.SENT, State.LIVE: Phase.RESTS, State.PARTIAL: Phase.RESTS}
ANSWER_S = 5.0


class QuotingDesk:
    """Books in, quotes out. `decided_ns` and `sent_ns`: of the last quotes. Units: ns since 1970."""

    def __init__(self, books: Any, numbers: dict[int, int], sink: socket.socket, way: str) -> None:
        self._sink, self._is_hot = sink, way != PLAIN
        self.board = Board(CONTRACTS)
        for contract in CONTRACTS:
            self.board.set_book(contract.index, OrderBook(books, numbers[contract.index]))
        self.account = Account({contract.index: contract for contract in CONTRACTS})
        self.risk = Risk(self.account, LIMITS)
        self._ids = count(1)
        quoter, self._gate = (
            Quoter(OPTIONS, SETTINGS),
            Gate(GateSettings(settle_ns=0), dict.fromkeys(OPTIONS, PERPETUAL)),
        )
        differ = Differ(Abilities(), self.take_id, lambda _: GROUP)
        self._desk = Desk(quoter, OPTIONS, self._gate, differ)
        self.client = Client(1, LISTED, monotonic_ns(), quote_flags=FLAGS)
        self._door = Door(self.account, 1, lambda request: self.client.send(request, self.board.now))
        self.mandates = self.risk.mandates(GROUP, OPTIONS)
        self._hot = HotQuotes(quoter, self.risk, self.mandates)
        self._rows = QuoteRows(LISTED, OPTIONS, quote_flags=FLAGS)
        self.quotes = QuoteDoor(self.account, 1, self.mandates, self.take_id, self._send_rows)
        self._bases, self._lead = fairs(monotonic_ns()), 0.0
        self._perpetual = self.board.book(PERPETUAL)
        if way == PURE:
            self._be_plain()
        self.decided_ns = self.sent_ns = self.left = 0
        self._log_on()

    def _be_plain(self) -> None:
        """Have the plain twins of the hot step."""
        self.mandates._step = quote_step.QuoteStep(self.mandates.slots, self.mandates._limits)
        terms = [LISTED.ours(one) for one in OPTIONS]
        rows = [(one.venue_id, 10 ** (one.price_exponent + 9), one.quantity_exponent) for one in terms]
        self._rows.frames = starbase_quotes.QuoteFrames(np.array(rows, starbase_quotes.TERMS), 0, bits_of(FLAGS))

    def take_id(self) -> int:
        return next(self._ids)

    def _log_on(self) -> None:
        self.client.logon("key", "secret", monotonic_ns())
        self._flush()
        self.listen(lambda: self.client.state.value == "active")
        for request in (List(self.take_id()),):
            self.account.decide(request, 0)
            self.account.sent(request, 1, 0)
        self.account.apply(Listed(1, (), (), None), 0)
        self.risk.clock(0)
        for one in OPTIONS:
            self.risk.feel(
                one, unit_delta(CONTRACTS[one], self._bases[one]), self._bases[one].gamma, self._bases[one].vega
            )

    def shots(self, turn_class: Any, batch: Any, path: Any, books: Any, numbers: dict[int, int]) -> Any:
        """Give a turn that quotes by itself."""
        step, limits = self.mandates.arrays()
        slots = {numbers[one]: slot for slot, one in enumerate(OPTIONS)}
        self.turn = turn_class(
            batch, path, books, step, limits, self._rows.frames, book=numbers[PERPETUAL], scale=1e-9, slots=slots
        )
        self._shots = QuoteShots(self.turn, self._sink.fileno(), self.client, self._rows, self.quotes, self.mandates)
        return self.turn

    # --- a packet has changed books

    def aim(self) -> None:
        """Let the turn that follows quote."""
        if not self._shots.aim(monotonic_ns()):
            raise ValueError("nothing may be quoted")

    def fired(self) -> bool:
        """Take down what a turn has quoted; say whether it was anything."""
        self.decided_ns, self.sent_ns = self.turn.decided_ns, self.turn.sent_ns
        self._lead = self.turn.lead
        return self._took(self._shots.took(monotonic_ns()))

    def react(self) -> bool:
        """Quote anew; say whether anything went."""
        bid, ask = self._perpetual.bid, self._perpetual.ask
        if bid is None or ask is None or self._perpetual.state is not BookState.LIVE:
            raise ValueError("the perpetual has no market")
        self._lead = 0.5 * (bid.price * 1e-9 + ask.price * 1e-9)
        if self._is_hot:
            return self._took(self.quotes.move(self._lead, monotonic_ns()))
        return self.full()

    def _took(self, went: Went) -> bool:
        self.left += len(went.left)
        self._known()
        self._show([] if went.request is None else [one.instrument for one in went.request.quotes])
        return went.request is not None

    def full(self, lead: float | None = None) -> bool:
        """Go the plain way: worths, gates, quoter, differ, risk, door; say whether anything went."""
        self._lead = lead or self._lead
        self._known()
        requests = self._desk.step(self.board, {PERPETUAL, *OPTIONS})
        for request in requests:
            if isinstance(request, MassQuote):
                self._see(quote.instrument for quote in request.quotes)
            verdict = self.risk.pass_(request, self.board.now)
            if verdict.cleared is None or verdict.refusals:
                raise ValueError(f"risk refuses: {verdict.refusals}")
            self._door.send(verdict.cleared, self.board.now)
        self.decided_ns = time_ns()
        self._flush()
        self._show(OPTIONS)
        return bool(requests)

    def _known(self) -> None:
        now = monotonic_ns()
        self.board.at(now, WALL_NS, 0)
        self.board.set_fairs(moved_all(self.board.contracts, self._bases, Forward(self._lead, 1.0, Source.SPOT, now)))

    def _see(self, instruments: Any) -> None:
        for one in instruments:
            book, fair = self.board.book(one), self.board.fair(one)
            bid, ask = book.bid, book.ask
            self.risk.see(one, Seen(
                self.board.now, book.state is BookState.LIVE, None if bid is None else bid.price,
                None if ask is None else ask.price, None if fair is None else round(fair.value * 1e9),
            ))  # fmt: skip

    def _send_rows(self, rows: Any, number: int, client_id: int, group: int) -> None:
        self.client.send_rows(self._rows, rows, number, client_id, group, monotonic_ns())
        self.decided_ns = time_ns()
        self._flush()

    def _flush(self) -> None:
        for frame in self.client.transmit():
            if self._sink.send(frame) != len(frame):
                raise ValueError("the sink does not read")
        self.sent_ns = time_ns()

    # --- what comes back

    def listen(self, until: Callable[[], bool]) -> None:
        """Read what the venue says until that is enough."""
        self._sink.settimeout(ANSWER_S)
        while not until():
            data = self._sink.recv(1 << 16)
            if not data:
                raise ValueError("the venue has closed")
            now = monotonic_ns()
            for event in self.client.receive(data, now):
                if isinstance(event, Report):
                    self.account.apply(event, now)
                    if isinstance(event, Quoted):
                        self._show([instrument for instrument, _, _ in event.sides])
        self._sink.setblocking(False)

    def answered(self) -> None:
        """Wait until every quote rests, and be ready for the next move."""
        self.listen(lambda: all(order.state is State.LIVE for order in self.account.orders.open()))
        if self._is_hot:
            self.prepare()

    def prepare(self) -> int:
        """Do what follows a full pass: see the market, ask for mandates."""
        self._see(OPTIONS)
        opened = [one for one in OPTIONS if self._gate.look(self.board, one) is Reason.NONE]
        return self._hot.prepare(self.board, self._bases, self._lead, OPTIONS, opened)

    def _show(self, instruments: Collection[int]) -> None:
        for one in instruments:
            self.board.set_working(one, [
                Working(
                    order.client_id, one, order.side, order.price, order.quantity - order.filled, PHASES[order.state],
                    quote=True,
                )
                for side in Side for order in self.account.orders.at(one, side)
            ])  # fmt: skip
