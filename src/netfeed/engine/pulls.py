"""How orders leave in the fewest messages: what is asked of a venue so that nothing of ours rests on some instruments.

    all that a venue has of ours           one CancelAll
    several orders of an instrument        CancelAll of the instrument
    quotes alone, of one group             one MassQuote without prices for all of its instruments
    one order                              Cancel

What was asked to leave already is not asked again; what is UNCERTAIN is, every `again_ns`: a cancel too many does no
harm, and whoever knows nothing of an order knows best to have it gone.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from netfeed.book.execution import MAX_QUOTES, Cancel, CancelAll, MassQuote, Quote, Request
from netfeed.engine.account import Account
from netfeed.engine.order import Key, Order, State
from netfeed.engine.targets import UNNUMBERED

_ASKED: Final = frozenset({State.NEW, State.CANCELING})
"""NEW: it is withdrawn where it is decided; CANCELING: it was asked."""
FEW: Final = 2
"""So many messages are not worth a CancelAll of the whole venue."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a venue's sessions have words for."""

    cancel_all: bool
    mass_quote: bool


class Pulls:
    """What to ask. Units: `again_ns` ns."""

    def __init__(self, account: Account, *, again_ns: int) -> None:
        self._account, self._again_ns = account, again_ns
        self._asked: dict[Key, int] = {}

    def requests(self, instruments: Collection[int], venue: str, words: Words, now: int) -> list[Request]:
        """Say what to send so that nothing rests on these instruments of a venue; client ids are the caller's."""
        orders = self._to_ask(instruments, now)
        if not orders:
            return []
        by_instrument: dict[int, list[Order]] = defaultdict(list)
        for order in orders:
            by_instrument[order.instrument].append(order)
        requests = list(_of_instruments(by_instrument, words))
        if words.cancel_all and len(requests) > FEW and self._is_all(instruments, venue):
            requests = [CancelAll(UNNUMBERED, venue=venue)]
        return requests

    def _to_ask(self, instruments: Collection[int], now: int) -> list[Order]:
        orders = [order for one in sorted(instruments) for order in self._account.orders.open(one)]
        asked = [order for order in orders if order.state not in _ASKED and self._may_ask(order, now)]
        for order in asked:
            if order.state is State.UNCERTAIN:
                self._asked[order.key] = now
        self._forget(now)
        return asked

    def _may_ask(self, order: Order, now: int) -> bool:
        at = self._asked.get(order.key) if order.state is State.UNCERTAIN else None
        return at is None or now - at >= self._again_ns

    def _forget(self, now: int) -> None:
        """Keep only what was asked lately: the others may be asked anyway."""
        if len(self._asked) > MAX_QUOTES:
            self._asked = {key: at for key, at in self._asked.items() if now - at < self._again_ns}

    def _is_all(self, instruments: Collection[int], venue: str) -> bool:
        resting = {order.instrument for order in self._account.orders.open()}
        return {one for one in resting if self._account.venue_of(one) == venue} <= set(instruments)


def _of_instruments(by_instrument: dict[int, list[Order]], words: Words) -> Iterable[Request]:
    groups: dict[int, list[int]] = defaultdict(list)
    for instrument, orders in by_instrument.items():
        quoted = {order.group for order in orders if order.group is not None}
        plain = [order for order in orders if order.group is None]
        if words.mass_quote and len(quoted) == 1 and not plain:
            groups[quoted.pop()].append(instrument)
        elif words.cancel_all and (quoted or len(plain) > 1):
            yield CancelAll(UNNUMBERED, instrument)
        else:
            for client_id in dict.fromkeys(order.client_id for order in orders):
                yield Cancel(client_id, instrument)
    for group, instruments in groups.items():
        for at in range(0, len(instruments), MAX_QUOTES):
            quotes = tuple(Quote(one, None, 0, None, 0) for one in instruments[at : at + MAX_QUOTES])
            yield MassQuote(UNNUMBERED, group, quotes)
