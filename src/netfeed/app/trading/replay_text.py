"""The summary of a replay with an engine for people: first what the model takes for granted, then what came of it."""

from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from netfeed.app.clock import time_text
from netfeed.app.tables import printable, say
from netfeed.units import count_text, duration_text

MAX_INSTRUMENTS: Final = 40
_SOURCES: Final = ("net", "spread", "hedging", "inventory", "fees")
_COLUMNS: Final = ("fills", "maker_fills", "bought", "sold", "position", "realised", "unrealised", "fees", "net")
_PLACES: Final = 8
"""Decimals of money that are shown; --json has all of them."""


def print_summary(told: dict[str, Any], out: Console) -> None:
    """Print the summary."""
    say(out, f"fills are those of a model (seed {told['model']['seed']}), which assumes:")
    for assumption in told["model"]["assumptions"]:
        say(out, f"  - {assumption}")
    _print_run(told, out)
    if told["instruments"]:
        out.print(_instruments(told["instruments"]))
    if told["money"]:
        out.print(_money(told["money"]))


def _print_run(told: dict[str, Any], out: Console) -> None:
    if told["first_ns"] is not None:
        span = f"from {time_text(told['first_ns'])} to {time_text(told['last_ns'])}"
        say(out, f"{told['packets']:,} packets {span}, in {duration_text(told['elapsed_ns'])}")
    say(out, f"requests: {_counts(told['asked'])}; refused by the venue: {_counts(told['refused'])}")
    say(out, f"fills: {_counts(told['fills'])}; orders that rest at the end: {told['resting']:,}")
    if told["unclear"]:
        say(out, f"where the record could not tell, and we were not filled: {_counts(told['unclear'])}")
    ready = told["engine"]["ready"]
    say(out, f"the engine at the end: {f'does not quote: {ready}' if ready else 'quotes'}")
    if told["open_mark_outs"]:
        say(out, f"{count_text(told['open_mark_outs'], 'mark-out')} the record ended before")


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counted.items()) or "none"


def _instruments(rows: list[dict[str, Any]]) -> Table:
    table = _table("Fills by instrument", ("instrument", "currency"), _COLUMNS)
    most = sorted(rows, key=lambda row: -row["fills"])[:MAX_INSTRUMENTS]
    for row in most:
        table.add_row(Text(printable(row["instrument"])), row["currency"], *(_cell(row[name]) for name in _COLUMNS))
    if len(rows) > len(most):
        table.caption = f"and {len(rows) - len(most):,} more instruments (--json lists all)"
    return table


def _money(rows: list[dict[str, Any]]) -> Table:
    after = [duration_text(one["after_ns"]) for one in rows[0]["mark_outs"]]
    table = _table("Money by source", ("currency",), (*_SOURCES, *(f"mark-out {one}" for one in after)))
    for row in rows:
        outs = [f"{_cell(one['brought'])} ({one['fills']:,})" for one in row["mark_outs"]]
        table.add_row(Text(row["currency"]), *(_cell(row[name]) for name in _SOURCES), *outs)
    return table


def _table(title: str, left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name.replace("_", " "), justify="right")
    return table


def _cell(value: Any) -> str:
    """Write a count, or money cut to the decimals that are shown."""
    if isinstance(value, int):
        return f"{value:,}"
    whole, _, part = str(value).partition(".")
    part = part[:_PLACES].rstrip("0")
    return f"{whole}.{part}" if part else whole
