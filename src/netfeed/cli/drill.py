"""`netfeed drill`: failures on purpose, and a verdict."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from netfeed.cli import arguments as args

_EXAMPLES = """examples:
  netfeed drill --list                     the scenarios, a line each
  netfeed drill line-dead                  one of them, in network namespaces (root), else on loopback
  netfeed drill all --json | jq -c '[.scenario, .ok]'
  netfeed drill burst --protocol itch50 --seed 7

exit codes: 0 every verdict is good, 1 failure, 2 usage, 3 a verdict failed, 130/143 interrupted
"""
PROTOCOLS = ("starbase", "itch50")


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "drill", help="break lines, gateways and hosts on purpose, and judge the books", epilog=_EXAMPLES,
        description="Start a simulated venue and `netfeed run` on hosts of their own, break what lies between them, "
        "and compare the handler's books with the venue's at every sequence.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="which ones, or all (see --list)")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="of the venue (default: starbase)", default="starbase")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of orders and faults (default: 1)")
    parser.add_argument("--rootless", action="store_true", help="on loopback, though namespaces could be made")
    parser.add_argument(
        "--keep", metavar="DIR", help="keep configurations, logs, truth, reports and captures, a folder a scenario"
    )
    parser.add_argument("--json", action="store_true", help="one object a scenario on standard output")
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.drill import Outcome, play
    from netfeed.app.drill_scenarios import SCENARIOS, playable
    from netfeed.cli.stopping import Stop

    if arguments.list:
        for one in SCENARIOS.values():
            print(f"{one.name:17} {one.what}{'' if len(one.protocols) > 1 else f' ({one.protocols[0]} only)'}")
        return 0
    known = playable(arguments.protocol)
    names = known if "all" in arguments.scenarios else arguments.scenarios
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        said = f"no scenario {unknown[0]!r} of {arguments.protocol}" if unknown else "which scenario?"
        print(f"netfeed drill: {said}; there are all, {', '.join(known)}", file=sys.stderr)
        return 2
    rootless = _is_rootless(arguments)
    outcomes: list[Outcome] = []
    with Stop() as stop:
        for name in names:
            if stop():
                return stop.exit_code
            note = (lambda text: None) if arguments.quiet else _say
            keep = Path(arguments.keep, name) if arguments.keep else None
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
            outcome = play(
                SCENARIOS[name], arguments.protocol, seed=arguments.seed, rootless=rootless, keep=keep, note=note
            )
            outcomes.append(outcome)
            print(json.dumps(outcome.as_json()) if arguments.json else _line(outcome.as_json()), flush=True)
    return 0 if all(not one.why for one in outcomes) else 3


def _is_rootless(arguments: argparse.Namespace) -> bool:
    """Choose the stage, and say which one it is when it is not the full one."""
    from netfeed.host.namespace import permitted

    if arguments.rootless:
        return True
    if permitted():
        return False
    _say("no permission for network namespaces (CAP_SYS_ADMIN: run as root): on loopback, with faults in the sender")
    return True


def _say(text: str) -> None:
    print(f"drill: {text}", file=sys.stderr, flush=True)


def _line(told: dict[str, Any]) -> str:
    """Write an outcome as a line, and its reasons below."""
    recovered = ", ".join(f"{count} by {by}" for by, count in told["recovered"].items() if count) or "none"
    worst = told["recovery_ns"]["max"]
    verdict = "ok  " if told["ok"] else "FAIL"
    slowest = "" if worst is None else f", slowest {worst / 1e6:.1f} ms"
    text = (
        f"{verdict} {told['scenario']:17} {told['books_compared']} books, {told['moments_compared']} moments equal; "
        f"{told['gaps']} gaps (recovered: {recovered}{slowest}), {told['messages_lost']} messages lost, "
        f"{told['kernel_drops']} kernel drops  [{told['where']}]"
    )
    more = [f"evidence: {', '.join(told['evidence'])}"] if told["evidence"] else []
    return "\n".join([text, *(f"       {line}" for reason in (*told["why"], *more) for line in reason.splitlines())])
