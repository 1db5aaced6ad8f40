"""`netfeed latency ping`: round trips to `netfeed latency pong`, at a rate or as fast as answers come."""

import argparse
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.latency_output import add_output
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.app.latency.ping_target import Target
    from netfeed.proto.probe_words import Plan

TIMED_OUT: Final = 5
RATE: Final = 1000.0
DURATION_NS: Final = 5_000_000_000
MAX_WINDOW: Final = 4096
SECOND_NS: Final = 1_000_000_000

_EXAMPLES = """examples:
  netfeed latency ping udp://192.0.2.7:7400                    1,000 questions a second for 5 s
  netfeed latency ping udp://192.0.2.7:7400 --spin --cpu 3     never sleeping, on processor 3
  netfeed latency ping multicast://233.252.0.1:7400 -i eth0    all who answer in the group, each for itself
  netfeed latency ping tcp://192.0.2.7:7400 --topspeed         the next question when the last is answered
  netfeed latency ping tcp://192.0.2.7:7400 --load 16          16 questions in flight
  netfeed latency ping udp://192.0.2.7:7400 --load 20k/s       beside 20,000 others a second, which are not measured
  netfeed latency ping wss://192.0.2.7:7403 --ca ca.pem -o wss.html

At a rate, a question is due at an absolute moment, however late the answers are, and its round trip is told from that
moment and from the one at which it was really sent.

exit codes: 0 ok, 1 failure, 2 usage, 5 nobody answers, 77 not permitted, 130/143 interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "ping", help="round trips over UDP, multicast, TCP, TLS and WebSocket", epilog=_EXAMPLES,
        description="Measure round trips to `netfeed latency pong`, which answers each question with one as long.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("target", metavar="TARGET", help="udp, multicast, tcp, tls, ws or wss, then ://ADDRESS:PORT")
    parser.add_argument("-i", "--interface", metavar="IF", help="multicast: where to ask, by name or address")
    parser.add_argument(
        "-t", "--ttl", type=args.ttl, default=1, metavar="N", help="multicast: routers to pass, plus one"
    )
    parser.add_argument(
        "-s", "--size", type=probe_size, default=100, metavar="BYTES", help="of question and answer (100; at least 72)"
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=args.rate, metavar="N", help="questions a second, as in 500 or 20k (1000)")
    pace.add_argument("--topspeed", action="store_true", help="ask when the last question is answered")
    parser.add_argument(
        "--load", type=load, metavar="K|N/s", help="K questions in flight, or N others a second beside those measured"
    )
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="end after so many questions")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="end after so long (5s)")
    parser.add_argument(
        "--warmup", type=args.duration, default=200_000_000, metavar="TIME", help="before counting (200ms)"
    )
    parser.add_argument(
        "--timeout", type=args.duration, default=SECOND_NS, metavar="TIME", help="an answer is late after (1s)"
    )
    parser.add_argument("--answers", type=args.positive, metavar="N", help="multicast: how many answer each question")
    add_place(parser)
    secure = parser.add_argument_group("tls:// and wss://")
    secure.add_argument("--ca", metavar="FILE", help="who signed the certificate: pong says where")
    secure.add_argument("--insecure", action="store_true", help="believe any certificate")
    secure.add_argument("--name", metavar="NAME", help="whom the certificate must name (the address)")
    add_output(parser)
    parser.set_defaults(run=run)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add where the program runs, and how it waits."""
    parser.add_argument("--spin", action="store_true", help="ask for datagrams all the time instead of sleeping")
    parser.add_argument("--cpu", type=args.rounds, metavar="N", help="run on this processor only")
    parser.add_argument("--priority", type=args.priority, metavar="N", help="be SCHED_FIFO with this priority, 1 to 99")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.latency.deliver import deliver
    from netfeed.app.latency.ping import Ping, UnansweredError, Way
    from netfeed.app.latency.ping_report import ping_report
    from netfeed.app.latency.ping_stream import Trusting
    from netfeed.app.latency.ping_target import read_target

    target = read_target(arguments.target)
    way = Way(
        arguments.interface, arguments.ttl, arguments.spin, arguments.cpu, arguments.priority,
        Trusting(arguments.ca, arguments.insecure, arguments.name),
    )  # fmt: skip
    with Stop() as stop:
        ping = Ping(target, _plan(arguments, target), way, stop=stop, tell=None if arguments.quiet else session.note)
        try:
            ping.run()
        except UnansweredError as error:
            session.note(str(error))
            return stop.exit_code if stop() else TIMED_OUT
    deliver(ping_report(ping), arguments)
    return stop.exit_code if stop() else session.OK


def probe_size(text: str) -> int:
    """Read the size of a probe. Units: bytes."""
    from netfeed.wire.probe import MAX_SIZE, SIZE

    value = int(text) if text.isascii() and text.isdecimal() else 0
    if not SIZE <= value <= MAX_SIZE:
        raise argparse.ArgumentTypeError(f"not a size of {SIZE} to {MAX_SIZE} bytes: {text!r}")
    return value


def load(text: str) -> tuple[int, float]:
    """Read a load: how many are in flight, or how many others a second; the other one is 0."""
    if re.fullmatch(r".+/s", text):
        return 0, args.rate(text[:-2])
    count = args.positive(text)
    if count > MAX_WINDOW:
        raise argparse.ArgumentTypeError(f"at most {MAX_WINDOW} questions are in flight: {text!r}")
    return count, 0.0


def _plan(arguments: argparse.Namespace, target: "Target") -> "Plan":
    from netfeed.errors import ConfigurationError
    from netfeed.proto.probe_words import Plan

    window, background = arguments.load or (0, 0.0)
    if window and arguments.rate:
        raise ConfigurationError("ping: --rate and --load K contradict each other; --load N/s goes with --rate")
    fast = arguments.topspeed or window
    if fast and target.is_group and arguments.answers is None:
        raise ConfigurationError("ping: in a group --topspeed and --load K need --answers: the last brings the next")
    if not arguments.timeout:
        raise ConfigurationError("ping: --timeout 0 would give every answer up")
    ends = arguments.count is not None or arguments.duration is not None
    return Plan(
        secrets.randbits(63), size=arguments.size, window=window or 1, count=arguments.count,
        interval_ns=None if fast else max(1, round(SECOND_NS / (arguments.rate or RATE))),
        background_ns=max(1, round(SECOND_NS / background)) if background else None,
        duration_ns=arguments.duration if ends else DURATION_NS, warmup_ns=arguments.warmup,
        timeout_ns=arguments.timeout, answers=arguments.answers if target.is_group else 1,
    )  # fmt: skip
