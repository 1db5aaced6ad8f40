"""The venue of a demo: `netfeed sim` in a process of its own, on the loopback, with an account, on ports that are free.

It is another process, so that the engine has an interpreter to itself; it ends with the demo, even when that one is
killed (prctl(2), PR_SET_PDEATHSIG). All that it needs and writes is in one directory, which is the demo's.
"""

import ctypes
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from netfeed.app.sim_control import ask
from netfeed.app.trading.demo_plan import Step
from netfeed.errors import NetfeedError

ACCOUNT: Final = "mm"
VENUE: Final = "sim"
HOST: Final = "127.0.0.1"
RATE: Final = 500
"""Things that the crowd does in a second."""
_PRCTL: Final = ctypes.CDLL(None).prctl  # found now: after a fork nothing is looked up
_PR_SET_PDEATHSIG: Final = 1
_PATIENCE_S: Final = 10.0
_ANSWER_S: Final = 30.0
"""A venue on a busy host first does what it is behind with."""


class VenueError(NetfeedError):
    """The simulated venue did not come up, or does not answer."""


class DemoVenue:
    """The process. `feed_text` is the configuration that receives it; it may be started after that one listens."""

    def __init__(self, directory: Path, *, seed: int, steps: Sequence[Step], interface: str = "lo") -> None:
        self._directory, self._seed, self._steps, self._interface = directory, seed, steps, interface
        udp, tcp = free_ports(socket.SOCK_DGRAM, 3), free_ports(socket.SOCK_STREAM, 3)
        self._lines = [f"233.252.0.{last}:{udp[0]}" for last in (21, 22)]
        self._snapshots = [f"233.252.0.{last}:{udp[1]}" for last in (23, 24)]
        self._retransmit = f"{HOST}:{udp[2]}"
        self._a, self._b, self._stream = (f"{HOST}:{port}" for port in tcp)
        self._control = directory / "venue.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to speak. Raises: OSError."""
        path = self._directory / "venue.toml"
        path.write_text(self._text(), encoding="utf-8")
        with open(self._directory / "venue.log", "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "netfeed", "sim", str(path), "-q"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log,
                process_group=0,  # a signal from the terminal is the demo's to handle
                preexec_fn=partial(_PRCTL, _PR_SET_PDEATHSIG, signal.SIGTERM),
            )  # fmt: skip

    def check(self) -> None:
        """See that it runs. Raises: VenueError with its last words."""
        if self._process is not None and self._process.poll() is not None:
            raise VenueError(f"the simulated venue ended with {self._process.returncode}: {self.last_words()}")

    def ledger(self) -> dict[str, Any]:
        """Say what the venue's books have of our account. Raises: VenueError."""
        try:
            answer = ask(str(self._control), f"ledger {ACCOUNT}", _ANSWER_S)
        except (OSError, ValueError) as error:
            raise VenueError(f"the simulated venue does not answer: {error}; {self.last_words()}") from None
        if not answer.get("ok"):
            raise VenueError(f"the simulated venue answers: {answer.get('error')}")
        facts: dict[str, Any] = answer["ledger"][0]
        return facts | {"complaints": answer.get("complaints", [])}

    def last_words(self) -> str:
        """Give the end of what it has said."""
        try:
            text = (self._directory / "venue.log").read_text(errors="replace").strip()
        except OSError:
            return "it has said nothing"
        return text[-500:] or "it has said nothing"

    def close(self) -> None:
        """End it: in order, at the latest by force."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def feed_text(self) -> str:
        """Write the configuration of who receives it and sends it orders."""
        sessions = [
            ("gate A", "starbase", f"tcp://{self._a}"), ("gate B", "starbase", f"tcp://{self._b}"),
            ("lists", "deribit", f"ws://{self._stream}/ws/api/v2"),
        ]  # fmt: skip
        return "\n".join([
            "schema_version = 1", 'name = "netfeed demo"', "", "[endpoints]", 'listen = ""', "", "[receive]",
            'how = "loop"', "", "[[channels]]",
            'name = "starbase"', 'protocol = "starbase"', f"interface = {json.dumps(self._interface)}",
            f"lines = [{_groups(self._lines)}]", f"snapshots = [{_groups(self._snapshots)}]",
            f'retransmit = [{{ address = "{self._retransmit}" }}]', "", *(self._session(*one) for one in sessions),
        ])  # fmt: skip

    def _session(self, name: str, protocol: str, endpoint: str) -> str:
        secret = json.dumps(str(self._directory / "secrets" / ACCOUNT))
        return "\n".join([
            "[[sessions]]", f'name = "{name}"', f'venue = "{VENUE}"', f'protocol = "{protocol}"',
            f'endpoints = ["{endpoint}"]', f'key = "{ACCOUNT}"', f"secret_file = {secret}",
            f"cancel_on_disconnect = {json.dumps(protocol == 'starbase')}",
            'reconnect = { first = "100ms", cap = "500ms" }', "",
        ])  # fmt: skip

    def _text(self) -> str:
        """Write the configuration of the venue."""
        steps = [f'[[schedule]]\nat = "{one.at_ns // 10**6}ms"\ndo = "{one.command}"' for one in self._steps]
        return "\n".join([
            "schema_version = 1", 'protocol = "starbase"', f"interface = {json.dumps(self._interface)}",
            f"seed = {self._seed}", f"rate = {RATE}", f"lines = {json.dumps(self._lines)}",
            f"snapshots = {json.dumps(self._snapshots)}", f'retransmit = ["{self._retransmit}"]', 'cycle = "1s"',
            f"control = {json.dumps(str(self._control))}", "", "[exchange]", 'chain = "priced"', "",
            "[[accounts]]",
            f'name = "{ACCOUNT}"', 'deposit = { BTC = "1000" }', "groups = [{ number = 1 }]", "", "[orders]",
            f'a = "{self._a}"', f'b = "{self._b}"', 'ouch = ""',
            f"secrets = {json.dumps(str(self._directory / 'secrets'))}", "",
            "[stream]", f'listen = "{self._stream}"', "tls = false", "", *steps, "",
        ])  # fmt: skip


def free_ports(kind: socket.SocketKind, count: int) -> list[int]:
    """Find so many ports that are free now."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket(socket.AF_INET, kind)) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _groups(groups: Sequence[str]) -> str:
    return ", ".join(f'{{ group = "{group}" }}' for group in groups)
