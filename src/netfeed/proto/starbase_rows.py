"""Mass quotes of a Starbase session from an array of quotes: the way of the hot step, compiled or its plain twin.

    quotes = QuoteRows(listed, [3, 4, 7])            instruments by slot
    client.send_rows(quotes, rows, count, client_id, group, now)

What goes out is what `Client.send` makes of the same MassQuote, byte for byte.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from netfeed.book.execution import NONE, Ask, Flag
from netfeed.build import select
from netfeed.errors import MisuseError
from netfeed.proto.starbase_requests import Asked, bits_of
from netfeed.proto.starbase_terms import Instruments
from netfeed.wire.starbase_codes import MessageType
from netfeed.wire.starbase_orders import MAX_QUOTES, PRICE_EXPONENT
from netfeed.wire.starbase_quotes import TERMS

if TYPE_CHECKING:
    from netfeed.wire.starbase_quotes import QuoteFrames
else:
    QuoteFrames = select("quote", "netfeed.wire.starbase_quotes", "QuoteFrames")

Array = np.ndarray[Any, Any]


class QuoteRows:
    """What writes the quotes of these instruments, by slot; id and flags are those of the session's `Client`.

    Raises: MisuseError for an instrument that is not listed, or whose prices are finer than the wire's.
    """

    def __init__(
        self, listed: Instruments, instruments: Sequence[int], *, self_match_id: int = 0, quote_flags: Flag = NONE
    ) -> None:
        terms = [listed.ours(instrument) for instrument in instruments]
        if not terms or any(one.price_exponent < PRICE_EXPONENT for one in terms):
            raise MisuseError("rows are of instruments whose prices are of 1e-9 or coarser, one at least")
        rows = [(one.venue_id, 10 ** (one.price_exponent - PRICE_EXPONENT), one.quantity_exponent) for one in terms]
        self.frames = QuoteFrames(np.array(rows, TERMS), self_match_id, bits_of(quote_flags))
        self._instruments = tuple(instruments)

    def asked(self, rows: Array, count: int, client_id: int) -> list[Asked]:
        """Say what the messages of so many rows ask, one a message, without their fields."""
        if count <= MAX_QUOTES:
            return [Asked(MessageType.MASS_QUOTE, {}, client_id, Ask.QUOTE)]
        slots = rows["slot"][:count].tolist()
        named = [self._instruments[slot] for slot in slots]
        parts = (tuple(named[at : at + MAX_QUOTES]) for at in range(0, count, MAX_QUOTES))
        return [Asked(MessageType.MASS_QUOTE, {}, client_id, Ask.QUOTE, part) for part in parts]
