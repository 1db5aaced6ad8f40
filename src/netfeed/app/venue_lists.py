"""How each venue is asked what it lists: a question over WebSocket, or an address over HTTP, and what is no answer.

Deribit    public/get_instruments                              (docs.deribit.com)
Kraken     the `instrument` channel                            (docs.kraken.com, Spot WebSocket v2)
Binance    GET exchangeInfo, one page                          (developers.binance.com)
OKX        GET public/instruments, one page; options are listed by family only      (www.okx.com/docs-v5)
Bybit      GET market/instruments-info, pages by a cursor; of options those of BTC unless another coin is named
           (bybit-exchange.github.io/docs/v5/market/instrument)
Coinbase   GET market/products, one page                       (docs.cdp.coinbase.com)
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec

from netfeed.app.configuration import Venue
from netfeed.app.venue_kind import UNREADABLE
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.venues import binance, bybit, deribit_json, kraken
from netfeed.venues.entries import Listed

QUESTION: Final = 1
"""The id of the first request."""
ANY: Final = "any"
"""The currency of who wants them all."""


class _Answer(msgspec.Struct):
    """What tells an answer from other messages."""

    id: int | str | None = None
    channel: str = ""
    method: str = ""
    success: bool = True
    error: msgspec.Raw = msgspec.Raw()


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def _answering(is_answer: Callable[[_Answer], bool], read: Callable[[Buffer], Listed]) -> Callable[
    [Buffer], Listed | None
]:  # fmt: skip
    def instruments(message: Buffer) -> Listed | None:
        try:
            answer = _ANSWER.decode(message)
        except UNREADABLE:
            return None
        return read(message) if is_answer(answer) else None

    return instruments


def deribit_question(config: Venue) -> bytes:
    """Ask Deribit for its instruments."""
    params = {"currency": config.currency, "expired": False}
    asked = {"jsonrpc": "2.0", "id": QUESTION, "method": "public/get_instruments", "params": params}
    return msgspec.json.encode(asked)


deribit_instruments: Final = _answering(lambda answer: answer.id == QUESTION, deribit_json.instruments)
"""Reads Deribit's answer."""


def kraken_question(config: Venue) -> bytes:
    """Ask Kraken for its pairs."""
    return kraken.instruments_request(QUESTION)


def _is_kraken_list(answer: _Answer) -> bool:
    """Say whether a message is the list. Raises: WireError when it is not to be had."""
    if answer.method == "subscribe" and not answer.success:
        said = bytes(answer.error)[:200].decode(errors="replace")
        raise WireError("instrument", offset=0, found=said, wanted="the list of pairs")
    return answer.channel == "instrument"


kraken_instruments: Final = _answering(_is_kraken_list, kraken.instruments)
"""Reads Kraken's answer: the snapshot of the channel."""


def product(config: Venue) -> binance.Product:
    """Give which of Binance's markets is meant."""
    return binance.USDM if config.category == "usdm" else binance.SPOT


def binance_list(config: Venue) -> str:
    """Give the address of Binance's list."""
    return f"https://{product(config).fetch_host}{product(config).instruments_target}"


def okx_list(config: Venue) -> str:
    """Give the address of OKX's list: of options, those of one family."""
    category = config.category or "SPOT"
    family = f"&instFamily={config.currency}-USD" if category == "OPTION" else ""
    return f"https://openapi.okx.com/api/v5/public/instruments?instType={category}{family}"


def bybit_list(config: Venue) -> str:
    """Give the address of Bybit's list, its first page."""
    coin = "" if config.currency == ANY else f"&baseCoin={config.currency}"
    category = config.category or "spot"
    return f"https://api.bybit.com/v5/market/instruments-info?limit={bybit.PAGE}&category={category}{coin}"


def bybit_more(target: str, page: Buffer) -> str | None:
    """Give the target of the page behind one of Bybit's, None behind the last.

    A cursor comes as it stands in a target, with percent signs; what could not stand there is quoted.
    """
    cursor = bybit.next_cursor(page)
    return f"{target.partition('&cursor=')[0]}&cursor={quote(cursor, safe='%')}" if cursor else None


def coinbase_list(config: Venue) -> str:
    """Give the address of Coinbase's list."""
    return "https://api.coinbase.com/api/v3/brokerage/market/products"
