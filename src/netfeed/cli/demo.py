"""`netfeed demo`: all of netfeed on one screen, in one command, with nothing to configure."""

import argparse
import json
import sys
from typing import Any

from netfeed.cli import arguments as args

OK, DATA = 0, 3

_EXAMPLES = """examples:
  netfeed demo                              until Ctrl-C: nothing to configure, no privileges, nothing leaves this host
  netfeed demo --duration 20s --seed 7      so long, then the summary
  netfeed demo --duration 20s --json -q | jq .tick_to_order_ns

The same seed is the same venue: instruments, smile, what the crowd wants, when what is broken. It is not the same
trades: what our quotes meet depends on microseconds, and the crowd answers what it meets. Expiries follow the calendar.

The first Ctrl-C ends it in order: no more quotes, everything cancelled, reconciled, compared; a second one at once.
Where multicast does not loop (no books within 30 s), `netfeed doctor` says why.

exit codes: 0 all is equal to the venue's ledger at the end, 1 failure, 2 usage, 3 something is not equal,
130/143 stopped by a signal, and all is equal
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "demo", help="see all of it: a venue, a feed, an engine that quotes and hedges, faults", epilog=_EXAMPLES,
        description="Simulate an options venue on real sockets, receive its multicast lines, quote its chain, hedge "
        "the delta, break a line and an order gateway in the middle; then compare all with the venue's ledger.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--duration", type=args.duration, metavar="TIME", help="trade so long, as in 20s (until Ctrl-C)"
    )
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of the venue and its crowd (7)")
    parser.add_argument("-i", "--interface", default="lo", metavar="IF", help="where the multicast goes (lo)")
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object on standard output")
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.trading.demo import Demo, DemoOptions
    from netfeed.cli.stopping import Stop

    with Stop() as stop:
        options = DemoOptions(arguments.duration, arguments.seed, arguments.interface, arguments.quiet)
        outcome = Demo(options, stop).run()
    if outcome is None:
        return stop.exit_code
    if arguments.json:
        print(json.dumps(outcome.as_json()))
    if not arguments.quiet:
        print(outcome.words(), file=sys.stderr if arguments.json else sys.stdout)
    if not outcome.ok:
        return DATA
    return stop.exit_code if stop() else OK
