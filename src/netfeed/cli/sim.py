"""`netfeed sim`: a venue on real sockets that loses, repeats, delays and dies on demand."""

import argparse
import contextlib
import json
import os
import sys
from typing import Any

from netfeed.cli import arguments as args
from netfeed.cli.session import note
from netfeed.cli.stopping import Stop

OK, UNAVAILABLE = 0, 69

_EXAMPLES = """examples:
  netfeed sim --write-config run.toml                 a Starbase venue on lo; in another terminal: netfeed run run.toml
  netfeed sim --protocol itch50 -i eth0 --rate 5000   MoldUDP64/ITCH with a re-request server and GLIMPSE
  netfeed sim --fault "A loss 1%" --fault "B loss 1% reorder 1%" --at "10s gateway dead"
  netfeed sim venue.toml --truth truth.jsonl --duration 60s --json
  netfeed sim --protocol deribit --certificates ca     JSON-RPC over TLS and WebSocket; clients trust ca/ca.pem
  netfeed sim --stream 127.0.0.1:8022 --plain         Starbase multicast and JSON-RPC of the same books, without TLS
  netfeed sim --account mm --account taker:100        order gateways at 127.0.0.1:7101 (A), 7102 (B), 7103 (OUCH); the
                                                      secrets are put into netfeed-sim-secrets/mm and .../taker
  netfeed sim venue.toml --control /tmp/venue.sock    [[accounts]] with fees, limits, protection: docs/venue.md
  netfeed sim --control /tmp/venue.sock               then, while it runs:
  netfeed sim ctl /tmp/venue.sock line A loss 10%
  netfeed sim ctl /tmp/venue.sock line B silent 2s
  netfeed sim ctl /tmp/venue.sock gateway dead        also: slow 200ms, refusing, wrong, ok
  netfeed sim ctl /tmp/venue.sock session restart     also: session end, rate 5000, snapshots spoilt 10%, glimpse torn
  netfeed sim ctl /tmp/venue.sock stream close 1012   also: stream silent 2s, stream once torn, stream refuse for 5s
  netfeed sim ctl /tmp/venue.sock orders A kill after 3    also: revive, lost 1%, refuse 100% for 1s, frozen 2s
  netfeed sim ctl /tmp/venue.sock ledger mm           balances, positions and open orders, as the venue has them
  netfeed sim ctl /tmp/venue.sock status

exit codes: 0 ok, 1 failure, 2 usage, 4 configuration, 69 no venue at the control socket, 77 not permitted,
130/143 interrupted. SIGUSR1: the account so far, as JSON on stderr
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "sim", help="be a venue that misbehaves on demand", epilog=_EXAMPLES,
        description="Simulate a venue on real sockets: multicast A and B, snapshots, retransmission, with faults.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="a TOML file; or `ctl`: command a running venue")
    parser.add_argument("words", nargs="*", metavar="SOCKET COMMAND", help="of `ctl`: where it listens, and what to do")
    parser.add_argument("--protocol", choices=("starbase", "itch50", "deribit"), help="what it speaks (starbase)")
    parser.add_argument("-i", "--interface", metavar="IF", help="where it publishes, by name or address (lo)")
    parser.add_argument("-t", "--ttl", type=args.positive, metavar="N", help="of its multicast (1)")
    parser.add_argument("--stream", metavar="ADDR:PORT", help="talk JSON-RPC there, too (deribit 127.0.0.1:8022)")
    parser.add_argument("--plain", action="store_true", help="JSON-RPC without TLS")
    parser.add_argument("--certificates", metavar="DIR", help="where certificates are put (netfeed-sim-certificates)")
    parser.add_argument(
        "--account", action="append", default=[], metavar="NAME[:COINS]", help="who may send orders (10 BTC)"
    )
    parser.add_argument("--secrets", metavar="DIR", help="where secrets of accounts are put (netfeed-sim-secrets)")
    parser.add_argument("--rate", type=args.positive, metavar="N", help="transactions a second (1000)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the order flow and of all chances (1)")
    parser.add_argument("--instruments", type=args.positive, metavar="N", help="so many (starbase 22, itch50 20)")
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="the flow stops after N transactions")
    parser.add_argument("--duration", metavar="TIME", help="end after so long, as in 60s")
    parser.add_argument("--fault", action="append", default=[], metavar="'LINE FAULTS'", help="from the start on")
    parser.add_argument("--at", action="append", default=[], metavar="'TIME COMMAND'", help="a command at its time")
    parser.add_argument("--truth", metavar="FILE", help="write the books after every transaction, as JSON Lines")
    parser.add_argument("--control", metavar="SOCKET", help="listen there for commands")
    parser.add_argument("--write-config", metavar="FILE", help="write what `netfeed run` needs to receive it")
    parser.add_argument("--json", action="store_true", help="the account at the end as one JSON object")
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    if arguments.config == "ctl":
        return _control(arguments)
    if arguments.words:
        from netfeed.errors import ConfigurationError

        raise ConfigurationError(f"one configuration only, not also {arguments.words[0]!r}")
    return _simulate(arguments)


def _simulate(arguments: argparse.Namespace) -> int:
    from netfeed.app.signals import Signals
    from netfeed.app.sim import Simulation
    from netfeed.app.sim_config import addressed, load, run_config
    from netfeed.app.sim_sessions import configured
    from netfeed.transport.network import find_interface

    config = load(arguments.config, _flags(arguments))
    config = addressed(config, find_interface(config.interface).ipv4 or "127.0.0.1")
    with contextlib.ExitStack() as stack:
        truth = stack.enter_context(open(arguments.truth, "w", encoding="utf-8")) if arguments.truth else None
        stop, signals = stack.enter_context(Stop()), stack.enter_context(Signals())

        def stopped() -> bool:
            if signals.dump():
                print(json.dumps(one.report()), file=sys.stderr)
            return stop()

        one = Simulation(config, stopped, truth=truth, credentials=_credentials(config), note=note)
        stack.callback(one.close)
        text = run_config(one.opened) + configured(one.opened)
        if arguments.write_config:
            with open(arguments.write_config, "w", encoding="utf-8") as file:
                file.write(text)
        if not arguments.quiet:
            print(f"# a venue speaks; receive it with this as the file of `netfeed run`\n{text}", file=sys.stderr)
        one.run()
        report = one.report()
    if arguments.json:
        print(json.dumps(report))
    elif not arguments.quiet:
        print(_words(report), file=sys.stderr)
    return stop.exit_code if stop() else OK


def _control(arguments: argparse.Namespace) -> int:
    from netfeed.app.sim_control import ask
    from netfeed.errors import ConfigurationError

    if len(arguments.words) < 2:
        raise ConfigurationError("netfeed sim ctl SOCKET COMMAND: as in ctl /tmp/venue.sock line A loss 10%")
    path, *words = arguments.words
    try:
        answer = ask(path, " ".join(words))
    except (OSError, ValueError) as error:
        print(f"netfeed: no venue answers at {path}: {error}", file=sys.stderr)
        return UNAVAILABLE
    if not answer.pop("ok"):
        raise ConfigurationError(answer["error"])
    print(json.dumps(answer) if answer else "ok")
    return OK


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give what the command line says, by the keys of the file."""
    names = ("protocol", "interface", "ttl", "rate", "seed", "instruments", "duration", "control")
    flags = {name: getattr(arguments, name) for name in names}
    flags["transactions"] = arguments.count
    stream = {"listen": arguments.stream, "certificates": arguments.certificates}
    stream |= {"tls": False} if arguments.plain else {}
    flags["stream"] = {name: value for name, value in stream.items() if value is not None} or None
    pairs = [one.partition(" ") for one in arguments.fault]
    flags["faults"] = {line: words for line, _, words in pairs} or None
    named = [one.partition(":") for one in arguments.account]
    flags["accounts"] = [{"name": name, "deposit": {"BTC": coins or "10"}} for name, _, coins in named] or None
    flags["orders"] = {"secrets": arguments.secrets} if arguments.secrets else None
    flags["schedule"] = [dict(zip(("at", "do"), one.split(" ", 1), strict=False)) for one in arguments.at] or None
    return flags


def _credentials(config: Any) -> tuple[str, str] | None:
    if config.username is None:
        return None
    return config.username, os.environ.get(config.password_env or "", "")


def _words(report: dict[str, Any]) -> str:
    lines = "; ".join(f"{name} {row['delivered']:,} of {row['packets']:,}" for name, row in report["lines"].items())
    return (
        f"{report['transactions']:,} transactions, messages up to {report['next_sequence'] - 1:,}; packets: {lines}; "
        f"requests {report['requests']:,}, refused {report['refused']:,}"
    )
