"""`netfeed latency run`: live percentiles of each stage of a handler, and a report of them."""

import argparse
import os
import sys
from typing import Any

from netfeed.cli import arguments as args
from netfeed.cli.config import add_set
from netfeed.cli.latency_output import add_output
from netfeed.cli.stopping import Stop

DENIED = 77
_EXAMPLES = """examples:
  netfeed latency run feed.toml --duration 1m              run a handler, and say where its time goes
  netfeed latency run --ring netfeed-trace                 attach to one that runs with `[trace] ring = "netfeed-trace"`
  netfeed latency run --ring netfeed-trace --per line -o stages.html --duration 10m

exit codes: 0 ok, 1 the handler died, 2 usage, 4 configuration, 69 no such ring, its writer is gone, or no packet came,
77 not permitted, 130/143 interrupted (with the report of what was measured)
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "run", help="live percentiles of each stage, from the kernel's stamp to the book and to the order",
        description="Measure a running handler by the stamps that it takes of packets on their way to the books, and "
        "that deciders take of their decisions and orders; or run one to be measured.",
        epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="run this configuration, with tracing on")
    parser.add_argument("--ring", metavar="NAME", help="attach to the handler that traces into this ring")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="measure so long (else until stopped)")
    parser.add_argument(
        "--interval", type=args.duration, default=1_000_000_000, metavar="TIME",
        help="tell how it stands so often, and columns of the heat map (default 1s)",
    )  # fmt: skip
    parser.add_argument("--per", choices=("channel", "line"), help="the distributions of each, too")
    add_set(parser)
    add_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.latency.deliver import deliver
    from netfeed.app.latency.run import Result, as_options, attach
    from netfeed.app.latency.run import run as run_handler
    from netfeed.app.latency.trace_rings import AttachError
    from netfeed.errors import ConfigurationError

    path: str | None = arguments.config or (None if arguments.ring else os.environ.get("NETFEED_CONFIG"))
    if (path is None) == (arguments.ring is None):
        raise ConfigurationError("name a configuration to run, or the --ring of a handler that runs: one of them")
    if arguments.interval < 1_000_000:
        raise ConfigurationError("--interval is 1ms or more")
    if arguments.ring and arguments.set:
        raise ConfigurationError("--set is for a configuration: a handler that runs has its own")
    options = as_options(arguments)
    with Stop() as stop:
        try:
            if path is None:
                result: Result | None = attach(arguments.ring, options, stop)
            else:
                result = run_handler(path, dict(arguments.set), options, stop)
        except AttachError as error:
            print(f"netfeed: {error}", file=sys.stderr)
            return DENIED if error.denied else error.code
        if result is not None:
            deliver(result.report, arguments)
    if stop():
        return stop.exit_code
    return result.code if result is not None else 0
