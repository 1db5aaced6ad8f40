"""`netfeed latency compare`: is B faster than A, and is the difference more than noise?"""

import argparse
from typing import Any

from netfeed.cli.latency_output import add_output

_EXAMPLES = """examples:
  netfeed latency compare before.json after.json              one run each: only the noise within a run is known
  netfeed latency compare --a before*.json --b after*.json    several runs each: their spread is the noise
  netfeed latency compare --a a*.json --b b*.json --fail-if slower -o compared.html

exit codes: 0 compared, 1 a file is no report, 2 usage, or reports that cannot be compared, 3 --fail-if came true
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "compare", help="compare kept reports, with a verdict where the difference exceeds the noise",
        description="Compare the latencies of reports that were kept with -o FILE.json, percentile by percentile. B is "
        "said to be faster or slower than A only where the difference exceeds the noise.",
        epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("files", nargs="*", metavar="FILE", help="the report A and the report B; or --a and --b")
    parser.add_argument("--a", nargs="+", default=[], metavar="FILE", help="runs of the one side")
    parser.add_argument("--b", nargs="+", default=[], metavar="FILE", help="runs of the other")
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="of how labels are dealt out (default 1)")
    parser.add_argument("--fail-if", choices=("slower",), help="exit with 3 when B is slower anywhere")
    add_output(parser)
    parser.set_defaults(run=run)


def seed(text: str) -> int:
    """Read a seed."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise argparse.ArgumentTypeError(f"not a seed of 0 or more: {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.latency.compare import comparison
    from netfeed.app.latency.deliver import deliver
    from netfeed.app.latency.read import read_report
    from netfeed.latency.compare import SLOWER

    a, b = ([(path, read_report(path)) for path in side] for side in sides(arguments))
    report, rows = comparison(a, b, seed=arguments.seed)
    deliver(report, arguments)
    return 3 if arguments.fail_if and any(row.verdict == SLOWER for row in rows) else 0


def sides(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Say which files are of which side.

    Raises: ConfigurationError.
    """
    from netfeed.errors import ConfigurationError

    if arguments.files and (arguments.a or arguments.b):
        raise ConfigurationError("give two files, or --a FILE... --b FILE..., not both")
    if len(arguments.files) == 2:
        return arguments.files[:1], arguments.files[1:]
    if arguments.files or not (arguments.a and arguments.b):
        raise ConfigurationError("give two files to compare, or several runs a side: --a FILE... --b FILE...")
    return arguments.a, arguments.b
