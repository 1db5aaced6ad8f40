"""Where a run lost packets, layer by layer: the host's counters since it began, and its own.

nic, kernel      of the interfaces of its lines, and of this namespace: they count what others lost there, too
socket, queue    of its own sockets and of its receiving thread
sequence         messages that no line brought and nobody sent again, wherever they were lost
"""

from typing import Any, Final

from netfeed.app.configuration import Configuration
from netfeed.errors import ConfigurationError
from netfeed.host.loss import Loss, look, moved
from netfeed.transport.network import Interface, find_interface

Json = dict[str, Any]
LAYERS: Final = ("nic", "kernel", "socket", "queue", "sequence")


class HostLoss:
    """What the host has lost since the run began."""

    def __init__(self, config: Configuration) -> None:
        self._interfaces = _interfaces(config)
        self._begun = look(self._interfaces)

    def read(self) -> Loss:
        """Give what was lost since then."""
        return moved(self._begun, look(self._interfaces))


def loss_account(host: Loss, channels: list[Json]) -> Json:
    """Give the losses by layer: `nic` by interface, `kernel` by reason, the others as one number each."""
    lines = [line for channel in channels for line in channel["lines"]]
    return {
        "nic": {name: one.lost for name, one in host.nic.items()},
        "kernel": host.kernel,
        "socket": sum(line["kernel_drops"] for line in lines),
        "queue": sum(line["queue_drops"] for line in lines),
        "sequence": sum(channel["messages_lost"] for channel in channels),
    }


def loss_text(told: Json) -> str:
    """Say in one line where packets were lost."""
    totals = {name: sum(value.values()) if isinstance(value, dict) else value for name, value in told.items()}
    return "lost by layer: " + ", ".join(f"{name} {totals[name]}" for name in LAYERS)


def _interfaces(config: Configuration) -> list[Interface]:
    """Find the interfaces of all lines; one that is not there is found out when its line is opened."""
    names = {line.interface or channel.interface for channel in config.channels for line in channel.lines}
    found: dict[str, Interface] = {}
    for name in sorted(name for name in names if name is not None):
        try:
            one = find_interface(name)
        except ConfigurationError:
            continue
        found[one.name] = one
    return list(found.values())
