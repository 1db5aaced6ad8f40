"""`netfeed replay` of a recording of venues: books at the end, every change, or the recording served again."""

import argparse
import contextlib
import json
import sys
from typing import Any, Final

from netfeed.cli.stopping import Stop
from netfeed.errors import ConfigurationError

OK, DATA = 0, 3
_CAPTURES: Final = (
    ("--protocol", "protocol"), ("--group", "group"), ("--channel", "channel"), ("--from", "since"), ("--to", "until"),
    ("--watch", "watch"),
)  # fmt: skip
_BOOKS: Final = (("--events", "events"), ("--instrument", "instrument"), ("--depth", "depth"))


def run(arguments: argparse.Namespace) -> int:
    """Replay recordings of venues, or serve them."""
    _refuse_unused(arguments)
    if arguments.serve is not None:
        return _serve(arguments)
    from netfeed.app.events import open_events
    from netfeed.app.pace import Pace
    from netfeed.app.recording_replay import RecordingReplay, report

    with Stop() as stop:
        replay = RecordingReplay(arguments.files, instruments=arguments.instrument)
        events: Any = None
        if arguments.events:
            events = open_events(arguments.events, replay.catalogue, replay.lanes)  # type: ignore[arg-type]
            replay.changes.consumers.append(events)
        try:
            replay.run(stop, Pace(arguments.speed, stop).wait if arguments.speed else lambda ts_ns: None)
        except BaseException:
            if events is not None:
                events.abandon()
            raise
        if events is not None:
            events.close()
        told = report(replay, depth=arguments.depth)
    if arguments.json:
        print(json.dumps(told))
    elif not arguments.quiet:
        _print(told, sys.stderr if arguments.events == "-" else sys.stdout)
    return stop.exit_code if stop() else (DATA if told["errors"] else OK)


def _refuse_unused(arguments: argparse.Namespace) -> None:
    """Raise ConfigurationError for options that would do nothing."""
    names = _CAPTURES + (_BOOKS if arguments.serve is not None else ())
    unused = [option for option, name in names if getattr(arguments, name, None)]
    if unused:
        what = "serving a recording of venues" if arguments.serve is not None else "recordings of venues"
        raise ConfigurationError(f"{', '.join(unused)}: not for {what}; leave it out")


def _print(told: dict[str, Any], out: Any) -> None:
    for venue in told["venues"]:
        lines = ", ".join(f"{count:,} {kind}" for kind, count in venue["lines"].items())
        print(f"{venue['venue']} ({venue['kind']}): {venue['instruments']} instruments; lines {lines}", file=out)
    for book in told["books"]:
        bid, ask = (book[side] or {"price": "-", "quantity": ""} for side in ("bid", "ask"))
        print(
            f"{book['instrument']:<26} {book['state']:<8} {bid['quantity']:>12} @ {bid['price']:<14} | "
            f"{ask['price']:>14} @ {ask['quantity']:<12}",
            file=out,
        )
    for error in told["errors"]:
        print(f"{error['file']}: byte {error['offset']}: found {error['found']}, wanted {error['wanted']}", file=out)


def _serve(arguments: argparse.Namespace) -> int:
    from netfeed.app.serve import Serving

    speed = None if arguments.topspeed else (arguments.speed or 1.0)
    with Stop() as stop, contextlib.closing(Serving(arguments.files, arguments.serve, speed=speed, stop=stop)) as one:
        if not arguments.quiet:
            print(f"# {one.frames:,} messages of {one.name}, at {one.url}", file=sys.stderr)
            if one.web is not None:
                print(f"# what it told over HTTP is at {one.web}", file=sys.stderr)
        one.run()
        if arguments.json:
            print(json.dumps(one.report()))
    return stop.exit_code if stop() else OK
