"""The stage of a drill: a venue and a handler on hosts of their own, and the wires between them.

    netns                                                          loopback (without root)
    venue -- veth -- bridge --+-- relay A -- veth -- handler       venue -- lo -- handler
                              +-- relay B -- veth --               faults are the venue's own doing:
                              +------------- veth -- (unicast)     it loses before it sends

In namespaces faults lie on the wire, in the relays, where neither side knows of them; a cable can be pulled and a
membership lost. On loopback those two become a silent line, and the stage says so (`where`).

Everything is made by the stage and gone when it is closed: namespaces have no names, processes are ended by their ids.
"""

import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Protocol

from netfeed.app.drill_evidence import BLOCK_BYTES, BLOCKS
from netfeed.sim.commands import parse_faults
from netfeed.sim.link import Link
from netfeed.transport.raw.source import FrameSource
from netfeed.transport.relay import Relay
from netfeed.units import parse_duration

LINES: Final = ("A", "B")
_GRACE_S: Final = 10.0
"""How long a process may take to end before it is killed."""


class Stage(Protocol):
    """Where a drill is played."""

    where: str
    lines: tuple[str, str]
    """The handler's interfaces, for lines A and B."""
    interface: str
    """The venue's interface."""
    address: str
    """The venue's address for requests."""

    def spawn(self, host: str, argv: Sequence[str], out: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start a process on the host `venue` or `handler`."""

    def wire(self, line: str, faults: str) -> str | None:
        """Lay faults on a line, for good or `for` a time; on a stage without wires, give the venue's command."""

    def cut(self, line: str, cut: bool) -> str | None:
        """Pull a cable, or plug it in again."""

    def deafen(self, line: str, deaf: bool) -> str | None:
        """Keep the handler's memberships of a line from the switch, or let them through again."""

    def taps(self) -> dict[str, list[FrameSource]]:
        """Open rings on the wires at both ends. Raises: NetworkError where nobody may."""

    def close(self) -> None:
        """Clear the stage."""


class Namespaces:
    """A stage of three namespaces; two relays stand in the one between. `flows` are those of lines A and B."""

    where = "netns"
    lines = ("line-a", "line-b")
    interface = "feed"
    address = "10.77.0.1"

    def __init__(self, flows: Sequence[Sequence[tuple[str, int]]], seed: int) -> None:
        from netfeed.host.namespace import Namespace

        self._end = ExitStack()
        self._stop = threading.Event()
        self._relays: list[Relay] = []
        self._links = [{flow: Link(seed=seed * 101 + index) for flow in line} for index, line in enumerate(flows)]
        try:
            self._hosts = {name: self._end.enter_context(Namespace(name)) for name in ("venue", "switch", "handler")}
            self._lay()
        except BaseException:
            self.close()
            raise

    def spawn(self, host: str, argv: Sequence[str], out: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start a process on a host."""
        with self._hosts[host].entered():
            return _spawned(argv, out)

    def wire(self, line: str, faults: str) -> str | None:
        """Lay faults on a line."""
        words = faults.split()
        links = self._links[LINES.index(line)].values()
        now = time.monotonic_ns()
        if len(words) > 2 and words[-2] == "for":
            span, found = parse_duration(words[-1]), parse_faults(words[:-2])
            for link in links:
                link.during(now, now + span, found)
        else:
            for link in links:
                link.change(parse_faults(words))
        return None

    def cut(self, line: str, cut: bool) -> str | None:
        """Pull the handler's cable of a line."""
        interface = self.lines[LINES.index(line)]
        handler = self._hosts["handler"]
        (handler.down if cut else handler.up)(interface)
        return None

    def deafen(self, line: str, deaf: bool) -> str | None:
        """Let the switch hear the handler's memberships of a line no more, or again."""
        self._relays[LINES.index(line)].deaf = deaf
        return None

    def taps(self) -> dict[str, list[FrameSource]]:
        """Open rings on the venue's interface, and on each of the handler's."""
        wires = {"venue": (self.interface,), "handler": (*self.lines, "unicast")}
        found: dict[str, list[FrameSource]] = {host: [] for host in wires}
        with ExitStack() as opened:
            for host, interfaces in wires.items():
                with self._hosts[host].entered():
                    for interface in interfaces:
                        found[host].append(_ring(interface))
                        opened.callback(found[host][-1].close)
            opened.pop_all()
        return found

    def close(self) -> None:
        """Take the wires out and let the namespaces go."""
        self._stop.set()
        self._end.close()

    def _lay(self) -> None:
        """Lay the wires. Lines have addresses without a network, so that requests go out on the third interface."""
        venue, switch, handler = (self._hosts[name] for name in ("venue", "switch", "handler"))
        switch.connect("v", venue, self.interface)
        venue.address(self.interface, f"{self.address}/24")
        switch.connect("u", handler, "unicast")
        handler.address("unicast", "10.77.0.2/24")
        for sysctl in ("all", "default"):
            handler.write(f"net.ipv4.conf.{sysctl}.rp_filter", "0")  # lines come in where nothing goes out
        for index, interface in enumerate(self.lines):
            switch.connect(f"x{index}", switch, f"y{index}")
            switch.connect(f"h{index}", handler, interface)
            handler.write(f"net.ipv4.conf.{interface}.rp_filter", "0")
            handler.address(interface, f"10.77.0.{index + 3}/32")
        switch.bridge("br", ["v", "u", "x0", "x1"])
        for index, line in enumerate(LINES):
            self._relays.append(self._relay(f"y{index}", f"h{index}", self._links[index], line))

    def _relay(self, left: str, right: str, links: dict[tuple[str, int], Link], line: str) -> Relay:
        with self._hosts["switch"].entered():
            relay = Relay(left, right, links)
        self._end.callback(relay.close)
        thread = threading.Thread(target=relay.run, args=(self._stop.is_set,), name=f"relay {line}")
        thread.start()
        self._end.callback(thread.join)
        self._end.callback(self._stop.set)
        return relay


class Loopback:
    """A stage without wires, for whoever is not root. `traffic` is a filter: what of the loopback's is the drill's."""

    where = "loopback"
    lines = ("lo", "lo")
    interface = "lo"
    address = "127.0.0.1"

    def __init__(self, traffic: str = "") -> None:
        self._traffic = traffic

    def spawn(self, host: str, argv: Sequence[str], out: IO[bytes]) -> "subprocess.Popen[bytes]":
        """Start a process; both hosts are this one."""
        return _spawned(argv, out)

    def wire(self, line: str, faults: str) -> str | None:
        """Give the command that makes the venue itself misbehave."""
        return f"line {line} {faults}"

    def cut(self, line: str, cut: bool) -> str | None:
        """Give the command that silences a line."""
        return f"line {line} {'silent' if cut else 'ok'}"

    def deafen(self, line: str, deaf: bool) -> str | None:
        """Give the command that silences a line: there is no switch that could forget."""
        return self.cut(line, deaf)

    def taps(self) -> dict[str, list[FrameSource]]:
        """Open a ring on the loopback: both ends are there, and only privileges let anybody look."""
        return {"loopback": [_ring(self.interface, self._traffic)]}

    def close(self) -> None:
        """Nothing was made."""


def _spawned(argv: Sequence[str], out: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)


def _ring(interface: str, traffic: str = "") -> FrameSource:
    from netfeed.transport.raw.filter import compile_filter
    from netfeed.transport.raw.packet import PacketRing

    program = compile_filter(traffic) if traffic else None
    return PacketRing(interface, block_bytes=BLOCK_BYTES, blocks=BLOCKS, promiscuous=False, program=program)


def ended(process: "subprocess.Popen[bytes]") -> int:
    """End a process in order, at the latest by force; give its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def tail(path: Path, lines: int = 12) -> str:
    """Give the last lines of a log, for a message."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
