"""Where a report of latency goes: the options that all verbs share which make one."""

import argparse
import os
from importlib.util import find_spec
from typing import Final

from netfeed.cli import arguments as args

SUFFIXES: Final = (".json", ".html", ".svg", ".png", ".hlog")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --json, -o FILE, -v and -q."""
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")
    parser.add_argument(
        "-o", "--output", action="append", default=[], type=output, metavar="FILE",
        help="write the report to FILE too (repeatable): .json (read by `latency show` and `compare`), .html (one file "
        "that needs no network), .svg, .png (pictures), .hlog (HdrHistogram's log)",
    )  # fmt: skip
    args.add_talk(parser)


def output(text: str) -> str:
    """Read the name of a file that can be written: it is too late to say otherwise after a minute of measuring."""
    suffix = os.path.splitext(text)[1].lower()
    if suffix not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text!r} ends with none of {', '.join(SUFFIXES)}")
    if suffix == ".png" and find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError("a .png needs matplotlib: pip install 'netfeed[plots]', or name a .svg file")
    folder = os.path.dirname(text) or "."
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError(f"{text!r}: there is no directory {folder!r}")
    return text
