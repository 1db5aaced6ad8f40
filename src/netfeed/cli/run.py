"""`netfeed run CONFIG`: live multicast and venues over connections in, exact books out."""

import argparse
import os
import sys
from typing import Any

from netfeed.cli import arguments as args
from netfeed.cli.config import add_set, counted
from netfeed.cli.stopping import Stop

NOT_PERMITTED = 77
_EXAMPLES = """examples:
  netfeed run feed.toml                             books, states, lines and gaps on the terminal
  netfeed run feed.toml --json | jq -c 'select(.kind == "BBO")'
  netfeed run feed.toml --record day-%Y%m%d-%H%M%S.pcapng --set journal.rotate_size=1GiB
  netfeed run venues.toml --no-view --report end.json   venues over connections (WebSocket): [[venues]] in the file
  netfeed run feed.toml --ring netfeed --set endpoints.listen=127.0.0.1:9465

signals: SIGINT, SIGTERM end it in order, a second one at once; SIGHUP reads what may change, no
venue; SIGUSR1 prints the account; SIGUSR2 throws the kill switch
exit codes: 0 ok, 1 failure, 3 messages were lost or wrong, 4 configuration, 69 nothing was heard, 77 not permitted,
130/143 interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "run", help="keep books from live multicast and of venues over connections", epilog=_EXAMPLES,
        description="Join the groups and connect to the venues that a configuration names, and keep their books: A/B "
        "arbitration, recovery, reconnects, states, metrics.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="TOML; else what NETFEED_CONFIG names")
    parser.add_argument("--config", dest="config_flag", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="every change as a JSON line on standard output")
    parser.add_argument(
        "--record", metavar="FILE", help="journal every packet of channels as pcapng; what venues say: `netfeed record`"
    )
    parser.add_argument("--ring", metavar="NAME", help="changes into a ring in shared memory")
    parser.add_argument("--report", metavar="FILE", help="at the end: account, gaps and all final books as JSON")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="stop after so long")
    parser.add_argument("--no-view", action="store_true", help="no live view, though standard output is a terminal")
    parser.add_argument("--dry-run", action="store_true", help="read the configuration and end")
    add_set(parser)
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.signals import held_back

    with held_back():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from netfeed.app.config import load
    from netfeed.app.run import Options, Run
    from netfeed.errors import ConfigurationError, ConfigurationFileError

    path = arguments.config_flag or arguments.config or os.environ.get("NETFEED_CONFIG")
    if not path:
        raise ConfigurationError("which configuration? Name a file, or set NETFEED_CONFIG")
    flags = dict(arguments.set)
    for key, value in (("journal.path", arguments.record), ("ring.name", arguments.ring)):
        if value is not None:
            flags[key] = f"'{value}'"
    config = load(path, os.environ, flags)
    if not config.channels and not config.venues:
        raise ConfigurationFileError(f"{path}: nothing to hear: [[channels]] or [[venues]] are wanted to run")
    if arguments.dry_run:
        print(f"{path}: ok, {counted(config)}")
        return 0
    shows = sys.stdout.isatty() and not (arguments.json or arguments.no_view or arguments.quiet)
    options = Options(path, flags, arguments.json, arguments.duration, shows, arguments.quiet)
    with Stop() as stop:
        one = Run(config, options, stop)
        try:
            one.run()
        except PermissionError as error:
            print(f"netfeed: not permitted: {error}; it takes CAP_SYS_NICE or CAP_NET_ADMIN", file=sys.stderr)
            return NOT_PERMITTED
        if arguments.report is not None:
            one.report(arguments.report)
    if not arguments.quiet:
        print(one.summary(), file=sys.stderr)
    return stop.exit_code if stop() else one.exit_code()
