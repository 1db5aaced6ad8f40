"""`netfeed listen`: join groups and say what comes, without any configuration."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.app.listen import Options

TIMED_OUT = 5

_EXAMPLES = """examples:
  netfeed listen 233.252.0.1:26400 -i eth0                     rates, sequences and loss of one line
  netfeed listen 233.252.0.1:26400 233.252.0.2:26400 -i eth0 -i eth1
                                                               two lines, each on its interface: who is first, by how
                                                               much the other is behind, what neither brought
  netfeed listen 10.0.0.1,233.252.0.1:26400 -i eth0            from one source only (SSM)
  netfeed listen 233.252.0.1:5000 -i eth0 --json --duration 60s    one JSON object a second, and a summary
  netfeed listen 233.252.0.1:5000 -i eth0 -c 1 --timeout 5s    does anything arrive at all?

With `netfeed send` on another host it measures loss and one-way latency; the latter is as good as both clocks are
synchronised. Protocols are recognised: itch50 (MoldUDP64), starbase, deribit, cme, iex, and netfeed's numbered packets.

exit codes: 0 ok, 1 failure, 2 usage, 3 a line lost something or was silent beside others (also when interrupted),
5 nothing arrived at all, 77 not permitted, 130/143 interrupted. SIGUSR1: the counters so far, as JSON on stderr
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "listen", help="join multicast groups and report rates, loss and lead", epilog=_EXAMPLES,
        description="Join groups; report rates, sequences, loss, duplicates, and how lines compare.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "groups", nargs="+", metavar="[SOURCE,]GROUP[:PORT]",
        help="what to join; several are compared as lines A, B, ... of one stream. An address of this host is bound",
    )  # fmt: skip
    parser.add_argument("-p", "--port", type=args.port_number, help="the port of groups that name none")
    parser.add_argument(
        "-i", "--interface", action="append", default=[], metavar="IF",
        help="where to join, by name or address; once for all groups, or once for each in order",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", choices=(*args.PROTOCOLS, "numbered"), help="what is spoken; without it, recognised"
    )
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="end after so many packets")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="end after so long, as in 10s")
    parser.add_argument("--timeout", type=args.duration, metavar="TIME", help="end when nothing has come for so long")
    parser.add_argument("--interval", type=args.duration, default=10**9, metavar="TIME", help="between reports (1s)")
    parser.add_argument(
        "-B", "--buffer", type=args.buffer, metavar="SIZE", help="receive buffer of each socket (16MiB)"
    )
    parser.add_argument(
        "--hardware-stamps", action="store_true", help="use the network card's stamps where it makes any"
    )
    parser.add_argument("--busy-poll", type=args.positive, metavar="US", help="poll the card so long before sleeping")
    parser.add_argument("--spin", action="store_true", help="never sleep: takes a whole core")
    parser.add_argument(
        "--json", action="store_true", help="a JSON object each interval, and the summary as the last one"
    )
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.listen import Listen, is_lossy
    from netfeed.app.signals import Signals

    def tell(report: dict[str, Any]) -> None:
        if arguments.json:
            print(json.dumps(report), flush=True)
        elif not arguments.quiet:
            for line in report["lines"]:
                print(line_text(line), flush=True)

    def note(text: str) -> None:
        if not arguments.quiet:
            session.note(text)

    with Stop() as stop, Signals() as signals:
        summary = Listen(_options(arguments), tell=tell, note=note, stop=stop, dump=signals.dump).run()
        interrupted = stop()
    _say(summary, as_json=arguments.json)
    if is_lossy(summary):
        return session.DATA
    if not summary["packets"] and not interrupted:
        return TIMED_OUT
    return stop.exit_code if interrupted else session.OK


def _options(arguments: argparse.Namespace) -> "Options":
    from netfeed.app.listen import Options, Target
    from netfeed.errors import ConfigurationError
    from netfeed.transport.udp import BUFFER_BYTES

    on = args.interfaces(arguments.interface, len(arguments.groups))
    if arguments.interval < 1_000_000:
        raise ConfigurationError("--interval is at least 1ms")
    targets = []
    for text, interface in zip(arguments.groups, on, strict=True):
        source, comma, rest = text.partition(",")
        host, port = args.destination(rest if comma else text, arguments.port)
        targets.append(Target(host, port, args.address(source) if comma else None, interface))
    return Options(
        targets=targets, protocol=arguments.protocol, count=arguments.count, duration_ns=arguments.duration,
        timeout_ns=arguments.timeout, interval_ns=arguments.interval, buffer_bytes=arguments.buffer or BUFFER_BYTES,
        stamps="hardware" if arguments.hardware_stamps else "software", busy_poll_us=arguments.busy_poll or 0,
        spin=arguments.spin,
    )  # fmt: skip


def line_text(line: dict[str, Any]) -> str:
    """Write the report of one line in one line."""
    from netfeed.units import duration_text

    what = line["protocol"] or ("unknown protocol" if line["packets"] else "silent")
    parts = [
        f"{line['line']} {line['group']} {what}",
        f"{line['packets_per_second']:,} packets/s", f"{line['bits_per_second'] / 1e6:,.3f} Mbit/s",
    ]  # fmt: skip
    if line["protocol"]:
        parts += [f"lost {line['lost']:,}", f"duplicates {line['duplicates']:,}"]
    for key, name in (
        ("reordered", "reordered"),
        ("restarts", "restarts"),
        ("malformed", "malformed"),
        ("differs", "differs from another line"),
    ):
        if line[key]:
            parts.append(f"{name} {line[key]:,}")
    for key, name in (("behind_ns", "behind"), ("one_way_ns", "one-way")):
        if line[key]:
            parts.append(f"{name} p50 {duration_text(line[key]['p50'])} p99 {duration_text(line[key]['p99'])}")
    parts.append(f"kernel drops {line['kernel_drops']:,}")
    return "  ".join(parts)


def _say(summary: dict[str, Any], *, as_json: bool) -> None:
    """Print the summary: as JSON, or as tcpdump would."""
    from netfeed.units import duration_text

    if as_json:
        print(json.dumps(summary), flush=True)
        return
    print(f"{summary['packets']:,} packets received in {duration_text(summary['elapsed_ns'])}")
    for line in summary["lines"]:
        print(f"  {line_text(line)}")
        details = [f"{line['packets']:,} packets", f"first {line['first']:,}"]
        if line["only"] is not None:
            details.append(f"{line['line']}-only {line['only']:,}")
        if line["truncated"]:
            details.append(f"truncated {line['truncated']:,}")
        if line["clock_behind"]:
            details.append(f"{line['clock_behind']:,} came before they were sent: the clocks disagree")
        details.append(f"from {', '.join(line['sources']) or 'nobody'}")
        print(f"    {', '.join(details)}")
    if len(summary["lines"]) > 1 and summary["streams"]:
        print(f"  missed by all lines: {summary['missed_by_all']:,}")
