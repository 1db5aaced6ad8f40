"""`netfeed doctor`: look at the host as a feed will use it, twice, and say what is wrong with its remedy.

Two looks some time apart: counters that stand still are history, counters that move are the trouble at hand.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import netfeed
from netfeed.app import configuration as conf
from netfeed.app.config import split_endpoint
from netfeed.app.host import handler
from netfeed.app.host.topics import TOPICS
from netfeed.app.loss import LAYERS
from netfeed.host import loss
from netfeed.host.doctor import clock, losses, multicast, permissions, processors, sockets
from netfeed.host.doctor.wishes import Wishes
from netfeed.host.finding import Finding, Level, worst
from netfeed.transport.network import find_interface, is_multicast

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
        config.receive.spin, config.receive.hardware_stamps, config.process.lock_memory, tuple(config.process.cpus),
    )  # fmt: skip


def examine(options: Options, sleep: Callable[[float], None] = time.sleep) -> Verdict:
    """Look at the host, as far as it is asked for.

    Raises: ConfigurationError when an interface is not there.
    """
    wishes, asked = options.wishes, options.handler if "loss" in options.topics else None
    interfaces = [find_interface(name) for name in wishes.interfaces]
    looked, drivers, stolen = loss.look(interfaces), losses.drivers(wishes.interfaces), processors.steal()
    told = handler.ask(asked) if asked else None
    if {"loss", "processors"} & set(options.topics):
        sleep(options.between_ns / 1e9)
    again = loss.look(interfaces)
    own = handler.layers(told, handler.ask(asked) if asked and told else None)
    looks: dict[str, Callable[[], list[Finding]]] = {
        "build": lambda: [_build()],
        "permissions": lambda: permissions.checks(wishes.priority, wishes.lock_memory),
        "clock": clock.checks,
        "processors": lambda: [*processors.checks(wishes), processors.stolen(stolen, processors.steal())],
        "sockets": lambda: sockets.checks(wishes),
        "multicast": lambda: [
            one for name in wishes.interfaces for one in multicast.checks(name, hardware=wishes.hardware_stamps)
        ],
        "loss": lambda: [
            *losses.checks(looked, again, drivers, losses.drivers(wishes.interfaces)),
            *(handler.findings(asked, own) if asked else ())
        ],
    }  # fmt: skip
    findings = [one for topic in TOPICS if topic in options.topics for one in looks[topic]()]
    return Verdict(findings, {**_host_layers(looked, again), **own})


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


def _host_layers(before: loss.Loss, after: loss.Loss) -> dict[str, tuple[int, int] | None]:
    now = loss.moved(before, after)
    nic = (sum(one.lost for one in after.nic.values()), sum(one.lost for one in now.nic.values()))
    kernel = sum(after.kernel.values()), sum(now.kernel.values())
    dropped = [None if one is None else sum(each.drops for each in one) for one in (after.sockets, now.sockets)]
    return {
        "nic": nic if after.nic else None,
        "kernel": kernel if after.kernel else None,
        "socket": None if dropped[0] is None or dropped[1] is None else (dropped[0], dropped[1]),
    }
