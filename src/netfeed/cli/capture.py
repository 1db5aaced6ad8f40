"""`netfeed capture`: frames of interfaces into pcap and pcapng files, and nothing lost quietly."""

import argparse
import json
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.app.capture.feed import Needs
    from netfeed.app.capture.files import Plan
    from netfeed.app.capture.opening import Reader
    from netfeed.app.signals import Signals

_EXAMPLES = """examples:
  netfeed capture -i eth0 -w day.pcapng udp and dst net 233.252.0.0/24
  netfeed capture -i eth0 -w day.pcapng.zst 233.252.0.1:26400 233.252.0.2:26400 --join
  netfeed capture -i eth0 -w 'day-%Y%m%d-%H%M.pcapng' -G 3600 -W 24     a file an hour, a day of them
  netfeed capture -i eth0 -w ring.pcap -C 100MiB -W 10 -s 128           the newest GiB, 128 bytes of each frame
  netfeed capture --feed feed.toml -w feed.pcapng                       exactly what the feed needs, and joined
  netfeed capture -i eth0 -w - -c 100 udp | tshark -r -

A file is called .pcap or .pcapng, .gz or .zst behind it packs it in a thread of its own; - is standard output (pcapng).
It stands under a temporary name until it is complete. What the kernel or the queue to that thread dropped is in the
summary, in a pcapng file's interface statistics, and beside a .pcap file, which has no place for it, as
FILE.drops.json.

exit codes: 0 ok, 1 failure (disk full, interface removed), 2 usage, 3 frames were lost (also when interrupted),
77 not permitted (needs CAP_NET_RAW), 130/143 interrupted. SIGUSR1: the counters so far, as JSON on stderr
"""

_WORDS = 400
"""How much of a filter is said: that of a feed with hundreds of groups fills a screen."""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "capture", help="capture frames into files, and count what was lost", epilog=_EXAMPLES,
        description="Capture frames with nanosecond stamps through a ring that the kernel fills.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "filter", nargs="*", metavar="FILTER", help="what of it, in tcpdump's words; GROUP:PORT is UDP to that group"
    )
    parser.add_argument(
        "-i", "--interface", action="append", default=[], metavar="IF",
        help="where, by name or address, or any (repeatable: several interfaces in one pcapng file)",
    )  # fmt: skip
    parser.add_argument("--feed", metavar="CONFIG", help="capture what a configuration of `netfeed run` needs")
    parser.add_argument("-w", "--write", required=True, metavar="FILE", help="the file; its name says its form")
    _add_files(parser)
    _add_ring(parser)
    parser.add_argument(
        "--interval", type=args.duration, default=10**9, metavar="TIME", help="between lines of progress (1s)"
    )
    parser.add_argument("--json", action="store_true", help="the summary as one object on standard output")
    args.add_talk(parser, verbose="say each interval how it goes, also where it is no terminal")
    parser.set_defaults(run=run)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="end after so many frames")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="end after so long, as in 10s")
    parser.add_argument(
        "-C", "--rotate-size", type=args.length, metavar="SIZE", help="no file is longer, before packing"
    )
    parser.add_argument(
        "-G",
        "--rotate-every",
        type=args.duration,
        metavar="SECONDS",
        help="another file after so long; the name may hold %%H etc.",
    )
    parser.add_argument("-W", "--files", type=args.positive, metavar="N", help="keep so many files, the newest")
    parser.add_argument(
        "--queue", type=args.length, default=64 * 2**20, metavar="SIZE", help="of what waits to be packed (64MiB)"
    )


def _add_ring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-s", "--snap", type=args.positive, metavar="BYTES", help="keep so many bytes of each frame")
    parser.add_argument(
        "-B", "--buffer", type=args.length, metavar="SIZE", help="the kernel's ring, for each interface (32MiB)"
    )
    parser.add_argument("-p", "--no-promiscuous", action="store_true", help="only what is sent to this host")
    parser.add_argument("--ignore-outgoing", action="store_true", help="not what this host sends")
    parser.add_argument("--join", action="store_true", help="join the groups of GROUP:PORT, so that switches send them")
    parser.add_argument("--no-join", action="store_true", help="with --feed: join no group, somebody else does")
    parser.add_argument(
        "--reader", choices=("packet", "xdp"), default="packet",
        help="AF_PACKET (default), or AF_XDP: what that takes, the host itself does not get",
    )  # fmt: skip
    parser.add_argument(
        "--stamps", choices=("software", "hardware"), default="software", help="of the kernel (default) or of the card"
    )
    parser.add_argument(
        "--fanout", metavar="GROUP[:MODE]", help="share the frames with other captures of a number (hash, lb, cpu, ...)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.capture.account import UNREAD, exit_code, summary_text
    from netfeed.app.capture.capture import Capture, Limits
    from netfeed.app.capture.opening import described, joined, opened
    from netfeed.app.signals import Signals

    what, reader = _needs(arguments), _reader(arguments)
    _check_files(arguments, [one.interface for one in what.wanted])
    view = _View(arguments)
    limits = Limits(arguments.count, arguments.duration, arguments.interval, reader.rest_ns)
    with Stop() as stop, Signals() as signals, opened(what.wanted, reader) as sources, joined(what.memberships):
        for text in (*what.left_out, *(warning for source in sources for warning in source.warnings)):
            view.note(text)
        view.begin(sources, what)
        plan = _plan(arguments, described(what.wanted, sources, reader.snap))
        capture = Capture(
            sources, plan, limits, asked=_Asked(stop, signals), tell=view.tell, note=view.note, dump=view.dump
        )
        summary = capture.run()
    view.end()
    if arguments.json:
        print(json.dumps(summary))
    told = not arguments.quiet and all(one["gone"] for one in summary["interfaces"])
    if summary["ended"].startswith("failed") and not told:
        session.note(summary["ended"].removeprefix("failed: "))
    elif summary["ended"] == UNREAD:
        view.note(f"{arguments.write}: {UNREAD}")
    for line in () if arguments.quiet or arguments.json else summary_text(summary):
        print(line, file=sys.stderr)
    return exit_code(summary, stop.exit_code if stop() else session.OK)


class _Asked:
    """What the capture asks of us."""

    def __init__(self, stop: Stop, signals: "Signals") -> None:
        self.stop, self.dump, self.fileno, self.drain = stop, signals.dump, signals.fileno, signals.drain


class _View:
    """What is said while it runs, on standard error: a line that is written over on a terminal, else lines with -v."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._quiet, self._verbose = arguments.quiet, bool(arguments.verbose)
        self._live = sys.stderr.isatty() and not arguments.quiet
        self._open = False

    def begin(self, sources: Any, what: "Needs") -> None:
        """Say what is captured."""
        for source, one in zip(sources, what.wanted, strict=True):
            words = textwrap.shorten(one.expression or "none", _WORDS, placeholder=" ...")
            self.note(f"capturing on {source.interface}, stamps: {source.stamps}, filter: {words}")

    def tell(self, report: dict[str, Any]) -> None:
        """Say how it goes."""
        from netfeed.app.capture.account import interval_text

        text = interval_text(report)
        if self._live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._open = True
        elif self._verbose and not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Say something that a person should know."""
        self.end()
        if not self._quiet:
            session.note(text)

    def dump(self, account: dict[str, Any]) -> None:
        """Say the counters so far."""
        self.end()
        print(json.dumps(account), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line that is written over."""
        if self._open:
            print(file=sys.stderr)
            self._open = False


def _needs(arguments: argparse.Namespace) -> "Needs":
    from netfeed.app.capture.feed import Needs, needs
    from netfeed.app.capture.opening import groups, wanted
    from netfeed.app.config import load
    from netfeed.errors import ConfigurationError

    if arguments.feed is not None:
        if arguments.interface or arguments.filter or arguments.join:
            raise ConfigurationError("--feed says where and what; -i, --join and a filter go without it")
        found = needs(load(arguments.feed, os.environ))
        if arguments.no_join:
            found.memberships = []
        return found
    if not arguments.interface:
        raise ConfigurationError("which interface? Name it with -i, all of them with -i any, a feed's with --feed")
    if "any" in arguments.interface and (arguments.join or arguments.reader == "xdp"):
        raise ConfigurationError("-i any: groups are joined, and AF_XDP reads, on one interface: name it")
    if len(set(arguments.interface)) < len(arguments.interface):
        raise ConfigurationError("-i: an interface stands twice")
    each = [wanted(name, arguments.filter) for name in arguments.interface]
    if arguments.join and not each[0].pairs:
        raise ConfigurationError("--join needs a filter of GROUP:PORT words only: else nobody knows what to join")
    return Needs(each, [one for what in each if arguments.join for one in groups(what.pairs, what.interface)])


def _reader(arguments: argparse.Namespace) -> "Reader":
    from netfeed.app.capture.opening import MAX_SNAP, RING_BYTES, Reader

    return Reader(
        arguments.reader, min(arguments.snap or MAX_SNAP, MAX_SNAP), arguments.buffer or RING_BYTES,
        not arguments.no_promiscuous, not arguments.ignore_outgoing, arguments.stamps, _fanout(arguments.fanout),
    )  # fmt: skip


def _fanout(text: str | None) -> tuple[int, str] | None:
    from netfeed.errors import ConfigurationError

    if text is None:
        return None
    group, _, mode = text.partition(":")
    if not (group.isascii() and group.isdecimal()):
        raise ConfigurationError(f"--fanout {text}: a number, and a mode if wanted, as in 7:hash")
    return int(group), mode or "hash"


def _check_files(arguments: argparse.Namespace, interfaces: list[str]) -> None:
    """Refuse what does not go together, before anything is opened."""
    from netfeed.app.capture.format import format_of
    from netfeed.errors import ConfigurationError
    from netfeed.transport.raw.source import Form

    rotates = arguments.rotate_size or arguments.rotate_every
    if arguments.write == "-" and (rotates or arguments.json):
        raise ConfigurationError("-w - is one stream of standard output: it does not go with -C, -G or --json")
    if arguments.files and not rotates:
        raise ConfigurationError("-W needs -C or -G: what would begin another file?")
    if arguments.rotate_every is not None and arguments.rotate_every < 10**9:
        raise ConfigurationError("-G is at least a second")
    if format_of(arguments.write).form is Form.PCAP and len(interfaces) > 1:
        raise ConfigurationError(
            f"a pcap file does not tell interfaces apart ({', '.join(interfaces)}): call it .pcapng"
        )


def _plan(arguments: argparse.Namespace, interfaces: list[Any]) -> "Plan":
    from netfeed.app.capture.files import Plan
    from netfeed.app.capture.format import format_of

    return Plan(
        arguments.write, format_of(arguments.write), interfaces, arguments.rotate_size or None, arguments.rotate_every,
        arguments.files, arguments.queue,
    )  # fmt: skip
