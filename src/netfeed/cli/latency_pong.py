"""`netfeed latency pong`: answer the questions of `netfeed latency ping`."""

import argparse
import dataclasses
import json
import time
from typing import Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.latency_ping import add_place
from netfeed.cli.stopping import Stop

_EXAMPLES = """examples:
  netfeed latency pong udp://0.0.0.0:7400                      answer on all addresses of this host
  netfeed latency pong udp://192.0.2.7:7400 --spin --cpu 3     never sleeping, on processor 3
  netfeed latency pong multicast://233.252.0.1:7400 -i eth0    a member of the group; the answer goes to who asked
  netfeed latency pong wss://192.0.2.7:7403 --certificates tls TLS, by certificates that are made in tls/

Answers are as long as their questions, and bounded in number (--limit); what is no question is counted and dropped.

exit codes: 0 ok, 1 failure, 2 usage, 77 not permitted, 130/143 interrupted (how it usually ends)
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "pong", help="answer `netfeed latency ping`", epilog=_EXAMPLES,
        description="Answer questions until interrupted.", formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("target", metavar="TARGET", help="udp, multicast, tcp, tls, ws or wss, then ://ADDRESS:PORT")
    parser.add_argument("-i", "--interface", metavar="IF", help="multicast: where to join, by name or address")
    parser.add_argument("--limit", type=args.rate, default=200_000.0, metavar="N", help="answers a second (200k)")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="end after so long")
    parser.add_argument("--certificates", metavar="DIR", help="tls, wss: where they are kept (default: for this run)")
    add_place(parser)
    parser.add_argument("--json", action="store_true", help="the account as one JSON object")
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.latency.ping_target import read_target
    from netfeed.app.latency.pong import Pong
    from netfeed.host.placed import placed
    from netfeed.machine import NEVER

    until = NEVER if arguments.duration is None else time.monotonic_ns() + arguments.duration
    with Stop() as stop, placed(arguments.cpu, arguments.priority, spins=arguments.spin) as notes:
        pong = Pong(
            read_target(arguments.target), interface=arguments.interface, spin=arguments.spin, rate=arguments.limit,
            directory=arguments.certificates, stop=lambda: stop() or time.monotonic_ns() >= until,
            ready=lambda text: _note(f"answering; ask with `netfeed latency ping {text}`", arguments),
        )  # fmt: skip
        pong.run()
    for note in (*notes, *pong.notes):
        _note(note, arguments)
    _say({**dataclasses.asdict(pong.statistics), "unsent": pong.unsent, "connections": pong.connections}, arguments)
    return stop.exit_code if stop() else session.OK


def _note(text: str, arguments: argparse.Namespace) -> None:
    if not arguments.quiet:
        session.note(text)


def _say(account: dict[str, int], arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(account))
    elif not arguments.quiet:
        print(", ".join(f"{count:,} {name}" for name, count in account.items() if count or name == "answered"))
