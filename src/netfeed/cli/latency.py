"""`netfeed latency VERB`: measure where the time goes, from the wire to the order."""

import argparse
from typing import Any

from netfeed.cli import (
    latency_compare,
    latency_jitter,
    latency_pcap,
    latency_ping,
    latency_pong,
    latency_run,
    latency_show,
)

VERBS: tuple[Any, ...] = (
    latency_run, latency_pcap, latency_ping, latency_pong, latency_jitter, latency_show, latency_compare,
)  # fmt: skip
"""The modules of the verbs, in the order of the help."""

_EXAMPLES = """examples:
  netfeed latency run feed.toml --duration 1m -o stages.html   where the time of a handler goes, stage by stage
  netfeed latency pcap capture.pcap --link 10G                 bursts, lines, exchange to wire, TCP, of a capture alone
  netfeed latency pong udp://0.0.0.0:7400 --spin               on one host, and on the other:
  netfeed latency ping udp://192.0.2.7:7400 --spin             round trips at 1,000 a second
  netfeed latency jitter --cpus 2-3                            what this host does to threads that spin or sleep
  netfeed latency show report.json -o report.html              a kept report as a page
  netfeed latency compare --a old*.json --b new*.json          is the new one faster, and is it more than noise?
"""


def add(verbs: Any) -> None:
    """Add the verb and its own verbs."""
    parser = verbs.add_parser(
        "latency", help="measure latency: stages of a running handler, captures, round trips, the host's noise",
        description="Measure where the time goes, from the wire to the order.", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    inner = parser.add_subparsers(dest="latency_verb", metavar="VERB", required=True, title="verbs")
    for module in VERBS:
        module.add(inner)
