"""What risk must know of the market, told when it is needed and not before: of what is asked for, held, or rests.

A chain has a thousand worths that move with every tick of the underlying, and a request is about a few of them. So
what has changed is only noted (`changed`), and told of an instrument when something about it is decided (`look`), or
while it is held or rests (`keep`). What risk then knows is of the very step in which it judges.
"""

from collections.abc import Iterable
from math import isfinite, nan

from netfeed.book.state import BookState
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.contract import Contract
from netfeed.engine.greeks import unit_delta
from netfeed.engine.ours import top
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from netfeed.engine.strategy import Fair
from netfeed.errors import MisuseError


class Senses:
    """Tell risk of books and worths."""

    def __init__(self, account: Account, board: Board, risk: Risk) -> None:
        self._account, self._board, self._risk = account, board, risk
        self._changed: set[int] = set(board.contracts)

    def changed(self, instruments: Iterable[int]) -> None:
        """Note that these are worth something else, or nothing that is known."""
        self._changed.update(instruments)

    def look(self, instruments: Iterable[int]) -> None:
        """Tell all that is known of these now."""
        for instrument in instruments:
            if instrument in self._board.contracts:
                self._risk.see(instrument, self._seen(instrument))
                self._feel(instrument)

    def keep(self, resting: Iterable[int]) -> None:
        """Tell the sensitivities of what rests and is held, and the marks of what is held, where they have changed."""
        held = [one for one in self._account.positions if self._account.positions[one].quantity]
        for instrument in self._changed.intersection((*resting, *held)):
            self._feel(instrument)
            if self._account.positions[instrument].quantity:
                self.mark(instrument)

    def mark(self, instrument: int) -> None:
        """Value what is held at its worth; where that is not known, the mark before stays."""
        contract, fair = self._board.contracts.get(instrument), self._board.fair(instrument)
        price = None if contract is None else in_ticks(contract, fair)
        if price is not None:
            self._risk.mark(instrument, price)

    def _feel(self, instrument: int) -> None:
        if instrument not in self._changed:
            return
        self._changed.discard(instrument)
        contract, fair = self._board.contracts[instrument], self._board.fair(instrument)
        if fair is None or not fair.forward > 0:
            self._risk.feel(instrument, nan, nan, nan)
        elif contract.is_option:
            size = contract.multiplier
            self._risk.feel(instrument, unit_delta(contract, fair), fair.gamma * size, fair.vega * size)
        else:
            self._risk.feel(instrument, unit_delta(contract, fair), 0.0, 0.0)

    def _seen(self, instrument: int) -> Seen:
        """A book that is LIVE says what holds now; a worth is as old as its forward."""
        fair, now = self._board.fair(instrument), self._board.now
        try:
            book = self._board.book(instrument)
        except MisuseError:
            return Seen(now, False, None, None, None)
        at = now if fair is None else fair.forward_at_ns
        price = in_ticks(self._board.contracts[instrument], fair)
        return Seen(at, book.state is BookState.LIVE, top(book.bid), top(book.ask), price)


def in_ticks(contract: Contract, fair: Fair | None) -> int | None:
    """Give a worth as an integer price, None where it is none. Units: of the contract, not rounded to its ticks."""
    if fair is None or not isfinite(fair.value):
        return None
    return round(fair.value / 10.0**contract.price_exponent)
