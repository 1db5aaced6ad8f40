"""A simulated venue inside of another program: on a thread of its own, on ports of the loopback that are free.

    with EmbeddedVenue(embedded(seed=7, accounts=[AccountConfig(name="mm")])) as venue:
        venue.addresses["orders"]["A"]       "127.0.0.1:40123": a gateway for Starbase order sessions
        venue.addresses["lines"]             ["233.252.0.31:40001", "233.252.0.32:40001"]
        venue.secrets["mm"]                  what the account logs on with
        venue.run_config                     the TOML with which `netfeed run` receives it
        venue.sessions_config("mm")          ... and sends orders to it: a session for each gateway
        venue.do("line A silent 2s")         any command of `sim.commands`; "ledger mm", "status"

It is `Simulation`, unchanged, on sockets like any other: its loop is turned by a thread here. The thread shares the
interpreter with whoever started it: where latency is to be measured, run `netfeed sim` as a process of its own instead,
with the same configuration, and command it through `control`.
"""

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from netfeed.app.sim import Simulation
from netfeed.app.sim_accounts import AccountConfig
from netfeed.app.sim_config import SimConfig, addressed, load, run_config
from netfeed.app.sim_sessions import sessions, sessions_text
from netfeed.errors import MisuseError

HOST: Final = "127.0.0.1"
WAIT_S: Final = 30.0
"""How long a command, or the end, may take; a venue that is later hangs."""


def embedded(
    *, seed: int = 1, rate: int = 1_000, instruments: int | None = None, accounts: Sequence[AccountConfig] = (),
    interface: str = "lo", protocol: str = "starbase", **more: Any,
) -> SimConfig:  # fmt: skip
    """Give a configuration on ports of the loopback that are free; `more` are other keys of it.

    Secrets are put where nobody else reads them, and are gone with the venue.

    Raises: ConfigurationFileError; OSError when no port is free.
    """
    port = free_port()
    flags: dict[str, Any] = {
        "protocol": protocol, "seed": seed, "rate": rate, "instruments": instruments, "interface": interface,
        "accounts": list(accounts) or None, **more,
    }  # fmt: skip
    if protocol == "starbase":
        flags |= {"lines": [f"233.252.0.{place}:{port}" for place in (31, 32)]}
        flags |= {"snapshots": [f"233.252.0.{place}:{port}" for place in (33, 34)]}
        flags |= {"retransmit": [f"{HOST}:{free_port()}"]}
    if accounts:
        flags.setdefault("orders", dict.fromkeys(("a", "b", "ouch"), f"{HOST}:0") | {"secrets": ""})
    return addressed(load(None, flags), HOST)


def free_port() -> int:
    """Find a UDP port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


class EmbeddedVenue:
    """The venue. It speaks from `start`, or the beginning of a `with`, until `stop`."""

    def __init__(self, config: SimConfig) -> None:
        """Open the sockets. Raises: NetworkError; ConfigurationError; OSError."""
        self.failure: BaseException | None = None
        self._directory: TemporaryDirectory[str] | None = None
        if config.orders is not None and not config.orders.secrets:
            self._directory = TemporaryDirectory(prefix="netfeed-sim-")
            orders = msgspec.structs.replace(config.orders, secrets=self._directory.name)
            config = msgspec.structs.replace(config, orders=orders)
        self._simulation = Simulation(config, lambda: False)
        self._thread = threading.Thread(target=self._run, name="netfeed-sim", daemon=True)

    @property
    def config(self) -> SimConfig:
        """Give what it is."""
        return self._simulation.config

    @property
    def run_config(self) -> str:
        """Give the configuration with which `netfeed run` receives it."""
        return run_config(self.config)

    def sessions_config(self, account: str) -> str:
        """Give the `[[sessions]]` of an account; their secrets are files that are there while the venue is."""
        there = self.addresses
        return sessions_text(sessions(self.config, account, there["orders"], there["stream"]))

    @property
    def secrets(self) -> dict[str, str]:
        """Give what accounts log on with, by their names."""
        return {key.client_id: key.secret for key in self._simulation.keys}

    @property
    def addresses(self) -> dict[str, Any]:
        """Give where it speaks and listens: `lines`, `snapshots`, `retransmit`, `orders` by gateway, and `stream`."""
        one, config = self._simulation, self.config
        return {
            "lines": config.lines, "snapshots": config.snapshots, "retransmit": config.retransmit,
            "orders": one.order_listeners.addresses if one.order_listeners else {},
            "stream": one.stream_listener.url if one.stream_listener else None,
        }  # fmt: skip

    def start(self) -> None:
        """Begin to speak."""
        self._thread.start()

    def do(self, text: str) -> dict[str, Any]:
        """Give it a command, and return its answer. Raises: NetfeedError; MisuseError when it does not run."""
        if not self._thread.is_alive():
            raise MisuseError(f"the venue does not run: {self.failure or 'start it'}")
        answer: Future[dict[str, Any]] = Future()
        self._simulation.loop.post(lambda: _answer(answer, self._simulation, text))
        return answer.result(WAIT_S)

    def ledger(self, account: str) -> dict[str, Any]:
        """Say what is true of an account: balances, positions, open orders. Raises: MisuseError."""
        facts: dict[str, Any] = self.do(f"ledger {account}")["ledger"][0]
        return facts

    def stop(self) -> None:
        """End it; a second call does nothing."""
        if self._thread.is_alive():
            self._simulation.loop.stop()
            self._thread.join(WAIT_S)
        elif self._thread.ident is None:
            self._simulation.close()
        if self._directory is not None:
            self._directory.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._simulation.run()
        except BaseException as error:  # whoever commands it next is told
            self.failure = error
        finally:
            self._simulation.close()


def _answer(answer: Future[dict[str, Any]], simulation: Simulation, text: str) -> None:
    try:
        answer.set_result(simulation.do(text))
    except Exception as error:  # it is whoever asked that must hear of it
        answer.set_exception(error)
