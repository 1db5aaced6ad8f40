"""What a running handler says of its own losses, by its metrics: the layers that only it knows.

Whoever listens at that address may be another program, slow or hostile: one deadline and one bound hold for all of it.
"""

import socket
import time
from typing import Final

from netfeed.app.config import split_endpoint
from netfeed.errors import MisuseError
from netfeed.host.finding import Finding, Level
from netfeed.proto.http import Client, Response, Timing

PATIENCE_NS: Final = 1_000_000_000
"""How long an answer may take, from the connection to its last byte."""
LAYERS: Final = {
    "queue": ("packets that the handler had received and had no room for", 'receive.how = "thread", fewer readers'),
    "sequence": ("messages that no line brought and nobody sent again", "the sender, the network; the rows above"),
}
"""What is lost there, and what to do."""

Told = dict[str, tuple[int, int] | None]


def ask(endpoint: str) -> dict[str, int] | None:
    """Ask a running handler for what it has lost by layer; None when none answers."""
    try:
        body = _fetched(endpoint)
    except (OSError, MisuseError):
        return None
    return None if body is None else _lost(body.decode("utf-8", "replace"))


def layers(before: dict[str, int] | None, after: dict[str, int] | None) -> Told:
    """Give (ever, while it was watched) for each layer; None is not known."""
    if before is None or after is None:
        return dict.fromkeys(LAYERS)
    return {name: (after.get(name, 0), max(0, after.get(name, 0) - before.get(name, 0))) for name in LAYERS}


def findings(endpoint: str, told: Told) -> list[Finding]:
    """Judge what a handler says of itself."""
    found = []
    for name, (what, remedy) in LAYERS.items():
        counts = told[name]
        if counts is None:
            said = f"no handler serves metrics at {endpoint}"
            found.append(Finding("loss", name, Level.UNKNOWN, said, "`--handler ADDRESS:PORT` of a running one"))
        elif counts[0]:
            level = Level.FAIL if counts[1] else Level.WARN
            found.append(Finding("loss", name, level, f"{counts[1]:,} just now, {counts[0]:,} in all: {what}", remedy))
        else:
            found.append(Finding("loss", name, Level.OK, "none"))
    return found


def _fetched(endpoint: str) -> bytes | None:
    client = Client(endpoint, timing=Timing(response_ns=PATIENCE_NS))
    client.request("GET", "/metrics", time.monotonic_ns())
    with socket.create_connection(split_endpoint(endpoint), PATIENCE_NS / 1e9) as peer:
        peer.sendall(b"".join(client.transmit()))
        while not client.is_closed:
            peer.settimeout(max(0.001, (client.deadline - time.monotonic_ns()) / 1e9))
            data = peer.recv(65536)
            now = time.monotonic_ns()
            for event in client.receive(data, now) if data else client.end(now):
                if isinstance(event, Response):
                    return event.body if event.status == 200 else None
            client.wake(now)
    return None


def _lost(text: str) -> dict[str, int] | None:
    """Sum up a handler's metrics by layer; None when they are no handler's."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("netfeed_packets_dropped_total{"):
            layer = name.partition('layer="')[2].partition('"')[0]
        elif name.startswith("netfeed_messages_lost_total{"):
            layer = "sequence"
        else:
            continue
        try:
            found[layer] = found.get(layer, 0) + round(float(value))
        except (ValueError, OverflowError):
            return None
    return found or None
