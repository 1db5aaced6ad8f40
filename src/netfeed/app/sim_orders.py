"""The order gateways of a simulated venue on real sockets: a listener for each, and an endpoint for each client.

The venue, its gateways and the wires to them are one machine (`sim.wired_venue`); here it gets TCP. Each gateway takes
64 clients; who comes when all places are taken, or while the gateway is dead, is closed at once and counted by the
reason (`turned_away`). A place is free again when its client closes, fails, or does not log on in time.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from netfeed.app.config import split_endpoint
from netfeed.sim.wired_venue import WiredVenue
from netfeed.transport.loop import Loop, Task
from netfeed.transport.tcp import Listener, Stream

PORTS: Final = {"A": 7101, "B": 7102, "OUCH": 7103}
"""Where the gateways listen, if nothing else is said."""


class OrdersConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the gateways listen; an empty text for not at all. `secrets`: where secrets that are made are put."""

    a: str | None = None
    b: str | None = None
    ouch: str | None = None
    secrets: str = "netfeed-sim-secrets"

    def addresses(self) -> dict[str, str]:
        """Give the address of each gateway that has one."""
        named = {"A": self.a, "B": self.b, "OUCH": self.ouch}
        return {name: address for name, address in named.items() if address}


def addressed(config: OrdersConfig, host: str | None) -> OrdersConfig:
    """Fill in the gateways, which stand on `host` if nothing else is said, or, where that is None, nowhere."""
    given = {"a": config.a, "b": config.b, "ouch": config.ouch}
    if host is None:
        return msgspec.structs.replace(config, **{name: address or "" for name, address in given.items()})
    filled = {name: f"{host}:{PORTS[name.upper()]}" if address is None else address for name, address in given.items()}
    return msgspec.structs.replace(config, **filled)


def wrong(config: OrdersConfig) -> list[str]:
    """Name what the types cannot say."""
    found = []
    for name, address in config.addresses().items():
        try:
            split_endpoint(address)
        except ValueError as error:
            found.append(f"orders.{name.lower()}: {error}")
    return found


class OrderListeners:
    """Accept clients of all gateways. `connected(stream, port)` makes an endpoint of one."""

    def __init__(
        self, wired: WiredVenue, config: OrdersConfig, loop: Loop, task: Task,
        connected: Callable[[Stream, int], Any],
    ) -> None:  # fmt: skip
        """Listen. Raises: NetworkError; MisuseError when the venue takes no orders."""
        self.venue, self.ways = wired.taker()
        self._wired, self._loop, self._task, self._connected = wired, loop, task, connected
        self._listeners: dict[str, Listener] = {}
        try:
            for name, address in config.addresses().items():
                listener = Listener(*split_endpoint(address), partial(self._accept, name))
                self._listeners[name] = listener
                loop.watch(listener.fileno(), listener.ready)
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> dict[str, str]:
        """Give the addresses that are listened at, by the name of the gateway."""
        return {name: f"{_host(one.host)}:{one.port}" for name, one in self._listeners.items()}

    def report(self) -> dict[str, Any]:
        """Give the account as it is now."""
        gateways = {}
        for name, address in self.addresses.items():
            gateway = self.venue.gateway_named(name)
            reports = {what: count for what, count in gateway.counts.items() if what != "turned_away"}
            reasons = ("full", "dead")
            gateways[name] = {
                "address": address, "dead": gateway.dead, "connections": self.ways.open(name),
                "turned_away": {reason: self.ways.turned_away[f"{name} {reason}"] for reason in reasons},
                "reports": reports,
            }  # fmt: skip
        if self.venue.json is not None:
            gateways["JSON"] = {"dead": self.venue.json.dead, "reports": dict(self.venue.json.counts)}
        return gateways

    def close(self) -> None:
        """Listen no more."""
        for listener in self._listeners.values():
            self._loop.forget(listener.fileno())
            listener.close()

    def _accept(self, gateway: str, stream: Stream, now: int) -> None:
        # A client that failed keeps its port until the venue has heard of it, which is at the end of this turn.
        port = self.ways.free(gateway, self._task.ports)
        if port is None or not self._wired.connect(port, now):
            stream.close()
            return
        self._loop.open_port(self._task, port, self._connected(stream, port))


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
