"""`[engine]` of a configuration, for a replay: what is live is the same, and the fill model stands for the sessions.

A file with nothing but `[engine]` will do, and so does the configuration of a live engine: its feeds, sessions, journal
and kill file are left alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from netfeed.app import config
from netfeed.app.configuration import Configuration
from netfeed.app.engine_configuration import Engine, check_engine
from netfeed.app.trading.engine_build import build, plan
from netfeed.app.trading.replay_journal import RUN
from netfeed.app.trading.replay_run import Builds, Built, Records
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract
from netfeed.engine.route import Route
from netfeed.errors import ConfigurationFileError


def read_engine(path: str, environment: Mapping[str, str] | None = None) -> Engine:
    """Read `[engine]` of a file. Raises: ConfigurationFileError with every mistake."""
    found = config.load(path, environment, judge=_judge).engine
    if found is None:
        raise ConfigurationFileError(f"{path}: engine: nothing says what to quote: it takes a section [engine]")
    return found


def builder(engine: Engine, path: str) -> Builds:
    """Give what makes the engine; a strategy of one's own is looked for beside the file."""
    folder = str(Path(path).parent)
    unmargined = replace(engine, limits=replace(engine.limits, margin_percent=None))  # the fill model has no margin

    def made(contracts: Mapping[int, Contract], books: Mapping[int, Any], route: Route, record: Records) -> Built:
        parts = plan(unmargined, list(contracts.values()), folder)
        hedges = {instrument for _, instruments in parts.hedging for instrument in instruments}
        return Built(build(parts, books, [route], record, ids=ClientIds(RUN)), hedges, engine.quote)

    return made


def _judge(found: Configuration) -> list[str]:
    """Judge the engine alone: whose account it is, and by which session, is the fill model's."""
    if found.engine is None:
        return []
    names = [one.name for one in found.channels] + [one.name for one in found.venues]
    feeds = [*names, *found.engine.accounts]
    return check_engine(found.engine, feeds, sorted(set(found.engine.accounts.values())) or ["fill model"])
