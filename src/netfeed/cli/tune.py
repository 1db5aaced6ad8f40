"""`netfeed tune check|apply|revert|explain`: the settings of this host, for a feed, for quoting, or for captures."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netfeed.cli import arguments as args

if TYPE_CHECKING:
    from netfeed.app.host.tune import Options

_PROFILES: Final = ("feed", "quote", "capture")
_JOURNAL: Final = "/var/lib/netfeed/tune.json"
_DIFFERS: Final = 3

_EXAMPLES = """examples:
  netfeed tune check                                what differs from the profile feed, and what cannot be known here
  netfeed tune check --profile quote -i eth1 --cpus 2-3 --json
  netfeed tune apply -i eth1 --cpus 2-3 --dry-run   what it would write
  sudo netfeed tune apply -i eth1 --cpus 2-3
  sudo netfeed tune revert                          everything as it was
  netfeed tune explain rp_filter -i eth1

exit codes: 0 all as it should be, 1 the kernel refused a value or the journal cannot be used, 2 usage,
3 something differs (check), or somebody changed a value since and it was left (revert), 77 needs root
"""


def add(verbs: Any) -> None:
    """Add the verb and its actions."""
    parser = verbs.add_parser(
        "tune", help="check, apply, revert and explain the settings of this host", epilog=_EXAMPLES,
        description="Compare the settings of this host with what a feed handler wants, write what differs, and put it "
        "back. What is changed stands in a journal first.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_check(actions)
    _add_apply(actions)
    _add_revert(actions)
    _add_explain(actions)


def _add_check(actions: Any) -> None:
    parser = _action(actions, "check", "say what differs", run_check)
    _add_profile(parser)
    _add_machine(parser)
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")


def _add_apply(actions: Any) -> None:
    parser = _action(actions, "apply", "write what differs; each old value is in the journal first", run_apply)
    _add_profile(parser)
    _add_machine(parser)
    _add_change(parser)


def _add_revert(actions: Any) -> None:
    parser = _action(actions, "revert", "put back what apply has changed", run_revert)
    parser.add_argument("--force", action="store_true", help="also what somebody else has changed since")
    _add_root(parser)
    _add_change(parser)


def _add_explain(actions: Any) -> None:
    parser = _action(actions, "explain", "teach a setting", run_explain)
    parser.add_argument("name", nargs="?", metavar="NAME", help="a setting or a topic; without it all are listed")
    _add_machine(parser)


def run_check(arguments: argparse.Namespace) -> int:
    """Run the action."""
    from netfeed.app.host.tune import check_json, checked
    from netfeed.app.host.tune_text import print_check
    from netfeed.app.tables import console

    options = _options(arguments)
    findings = checked(options)
    if arguments.json:
        print(json.dumps(check_json(options.profile, findings)))
    elif not arguments.quiet:
        print_check(findings, console(), everything=arguments.verbose > 0)
    return _DIFFERS if any(one.ok is False for one in findings) else 0


def run_apply(arguments: argparse.Namespace) -> int:
    """Run the action."""
    from netfeed.app.host.tune import applied
    from netfeed.app.host.tune_text import left_out

    findings, outcomes = applied(_options(arguments), dry_run=arguments.dry_run)
    left = left_out(findings)
    code = _told(arguments, outcomes, "everything that can be written here is as it should be: nothing written", left)
    if not arguments.quiet:
        for line in left:
            print(f"netfeed: {line}", file=sys.stderr)
    return code


def run_revert(arguments: argparse.Namespace) -> int:
    """Run the action."""
    from netfeed.app.host.tune import reverted

    options = _options(arguments)
    outcomes = reverted(options, force=arguments.force, dry_run=arguments.dry_run)
    return _told(arguments, outcomes, f"nothing to revert: no entry in {options.journal_path}")


def run_explain(arguments: argparse.Namespace) -> int:
    """Run the action."""
    from netfeed.app.host.tune import machine
    from netfeed.app.host.tune_text import print_setting, print_topics
    from netfeed.app.tables import console
    from netfeed.errors import ConfigurationError
    from netfeed.host.tune.table import find, near

    out = console()
    if arguments.name is None:
        print_topics(out)
        return 0
    rows = find(arguments.name)
    if not rows:
        meant = near(arguments.name)
        hint = f"did you mean {' or '.join(meant)}?" if meant else "netfeed tune explain lists all"
        raise ConfigurationError(f"there is no setting {arguments.name!r}; {hint}")
    here = machine(_options(arguments))
    for row in rows:
        print_setting(row, here, out)
    return 0


def _told(arguments: argparse.Namespace, outcomes: list[Any], nothing: str, left: Sequence[str] = ()) -> int:
    """Print what was done, and give the exit code of it."""
    from netfeed.app.host.tune import outcomes_json, trouble
    from netfeed.app.host.tune_text import print_outcomes
    from netfeed.app.tables import console
    from netfeed.host.tune.apply import Step

    if arguments.json:
        print(json.dumps(outcomes_json(arguments.action, outcomes, list(left))))
    elif outcomes:
        print_outcomes(outcomes, console())
    elif not arguments.quiet:
        print(f"netfeed: {nothing}", file=sys.stderr)
    wrong = trouble(outcomes)
    return 0 if not wrong else _DIFFERS if wrong == {Step.FOREIGN} else 1


def _options(arguments: argparse.Namespace) -> "Options":
    from netfeed.app.host.tune import Options
    from netfeed.host.tune.setting import Profile

    profile = Profile(getattr(arguments, "profile", _PROFILES[0]))
    interfaces, cpus = getattr(arguments, "interface", ()), getattr(arguments, "cpus", frozenset[int]())
    journal = getattr(arguments, "journal", None)
    return Options(profile, tuple(interfaces), cpus, Path(arguments.root), Path(journal) if journal else None)


def _action(actions: Any, name: str, about: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=about, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_talk(parser, verbose="show what is right, too" if name == "check" else "say more (repeatable)")
    parser.set_defaults(run=run)
    return parser


def _add_profile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile", choices=_PROFILES, default=_PROFILES[0], help="what the host is for (default feed)"
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i", "--interface", action="append", default=[], metavar="IF",
        help="an interface that the feed comes in on, by name or address (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--cpus", type=_cpus, default=frozenset(), metavar="LIST",
        help="the feed's processors, as 2-3,6; the rest are for housekeeping",
    )  # fmt: skip
    _add_root(parser)


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", default="/", metavar="DIR", help="another tree than /: a copy with proc/ and sys/ in it"
    )


def _add_change(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--journal", metavar="FILE", help=f"the journal (default {_JOURNAL} below the root)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    parser.add_argument("--json", action="store_true", help="what was done as one JSON object")


def _cpus(text: str) -> frozenset[int]:
    from netfeed.host.cpus import parse_cpu_list

    try:
        found = parse_cpu_list(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not found:
        raise argparse.ArgumentTypeError("name at least one processor, as 2-3")
    return found
