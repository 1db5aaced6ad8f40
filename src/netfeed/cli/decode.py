"""`netfeed decode FILE...`: the messages of a capture, one line each."""

import argparse
import json
import sys
from typing import Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop, Stopped

_EXAMPLES = """examples:
  netfeed decode capture.pcap -c 20
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
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="stop after so many packets")
    parser.add_argument("--json", action="store_true", help="JSON Lines, one object for each message")
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.decode import Decode

    with Stop() as stop:
        decode = Decode(session.options(arguments), count=arguments.count, stop=stop)
        write = sys.stdout.write
        try:
            for line in decode.lines():
                write((json.dumps(line.json(), separators=(",", ":")) if arguments.json else line.text()) + "\n")
        except Stopped:
            pass
    if stop():
        return stop.exit_code
    if decode.findings.count and not arguments.quiet:
        from netfeed.units import count_text

        session.note(count_text(decode.findings.count, "error"))
    return session.DATA if decode.findings.count else session.OK
