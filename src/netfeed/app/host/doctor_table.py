"""What the doctor found, for people: one row a finding, and where packets are lost, layer by layer."""

import sys
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from netfeed.app.host.doctor import Verdict
from netfeed.app.loss import LAYERS
from netfeed.app.tables import printable, say
from netfeed.host.finding import Finding, Level

_STYLES: Final = {Level.OK: "green", Level.UNKNOWN: "dim", Level.WARN: "yellow", Level.FAIL: "bold red"}
_WORDS: Final = {Level.OK: "ok", Level.UNKNOWN: "?", Level.WARN: "warn", Level.FAIL: "FAIL"}
_WHERE: Final = {
    "nic": "the card, and damaged frames", "kernel": "backlog, filters, checksums, memory", "socket": "full buffers",
    "queue": "received, and no room in the program", "sequence": "never came here",
}  # fmt: skip


def show(verdict: Verdict, out: Console, *, quiet: bool = False) -> None:
    """Print the verdict; `quiet` leaves out what is fine."""
    shown = [one for one in verdict.findings if not quiet or one.level > Level.UNKNOWN]
    topic = ""
    for one in shown:
        if one.topic != topic:
            topic = one.topic
            say(out, topic, "bold")
        _row(out, one)
    if any(one.topic == "loss" for one in verdict.findings):
        out.print(_layers(verdict))
    counts = {level: sum(one.level is level for one in verdict.findings) for level in Level}
    say(out, ", ".join(f"{counts[level]} {_WORDS[level]}" for level in Level if counts[level]))


def _row(out: Console, one: Finding) -> None:
    line = Text(f"  {_WORDS[one.level]:<5}", style=_STYLES[one.level])
    line.append(f"{printable(one.check):<22} {printable(one.found)}", style="")
    out.print(line, soft_wrap=True)
    if one.remedy:
        say(out, f"{'':30}{one.remedy}", "dim" if out.is_terminal else "")


def _layers(verdict: Verdict) -> Table:
    table = Table(title="Lost, by layer", title_justify="left")
    table.add_column("layer")
    for name in ("just now", "in all"):
        table.add_column(name, justify="right")
    table.add_column("where that is")
    for name in LAYERS:
        told = verdict.layers.get(name)
        ever, now = ("?", "?") if told is None else (f"{told[0]:,}", f"{told[1]:,}")
        table.add_row(name, now, ever, _WHERE[name])
    return table


def console() -> Console:
    """Open a console that does not wrap rows where there is no terminal."""
    from netfeed.app.tables import console as plain

    return plain(sys.stdout)
