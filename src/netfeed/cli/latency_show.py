"""`netfeed latency show FILE.json`: a kept report once more, as text, JSON, a page or pictures."""

import argparse
from typing import Any

from netfeed.cli.latency_output import add_output

_EXAMPLES = """examples:
  netfeed latency show report.json                   as it was printed
  netfeed latency show report.json -o report.html    as one page that needs no network
  netfeed latency show report.json -o report.hlog    for the plotters of HdrHistogram
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "show", help="show a kept report again, or write it in another form", epilog=_EXAMPLES,
        description="Show a report that was kept with -o FILE.json, or write it in another form.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="a report that was kept with -o FILE.json; - is standard input")
    add_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.latency.deliver import deliver
    from netfeed.app.latency.read import read_report

    deliver(read_report(arguments.file), arguments)
    return 0
