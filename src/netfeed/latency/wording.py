"""Values of a report as words: what a person reads of a fact, or of a cell under its column."""

import re
from typing import Final

from netfeed.latency.report import Value
from netfeed.units import duration_text

_NANOSECONDS: Final = re.compile(r"(_ns|,? ns| \(ns\))$")
"""How a name says that its values are nanoseconds: they are written with the unit that reads best."""


def printable(text: str) -> str:
    """Replace what is not printable by escapes: no name steers a terminal."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def heading(name: str) -> str:
    """Write the name of a column or a fact, without a unit that its values bring."""
    return printable(_NANOSECONDS.sub("", name) or name)


def worded(name: str, value: Value) -> str:
    """Write a value that stands under a name."""
    if isinstance(value, int | float) and not isinstance(value, bool) and _NANOSECONDS.search(name):
        return duration_text(round(value)) if abs(value) < 2**63 else "-"
    return value_text(value)


def value_text(value: Value) -> str:
    """Write a plain value."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else printable(value)
