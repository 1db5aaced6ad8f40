"""`netfeed record CONFIG -w FILE`: everything that venues over connections and we say to each other, into files."""

import argparse
import os
import sys
from typing import Any

from netfeed.cli import arguments as args
from netfeed.cli.config import add_set
from netfeed.cli.stopping import Stop

_EXAMPLES = """examples:
  netfeed record feed.toml -w day.jsonl.zst --duration 1h
  netfeed record feed.toml -w 'day-%Y%m%d-%H%M%S.jsonl' -G 3600 -W 24      a file an hour, a day of them
  netfeed record feed.toml -w day.jsonl -C 100MiB
  netfeed replay day.jsonl --json                                          the books that it makes
  netfeed replay day.jsonl --serve ws://127.0.0.1:9000                     the venue, again

exit codes, as of `netfeed run`: 0 ok, 3 something was missed, 4 configuration, 69 nothing was heard,
130/143 interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "record", help="record what venues over connections say", epilog=_EXAMPLES,
        description="Connect to the venues of a configuration, keep their books, and record every message both ways. "
        "Secrets are not written.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="TOML; else what NETFEED_CONFIG names")
    parser.add_argument("-w", "--write", required=True, metavar="FILE", help="the recording; .gz and .zst compress it")
    parser.add_argument("-C", "--rotate-size", metavar="SIZE", help="another file after so much, before compression")
    parser.add_argument("-G", "--rotate-every", metavar="SECONDS", help="another file after so long")
    parser.add_argument("-W", "--files", type=args.positive, metavar="N", help="keep so many files, the newest")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="stop after so long")
    add_set(parser)
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.config import load
    from netfeed.app.run import Options, Run
    from netfeed.errors import ConfigurationError

    path = arguments.config or os.environ.get("NETFEED_CONFIG")
    if not path:
        raise ConfigurationError("which configuration? Name a file, or set NETFEED_CONFIG")
    said = {"path": arguments.write, "rotate_size": arguments.rotate_size, "rotate_every": arguments.rotate_every}
    flags = dict(arguments.set) | {f"recording.{key}": f"'{value}'" for key, value in said.items() if value is not None}
    if arguments.files is not None:
        flags["recording.files"] = str(arguments.files)
    config = load(path, os.environ, flags)
    if not config.venues:
        raise ConfigurationError(f"{path} names no venue over connections; `netfeed run --record` records multicast")
    with Stop() as stop:
        one = Run(config, Options(path, flags, duration=arguments.duration, quiet=arguments.quiet), stop)
        one.run()
    if not arguments.quiet:
        assert one.recorder is not None
        print(one.summary(), file=sys.stderr)
        print(f"recorded: {', '.join(one.recorder.files)}", file=sys.stderr)
    return stop.exit_code if stop() else one.exit_code()
