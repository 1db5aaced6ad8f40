"""`netfeed doctor`: what of this host is in the way of a feed, each row with its remedy."""

import argparse
import json
import os
from typing import Any

from netfeed.cli import arguments as args
from netfeed.cli.config import add_set

OK, FAILED_CHECK = 0, 3

_EXAMPLES = """examples:
  netfeed doctor                            this host as it is; lo is probed
  netfeed doctor -i eth0 -i eth1            the interfaces of the two lines: link, filters, IGMP, a join that must loop
  netfeed doctor --config feed.toml         what that configuration will ask of the host: its interfaces, buffers,
                                            processors, priority
  netfeed doctor loss --duration 10s        where packets are lost meanwhile: nic, kernel, socket, queue, sequence
  netfeed doctor --json | jq '.findings[] | select(.level == "fail")'

It changes nothing. `netfeed tune` shows and applies settings of the kernel.
exit codes: 0 nothing failed (warnings are no failures), 2 usage, 3 something failed, 4 configuration
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    from netfeed.app.host.topics import TOPICS

    parser = verbs.add_parser(
        "doctor", help="say what of this host is in the way, and where packets are lost", epilog=_EXAMPLES,
        description="Look at clock, processors, sockets, multicast, permissions and losses; say what to do.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"only these: {', '.join(TOPICS)}", default=[])
    parser.add_argument(
        "-i", "--interface", action="append", default=[], metavar="IF",
        help="an interface of the feed, by name or address (repeatable; without it those of the configuration, or lo)",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="the configuration of `netfeed run` that has to be served")
    parser.add_argument(
        "--duration", type=args.duration, default=10**9, metavar="TIME", help="how long losses are watched (1s)"
    )
    parser.add_argument(
        "--handler", metavar="ADDRESS:PORT",
        help="where a running handler serves its metrics (the configuration's, or 127.0.0.1:9464)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_set(parser)
    args.add_talk(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the verb."""
    from netfeed.app.host.doctor import examine, verdict_json
    from netfeed.app.host.doctor_table import console, show
    from netfeed.host.finding import Level

    verdict = examine(_options(arguments))
    if arguments.json:
        print(json.dumps(verdict_json(verdict)))
    else:
        show(verdict, console(), quiet=arguments.quiet)
    return FAILED_CHECK if verdict.level is Level.FAIL else OK


def _options(arguments: argparse.Namespace) -> Any:
    from dataclasses import replace

    from netfeed.app.config import load, split_endpoint
    from netfeed.app.host.doctor import Options, wishes_of
    from netfeed.app.host.topics import TOPICS
    from netfeed.errors import ConfigurationError
    from netfeed.host.doctor.wishes import Wishes
    from netfeed.transport.network import find_interface

    unknown = [topic for topic in arguments.topics if topic not in TOPICS]
    if unknown:
        raise ConfigurationError(f"there is no topic {unknown[0]!r}; there are: {', '.join(TOPICS)}")
    wishes, handler = Wishes(), arguments.handler or "127.0.0.1:9464"
    if arguments.config is not None:
        config = load(arguments.config, os.environ, dict(arguments.set))
        wishes = wishes_of(config)
        handler = arguments.handler or config.endpoints.listen or None
    try:
        if handler:
            split_endpoint(handler)
    except ValueError as error:
        raise ConfigurationError(f"--handler: {error}") from None
    named = tuple(dict.fromkeys(find_interface(name).name for name in arguments.interface))
    wishes = replace(wishes, interfaces=named or wishes.interfaces or ("lo",))
    return Options(wishes, arguments.topics or TOPICS, arguments.duration, handler)
