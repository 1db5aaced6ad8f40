"""What the exchange of a simulated venue can be told to do, in words.

    exchange index 91000                   the index is elsewhere: marks move, and who cannot keep up is liquidated
exchange halt BTC-PERPETUAL            an instrument takes no orders; `exchange open BTC-PERPETUAL` ends that
exchange settle                        gains and losses of futures are paid at their marks, as once a day
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_trading import Outcome
from netfeed.units import parse_decimal
from netfeed.wire.starbase import PRICE_EXPONENT

if TYPE_CHECKING:
    from netfeed.sim.wired_venue import WiredVenue


def exchange(wired: "WiredVenue", words: Sequence[str], now: int) -> None:
    """Do what the words say.

    Raises: ValueError; IndexError when something is missing; MisuseError when the venue has no accounts.
    """
    venue, _ = wired.taker()
    venue.board.route(_done(venue.exchange, words, venue.wall(now)), now)
    venue.tell(now)


def _done(one: Exchange, words: Sequence[str], wall_ns: int) -> Outcome:
    match [words[0].lower(), *words[1:]]:
        case ["settle"]:
            return one.settle(wall_ns)
        case ["index", price]:
            index = parse_decimal(price, PRICE_EXPONENT)
            if index <= 0:
                raise ValueError(f"an index is more than nothing, not {price}")
            return one.move(index, wall_ns)
        case ["halt" | "open" as what, name]:
            return one.halt(_named(one, name), wall_ns, halted=what == "halt")
    raise ValueError("an exchange can `settle`, `halt` NAME, `open` NAME, or have its `index` at a PRICE")


def _named(one: Exchange, name: str) -> int:
    names = {market.instrument.name: number for number, market in one.trading.markets.items()}
    if name not in names or names[name] in one.trading.ledger.ended:
        raise ValueError(f"there is no instrument {name} that trades")
    return names[name]
