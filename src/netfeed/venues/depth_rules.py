"""The rules of a venue's books, as a table: how its messages are numbered, what is summed, where a snapshot comes from.

Every venue with numbers of its own reduces to a pair (before, number) that `chain.Chain` judges:

    numbering    before                      number          venue
    BEFORE       what the message names      its number      Deribit, OKX, Binance USD-M
    FIRST        its first number, less one  its last        Binance spot
    ONE          its number, less one        its number      Bybit
    LINE         the connection counts       -               Coinbase: a hole touches every book of the connection
    NOTHING      -                           -               Kraken: the checksum says whether all was told

Books without numbers of their own follow one line at a time, because two of them cannot be told apart; another line
takes over when the first one leaves, with a snapshot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from zlib import crc32

from netfeed.book import LevelBook
from netfeed.book.level import Side
from netfeed.feed.dialect import Fetch
from netfeed.venues.depth_shape import Shape
from netfeed.venues.depth_text import Entry, Flaw, Refused

MOST_OLD = 256
"""So many copies in a row, and nothing new: the venue counts anew, and what looks old is not."""


class Numbering(IntEnum):
    """How a message names the one before it."""

    BEFORE = 0
    FIRST = 1
    ONE = 2
    LINE = 3
    NOTHING = 4


class Summing(Enum):
    """What a checksum is made of."""

    NOTHING = "there is none"
    DIGITS = "CRC32 of the digits of the ten best asks, then bids (Kraken)"
    TEXT = "CRC32 of the text of 25 levels, a bid and an ask in turn, with colons between (OKX until 2026)"


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Snapshots that are fetched over HTTP: what to ask for a topic, and how the answer looks."""

    shape: Shape
    ask: Callable[[str], Fetch]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a venue's books obey. `depth`: the levels of a side that the venue keeps, 0 for all of them.

    `restart`: the number of a message that is a snapshot whatever it says. `fetch` None: the stream brings snapshots.
    """

    shape: Shape
    numbering: Numbering
    straddle: bool = False
    summing: Summing = Summing.NOTHING
    depth: int = 0
    restart: int | None = None
    fetch: Snapshots | None = None

    @property
    def numbered(self) -> bool:
        """Say whether each book has numbers of its own."""
        return self.numbering < Numbering.LINE

    def pair(self, entry: Entry) -> tuple[int, int]:
        """Give the number before a message, and its own.

        Raises: Refused when it has none, or one that is not above it where numbers are counted.
        """
        before, number = entry.before, entry.number
        if self.numbering is Numbering.FIRST:
            before = None if entry.first is None else entry.first - 1
        elif self.numbering is Numbering.ONE and number is not None:
            before = number - 1
        if before is None or number is None:
            raise Refused(Flaw.UNNUMBERED, entry.name)
        return before, number


SUMMED_DIGITS = 10
SUMMED_TEXT = 25


def digits_checksum(book: LevelBook) -> int:
    """Sum the digits of the ten best levels of both sides.

    At the exponents of the pair an integer is its decimal without the point and without leading zeros.
    """
    levels = book.depth(Side.ASK, SUMMED_DIGITS) + book.depth(Side.BID, SUMMED_DIGITS)
    numbers = [number for level in levels for number in (level.price, level.quantity)]
    return crc32("".join(str(number) for number in numbers if number > 0).encode("ascii"))


Texts = dict[tuple[Side, int], tuple[str, str]]


def text_checksum(book: LevelBook, texts: Texts) -> int:
    """Sum the levels as they were written: bid, ask, bid, ask and so on; signed. `texts` has each by side and price."""
    parts: list[str] = []
    bids, asks = book.depth(Side.BID, SUMMED_TEXT), book.depth(Side.ASK, SUMMED_TEXT)
    for place in range(SUMMED_TEXT):
        for side, levels in ((Side.BID, bids), (Side.ASK, asks)):
            if place < len(levels):
                parts += texts[side, levels[place].price]
    value = crc32(":".join(parts).encode("ascii"))
    return value - 2**32 if value >= 2**31 else value
