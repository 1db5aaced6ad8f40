"""An engine with the hot step in front of it: whoever drives it calls this one for `step`, and `move` before it.

    hot.move(now, clock_off_ns)   behind `engine.touch`: what the underlying moves leaves at once, as far as mandated
    hot.step(now, wall_ns, ...)   the engine's own, and after it mandates for the next move
    hot.took(went, now)           where a turn of the transport has moved: what left is decided, sent and written down

Who has other things to do between a step and its mandates calls `engine.step`, and `prepare` until it says False.

One desk's quotes of one group over one session, led by one instrument that never expires. All else is the engine's, and
so are these quotes wherever a mandate is not there: the hot step only comes sooner. What it leaves is touched, so that
the step that follows looks at it.

What has been touched since the last step is looked at before a move: a book that cannot be believed any more takes its
mandate back, the hedge's takes those of all that it hedges, and the best prices are those of now. So does a clock of
which something else is known. Nothing leaves that the step which follows would not have sent.

What a strategy raises while it is asked for mandates ends as it does in a step: its quotes leave. What is raised in a
move kills, for nobody knows whether anything has left.

A quote that left is in the journal behind its bytes and before anything else (`quote_door` says why that may be). Where
it cannot be written down the kill switch is thrown, as for everything that cannot.
"""

from collections.abc import Sequence
from typing import Final

from netfeed.book.change import NO_PRICE
from netfeed.book.level import Side
from netfeed.engine.board import best
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine
from netfeed.engine.gate import Reason, two_sided
from netfeed.engine.hot_quotes import HotQuotes, is_on_grid
from netfeed.engine.quote_door import QuoteDoor, SendRows, Went
from netfeed.engine.quoter import Quoter
from netfeed.errors import MisuseError

RENEW_NS: Final = 300_000_000
"""A mandate that ends sooner is asked for anew: the engine looks at everything several times in that."""
AT_ONCE: Final = 8
"""Mandates that one `prepare` asks for, at some 100 us each: an answer of the venue does not wait for a whole chain."""


class HotEngine:
    """An engine whose `desk` quotes `instruments` in mass quotes of `group` over `session`; `lead` moves them."""

    def __init__(
        self, engine: Engine, desk: Desk, *, session: int, group: int, lead: int, instruments: Sequence[int],
        send: SendRows,
    ) -> None:  # fmt: skip
        if not isinstance(desk.strategy, Quoter) or not set(instruments) <= desk.instruments:
            raise MisuseError("the hot step moves the quotes of a `Quoter`, of instruments of its desk")
        self.engine, self._desk, self._session, self._lead = engine, desk, session, lead
        self.mandates = engine.risk.mandates(group, instruments)
        self._quotes = HotQuotes(desk.strategy, engine.risk, self.mandates)
        self.door = QuoteDoor(engine.account, session, self.mandates, engine.out.take_id, send, self._room)
        self.moves = self.left = 0
        self._moved_to: float | None = None
        self._steps, self._next, self._lacking = -1, 0, list[int]()
        engine.beside.append(self.counters)

    def step(self, now: int, wall_ns: int, clock_off_ns: int | None) -> None:
        """Do one pass of the engine, and be ready for the next move."""
        self.engine.step(now, wall_ns, clock_off_ns)
        while self.prepare():
            pass

    def prepare(self) -> bool:
        """Ask for some mandates that are missing since the last step; say whether more are."""
        lead, steps = self.price(), self.engine.count["steps"]
        is_new, self._steps = self._steps != steps, steps
        if self.engine.ready or lead is None:
            self._lacking = []
            self.mandates.void(None, "not_ready" if self.engine.ready else "lead")
            return False
        try:
            self._prepare(lead, is_new=is_new)
        except Exception as error:
            self._lacking = []
            self.mandates.void(None, "failed")
            self.engine.fail(self._desk, error)
        return bool(self._lacking)

    def _prepare(self, lead: float, *, is_new: bool) -> None:
        board, bases = self.engine.board, self.engine.pricer.bases()
        if is_new:
            self._quotes.drop_old(board, bases, lead)
            until = board.now + RENEW_NS
            turned = [*self.mandates.instruments[self._next :], *self.mandates.instruments[: self._next]]
            self._lacking = [one for one in turned if not self.mandates.has(one, until)]
        asked, self._lacking = self._lacking[:AT_ONCE], self._lacking[AT_ONCE:]
        if self._lacking:  # where steps come without a pause, everybody has a turn
            self._next = self.mandates.slot_of[self._lacking[0]]
        opened = [one for one in asked if self._is_open(one)]
        self._quotes.prepare(board, bases, lead, asked, opened)

    @property
    def wants(self) -> bool:
        """Say whether `prepare` has something to do: a step was done, or not all is asked for that it has left."""
        return self._steps != self.engine.count["steps"] or bool(self._lacking)

    @property
    def is_led(self) -> bool:
        """Say whether what leads was touched since the last step, and stands elsewhere than at the last move."""
        return self._lead in self.engine.board.touched and self.price() != self._moved_to

    def move(self, now: int, clock_off_ns: int | None) -> bool:
        """Let the quotes follow the underlying; say whether any left."""
        lead = self._moved_to = self.price()
        if lead is None or clock_off_ns != self.engine.board.clock_off_ns:
            self.mandates.void(None, "lead" if lead is None else "clock")
            return False
        self.moves += 1
        try:
            self._look()
            went = self.door.move(lead, now)
        except Exception as error:  # whether anything has left nobody knows
            self.mandates.void(None, "failed")
            self.engine.kill("the hot step", f"{type(error).__name__}: {error}", now)
            return False
        self.took(went, now)
        return went.request is not None

    def took(self, went: Went, now: int) -> None:
        """Take down what has left, and have the next step look at what did not."""
        if went.request is not None:
            self.engine.took(self._session, went.request, list(went.events), now)
        if went.left:
            self.left += len(went.left)
            self.engine.board.touch(went.left)

    def price(self) -> float | None:
        """Give the middle of what leads, None while its book cannot be believed."""
        book, contract = self.engine.board.book(self._lead), self.engine.board.contracts[self._lead]
        bid, ask = best(book, Side.BID), best(book, Side.ASK)
        if not two_sided(book) or bid is None or ask is None:
            return None
        return 0.5 * (contract.number(bid) + contract.number(ask))

    def counters(self) -> dict[str, int]:
        """Count by name: moves of the lead, what left and what did not, mandates and by what they were void."""
        mandates = self.mandates
        counts = {
            "hot_moves": self.moves, "hot_shots": self.door.sent, "hot_quotes": mandates.used, "hot_left": self.left,
            "hot_unsent": self.door.unsent, "hot_mandates_granted": mandates.granted,
            "hot_mandates_void": mandates.voided,
        }  # fmt: skip
        void = {f"hot_void_{by}": count for by, count in sorted(mandates.void_by.items()) if count}
        return counts | void | {f"hot_none_{why}": count for why, count in sorted(self._quotes.refused.items())}

    def _look(self) -> None:
        """Look at what was touched since the last step, as that which follows will."""
        board, gate, mandates = self.engine.board, self._desk.gate, self.mandates
        for one in board.touched:
            slot = mandates.slot_of.get(one)
            if slot is None:
                if one != self._lead and not two_sided(board.book(one)):
                    mandates.void(gate.dependents(one) & mandates.slot_of.keys(), "gate")
            elif not self._is_open(one):
                mandates.void((one,), "gate")
            else:
                self._take_tops(one, slot)

    def _take_tops(self, instrument: int, slot: int) -> None:
        """Bound a move by the best prices of now, or take the mandate back where these are off the grid."""
        board = self.engine.board
        contract, book = board.contracts[instrument], board.book(instrument)
        for side, name in ((Side.BID, "best_bid"), (Side.ASK, "best_ask")):
            top = best(book, side)
            if top is not None and not is_on_grid(contract, top):
                self.mandates.void((instrument,), "grid")
            else:
                self.mandates.slots[slot][name] = NO_PRICE if top is None else top

    def _room(self, now: int) -> int:
        """Say how many quotes the session takes now; none while the engine may not quote."""
        return 0 if self.engine.ready else self.engine.router.room(self._session, now)

    def _is_open(self, instrument: int) -> bool:
        gate, board = self._desk.gate, self.engine.board
        return gate.is_open(instrument) and gate.why(board, instrument) is Reason.NONE
