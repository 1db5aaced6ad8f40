"""A simulated venue that talks JSON-RPC on real sockets of loopback, and turns in a thread of its own."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netfeed.app.sim import Simulation
from netfeed.app.sim_config import addressed, load
from netfeed.sim.venue_events import StreamTruth
from tests.app.websockets_client import PATIENCE_S, WebsocketsClient


class Venue:
    """A venue that turns in a thread of its own, and its truth by change id."""

    def __init__(self, folder: Path, **flags: Any) -> None:
        stream = {"listen": "127.0.0.1:0", "certificates": str(folder / "ca"), **flags.pop("stream", {})}
        config = addressed(load(None, {"protocol": "deribit", "rate": 300, "stream": stream, **flags}), "127.0.0.1")
        self.truth: dict[int, StreamTruth] = {}
        self.ca = str(folder / "ca" / "ca.pem")
        self.sim = Simulation(config, lambda: False, truth=self)  # type: ignore[arg-type]
        self.sim._write = self.keep  # type: ignore[method-assign]
        self.thread = threading.Thread(target=self.sim.run)
        self.thread.start()

    def keep(self, truth: Any) -> None:
        if isinstance(truth, StreamTruth):
            self.truth[truth.change_id] = truth

    def stop(self) -> None:
        self.sim.loop.stop()
        self.thread.join()
        self.sim.close()

    def tell(self, text: str) -> None:
        """Give a command on the venue's own thread, and wait until it is done."""
        done = threading.Event()
        self.sim.loop.post(lambda: (self.sim.do(text), done.set()))  # type: ignore[func-returns-value]
        assert done.wait(PATIENCE_S)

    def client(self, **options: Any) -> WebsocketsClient:
        listener = self.sim.stream_listener
        assert listener is not None
        trust = ssl.create_default_context(cafile=self.ca) if listener.url.startswith("wss") else None
        return WebsocketsClient(listener.url, trust, **options)


@contextmanager
def running(folder: Path, **flags: Any) -> Iterator[Venue]:
    venue = Venue(folder, **flags)
    try:
        yield venue
    finally:
        venue.stop()
