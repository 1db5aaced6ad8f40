"""`netfeed doctor`: look at the host as a feed will use it, twice, and say what is wrong with its remedy.

Two looks some time apart: counters that stand still are history, counters that move are the trouble at hand.
"""

import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import netfeed
from netfeed.app import configuration as conf
from netfeed.app.config import split_endpoint
from netfeed.app.host.topics import TOPICS
from netfeed.app.loss import LAYERS
from netfeed.host import loss
from netfeed.host.doctor import clock, losses, multicast, permissions, processors, sockets
from netfeed.host.doctor.wishes import Wishes
from netfeed.host.finding import Finding, Level, worst
from netfeed.transport.network import find_interface, is_multicast

_TIMEOUT_S: Final = 1.0
_MOST: Final = 1 << 24
"""No handler's metrics are longer. Units: bytes."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What is looked at. `handler` is where a running handler serves its metrics, None: nobody is asked."""

    wishes: Wishes = field(default_factory=Wishes)
    topics: Sequence[str] = TOPICS
    between_ns: int = 1_000_000_000
    handler: str | None = "127.0.0.1:9464"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `layers` is (since boot or start, while it was watched) of each layer; None is not known."""

    findings: list[Finding]
    layers: dict[str, tuple[int, int] | None]

    @property
    def level(self) -> Level:
        """Give the worst of all findings."""
        return worst(self.findings)


def wishes_of(config: conf.Configuration) -> Wishes:
    """Give what a configuration will ask of the host."""
    lines = [line for channel in config.channels for line in (*channel.lines, *channel.snapshots)]
    named = [line.interface or channel.interface for channel in config.channels for line in channel.lines]
    cpus = [config.receive.cpu] if config.receive.cpu is not None else []
    groups = [line.group for line in lines if is_multicast(split_endpoint(line.group)[0])]
    return Wishes(
        tuple(dict.fromkeys(find_interface(name).name for name in named if name is not None)), tuple(groups),
        any(line.source for line in lines), config.receive.buffer, tuple(cpus), config.receive.priority,
        config.receive.spin, config.receive.hardware_stamps, config.process.lock_memory,
    )  # fmt: skip


def examine(options: Options, sleep: Callable[[float], None] = time.sleep) -> Verdict:
    """Look at the host.

    Raises: ConfigurationError when an interface is not there.
    """
    wishes = options.wishes
    interfaces = [find_interface(name) for name in wishes.interfaces]
    looked, stolen = loss.look(interfaces), processors.steal()
    told = _metrics(options.handler) if options.handler else None
    if {"loss", "processors"} & set(options.topics):
        sleep(options.between_ns / 1e9)
    again = loss.look(interfaces)
    found: dict[str, list[Finding]] = {
        "build": [_build()],
        "permissions": permissions.checks(wishes.priority, wishes.lock_memory),
        "clock": clock.checks(),
        "processors": [
            *processors.checks(wishes.cpus, wishes.spin), processors.stolen(stolen, processors.steal())
        ],
        "sockets": sockets.checks(wishes),
        "multicast": [
            one for name in wishes.interfaces for one in multicast.checks(name, hardware=wishes.hardware_stamps)
        ],
        "loss": losses.checks(looked, again),
    }  # fmt: skip
    after = _metrics(options.handler) if options.handler else None
    handler = _handler(told, after)
    if options.handler:
        found["loss"] += _judged(options.handler, handler)
    findings = [one for topic in TOPICS if topic in options.topics for one in found[topic]]
    return Verdict(findings, {**_host_layers(looked, again), **handler})


def verdict_json(verdict: Verdict) -> Json:
    """Give the verdict as one object."""
    return {
        "netfeed": netfeed.__version__,
        "build": netfeed.BUILD,
        "ok": verdict.level is not Level.FAIL,
        "layers": {
            name: None if (told := verdict.layers.get(name)) is None else {"ever": told[0], "now": told[1]}
            for name in LAYERS
        },
        "findings": [
            {"topic": one.topic, "check": one.check, "level": one.level.name.lower(), "found": one.found,
             "remedy": one.remedy or None}
            for one in verdict.findings
        ],
    }  # fmt: skip


def _build() -> Finding:
    if netfeed.BUILD == "compiled":
        return Finding("build", "core", Level.OK, f"netfeed {netfeed.__version__}, compiled core")
    return Finding(
        "build", "core", Level.WARN, "the plain Python twins run, some hundred times slower", "unset NETFEED_PURE"
    )


# --- the layers that only a handler knows


def _metrics(endpoint: str) -> dict[str, int] | None:
    """Ask a running handler for what it has lost by layer; None when none answers."""
    host, port = split_endpoint(endpoint)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return _lost(answer.read(_MOST).decode("utf-8", "replace")) if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


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


def _handler(before: dict[str, int] | None, after: dict[str, int] | None) -> dict[str, tuple[int, int] | None]:
    if before is None or after is None:
        return {"queue": None, "sequence": None}
    return {
        name: (after.get(name, 0), max(0, after.get(name, 0) - before.get(name, 0))) for name in ("queue", "sequence")
    }


def _judged(endpoint: str, told: dict[str, tuple[int, int] | None]) -> list[Finding]:
    """Judge what a handler says of itself."""
    words = {
        "queue": ("packets that the handler had received and had no room for", 'receive.how = "thread", fewer readers'),
        "sequence": ("messages that no line brought and nobody sent again", "the sender, the network; the rows above"),
    }
    found = []
    for name, (what, remedy) in words.items():
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


def _host_layers(before: loss.Loss, after: loss.Loss) -> dict[str, tuple[int, int] | None]:
    now = loss.moved(before, after)
    nic = (sum(one.lost for one in after.nic.values()), sum(one.lost for one in now.nic.values()))
    kernel = sum(after.kernel.values()), sum(now.kernel.values())
    return {
        "nic": nic if after.nic else None,
        "kernel": kernel,
        "socket": (sum(one.drops for one in after.sockets), sum(one.drops for one in now.sockets)),
    }
