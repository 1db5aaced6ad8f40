"""`netfeed replay FILE...`: captures and files of messages in, order books out."""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args
from netfeed.cli import replay_engine, session
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.app.replay import Replay

_EXAMPLES = """examples:
  netfeed replay capture.pcap                              the books as they are at the end
  netfeed replay a.pcap.zst b.pcap.zst --json              both lines, recorded apart; the report as JSON
  netfeed replay day.NASDAQ_ITCH50.gz --instrument 'AA*' --depth 5
  netfeed replay capture.pcapng --events changes.parquet   every change of a best level, trade, state and gap
  netfeed replay capture.pcap --channel opt=233.252.0.1:26400,233.252.1.1:26400 --watch

  netfeed replay capture.pcap --engine engine.toml         what an engine would have made of it, by a stated fill model
  netfeed replay capture.pcap --engine engine.toml --request-delay 100us..300us --seed 7 --journal orders.journal
  netfeed replay day.jsonl --serve ws://127.0.0.1:9000     a recording of a venue, served to any client in its pace

exit codes: 0 ok, 1 failure, 2 usage, 3 gaps or corruption were found (the report says where),
4 the configuration of --engine, 130/143 interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "replay", help="turn captures into order books", epilog=_EXAMPLES,
        description="Read captures through channels (lines, gaps, sessions) into order books, and report.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    args.add_input(parser, since="only changes at or after it; the books are built from what came before, too")
    args.add_channels(parser)
    parser.add_argument(
        "--instrument",
        action="append",
        default=[],
        metavar="NAME",
        help="only these books; * and ? are globs (repeatable)",
    )
    parser.add_argument("--depth", type=args.positive, metavar="N", help="levels of each side that are shown")
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")
    parser.add_argument(
        "--events", metavar="FILE",
        help="write every change: .npy, .parquet, else JSON Lines (.gz, .zst compress; - is standard output)",
    )  # fmt: skip
    parser.add_argument("--watch", action="store_true", help="show books while they change")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=args.speed, metavar="X", help="X times as fast as it happened")
    pace.add_argument("--topspeed", action="store_true", help="as fast as can be, also with --watch")
    parser.add_argument(
        "--serve", metavar="ws://ADDRESS:PORT",
        help="serve a recording as its venue did, in its pace; what it told over HTTP is told on the same port",
    )  # fmt: skip
    replay_engine.add(parser)
    args.add_talk(parser)
    parser.set_defaults(run=run)


def recordings(files: list[str]) -> bool:
    """Say whether the files are recordings of venues. Raises: ConfigurationError when only some are."""
    from netfeed.app.recording_replay import is_recording
    from netfeed.errors import ConfigurationError

    found = [is_recording(file) for file in files]
    if any(found) and not all(found):
        raise ConfigurationError("captures and recordings of venues cannot be replayed together")
    return all(found)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.replay import Replay
    from netfeed.errors import ConfigurationError

    if arguments.events == "-" and (arguments.json or arguments.watch):
        raise ConfigurationError(
            "--events - has standard output for itself; name a file, or leave out --json and --watch"
        )
    if arguments.engine is not None:
        return replay_engine.run(arguments)
    if recordings(arguments.files):
        from netfeed.cli import recording

        return recording.run(arguments)
    if arguments.serve is not None:
        missing = [file for file in arguments.files if file != "-" and not os.path.exists(file)]
        if missing:
            raise ConfigurationError(f"{missing[0]}: there is no such file")
        raise ConfigurationError("--serve takes recordings of venues, as `netfeed record` writes them")
    with Stop() as stop:
        replay = Replay(session.options(arguments), stop=stop)
        _drive(replay, arguments, stop)
    session.note_unknown(replay, quiet=arguments.quiet)
    session.note_unmatched(replay)
    _report(replay, arguments)
    return session.exit_code(replay, stop)


def _drive(replay: "Replay", arguments: argparse.Namespace, stop: Stop) -> None:
    from netfeed.app.progress import Progress

    events = None
    if arguments.events:
        from netfeed.app.events import open_events

        events = open_events(arguments.events, replay.catalogue, replay.lanes)
        replay.changes.consumers.append(events)
    view: Any = None
    if arguments.watch:
        from netfeed.app.watch import watch

        view = watch(replay, speed=arguments.speed, topspeed=arguments.topspeed, stop=stop)
    else:
        view = Progress(replay, shown=not arguments.quiet, speed=arguments.speed, stop=stop)
    try:
        with view:
            session.run(replay, stop)
    except BaseException:
        if events is not None:
            events.abandon()
        raise
    if events is not None:
        _finish(events, replay, arguments)


def _finish(events: Any, replay: "Replay", arguments: argparse.Namespace) -> None:
    """Give the file of changes its name, unless the run was broken off."""
    if replay.stopped and arguments.events != "-":
        events.abandon()
        session.note(f"{arguments.events} is not complete: what there is of it has .part in its name")
    else:
        events.close()


def _report(replay: "Replay", arguments: argparse.Namespace) -> None:
    if arguments.json:
        from netfeed.app.report import replay_report

        print(json.dumps(replay_report(replay, depth=arguments.depth)))
        return
    if arguments.quiet and arguments.events == "-":
        return
    from netfeed.app.tables import console, print_report

    out = console(sys.stderr if arguments.events == "-" else sys.stdout)
    print_report(replay, out, depth=arguments.depth, verbose=arguments.verbose)
