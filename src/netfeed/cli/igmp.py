"""`netfeed igmp`: who asks for memberships, who answers, and what is wrong with that."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from netfeed.cli import arguments as args
from netfeed.cli import session
from netfeed.cli.stopping import Stop

if TYPE_CHECKING:
    from netfeed.app.host.membership import Options
    from netfeed.host.membership import Wanted
    from netfeed.host.membership_events import Event

TIMED_OUT = 5

_EXAMPLES = """examples:
  netfeed igmp -i eth0                               what is asked and answered, as it happens; Ctrl-C for the table
  netfeed igmp 233.252.0.1 -i eth0 --duration 140s   is there a querier, and does anybody want this group?
  netfeed igmp 10.0.0.1,232.1.1.1 -i eth0            and from this source?
  netfeed igmp -i eth0 --json --duration 140s        one JSON object an event, and the summary as the last one
  netfeed igmp -r capture.pcapng.gz -v               the same of a capture, with every message

It sends nothing. A switch that snoops shows what hosts report only to routers: behind one, queries and what this host
says are heard; listen at a mirror port, on a router, or on a Linux bridge (-i br0) for all of it.

exit codes: 0 nothing is wrong, 1 failure, 2 usage, 3 something is wrong (no querier for 135 s or --patience, a querier
lost, two of them, an old version that takes source filters away, a host that stopped answering, a group that nobody
wants; also when interrupted; or a capture that is damaged), 5 nothing was heard at all, 77 not permitted, 130/143
interrupted. SIGUSR1: the summary so far, as JSON on stderr
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "igmp", help="listen to IGMP and MLD: who asks, who answers, why switches stop forwarding", epilog=_EXAMPLES,
        description="Listen to IGMP and MLD and send nothing: queriers and their elections, memberships of hosts, "
        "leaves and what followed, versions that fall.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("groups", nargs="*", metavar="[SOURCE,]GROUP", help="groups that somebody here should want")
    parser.add_argument("-i", "--interface", metavar="IF", help="where to listen, by name or address")
    parser.add_argument(
        "-r", "--read", action="append", default=[], metavar="FILE",
        help="read captures instead (repeatable; pcap or pcapng, also .gz and .zst; - is standard input)",
    )  # fmt: skip
    parser.add_argument("-c", "--count", type=args.positive, metavar="N", help="end after so many messages")
    parser.add_argument("--duration", type=args.duration, metavar="TIME", help="end after so long, as in 140s")
    parser.add_argument(
        "--patience", type=args.duration, metavar="TIME",
        help="how long no query may come before there is no querier (135s: the usual interval and time to answer)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="a JSON object an event, and the summary as the last one")
    args.add_talk(parser, verbose="every message, too, and memberships of groups that stay on their link")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.host.membership import Watch
    from netfeed.app.host.membership_report import (
        event_json,
        event_text,
        heard_text,
        is_local_event,
        message_json,
        print_summary,
    )
    from netfeed.app.signals import Signals
    from netfeed.app.tables import console

    def write(one: Any, text: str) -> None:
        if arguments.json or not arguments.quiet:
            print(json.dumps(one) if arguments.json else text, flush=True)

    def note(text: str) -> None:
        if not arguments.quiet:
            session.note(text)

    watch = Watch(_options(arguments), note=note)

    def tell(event: "Event") -> None:
        if arguments.json or arguments.verbose or not is_local_event(event):
            write(event_json(event), event_text(event))

    watch.tell = tell
    if arguments.verbose:
        watch.message = lambda ts_ns, heard: write(message_json(ts_ns, heard), heard_text(ts_ns, heard))
    with Stop() as stop, Signals() as signals:
        watch.stop, watch.dump = stop, signals.dump
        report = watch.run()
    if arguments.json:
        print(json.dumps(report))
    else:
        print_summary(watch.memberships, console())
    for fault in watch.faults.listed():
        session.note(f"{fault.file}: {fault.found}, wanted {fault.wanted}")
    return _exit_code(report, stop)


def _exit_code(report: dict[str, Any], stop: Stop) -> int:
    if report["errors"] or any(one["wrong"] for one in report["findings"]):
        return session.DATA
    if stop():
        return stop.exit_code
    return session.OK if report["messages"] else TIMED_OUT


def _options(arguments: argparse.Namespace) -> "Options":
    from netfeed.app.host.membership import Options
    from netfeed.errors import ConfigurationError
    from netfeed.host.membership import PATIENCE_NS

    if bool(arguments.interface) == bool(arguments.read):
        raise ConfigurationError("name one interface (-i eth0), or captures to read (-r FILE)")
    return Options(
        interface=arguments.interface, files=arguments.read, wanted=[_wanted(one) for one in arguments.groups],
        count=arguments.count, duration_ns=arguments.duration, patience_ns=arguments.patience or PATIENCE_NS,
    )  # fmt: skip


def _wanted(text: str) -> "Wanted":
    from netfeed.errors import ConfigurationError
    from netfeed.host.membership import Wanted
    from netfeed.transport.network import address

    source, comma, group = text.rpartition(",")
    wanted = Wanted(address(group), address(source) if comma else None)
    if not wanted.group.is_multicast or (wanted.source and wanted.source.version != wanted.group.version):
        raise ConfigurationError(f"{text} is no group, or its source is of another IP version")
    return wanted
