"""The venues that `netfeed run` can talk to, as one table; what stands in it is said in `venue_kind`.

Endpoints are the public ones of the venues' documents: docs.deribit.com; docs.kraken.com; developers.binance.com (the
futures' since "Important WebSocket Change Notice": books on /public); www.okx.com/docs-v5 (Overview, Production
services); bybit-exchange.github.io/docs/v5/ws/connect; docs.cdp.coinbase.com (Advanced Trade WebSocket).

Leaves out: what each venue says (`netfeed.venues`), and connections (`venue_link`).
"""

from collections.abc import Mapping
from typing import Final

from netfeed.app import venue_asked as asked
from netfeed.app import venue_books as books
from netfeed.app import venue_lists as lists
from netfeed.app.venue_kind import Kind
from netfeed.venues import binance, bybit, coinbase, deribit_json, kraken, okx

KINDS: Final[Mapping[str, Kind]] = {
    "deribit": Kind(
        lambda config: f"wss://{deribit_json.HOST}{deribit_json.PATH}", lists.deribit_instruments, books.of_deribit,
        asked.asking(asked.channels), question=lists.deribit_question, currencies=("",),
    ),
    "kraken": Kind(
        lambda config: f"wss://{kraken.HOST}{kraken.PATH}", lists.kraken_instruments, books.of_kraken,
        asked.asking(asked.pairs), question=lists.kraken_question, depths=lambda config: (kraken.DEPTH, *kraken.DEPTHS),
    ),
    "binance": Kind(
        lambda config: f"wss://{lists.product(config).host}{lists.product(config).path}", binance.instruments,
        books.of_binance, asked.asking(asked.params), listing=lists.binance_list,
        fetched=lambda config: f"https://{lists.product(config).fetch_host}", categories=("spot", "usdm"),
    ),
    "okx": Kind(
        lambda config: f"wss://{okx.HOST}:8443{okx.PATH}", okx.instruments, books.of_okx,
        asked.asking(asked.instruments), listing=lists.okx_list, categories=("SPOT", "SWAP", "FUTURES", "OPTION"),
        currencies=("OPTION",),
    ),
    "bybit": Kind(
        lambda config: f"wss://{bybit.HOST}{bybit.PATHS[config.category or 'spot']}", bybit.instruments,
        books.of_bybit, asked.asking(asked.arguments), listing=lists.bybit_list, more=lists.bybit_more,
        categories=tuple(bybit.PATHS), depths=lambda config: bybit.DEPTHS.get(config.category or "spot", ()),
        currencies=("linear", "inverse", "option"),
    ),
    "coinbase": Kind(
        lambda config: f"wss://{coinbase.HOST}{coinbase.PATH}", coinbase.instruments, books.of_coinbase,
        asked.asking(asked.products), listing=lists.coinbase_list,
    ),
}  # fmt: skip
"""By the name that the configuration gives them."""
