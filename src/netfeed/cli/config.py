"""`netfeed config check FILE...`: is a configuration right, and what does it come to?"""

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args

if TYPE_CHECKING:
    from netfeed.app.configuration import Configuration

_EXAMPLES = """examples:
  netfeed config check feed.toml             says nothing but ok, or every mistake (exit 4)
  netfeed config check feed.toml --json      the configuration with its defaults filled in
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser("config", help="check a configuration of `run`")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check", help="name every mistake", epilog=_EXAMPLES,
        description="Read configuration files as `netfeed run` does, and name every mistake.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    check.add_argument("files", nargs="+", metavar="FILE")
    check.add_argument("--json", action="store_true", help="print what it comes to, defaults filled in")
    add_set(check)
    args.add_talk(check)
    check.set_defaults(run=run)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add what stands over the file."""
    parser.add_argument(
        "--set", action="append", default=[], type=setting, metavar="SECTION.KEY=VALUE",
        help="set a key over the file, as NETFEED_SECTION_KEY=VALUE in the environment does (repeatable)",
    )  # fmt: skip


def setting(text: str) -> tuple[str, str]:
    """Read SECTION.KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals or key.count(".") != 1:
        raise argparse.ArgumentTypeError(f"not SECTION.KEY=VALUE: {text!r}")
    return key.strip(), value


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    import msgspec

    from netfeed.app.config import load

    for path in arguments.files:
        config = load(path, os.environ, dict(arguments.set))
        if arguments.json:
            print(json.dumps(msgspec.to_builtins(config)))
        elif not arguments.quiet:
            print(f"{path}: ok, {counted(config)}")
    return 0


def counted(config: "Configuration") -> str:
    """Say how many channels, venues and sessions there are, of what there is any."""
    counts = (
        ("channel", len(config.channels)), ("venue", len(config.venues)), ("order session", len(config.sessions)),
        ("engine", int(config.engine is not None)),
    )  # fmt: skip
    return ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for what, count in counts if count)
