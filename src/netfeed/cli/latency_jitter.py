"""`netfeed latency jitter`: what this host does to threads that should not be disturbed."""

import argparse
from typing import Any, Final

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.latency_output import add_output
from netfeed.cli.stopping import Stop

_PARTS: Final = ("spin", "timer", "wakeup")
_MIN_NS: Final = 1_000
_MAX_NS: Final = 10_000_000_000

_EXAMPLES = """examples:
  netfeed latency jitter                                       isolated processors, or all: 5 s of each part
  netfeed latency jitter --cpus 2-3 --duration 60s -o host.html
  netfeed latency jitter --cpus 3 --priority 1 --what spin     as a receiver that spins with SCHED_FIFO
  netfeed latency jitter --what timer,wakeup --interval 100us  as cyclictest, and from thread to thread

spin: a thread that only reads the clock; what lies between two readings (--threshold) was stolen from it, as sysjitter
has it. timer: sleep until absolute moments; how late. wakeup: from an eventfd's writer to its reader on another
processor. Interrupts, softirqs, context switches and the hypervisor's steal are counted meanwhile.

exit codes: 0 ok, 1 failure, 2 usage, 130/143 interrupted
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "jitter", help="the host's noise: stolen time, late timers, slow wake-ups, by processor", epilog=_EXAMPLES,
        description="Measure what the host does to threads, and who interrupts them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--cpus", metavar="LIST", help="processors, as in 0-3,5 (the isolated ones, or all)")
    parser.add_argument("--duration", type=length, default=5_000_000_000, metavar="TIME", help="of each part (5s)")
    parser.add_argument("--what", type=parts, default=_PARTS, metavar="LIST", help="of spin,timer,wakeup (all)")
    parser.add_argument(
        "--threshold", type=length, default=1_000, metavar="TIME", help="spin: the shortest gap that counts (1us)"
    )
    parser.add_argument(
        "--interval", type=interval, default=1_000_000, metavar="TIME", help="timer, wakeup: between two of them (1ms)"
    )
    parser.add_argument("--priority", type=args.priority, metavar="N", help="be SCHED_FIFO with this priority, 1 to 99")
    add_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.latency.deliver import deliver
    from netfeed.app.latency.jitter import Jitter, Options
    from netfeed.app.latency.jitter_report import jitter_report
    from netfeed.host.cores import chosen

    options = Options(
        chosen(arguments.cpus), arguments.what, duration_ns=arguments.duration, threshold_ns=arguments.threshold,
        interval_ns=arguments.interval, priority=arguments.priority,
    )  # fmt: skip
    with Stop() as stop:
        jitter = Jitter(options, stop=stop, tell=(lambda text: None) if arguments.quiet else session.note)
        jitter.run()
    deliver(jitter_report(jitter), arguments)
    return stop.exit_code if stop() else session.OK


def parts(text: str) -> tuple[str, ...]:
    """Read which parts are measured."""
    asked = tuple(dict.fromkeys(text.split(",")))
    if not set(asked) <= set(_PARTS):
        raise argparse.ArgumentTypeError(f"not of {', '.join(_PARTS)}: {text!r}")
    return asked


def length(text: str) -> int:
    """Read a duration of 1 ns or more. Units: ns."""
    value = args.duration(text)
    if not value:
        raise argparse.ArgumentTypeError(f"not more than nothing: {text!r}")
    return value


def interval(text: str) -> int:
    """Read an interval of 1 us to 10 s. Units: ns."""
    value = args.duration(text)
    if not _MIN_NS <= value <= _MAX_NS:
        raise argparse.ArgumentTypeError(f"not an interval of 1us to 10s: {text!r}")
    return value
