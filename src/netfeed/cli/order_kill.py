"""`netfeed order kill|arm`: throw the kill switch of an engine, running or not, and arm it again."""

import argparse
import getpass
import json
import os
from typing import Any, Final

from netfeed.cli import arguments as args

_EXAMPLES: Final = """examples:
  netfeed order kill --config mm.toml --why "the feed looks wrong"
  netfeed order kill --file /var/lib/netfeed/KILL --by anna
  netfeed order arm --file /var/lib/netfeed/KILL --by anna

A running engine takes its quotes and orders out within 50 ms and lets nothing but cancels pass; one that is started
later begins so. Only `arm` ends it. `touch` of the kill file kills, too, for as long as it is there.

exit codes: 0 done, 1 it could not be written down, 2 usage, 4 configuration
"""


def add(actions: Any) -> None:
    """Add the actions."""
    kill = _action(actions, "kill", "throw the kill switch of an engine: quotes out, only cancels pass", _kill)
    kill.add_argument("--by", metavar="WHO", help="who kills; else who is logged in")
    kill.add_argument("--why", default="by hand", metavar="TEXT", help="why; it is shown by the engine")
    arm = _action(actions, "arm", "arm the kill switch again", _arm)
    arm.add_argument("--by", required=True, metavar="WHO", help="who has looked, and arms")
    arm.add_argument("--number", type=args.positive, metavar="N", help="only if it is this kill that holds")


def _action(actions: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=what, epilog=_EXAMPLES, description=f"{what[0].upper()}{what[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", metavar="FILE", help="TOML that names the kill file; else what NETFEED_CONFIG names")
    where.add_argument("--file", metavar="PATH", help="the kill file that the engine watches")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    args.add_talk(parser)
    parser.set_defaults(run=run)
    return parser


def _kill(arguments: argparse.Namespace) -> int:
    from netfeed.app.trading.kill import kill

    return _tell(arguments, kill(_path(arguments), arguments.by or _who(), arguments.why))


def _arm(arguments: argparse.Namespace) -> int:
    from netfeed.app.trading.kill import arm

    return _tell(arguments, arm(_path(arguments), arguments.by, number=arguments.number))


def _who() -> str:
    """Give who is logged in; a user without a name must be able to kill, too."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _path(arguments: argparse.Namespace) -> str:
    """Find the kill file. Raises: ConfigurationError."""
    from netfeed.app.config import load
    from netfeed.errors import ConfigurationError, ConfigurationFileError

    if arguments.file is not None:
        named: str = arguments.file
        return named
    path = arguments.config or os.environ.get("NETFEED_CONFIG")
    if not path:
        raise ConfigurationError("which kill file? Name it by --file, or a configuration by --config")
    engine: Any = getattr(load(path, os.environ), "engine", None)
    kill_file: str | None = getattr(engine, "kill_path", None)
    if kill_file is None:
        raise ConfigurationFileError(
            f"{path}: it names no `kill_file` and no `journal` under [engine]; --file names one"
        )
    return kill_file


def _tell(arguments: argparse.Namespace, latch: Any) -> int:
    said = {"killed": latch.killed, "number": latch.number, "by": latch.by, "why": latch.why, "at_ns": latch.at_ns}
    if arguments.json:
        print(json.dumps(said))
    elif not arguments.quiet:
        print(f"{'killed' if latch.killed else 'armed'} by {latch.by}: {latch.why} (number {latch.number})")
    return 0
