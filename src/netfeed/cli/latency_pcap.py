"""`netfeed latency pcap FILE...`: latency, bursts, lines, TCP and tick to trade, from captures alone."""

import argparse
import re
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.latency_output import add_output
from netfeed.cli.stopping import Stop, Stopped
from netfeed.units import parse_duration, parse_size

if TYPE_CHECKING:
    from netfeed.app.latency.pcap import Settings
    from netfeed.wire.order_frames import Reference

SECTIONS = ("arrivals", "bursts", "lead", "sequences", "exchange", "tcp", "orders")
FIELDS = ("starbase.clientOrderId", "starbase.correlationId", "ouch.userRefNum")

_EXAMPLES = """examples:
  netfeed latency pcap capture.pcap --link 10G              everything there is, and how full the link was
  netfeed latency pcap a.pcap b.pcap --only lead            which line leads, by how much, how often
  netfeed latency pcap day.pcap.zst -o day.html -o day.json
  netfeed latency pcap both.pcap --order-port 192.0.2.30:8001 --within 5ms     tick to trade by time
  netfeed latency pcap md.pcap --orders orders.pcap --order-port :8001 --correlate starbase.correlationId

sections: arrivals  time between packets, deviation, jitter (RFC 3550)     tcp     round trips, retransmissions, windows
          bursts    the fullest windows of 1 ms, 100 us, 10 us              orders  tick to trade
          lead      line A against line B
          sequences loss, duplicates, order (as netfeed verify counts)
          exchange  the sender's time to the stamp of the capture

exit codes: 0 ok, 1 nothing was recognised, 2 usage, 3 gaps or corruption were found (as for verify), 130/143 stopped
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "pcap", help="measure from captures alone: bursts, lines, exchange to wire, TCP, tick to trade",
        description="Measure latency from captures: what the stamps of packets tell, without a running handler.",
        epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    args.add_input(parser, since="only what came at or after it")
    args.add_channels(parser)
    parser.add_argument(
        "--only", action="append", default=[], type=_sections, metavar="SECTION[,SECTION...]",
        help=f"only these sections: {', '.join(SECTIONS)} (repeatable)",
    )  # fmt: skip
    parser.add_argument(
        "--link",
        type=_link,
        metavar="SPEED",
        help="speed of the link in bit/s, as in 10G: bursts are told as a part of it",
    )
    parser.add_argument("--top", type=args.positive, default=10, metavar="N", help="rows of the tables of the greatest")
    parser.add_argument(
        "--date", type=args.moment, metavar="TIME",
        help="the exchange's midnight, for times of day (ITCH): 2020-01-30T05:00Z; without it, a guess",
    )  # fmt: skip
    _add_orders(parser)
    add_output(parser)
    parser.set_defaults(run=run)


def _add_orders(parser: argparse.ArgumentParser) -> None:
    orders = parser.add_argument_group("tick to trade")
    orders.add_argument(
        "--orders",
        metavar="FILE|ADDRESS:PORT",
        help="the capture of the orders, where it is another one; or where they go, as --order-port",
    )
    orders.add_argument(
        "--order-port",
        action="append",
        default=[],
        type=_gateway,
        metavar="[ADDRESS]:PORT",
        help="where orders go over TCP (repeatable); without it: messages of known framings that are orders",
    )
    orders.add_argument(
        "--correlate", type=_reference, metavar="FIELD",
        help=f"what of an order is the sequence (or its low bits) of the message it answers: {', '.join(FIELDS)}, "
        "or OFFSET:LENGTH[:little] in the message; without it an order answers the last packet before it",
    )  # fmt: skip
    orders.add_argument(
        "--within", type=args.duration, default=10_000_000, metavar="TIME",
        help="how long before an order its cause may have come (10ms)",
    )  # fmt: skip
    orders.add_argument(
        "--offset",
        type=_offset,
        metavar="TIME",
        help="what the clock of --orders is ahead, as in -3us; without it, estimated from packets in both captures",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.latency.deliver import deliver
    from netfeed.app.latency.pcap import Measurement
    from netfeed.app.progress import Progress

    with Stop() as stop:
        measurement = Measurement(session.options(arguments), _settings(arguments), stop=stop)
        replay = measurement.replay
        try:
            measurement.prepare()
        except Stopped:
            replay.stopped = True
        with Progress(replay, shown=not arguments.quiet):
            if not replay.stopped:
                session.run(replay, stop)
    if replay.lanes or not measurement.recognised:
        session.note_unknown(replay, quiet=arguments.quiet)
    session.note_unmatched(replay)
    deliver(measurement.report(), arguments)
    code = session.exit_code(replay, stop)
    return session.OK if code == session.FAILED and measurement.recognised else code


def _settings(arguments: argparse.Namespace) -> "Settings":
    """Give what is measured. Raises: ConfigurationError when options contradict each other."""
    import os

    from netfeed.app.latency.pcap import Settings
    from netfeed.app.latency.pcap_orders import Gateway
    from netfeed.errors import ConfigurationError

    gateways, orders = list(arguments.order_port), arguments.orders
    if orders is not None and not os.path.exists(orders):
        try:
            gateways.append(_gateway(orders))
        except argparse.ArgumentTypeError:
            raise ConfigurationError(f"--orders {orders}: there is no such file, and it is no ADDRESS:PORT") from None
        orders = None
    sections = frozenset(name for some in arguments.only for name in some) or frozenset(SECTIONS)
    if arguments.offset is not None and orders is None:
        raise ConfigurationError("--offset is for --orders FILE: one capture has one clock")
    if orders is not None and "-" in arguments.files and arguments.offset is None:
        raise ConfigurationError("standard input can be read only once: --orders FILE needs --offset then")
    midnight = arguments.date
    if midnight is not None and midnight.of_day:
        raise ConfigurationError("--date needs a day, as in 2020-01-30T05:00Z")
    return Settings(
        sections, arguments.link, arguments.top, midnight.ns if midnight else None, orders,
        tuple(Gateway(*one) for one in gateways), arguments.correlate, arguments.within, arguments.offset,
    )  # fmt: skip


def _sections(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    wrong = [name for name in names if name not in SECTIONS]
    if wrong:
        raise argparse.ArgumentTypeError(f"no section {wrong[0]!r}; there are {', '.join(SECTIONS)}")
    return names


def _link(text: str) -> int:
    try:
        value = parse_size(re.sub(r"(?i)(bit/s|bps|b)\Z", "", text.strip()))
    except ValueError:
        value = 0
    if not value:
        raise argparse.ArgumentTypeError(f"not a speed such as 10G or 100M (bit/s): {text!r}")
    return value


def _gateway(text: str) -> tuple[bytes | None, int]:
    """Read [ADDRESS]:PORT, or a port alone."""
    from ipaddress import ip_address

    host, port = (None, text) if text.isdecimal() else (None, text[1:]) if text[:1] == ":" else args.group(text)
    if host is None:
        return None, args.port_number(str(port))
    if port is None:
        raise argparse.ArgumentTypeError(f"a gateway needs its port too, as in 192.0.2.30:8001: {text!r}")
    address = ip_address(host)
    return (bytes(10) + b"\xff\xff" + address.packed if address.version == 4 else address.packed), int(port)


def _reference(text: str) -> "Reference":
    """Read the name of a field, or OFFSET:LENGTH[:big|little]."""
    from netfeed.wire.order_frames import REFERENCES, Reference

    if text in REFERENCES:
        return REFERENCES[text]
    parts = text.split(":")
    right = len(parts) in (2, 3) and all(part.isascii() and part.isdecimal() for part in parts[:2])
    order = parts[2] if len(parts) == 3 else "big"
    if not right or order not in ("big", "little") or not 1 <= int(parts[1]) <= 8 or int(parts[0]) > 65_535:
        raise argparse.ArgumentTypeError(
            f"no field {text!r}; there are {', '.join(FIELDS)}, and OFFSET:LENGTH[:little]"
        )
    return Reference(f"bytes {text}", int(parts[0]), int(parts[1]), order)


def _offset(text: str) -> int:
    """Read a duration that may be negative; `0` needs no unit. Units: ns."""
    try:
        return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text.lstrip("+"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
