"""Write a day of simulated TotalView-ITCH 5.0 to a file, and the truth about it beside.

    python tools/mkitch.py OUT -n 8000000 -s 200 -l 120000 --seed 1

OUT holds messages behind their lengths, as the files that Nasdaq publishes. OUT.json says what a reader must find: the
number of messages by type, and each symbol's book at the end as rows of price (in 1/10000), shares, orders. The same
arguments write the same bytes.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from netfeed.errors import MisuseError
from netfeed.sim.itch_day import Day, Settings, Truth
from netfeed.wire.binaryfile import END_MARKER


def arguments(argv: list[str] | None) -> tuple[argparse.Namespace, Settings]:
    """Read the command line; a wrong value ends with 2."""
    parser = argparse.ArgumentParser(
        prog="mkitch",
        description=str(__doc__).splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    usual = Settings()
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write; OUT.json is written beside it")
    parser.add_argument("-n", "--messages", type=int, default=usual.messages, metavar="N", help="exactly so many")
    parser.add_argument("-s", "--symbols", type=int, default=usual.symbols, metavar="N", help="so many stocks")
    parser.add_argument(
        "-l", "--live-orders", type=int, default=usual.live_orders, metavar="N", help="where the live orders level off"
    )
    parser.add_argument("--seed", type=int, default=usual.seed, metavar="N", help="another one is another day")
    parser.add_argument("--end-marker", action="store_true", help="end the file with a zero length")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(argv)
    try:
        return options, Settings(options.messages, options.symbols, options.live_orders, options.seed)
    except MisuseError as error:
        parser.error(str(error))


def described(truth: Truth) -> dict[str, Any]:
    """Give the truth as it stands in the file: with the best prices picked out."""
    report = asdict(truth)
    for book in report["books"].values():
        book["best_bid"], book["best_ask"] = (rows[0][0] if rows else None for rows in (book["bids"], book["asks"]))
    return report


def write(path: Path, day: Day, progress: Progress, *, end_marker: bool) -> None:
    """Write the day under another name, and give the file its own when it is whole."""
    part = path.with_name(path.name + ".part")
    task = progress.add_task("messages", total=day.settings.messages)
    try:
        with part.open("wb") as file:
            for chunk in day.chunks():
                file.write(chunk)
                progress.update(task, completed=day.sent)
            if end_marker:
                file.write(END_MARKER)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    """Write the two files; return the exit code."""
    options, settings = arguments(argv)
    day = Day(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    sidecar = options.out.with_name(options.out.name + ".json")
    try:
        with Progress(*columns, console=Console(stderr=True), disable=options.quiet) as progress:
            write(options.out, day, progress, end_marker=options.end_marker)
        sidecar.write_text(json.dumps(described(day.truth())) + "\n")
    except OSError as error:
        print(f"mkitch: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
