"""`netfeed replay --engine CONFIG FILE...`: captures in, and what an engine would have made of them."""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.app.trading.replay_run import EngineRun

_OTHERS = ("events", "watch", "serve", "depth", "speed")
"""Options of a replay of books alone."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of a replay with an engine."""
    group = parser.add_argument_group(
        "an engine", "Run the engine of a configuration on the capture, against a fill model that says what it assumes."
    )
    group.add_argument("--engine", metavar="CONFIG", help="the configuration whose [engine] decides")
    group.add_argument("--journal", metavar="FILE", help="write the engine's order journal: same inputs, same bytes")
    group.add_argument(
        "--seed", type=args.rounds, default=1, metavar="N", help="what delays are drawn from (default 1)"
    )
    group.add_argument(
        "--request-delay", default="150us", metavar="DELAY",
        help="until a request arrives: 150us, 100us..300us, lognormal:150us:0.4, or what a report (.json) or log "
        "(.hlog) measured, as FILE#NAME (default 150us)",
    )  # fmt: skip
    group.add_argument(
        "--report-delay", default="150us", metavar="DELAY", help="until a report comes back, likewise (default 150us)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb with an engine."""
    from netfeed.app.trading.delay_words import read_delay
    from netfeed.app.trading.replay_plan import builder, read_engine
    from netfeed.app.trading.replay_run import EngineRun, FillSettings

    _refuse_others(arguments)
    _refuse_recordings(arguments.files)
    engine = read_engine(arguments.engine, os.environ)
    delays = read_delay(arguments.request_delay), read_delay(arguments.report_delay)
    fill = FillSettings(arguments.seed, *delays, engine.fees)
    with Stop() as stop:
        build = builder(engine, arguments.engine)
        one = EngineRun(session.options(arguments), build, fill, journal=arguments.journal, stop=stop)
        _drive(one, arguments, stop)
    session.note_unknown(one.replay, quiet=arguments.quiet)
    _report(one, arguments)
    return session.exit_code(one.replay, stop)


def _refuse_others(arguments: argparse.Namespace) -> None:
    """Refuse what only a replay of books alone has. Raises: ConfigurationError."""
    from netfeed.errors import ConfigurationError

    given = [name for name in _OTHERS if getattr(arguments, name)]
    if given:
        raise ConfigurationError(f"--{given[0]} shows books, not an engine: leave it out, or leave out --engine")


def _refuse_recordings(files: list[str]) -> None:
    """Refuse what a venue said over a connection. Raises: ConfigurationError."""
    from netfeed.app.recording_replay import is_recording
    from netfeed.errors import ConfigurationError

    found = [file for file in files if is_recording(file)]
    if found:
        raise ConfigurationError(
            f"{found[0]} is a recording of a connection: an engine is replayed on captures and files of ITCH messages"
        )


def _drive(one: "EngineRun", arguments: argparse.Namespace, stop: Stop) -> None:
    from netfeed.app.progress import Progress

    with Progress(one.replay, shown=not arguments.quiet, stop=stop):
        session.run(one.replay, stop)
    one.finish()
    if one.replay.stopped and arguments.journal:
        session.note(f"{arguments.journal} is not complete: what there is of it has .part in its name")


def _report(one: "EngineRun", arguments: argparse.Namespace) -> None:
    told = one.summary()
    if one.listing.left_out and not arguments.quiet:
        session.note(f"{one.listing.left_out} books are no contracts here, and were not traded")
    if arguments.json:
        print(json.dumps(told))
        return
    from netfeed.app.tables import console
    from netfeed.app.trading.replay_text import print_summary

    print_summary(told, console(sys.stdout))
