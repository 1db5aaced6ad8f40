"""The JSON-RPC connections of a simulated venue on real sockets: a listener, and an endpoint for each of its ports.

The venue and its connections are one machine (`sim.stream_venue`); here it gets sockets, certificates and entropy.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec

from netfeed.app.certificates import certificates
from netfeed.app.config import split_endpoint
from netfeed.errors import ConfigurationFileError
from netfeed.proto import tls
from netfeed.sim.jsonrpc_client import POOLS
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.stream_venue import TARGET, StreamVenue
from netfeed.sim.venue_ports import STREAMS
from netfeed.sim.wired_venue import WiredVenue
from netfeed.transport.loop import Loop, Task
from netfeed.transport.tcp import Listener, Stream
from netfeed.units import parse_duration


class StreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a venue's JSON-RPC side may be told.

    `certificates`: the directory of `certificates`, made for `names`. `client_id` and the variable that holds the
    secret: who may hear raw channels; without them everybody who asks.
    """

    listen: str = "127.0.0.1:8022"
    tls: bool = True
    certificates: str = "netfeed-sim-certificates"
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    client_id: str | None = None
    client_secret_env: str | None = None
    credits: bool = True
    least_heartbeat: str = "10s"


def wrong(config: StreamConfig) -> list[str]:
    """Name what the types cannot say."""
    found = []
    try:
        split_endpoint(config.listen)
    except ValueError as error:
        found.append(f"stream.listen: {error}")
    try:
        if parse_duration(config.least_heartbeat) < 10**9:
            found.append("stream.least_heartbeat: a second or more")
    except ValueError as error:
        found.append(f"stream.least_heartbeat: {error}")
    if (config.client_id is None) != (config.client_secret_env is None):
        found.append("stream: client_id and client_secret_env go together")
    return found


def url(config: StreamConfig, address: str = "") -> str:
    """Give what a client connects to."""
    return f"{'wss' if config.tls else 'ws'}://{address or config.listen}{TARGET}"


def stream_venue(wired: WiredVenue, config: StreamConfig, seed: int, *, truth: bool = True) -> StreamVenue:
    """Make the machine. Raises: ConfigurationError for certificates; ConfigurationFileError for a secret."""
    credentials = None
    if config.client_id is not None and config.client_secret_env is not None:
        secret = os.environ.get(config.client_secret_env)
        if not secret:
            raise ConfigurationFileError(f"stream.client_secret_env: {config.client_secret_env} is not set")
        credentials = config.client_id, secret
    settings = StreamSettings(
        credentials=credentials, pools=POOLS if config.credits else None,
        least_heartbeat_s=parse_duration(config.least_heartbeat) // 10**9, seed=seed, truth=truth,
    )  # fmt: skip
    context = None
    if config.tls:
        files = certificates(config.certificates, config.names)
        context = tls.server_context(tls.Identity(files.chain, files.key), alpn=["http/1.1"])
    return StreamVenue(JsonRpcVenue(wired, settings, random_bytes=os.urandom), context, seed=seed)


class StreamListener:
    """Accept clients, each at a free port of the venue. `connected(stream, gone)` makes an endpoint of one."""

    def __init__(
        self, venue: StreamVenue, config: StreamConfig, loop: Loop, task: Task,
        connected: Callable[[Stream, int], Any],
    ) -> None:  # fmt: skip
        """Listen. Raises: NetworkError."""
        self.venue = venue
        self.turned_away = 0
        self._config, self._loop, self._task, self._connected = config, loop, task, connected
        self._listener = Listener(*split_endpoint(config.listen), self._accept)
        loop.watch(self._listener.fileno(), self._listener.ready)

    @property
    def address(self) -> str:
        """Give the address that is listened at."""
        host = f"[{self._listener.host}]" if ":" in self._listener.host else self._listener.host
        return f"{host}:{self._listener.port}"

    @property
    def url(self) -> str:
        """Give what a client connects to."""
        return url(self._config, self.address)

    def report(self) -> dict[str, Any]:
        """Give the account as it is now."""
        return {
            "url": self.url, "clients": len(self.venue.clients), "turned_away_without_port": self.turned_away,
            "connections": asdict(self.venue.counts),
            "messages": asdict(self.venue.inner.counts) if isinstance(self.venue.inner, JsonRpcVenue) else None,
        }  # fmt: skip

    def close(self) -> None:
        """Listen no more."""
        self._loop.forget(self._listener.fileno())
        self._listener.close()

    def _accept(self, stream: Stream, now: int) -> None:
        # A client that failed keeps its port until the venue has heard of it, which is at the end of this turn.
        port = next((port for port in STREAMS if port not in self._task.ports and port not in self.venue.clients), None)
        if port is None:
            self.turned_away += 1
            stream.close()
            return
        self.venue.open(port, now, split_endpoint(stream.peer)[0])
        self._loop.open_port(self._task, port, self._connected(stream, port))
