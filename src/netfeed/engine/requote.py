"""The hot step: which quotes change when the underlying moves; compiled, or its plain twin (`quote_step`)."""

from typing import TYPE_CHECKING

from netfeed.build import select

if TYPE_CHECKING:
    from netfeed.engine.quote_step import QuoteStep
else:
    QuoteStep = select("quote", "netfeed.engine.quote_step", "QuoteStep")

__all__ = ["QuoteStep"]
