"""Hand a report over: text or JSON to standard output, files by their suffix, and where they are to standard error."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from typing import Final

from netfeed.latency import report_json
from netfeed.latency.hlog import hlog
from netfeed.latency.plot.sheet import headline, plots
from netfeed.latency.plot.svg import document
from netfeed.latency.report import Report
from netfeed.latency.report_html import report_html
from netfeed.latency.report_text import report_text
from netfeed.transport.sink import open_sink

WIDTH: Final = 80
"""Columns of a report that goes to a file or a pipe."""
WIDEST: Final = 120


def deliver(report: Report, arguments: argparse.Namespace) -> None:
    """Print a report as the options of `add_output` ask for, and write its files.

    Raises: SinkError, ReportError.
    """
    if arguments.json:
        print(report_json.dump(report).decode())
    elif not (arguments.quiet and arguments.output):
        print(report_text(report, width=_width(), blocks=_has_blocks()), end="")
    for path in arguments.output:
        write(report, path)
        if not arguments.quiet:
            print(f"netfeed: wrote {path}", file=sys.stderr)


def write(report: Report, path: str) -> None:
    """Write a report to a file, in the form that its suffix names; it gets its name when it is complete.

    Raises: SinkError, ReportError.
    """
    form = FORMS[os.path.splitext(path)[1].lower()]
    data = form(report)
    with open_sink(path) as sink:
        sink.write(data)


def _width() -> int:
    return min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDEST) if sys.stdout.isatty() else WIDTH


def _has_blocks() -> bool:
    try:
        "▁█".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _json(report: Report) -> bytes:
    return report_json.dump(report) + b"\n"


def _html(report: Report) -> bytes:
    return report_html(report).encode()


def _hlog(report: Report) -> bytes:
    return hlog(report).encode()


def _svg(report: Report) -> bytes:
    return document([headline(report), *plots(report)]).encode()


def _png(report: Report) -> bytes:
    from netfeed.app.latency.picture import png

    return png([headline(report), *plots(report)])


FORMS: Final[dict[str, Callable[[Report], bytes]]] = {
    ".json": _json,
    ".html": _html,
    ".svg": _svg,
    ".png": _png,
    ".hlog": _hlog,
}
