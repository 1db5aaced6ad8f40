"""The hot step that `[engine.hot]` asks for: which instrument leads, whose quotes follow, by which session they go.

    hot = hot_engine(parts, engine, sessions.links)     None where it is not asked for

What leads is what the pricer follows first of all that never expires in an underlying (a perpetual before a spot);
`lead` chooses among underlyings. It may be what hedges, too. All options of that underlying follow that one quoter has
and that the session's venue trades. Other quoters, other underlyings and futures stay with the full pass.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from netfeed.app.trading.engine_build import Plan
from netfeed.engine.chains import underlyings
from netfeed.engine.contract import Contract
from netfeed.engine.engine import Engine
from netfeed.engine.hot_engine import HotEngine
from netfeed.engine.quoter import Quoter
from netfeed.errors import ConfigurationError, MisuseError

SendRows = Callable[[Any, int, int, int], None]


class Link(Protocol):
    """A session that may take quotes in rows (`session_link.SessionLink`)."""

    number: int
    name: str
    venue: str
    config: Any

    def rows(self, instruments: Sequence[int]) -> SendRows:
        """Give what sends them."""


def hot_engine(plan: Plan, engine: Engine, links: Sequence[Link]) -> HotEngine | None:
    """Put the hot step in front of an engine. Raises: ConfigurationError with what does not fit the contracts."""
    said = plan.config.hot
    if said is None:
        return None
    able = [one for one in links if one.config.protocol == "starbase" and said.session in (None, one.name)]
    if not able:
        raise ConfigurationError("engine.hot: it writes Starbase's mass quotes, and there is no such session")
    link = able[0]
    for lead in _leads(plan):
        for desk in engine.desks:
            options = [one for one in sorted(desk.instruments) if _follows(plan.contracts[one], lead, link.venue)]
            if options and isinstance(desk.strategy, Quoter):
                try:
                    return HotEngine(
                        engine, desk, session=link.number, group=plan.config.group, lead=lead.index,
                        instruments=options, send=link.rows(options),
                    )  # fmt: skip
                except MisuseError as error:
                    raise ConfigurationError(f"engine.hot: {error}") from None
    led = "none of the contracts that never expire" if said.lead is None else said.lead
    raise ConfigurationError(f"engine.hot.lead: no quoted options of {link.venue} follow {led}")


def _leads(plan: Plan) -> Iterator[Contract]:
    """Give what may lead: of each underlying what its worths follow first, or the one of these that is named."""
    said = plan.config.hot
    for one in underlyings(plan.contracts.values()):
        for first in one.spots[:1]:
            if said is None or said.lead in (None, first.name):
                yield first


def _follows(one: Contract, lead: Contract, venue: str) -> bool:
    return one.is_option and one.underlying == lead.underlying and one.venue == venue
