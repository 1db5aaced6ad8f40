"""`netfeed send`: numbered packets to a group, or a capture again."""

import argparse
import contextlib
import json
import secrets
import sys
from typing import TYPE_CHECKING, Any, Final

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.transport.resend import Resent
    from netfeed.transport.send import Sender

DEFAULT_PPS: Final = 1000.0
TOP_BURST: Final = 32

_EXAMPLES = """examples:
  netfeed send 233.252.0.1:5000 -i eth0                        1,000 numbered packets a second until interrupted
  netfeed send 233.252.0.1:5000 233.252.0.2:5000 -i eth0 -i eth1 -c 10000 --pps 20000 --size 300
                                                               the same numbers on two lines; `netfeed listen` with
                                                               both groups compares them
  netfeed send 233.252.0.1:5000 -i lo --topspeed --duration 2s
  netfeed send -r day.pcap.zst -i lo                           a capture, to the groups it was recorded from
  netfeed send -r a.pcap -r b.pcap -i lo --speed 10 --loop 0   both lines, ten times as fast, again and again
  netfeed send -r day.pcap -i lo --map 233.252.0.1:26400=239.1.1.1:26400 --pps 5000
  netfeed send -r day.pcap 239.1.1.1:26400 --group 233.252.0.1:26400    one recorded group, to another one
  netfeed send -r day.pcap -i eth1 --layer2 --topspeed         its frames as they are, headers and all (CAP_NET_RAW)

Packets leave at absolute deadlines; how late they were is said at the end. On two hosts, one-way latency is as good as
the synchronisation of their clocks.

exit codes: 0 ok, 1 failure (the kernel refused packets, a file has faults), 2 usage, 77 not permitted, 130/143
interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "send", help="send numbered packets, or a capture, to multicast groups", epilog=_EXAMPLES,
        description="Send numbered, time-stamped packets for `netfeed listen`, or captures at their own pace.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "destinations", nargs="*", metavar="GROUP:PORT",
        help="where to; several get the same numbers. With -r: one, for everything that is not mapped",
    )  # fmt: skip
    parser.add_argument("-p", "--port", type=args.port_number, help="the port of destinations that name none")
    parser.add_argument(
        "-i", "--interface", action="append", default=[], metavar="IF",
        help="where to send from, by name or address; once, or (numbered packets) once for each destination in order",
    )  # fmt: skip
    parser.add_argument(
        "-t", "--ttl", type=args.ttl, default=1, metavar="N", help="routers to pass, plus one (default 1)"
    )
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="end after so many packets")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="end after so long, as in 10s")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--pps", type=args.rate, metavar="N", help="packets a second (numbered: 1000)")
    pace.add_argument("--topspeed", action="store_true", help="as fast as the kernel takes them")
    pace.add_argument("--speed", type=args.speed, metavar="X", help="-r: X times as fast as it was recorded (1)")
    numbered = parser.add_argument_group("numbered packets")
    numbered.add_argument("--size", type=args.size, metavar="BYTES", help="of each payload (100; at least 32)")
    numbered.add_argument(
        "--burst", type=args.positive, metavar="N", help="packets that leave together, at most 64 (1; at top speed 32)"
    )
    capture = parser.add_argument_group("captures")
    capture.add_argument("-r", "--read", action="append", default=[], metavar="FILE", help="a capture (repeatable)")
    capture.add_argument("--loop", type=args.rounds, default=1, metavar="N", help="send it N times, 0: without end")
    capture.add_argument(
        "--group", action="append", default=[], type=args.group, metavar="GROUP[:PORT]",
        help="only what was recorded from here (repeatable)",
    )  # fmt: skip
    capture.add_argument(
        "--map", action="append", default=[], type=args.mapping, metavar="FROM=TO",
        help="send what went to FROM to TO instead, both GROUP:PORT (repeatable)",
    )  # fmt: skip
    capture.add_argument(
        "--layer2", action="store_true", help="send whole frames as they were recorded, from the one interface of -i"
    )
    parser.add_argument("--json", action="store_true", help="the report as one JSON object")
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    _check(arguments)
    with Stop() as stop:
        return _resend(arguments, stop) if arguments.read else _numbered(arguments, stop)


def _check(arguments: argparse.Namespace) -> None:
    from netfeed.errors import ConfigurationError

    if not arguments.destinations and not arguments.read:
        raise ConfigurationError("send: name a GROUP:PORT to send to, or a capture with -r")
    if arguments.read:
        if len(arguments.destinations) > 1:
            raise ConfigurationError("send -r: one destination takes everything; use --map FROM=TO for several")
        if arguments.size or arguments.burst:
            raise ConfigurationError("send -r: --size and --burst are for numbered packets")
        if arguments.layer2 and (arguments.destinations or arguments.map or len(arguments.interface) != 1):
            raise ConfigurationError("send --layer2: frames go as they are to one -i IF, without GROUP:PORT or --map")
    elif arguments.speed or arguments.loop != 1 or arguments.group or arguments.map or arguments.layer2:
        raise ConfigurationError("send: --speed, --loop, --group, --map and --layer2 need a capture (-r FILE)")


def _numbered(arguments: argparse.Namespace, stop: Stop) -> int:
    from netfeed.app.send import Numbered, sent_report

    destinations = [args.destination(text, arguments.port) for text in arguments.destinations]
    on = args.interfaces(arguments.interface, len(destinations))
    pps = None if arguments.topspeed else arguments.pps or DEFAULT_PPS
    burst = arguments.burst or (TOP_BURST if arguments.topspeed else 1)
    stream = secrets.randbits(63)
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(_open(arguments, *one, at)) for one, at in zip(destinations, on, strict=True)]
        numbered = Numbered(
            senders, stream=stream, size=arguments.size or 100, pps=pps, burst=burst, count=arguments.count,
            duration_ns=arguments.duration, stop=stop,
        )  # fmt: skip
        if not arguments.quiet:
            session.note(f"sending to {', '.join(arguments.destinations)} from {senders[0].local[0]}; Ctrl-C ends")
        sent = numbered.run()
        report = sent_report(sent, senders, stream, numbered.size)
    _say(report, arguments)
    if stop():
        return stop.exit_code
    return session.FAILED if sent.refused else session.OK


def _resend(arguments: argparse.Namespace, stop: Stop) -> int:
    from netfeed.transport.resend import Pace, Resend

    def wanted(host: str, port: int) -> bool:
        return not arguments.group or any(host == one and to in (None, port) for one, to in arguments.group)

    timed = not (arguments.pps or arguments.topspeed)
    common: dict[str, Any] = {
        "pace": Pace(speed=(arguments.speed or 1.0) if timed else None, pps=arguments.pps), "rounds": arguments.loop,
        "count": arguments.count, "duration_ns": arguments.duration, "stop": stop,
    }  # fmt: skip
    if arguments.layer2:
        return _resend_frames(arguments, stop, wanted if arguments.group else None, common)
    on = args.interfaces(arguments.interface, 1)[0]
    to = args.destination(arguments.destinations[0], arguments.port) if arguments.destinations else None
    resend = Resend(
        arguments.read, lambda host, port: _open(arguments, host, port, on), moved=dict(arguments.map),
        everything_to=to, wanted=wanted, **common,
    )  # fmt: skip
    resent = resend.run()
    return _ended(arguments, stop, resent, "no UDP packet to a group that was asked for")


def _resend_frames(arguments: argparse.Namespace, stop: Stop, wanted: Any, common: dict[str, Any]) -> int:
    from netfeed.transport.raw.resend import ResendFrames
    from netfeed.transport.raw.send import FrameSender

    with FrameSender(arguments.interface[0]) as sender:
        resent = ResendFrames(arguments.read, sender, wanted=wanted, **common).run()
    for why in sender.why():
        session.note(why)
    return _ended(arguments, stop, resent, "no whole Ethernet frame that was asked for")


def _ended(arguments: argparse.Namespace, stop: Stop, resent: "Resent", missing: str) -> int:
    from netfeed.app.send import resent_report

    _say(resent_report(resent, arguments.read), arguments)
    if not resent.sent and not resent.not_taken and not stop():
        session.note(f"nothing was sent: the captures hold {missing}")
        return session.FAILED
    if stop():
        return stop.exit_code
    return session.FAILED if resent.not_taken or resent.faults else session.OK


def _open(arguments: argparse.Namespace, host: str, port: int, interface: str | None) -> "Sender":
    from netfeed.transport.send import Sender

    return Sender(host, port, interface=interface, ttl=arguments.ttl)


def _say(report: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Print the report: as JSON, or what tcpdump would say at its end."""
    from netfeed.units import duration_text

    if arguments.json:
        print(json.dumps(report))
        return
    if arguments.quiet:
        return
    seconds = report["elapsed_ns"] / 1e9
    rate = f", {report['packets'] / seconds:,.0f} a second" if seconds else ""
    print(f"{report['packets']:,} packets sent in {duration_text(report['elapsed_ns'])}{rate}")
    for one in report["destinations"]:
        print(f"  {one['to']}: {one['datagrams']:,} datagrams")
    late = report["late_ns"]
    if late:
        print("  late by " + ", ".join(f"{name} {duration_text(late[name])}" for name in ("p50", "p90", "p99", "max")))
    cut = "not Ethernet, cut by a snap length" if arguments.layer2 else "no UDP, not to a group"
    names = {
        "left_out": f"left out ({cut}, or not asked for)", "not_taken": "not taken by the kernel",
        "faults": "faults in the files", "waited": "times the kernel had no room",
    }  # fmt: skip
    for key, text in names.items():
        if report.get(key):
            print(f"  {report[key]:,} {text}")
    refused = sum(one.get("refused", 0) for one in report["destinations"])
    if refused:
        print(f"netfeed: the kernel refused {refused:,} packets", file=sys.stderr)
