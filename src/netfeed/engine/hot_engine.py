"""An engine with the hot step in front of it: whoever drives it calls this one for `step`, and `move` before it.

    hot.move(now)                 behind `engine.touch`: what the underlying moves leaves at once, as far as mandated
    hot.step(now, wall_ns, ...)   the engine's own, and after it mandates for the next move
    hot.took(went, now)           where a turn of the transport has moved: what left is decided, sent and written down

One desk's quotes of one group over one session, led by one instrument that never expires. All else is the engine's, and
so are these quotes wherever a mandate is not there: the hot step only comes sooner. What it leaves is touched, so that
the step that follows looks at it.

A quote that left is in the journal behind its bytes and before anything else (`quote_door` says why that may be). Where
it cannot be written down the kill switch is thrown, as for everything that cannot.
"""

from collections.abc import Sequence
from typing import Final

from netfeed.book.level import Side
from netfeed.engine.board import best
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine
from netfeed.engine.gate import Reason, two_sided
from netfeed.engine.hot_quotes import HotQuotes
from netfeed.engine.quote_door import QuoteDoor, SendRows, Went
from netfeed.engine.quoter import Quoter
from netfeed.errors import MisuseError

RENEW_NS: Final = 300_000_000
"""A mandate that ends sooner is asked for anew: the engine looks at everything several times in that."""


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

    def step(self, now: int, wall_ns: int, clock_off_ns: int | None) -> None:
        """Do one pass of the engine, and be ready for the next move."""
        self.engine.step(now, wall_ns, clock_off_ns)
        lead = self.price()
        if self.engine.ready or lead is None:
            self.mandates.void(None)
            return
        lacking = [one for one in self.mandates.instruments if not self.mandates.has(one, now + RENEW_NS)]
        opened = [one for one in lacking if self._is_open(one)]
        self._quotes.prepare(self.engine.board, self.engine.pricer.bases(), lead, lacking, opened)

    def move(self, now: int) -> bool:
        """Let the quotes follow the underlying; say whether any left."""
        lead = self.price()
        if lead is None:
            self.mandates.void(None)
            return False
        went = self.door.move(lead, now)
        self.engine.router.flush()
        self.took(went, now)
        return went.request is not None

    def took(self, went: Went, now: int) -> None:
        """Take down what has left, and have the next step look at what did not."""
        if went.request is not None:
            self.engine.took(self._session, went.request, list(went.events), now)
        if went.left:
            self.engine.board.touch(went.left)

    def price(self) -> float | None:
        """Give the middle of what leads, None while its book cannot be believed."""
        book, contract = self.engine.board.book(self._lead), self.engine.board.contracts[self._lead]
        bid, ask = best(book, Side.BID), best(book, Side.ASK)
        if not two_sided(book) or bid is None or ask is None:
            return None
        return 0.5 * (contract.number(bid) + contract.number(ask))

    def _room(self, now: int) -> int:
        """Say how many quotes the session takes now; none while the engine may not quote."""
        return 0 if self.engine.ready else self.engine.router.room(self._session, now)

    def _is_open(self, instrument: int) -> bool:
        gate, board = self._desk.gate, self.engine.board
        return gate.is_open(instrument) and gate.why(board, instrument) is Reason.NONE
