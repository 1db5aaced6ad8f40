"""`netfeed replay --engine`: list what a capture trades, build the engine for it, and drive it through a second walk.

Two walks, because an engine knows its contracts before it begins: the first only lists, the second decides. Both read
the files from their beginning, so that standard input will not do.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from netfeed.app.engine_configuration import Fees
from netfeed.app.replay import Options, Replay
from netfeed.app.trading.replay_books import ReplayBooks
from netfeed.app.trading.replay_drive import EngineReplay
from netfeed.app.trading.replay_journal import ReplayJournal
from netfeed.app.trading.replay_listing import listing
from netfeed.app.trading.replay_summary import Json, summary
from netfeed.engine.contract import Contract
from netfeed.engine.engine import Engine
from netfeed.engine.journal import Record
from netfeed.engine.route import Route
from netfeed.errors import ConfigurationError
from netfeed.sim.fill_delay import Delay
from netfeed.sim.fill_ledger import FillLedger
from netfeed.sim.fill_model import USUAL, FillModel
from netfeed.sim.fill_route import FillRoute


@dataclass(frozen=True, slots=True)
class Built:
    """An engine, the instruments whose fills are hedges, and the currency of linear contracts."""

    engine: Engine
    hedges: Collection[int] = ()
    quote: str = "USD"


Records = Callable[[Record], None]
Builds = Callable[[Mapping[int, Contract], Mapping[int, Any], Route, Records], Built]
"""Whatever makes an engine of what can be traded, its books, its one session, and the journal that it writes."""


@dataclass(frozen=True, slots=True)
class FillSettings:
    """The fill model's numbers."""

    seed: int = 1
    request: Delay = USUAL
    report: Delay = USUAL
    fees: Fees = field(default_factory=Fees)


class EngineRun:
    """One run: everything that is needed for it, from the listing on. Raises: ConfigurationError, SourceError."""

    def __init__(
        self, options: Options, build: Builds, fill: FillSettings, *, journal: str | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        if "-" in options.files:
            raise ConfigurationError("standard input can be read only once, and this reads twice: give it a file")
        self.listing = listing(options, fill.fees, stop)
        contracts = self.listing.contracts
        if not contracts:
            raise ConfigurationError(
                "nothing that these files list can be traded: it takes ITCH, IEX, or Starbase with its "
                "definitions, and --instrument must match something"
            )
        self.replay = Replay(options, stop=stop)
        self.journal = ReplayJournal(journal)
        books = ReplayBooks(self.replay.catalogue, contracts)
        route = FillRoute()
        self.model = FillModel(
            contracts, books.late, seed=fill.seed, request=fill.request, report=fill.report
        )  # fmt: skip
        self.built = build(contracts, {one: self.model.book(one) for one in contracts}, route, self.journal.record)
        self.ledger = FillLedger(contracts, books.late, hedges=self.built.hedges, quote=self.built.quote)
        self.drive = EngineReplay(self.replay, books, self.built.engine, route, self.model, self.ledger)
        self.drive.on_begin.append(self.journal.begin)
        self._seed = fill.seed

    def finish(self) -> None:
        """Let what is under way arrive, and close the journal. Raises: OSError."""
        self.drive.finish()
        self.journal.close(whole=not self.replay.stopped)

    def summary(self) -> Json:
        """Give what came of it."""
        statistics = self.built.engine.statistics()
        counters = {
            **statistics.counters, "steps": statistics.steps, "hedges": statistics.hedges,
            "uncertain": statistics.uncertain,
            **{f"refused_{rule}": count for rule, count in statistics.refused.items()},
            **{f"odd_{anomaly.lower()}": count for anomaly, count in statistics.anomalies.items()},
        }  # fmt: skip
        return summary(
            self.replay, self.listing.contracts, self.model, self.ledger, seed=self._seed, counters=counters,
            ready=statistics.ready, journal=self.journal.path,
        )  # fmt: skip
