"""What must be sent so that what rests becomes what is wanted: cancels first, then what moves, then what is new.

Wants and orders of a side are paired: the same price first, then the best with the best. Then, by what the venue can:

    a pair that is equal                    nothing
    less quantity at the same price         Amend, which keeps the place in the queue
    another price, or more                  Amend (`Amends.ALWAYS`: one message, and never two orders for one want),
                                            or Cancel, and New once that is answered (`Amends.SHRINK`)
    an order that nobody wants              Cancel; of an order whose New nobody answered yet as well
    a want without an order                 New
    a want of a mass quote                  one Quote with both sides whole, several instruments in one MassQuote

One request an order is under way at most: what has one waits, but for a Cancel. A price that would trade with an order
of our own, or with one that may still rest there, waits until that is gone. An order that is leaving may yet be filled,
and keeps one want waiting. What is UNCERTAIN is left alone and holds the place of its want: nothing is sent twice. An
IOC is sent when there is no order of its side at all.

Nothing is remembered here but counters: whoever sends the requests shows them in the view (SENT, LEAVING,
`asked_price`) before he asks again. The caller gives the ids, rising and never one twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from netfeed.book.execution import MAX_QUOTES, Amend, Cancel, MassQuote, New, Quote, Request, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.engine.placing import meets, reach
from netfeed.engine.strategy import Phase, Targets, View, Want, Working


class Amends(Enum):
    """What a venue's amendments are good for."""

    NEVER = 0
    SHRINK = 1  # only for less quantity at the same price
    ALWAYS = 2


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a venue can do. `mass_quotes` False: the sides of quotes are orders like others."""

    amends: Amends = Amends.ALWAYS
    mass_quotes: bool = True
    quotes: int = MAX_QUOTES
    """Instruments in one MassQuote."""


REFUSALS: Final = ("off tick", "off lot", "no contract", "two quotes of a side", "meets our own")
"""Why a want is not sent, whatever rests: it makes no sense."""


UNNUMBERED: Final = 0
"""The client id of a New until its place among the requests is known: ids rise in the order in which they are sent."""


class Differ:
    """Turn targets into requests. `ids` gives client ids; `group` the protection group of an instrument's quotes."""

    def __init__(self, abilities: Abilities, ids: Callable[[], int], group: Callable[[int], int] = lambda _: 0) -> None:
        self._abilities = abilities
        self._ids = ids
        self.group = group
        self._refused: Counter[str] = Counter()
        self._waited = 0

    def requests(self, view: View, targets: Targets) -> list[Request]:
        """Say what to send for the instruments of `targets`, in the order in which to send it."""
        cancels: list[Cancel] = []
        moves: list[Amend] = []
        news: list[New] = []
        quotes: list[Quote] = []
        for instrument, given in targets.items():
            wants = self._sound(view.contracts.get(instrument), given)
            orders = view.working(instrument)
            plain, quoted = self._split(wants)
            for request in self._of_orders(instrument, orders, plain):
                if isinstance(request, Cancel):
                    cancels.append(request)
                elif isinstance(request, Amend):
                    moves.append(request)
                else:
                    news.append(request)
            quotes.extend(self._of_quotes(instrument, orders, quoted))
        pulls = [quote for quote in quotes if _pulls(quote)]
        rest = [quote for quote in quotes if not _pulls(quote)]
        numbered = (replace(new, client_id=self._ids()) for new in news)
        return [*self._mass(pulls), *cancels, *self._mass(rest), *moves, *numbered]

    def statistics(self) -> Mapping[str, int]:
        """Count the wants that made no sense, by reason, and those that had to wait."""
        return {**self._refused, "waited": self._waited}

    # --- what makes sense

    def _sound(self, contract: Contract | None, wants: Iterable[Want]) -> list[Want]:
        sound: list[Want] = []
        for want in wants:
            meeting = any(one.side is not want.side and meets(want.side, want.price, one.price) for one in sound)
            why = "meets our own" if meeting else _nonsense(contract, want)
            if why is None:
                sound.append(want)
            else:
                self._refused[why] += 1
        return sound

    def _split(self, wants: Sequence[Want]) -> tuple[list[Want], dict[Side, Want]]:
        """Part the wants of orders from those of quotes, of which there is one a side."""
        if not self._abilities.mass_quotes:
            return list(wants), {}
        quoted: dict[Side, Want] = {}
        for want in wants:
            if want.quote and want.side in quoted:
                self._refused["two quotes of a side"] += 1
            elif want.quote:
                quoted[want.side] = want
        return [want for want in wants if not want.quote], quoted

    # --- orders

    def _of_orders(
        self, instrument: int, orders: Sequence[Working], wants: Sequence[Want]
    ) -> Iterator[New | Amend | Cancel]:
        if not wants and all(order.quote for order in orders):
            return
        for side in Side:
            ours = [order for order in orders if order.side is side and not order.quote]
            wanted = [want for want in wants if want.side is side]
            if _is_there(ours, wanted):
                continue
            taking = _taking(wanted)
            pairs, unwanted, missing = pair(ours, [want for want in wanted if want not in taking])
            yield from (Cancel(order.client_id, instrument) for order in unwanted if _may_cancel(order))
            for order, want in pairs:
                yield from self._of_pair(order, want, orders)
            leaving = sum(order.phase is Phase.LEAVING for order in ours)
            self._waited += min(leaving, len(missing))
            for want in [*missing[leaving:], *([] if ours else taking)]:
                if not self._waits(want.side, want.price, orders):
                    yield New(
                        UNNUMBERED, instrument, side, want.price, want.quantity, want.time_in_force, want.flags
                    )  # fmt: skip

    def _of_pair(self, order: Working, want: Want, orders: Sequence[Working]) -> Iterator[Amend | Cancel]:
        if (order.price, order.quantity) == (want.price, want.quantity) or not order.settled:
            return
        shrinks = order.price == want.price and want.quantity < order.quantity
        amends = self._abilities.amends
        if amends is Amends.NEVER or (amends is Amends.SHRINK and not shrinks):
            yield Cancel(order.client_id, order.instrument)
        elif not self._waits(want.side, want.price, orders):
            yield Amend(order.client_id, order.instrument, want.price, want.quantity + order.filled)

    def _waits(self, side: Side, price: int, orders: Sequence[Working]) -> bool:
        waits = any(order.side is not side and any(meets(side, price, at) for at in reach(order)) for order in orders)
        self._waited += waits
        return waits

    # --- quotes

    def _of_quotes(self, instrument: int, orders: Sequence[Working], wanted: Mapping[Side, Want]) -> Iterator[Quote]:
        """Say the quote of an instrument anew when a side is another; it replaces both, in one step."""
        rests = [order for order in orders if order.quote]
        if not wanted:
            if any(_may_cancel(order) for order in rests):
                yield Quote(instrument, None, 0, None, 0)
            return
        # while one is unanswered there may be two of a side: the one before, and the one that takes its place
        now = sorted((order.side, order.price, order.quantity) for order in rests)
        then = sorted((want.side, want.price, want.quantity) for want in wanted.values())
        if now == then or not all(order.settled for order in rests):
            return
        others = [order for order in orders if not order.quote]
        if any(self._waits(side, want.price, others) for side, want in wanted.items()):
            return
        bid, ask = wanted.get(Side.BID), wanted.get(Side.ASK)
        yield Quote(
            instrument, bid.price if bid else None, bid.quantity if bid else 0,
            ask.price if ask else None, ask.quantity if ask else 0,
        )  # fmt: skip

    def _mass(self, quotes: Sequence[Quote]) -> Iterator[MassQuote]:
        groups: dict[int, list[Quote]] = {}
        for quote in quotes:
            groups.setdefault(self.group(quote.instrument), []).append(quote)
        most = self._abilities.quotes
        for group, members in groups.items():
            for at in range(0, len(members), most):
                yield MassQuote(self._ids(), group, tuple(members[at : at + most]))


def pair(
    orders: Sequence[Working], wants: Sequence[Want]
) -> tuple[list[tuple[Working, Want]], list[Working], list[Want]]:
    """Pair the orders of one side with the wants of it; also give the orders and the wants that are left.

    An order that is leaving is in no list. What cannot be moved (UNCERTAIN, or asked for and unanswered) is paired
    first.
    """
    here = [order for order in orders if order.phase is not Phase.LEAVING]
    left, pairs = list(wants), []
    for order in sorted(here, key=lambda order: order.settled):
        same = next((want for want in left if want.price in reach(order)), None)
        if same is not None:
            left.remove(same)
            pairs.append((order, same))
    paired = {order.client_id for order, _ in pairs}
    rest = sorted((order for order in here if order.client_id not in paired), key=_standing)
    further = list(zip(rest, sorted(left, key=lambda want: _closeness(want.side, want.price)), strict=False))
    taken = [want for _, want in further]
    return pairs + further, rest[len(further) :], [want for want in left if want not in taken]


def _taking(wants: Sequence[Want]) -> list[Want]:
    """Give the wants that never rest."""
    return [want for want in wants if want.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)]


def _is_there(orders: Sequence[Working], wants: Sequence[Want]) -> bool:
    """Say whether a side is as it is wanted, by nothing or by one order: most are, and need no pairing."""
    if len(orders) > 1 or len(orders) != len(wants):
        return False
    return all(
        order.settled and (order.price, order.quantity) == (want.price, want.quantity) and want not in _taking(wants)
        for order, want in zip(orders, wants, strict=True)
    )


def _pulls(quote: Quote) -> bool:
    return quote.bid is None and quote.ask is None


def _standing(order: Working) -> tuple[bool, float]:
    return order.settled, _closeness(order.side, order.price)


def _closeness(side: Side, price: int | None) -> float:
    if price is None:
        return float("-inf")
    return -price if side is Side.BID else price


def _may_cancel(order: Working) -> bool:
    return order.phase in (Phase.RESTS, Phase.SENT)


def _nonsense(contract: Contract | None, want: Want) -> str | None:
    if contract is None:
        return "no contract"
    if want.price <= 0 or want.price % contract.tick_at(want.price):
        return "off tick"
    if want.quantity <= 0 or want.quantity % contract.lot:
        return "off lot"
    return None
