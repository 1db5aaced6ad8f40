"""`netfeed verify FILE...`: is anything missing, torn, out of time, or malformed?"""

import argparse
import json
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.app.replay import Replay

_EXAMPLES = """examples:
  netfeed verify capture.pcap.gz            what is wrong, and where; exit code 3 if anything is
  netfeed verify *.pcap --json
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "verify", help="check sequences, duplicates, times and truncation", epilog=_EXAMPLES,
        description="Check a capture or a file of messages: sequences, duplicates, times that fall, truncation, "
        "messages that do not decode.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    args.add_input(parser)
    args.add_channels(parser)
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.progress import Progress
    from netfeed.app.verify import note_falls, verification, verify_report

    with Stop() as stop:
        replay = verification(session.options(arguments), stop)
        with Progress(replay, shown=not arguments.quiet):
            session.run(replay, stop)
    note_falls(replay)
    session.note_unknown(replay, quiet=arguments.quiet)
    session.note_unmatched(replay)
    report = verify_report(replay)
    if arguments.json:
        print(json.dumps(report))
    elif not arguments.quiet:
        _print(replay, report, arguments.verbose)
    return session.exit_code(replay, stop)


def _print(replay: "Replay", report: dict[str, Any], verbose: int) -> None:
    from netfeed.app.report import channels, recognised_nothing
    from netfeed.app.tables import channel_table, console, print_findings, say
    from netfeed.app.verify import falls_text
    from netfeed.units import count_text

    out = console()
    if replay.lanes:
        out.print(channel_table(channels(replay), replay))
    for file, falls in replay.tally.falls.items():
        say(out, f"{file}: {falls_text(falls)}")
    print_findings(replay, out, everything=verbose > 0)
    what = "packet" if replay.tally.records or not replay.itch_files else "message"
    counts = ((report["packets"], what), (len(report["gaps"]), "gap"), (report["duplicates"], "duplicate"))
    said = ", ".join(count_text(*one) for one in (*counts, (replay.findings.count, "error")))
    nothing = ", nothing was recognised" if recognised_nothing(replay) else ""
    say(out, f"{'ok' if report['ok'] else 'NOT OK'}: {said}{nothing}")
