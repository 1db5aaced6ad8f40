"""`netfeed decode FILE...`: the messages of a capture, one line each."""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from netfeed.app.decode import Decode, Line

_EXAMPLES = """examples:
  netfeed decode capture.pcap -c 20
  netfeed decode capture.pcap -vv                  addresses, length and line, and the bytes of every payload
  netfeed decode capture.pcap --group 233.252.0.1:26400 --from 14:30:25 --to 14:30:26
  netfeed decode capture.pcap.zst --json | jq -r .message | sort | uniq -c
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "decode", help="print messages, one line each", epilog=_EXAMPLES,
        description="Print every message of a capture or a file of messages in the manner of tcpdump.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    args.add_input(parser)
    args.add_channels(parser)
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="stop after so many packets")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON Lines, one object for each message")
    form.add_argument("-x", "--hex", action="store_true", help="the bytes of every payload too, in hex and ASCII")
    args.add_talk(parser, verbose="source, group, length and line of every packet; -vv: as -x, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.decode import Decode

    with Stop() as stop:
        decode = Decode(session.options(arguments), count=arguments.count, stop=stop)
        text, write = _writer(arguments), sys.stdout.write
        try:
            for line in decode.lines():
                write(text(line) + "\n")
        except Stopped:
            pass
    if stop():
        return stop.exit_code
    _note_unmatched(decode)
    if decode.findings.count and not arguments.quiet:
        from netfeed.units import count_text

        session.note(count_text(decode.findings.count, "error"))
    return session.DATA if decode.findings.count else session.OK


def _writer(arguments: argparse.Namespace) -> "Callable[[Line], str]":
    if arguments.json:
        return lambda line: json.dumps(line.json(), separators=(",", ":"))
    hexed = arguments.hex or arguments.verbose > 1
    return lambda line: line.text(packet=arguments.verbose > 0, dumped=hexed)


def _note_unmatched(decode: "Decode") -> None:
    """Say that a filter let nothing through: it should not look like an empty capture."""
    options = decode.options
    if decode.shown:
        return
    if (options.since or options.until) and not decode.in_time:
        session.note("nothing lies between --from and --to")
    elif options.groups:
        session.note(f"no packet went to --group {session.groups_text(options)}")
