"""A simulated venue on real sockets: two multicast lines, snapshots, retransmit servers, GLIMPSE, and its truth.

The venue and its faulty lines are one machine (`sim.wired_venue`, around it `sim.stream_venue` where it talks
JSON-RPC); here it gets sockets, a clock, a control socket and a file for what is true. A retransmit server answers
whoever asked last: with several clients at once a *slow* one may answer the wrong of them.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import IO, Any, Final

import msgspec

from netfeed.app.config import split_endpoint
from netfeed.app.sim_config import PORTS, SimConfig, commands, make_venue
from netfeed.app.sim_control import Control
from netfeed.app.sim_orders import OrderListeners
from netfeed.app.sim_secrets import keys
from netfeed.app.sim_streams import StreamListener, stream_venue
from netfeed.errors import MisuseError, NetfeedError
from netfeed.feed.ports import port_name
from netfeed.machine import NEVER, Buffer
from netfeed.sim.commands import command
from netfeed.sim.ledger_facts import account_facts, exchange_facts
from netfeed.sim.stream_venue import StreamVenue
from netfeed.sim.venue_events import Disconnected, StreamTruth, Truth
from netfeed.sim.venue_ports import CONNECTIONS, RETRANSMITS
from netfeed.sim.wired_venue import WiredVenue
from netfeed.transport.endpoint import Endpoint, Outgoing, UdpEndpoint, service
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.send import Sender
from netfeed.transport.tcp import Listener, Stream
from netfeed.transport.udp import open_unicast
from netfeed.units import parse_duration

GLANCE_NS: Final = 20_000_000
"""How often it is asked whether to stop, and whether a command of the schedule is due."""


class Client:
    """A GLIMPSE, JSON-RPC or order connection as an endpoint: its end is told to the venue by its port."""

    ended: Final = False
    receives: Final = True

    def __init__(self, stream: Stream, gone: Callable[["Client"], None]) -> None:
        self._stream, self._gone = stream, gone

    @property
    def wants_write(self) -> bool:
        """Say whether something waits for the peer to read."""
        return self._stream.wants_write

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._stream.fileno()

    def receive(self) -> Sequence[Buffer]:
        """Take what has come. Raises: NetworkError."""
        data = self._stream.receive()
        if self._stream.ended:
            self.leave()
        return data

    def leave(self) -> None:
        """Say that the connection is over."""
        self._gone(self)

    def send(self, out: list[bytes]) -> None:
        """Send, or keep. Raises: NetworkError."""
        self._stream.send(out)

    def flush(self) -> None:
        """Send on what was kept. Raises: NetworkError."""
        self._stream.flush()

    def close(self) -> None:
        """Close."""
        self._stream.close()


class Simulation:
    """One venue on its sockets. `truth`: where to write what is true, as JSON Lines."""

    def __init__(
        self, config: SimConfig, stop: Callable[[], bool], *, truth: IO[str] | None = None,
        credentials: tuple[str, str] | None = None, note: Callable[[str], None] = lambda text: None,
    ) -> None:  # fmt: skip
        """Open the sockets. Raises: NetworkError; ConfigurationError; OSError."""
        self.config = config
        self.loop = Loop()
        self.events: Counter[str] = Counter()
        self.truths = 0
        self._stop, self._truth, self._note = stop, truth, note
        self._begun = self.loop.clock()
        self.keys = keys(config.accounts, config.orders.secrets if config.orders else "", config.seed)
        self.venue = make_venue(config, self._begun, time.time_ns() - self._begun, credentials, self.keys)
        self.wired = WiredVenue(self.venue, seed=config.seed)
        self.streams: StreamVenue | None = None
        self.stream_listener: StreamListener | None = None
        self.order_listeners: OrderListeners | None = None
        self._schedule = commands(config)
        self._clients: dict[int, Client] = {}
        self._services: list[UdpEndpoint] = []
        self._listener: Listener | None = None
        self._control: Control | None = None
        try:
            if config.stream is not None:
                self.streams = stream_venue(self.wired, config.stream, config.seed, truth=truth is not None)
            machine = self.streams or self.wired
            self._due(self._begun)
            self._task = self.loop.add(machine, self._endpoints(), events=self._take, failed=self._failed)
            self._open_servers()
        except BaseException:
            self.close()
            raise
        self.loop.every(GLANCE_NS, self._glance)

    def run(self) -> None:
        """Be the venue until the duration is over, or until a signal."""
        duration = self.config.duration
        until = self._begun + parse_duration(duration) if duration else NEVER
        self.loop.run(until)

    def do(self, text: str) -> dict[str, Any]:
        """Do a command. Raises: ConfigurationError."""
        if text == "status":
            return self.report()
        if text == "stop":
            self.loop.stop()
            return {}
        if text.split()[:1] == ["ledger"]:
            return self._ledger(text.split()[1:])
        command(self.wired, text, self.loop.clock(), self.streams)
        self._task.kick()
        return {}

    def report(self) -> dict[str, Any]:
        """Give the account as it is now."""
        venue = self.venue
        lines = {
            port_name(port): {
                "packets": venue.outbox.packets.get(port, 0), "delivered": link.delivered, **asdict(link.counts)
            }
            for port, link in self.wired.links.items() if port in self._task.ports
        }  # fmt: skip
        return {
            "protocol": self.config.protocol, "seed": self.config.seed,
            "seconds": (self.loop.clock() - self._begun) // 10**9, "epoch": venue.epoch,
            "session": venue.lines.wire.session, "next_sequence": venue.lines.next,
            "transactions": venue.transactions, "lines": lines,
            "requests": sum(one.requests for one in venue.gateways),
            "requests_dropped": sum(one.socket.drops() for one in self._services),
            "requests_lost": sum(one.counts.lost + one.counts.silenced for one in self.wired.inward.values()),
            "logins_lost": self.wired.logins.counts.lost + self.wired.logins.counts.silenced,
            "answered": sum(one.answered for one in venue.gateways),
            "refused": sum(one.refused for one in venue.gateways),
            "snapshot_cycles": venue.cycle.cycles if venue.cycle else None,
            "glimpse_served": venue.glimpse.served if venue.glimpse else None,
            "stream": self.stream_listener.report() if self.stream_listener else None,
            "orders": self.order_listeners.report() if self.order_listeners else None,
            "truths": self.truths, "late_ns": venue.late_ns, "events": dict(sorted(self.events.items())),
        }  # fmt: skip

    def close(self) -> None:
        """Close everything."""
        for one in (self._control, self._listener, self.stream_listener, self.order_listeners):
            if one is not None:
                one.close()
        self.loop.close()

    def _endpoints(self) -> dict[int, Endpoint]:
        config = self.config
        found: dict[int, Endpoint] = {}
        for groups, ports in ((config.lines, PORTS["lines"]), (config.snapshots, PORTS["snapshots"])):
            for port, group in zip(ports, groups, strict=False):
                host, number = split_endpoint(group)
                found[port] = Outgoing(Sender(host, number, interface=config.interface, ttl=config.ttl))
        for place, server in zip(RETRANSMITS, config.retransmit, strict=False):
            self._services.append(service(open_unicast(*split_endpoint(server))))
            found[place] = self._services[-1]
        return found

    @property
    def opened(self) -> SimConfig:
        """Give its configuration with the ports that it got where port 0 was asked for."""
        config = self.config
        if self.order_listeners is not None and config.orders is not None:
            places = {name.lower(): place for name, place in self.order_listeners.addresses.items()}
            config = msgspec.structs.replace(config, orders=msgspec.structs.replace(config.orders, **places))
        if self.stream_listener is not None and config.stream is not None:
            stream = msgspec.structs.replace(config.stream, listen=self.stream_listener.address)
            config = msgspec.structs.replace(config, stream=stream)
        return config

    def _open_servers(self) -> None:
        if self.config.glimpse:
            self._listener = Listener(*split_endpoint(self.config.glimpse), self._accept)
            self.loop.watch(self._listener.fileno(), self._listener.ready)
        if self.streams is not None and self.config.stream is not None:
            self.stream_listener = StreamListener(self.streams, self.config.stream, self.loop, self._task, self._client)
        if self.config.orders is not None:
            connected = self._client
            self.order_listeners = OrderListeners(self.wired, self.config.orders, self.loop, self._task, connected)
        if self.config.control:
            self._control = Control(self.config.control, self.loop, self.do)

    def _ledger(self, names: Sequence[str]) -> dict[str, Any]:
        """Give what is true of the exchange and of accounts, all of them when none is named."""
        exchange = self.wired.taker()[0].exchange
        known = [one.name for one in self.config.accounts]
        for name in names:
            if name not in known:
                raise MisuseError(f"there is no account {name!r}; there are {', '.join(known)}")
        return exchange_facts(exchange) | {"ledger": [account_facts(exchange, name) for name in names or known]}

    def _accept(self, stream: Stream, now: int) -> None:
        port = next((port for port in CONNECTIONS if port not in self._clients), None)
        if port is None:
            self.events["connection turned away"] += 1
            stream.close()
            return
        self.loop.open_port(self._task, port, self._client(stream, port))
        self._task.take(self.wired.open(now, port), now)

    def _client(self, stream: Stream, port: int) -> Client:
        client = Client(stream, lambda one: self.loop.post(lambda: self._gone(port, one)))
        self._clients[port] = client
        return client

    def _gone(self, port: int, client: Client) -> None:
        """A client closed, was closed, or failed; who came to its port since is another one."""
        if self._clients.get(port) is not client:
            return
        del self._clients[port]
        now = self.loop.clock()
        self._task.take((self.streams or self.wired).end(now, port), now)
        self.loop.close_port(self._task, port)

    def _take(self, events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, Truth | StreamTruth):
                self._write(event)
                continue
            self.events[type(event).__name__] += 1
            if isinstance(event, Disconnected) and event.port in self._clients:
                self._clients[event.port].leave()

    def _write(self, truth: Truth | StreamTruth) -> None:
        self.truths += 1
        if self._truth is not None:
            self._truth.write(json.dumps(truth.record()) + "\n")

    def _failed(self, endpoint: Endpoint, error: NetworkError) -> None:
        self.events["connection failed" if isinstance(endpoint, Client) else "socket failed"] += 1
        if isinstance(endpoint, Client):
            endpoint.leave()
        self._note(str(error))

    def _glance(self, now: int) -> None:
        if self._stop():
            self.loop.stop()
        if self._due(now):
            self._task.kick()
        for port in set(self.wired.links) - set(self._task.ports):
            self.wired.transmit(port)  # a line that is not configured

    def _due(self, now: int) -> bool:
        """Give the commands of the schedule that are due."""
        due = [one for one in self._schedule if one[0] <= now - self._begun]
        self._schedule = self._schedule[len(due) :]
        for _, text in due:
            try:
                command(self.wired, text, now, self.streams)
            except NetfeedError as error:
                self._note(f"{text}: {error}")
        return bool(due)
