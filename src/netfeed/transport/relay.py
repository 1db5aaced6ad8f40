"""A wire with faults on it: frames that come in on one interface go out of another, some through a device.

    frames from `left`   --+-- UDP to a flow that has a device --> the device --> `right`
                           +-- all else ------------------------------------> `right`
    frames from `right`  ----------------------------------------------------> `left`
                           (while `deaf`: no membership reports, so that a switch on the left forgets who is a member)

It stands between two interfaces as a patch panel does, so that neither side knows of it: no address, no route. A
device sees payloads only, and what it lets through is put into a new frame of the same flow with right checksums: a
damaged payload arrives, and is not thrown away by the receiver's kernel. Kernels without netem have no other way to
delay, repeat or damage packets.

Devices keep what is on its way; the relay keeps nothing. Sends that an interface refuses (it is down) are counted.

Source: packet(7). Needs CAP_NET_RAW. Both ends of the wires should have their offloads off (`host.namespace`).
"""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from select import POLLIN, poll
from typing import Final, Protocol

from netfeed.machine import NEVER, Buffer
from netfeed.wire.frame import Kind, LinkType, Packet, locate
from netfeed.wire.headers import udp_frame

_ALL_PROTOCOLS: Final = 3
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_IGMP: Final = 2
_MAX_FRAME: Final = 65_600
_BATCH: Final = 64
"""Frames that are taken from one side before the other one is looked at."""
_LONGEST_WAIT_NS: Final = 50_000_000
"""How soon `stop` is noticed."""

Flow = tuple[str, int]
"""Destination address and port of datagrams."""


class Device(Protocol):
    """One direction of a line: packets go in with the time, and come out when and how it lets them."""

    @property
    def deadline(self) -> int:
        """Say when the next one comes out. Units: monotonic ns; NEVER while none is on its way."""

    def send(self, data: Buffer, now: int) -> None:
        """Take a packet."""

    def deliver(self, now: int) -> list[bytes]:
        """Give what comes out by now."""


@dataclass(slots=True)
class RelayStatistics:
    """Frames that went past the devices, payloads into devices and out of them, sends that were refused.

    `unheard`: membership reports that were kept back.
    """

    forwarded: int = 0
    unheard: int = 0
    taken: int = 0
    delivered: int = 0
    refused: int = 0


class Relay:
    """Forward frames between two interfaces of the namespace in which it is made; `run` does the work."""

    def __init__(self, left: str, right: str, devices: Mapping[Flow, Device]) -> None:
        self.statistics = RelayStatistics()
        self.deaf = False
        self._left, self._right = _tap(left), _tap(right)
        self._devices = {(_mapped(address), port): device for (address, port), device in devices.items()}
        self._frames: dict[Device, Callable[[bytes], bytes]] = {}

    def close(self) -> None:
        """Take the wire out."""
        self._left.close()
        self._right.close()

    def run(self, stop: Callable[[], bool], clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Forward until `stop` says so."""
        waiting = poll()
        waiting.register(self._left, POLLIN)
        waiting.register(self._right, POLLIN)
        while not stop():
            waiting.poll(min(max(self.deadline - clock(), 0), _LONGEST_WAIT_NS) / 1e6)
            self.turn(clock())

    @property
    def deadline(self) -> int:
        """Say when a device has something to give. Units: monotonic ns."""
        return min((device.deadline for device in self._devices.values()), default=NEVER)

    def turn(self, now: int) -> None:
        """Take what has come on both sides, and send what the devices give."""
        for frame in _waiting(self._left):
            packet = locate(frame, LinkType.ETHERNET)
            device = self._devices.get((packet.destination, packet.destination_port))
            if device is None or packet.kind is not Kind.UDP:
                self.statistics.forwarded += self._send(self._right, frame)
                continue
            if device not in self._frames:
                self._frames[device] = _framer(frame, packet)
            self.statistics.taken += 1
            device.send(frame[packet.payload_offset : packet.payload_offset + packet.payload_length], now)
        for frame in _waiting(self._right):
            if self.deaf and _is_report(frame):
                self.statistics.unheard += 1
                continue
            self.statistics.forwarded += self._send(self._left, frame)
        for device in self._devices.values():
            for payload in device.deliver(now):
                self.statistics.delivered += self._send(self._right, self._frames[device](payload))

    def _send(self, to: socket.socket, frame: bytes) -> bool:
        try:
            to.send(frame)
        except OSError:  # the interface is down, or its queue is full
            self.statistics.refused += 1
            return False
        return True


def _tap(interface: str) -> socket.socket:
    """Open a socket that sees the frames that come in on an interface, and not those that go out."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        tap.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        tap.bind((interface, _ALL_PROTOCOLS))
        tap.setblocking(False)
    except OSError:
        tap.close()
        raise
    return tap


def _waiting(tap: socket.socket) -> list[bytes]:
    frames: list[bytes] = []
    try:
        while len(frames) < _BATCH:
            frames.append(tap.recv(_MAX_FRAME))
    except OSError:  # nothing more; or the interface went down, which is told once
        pass
    return frames


def _is_report(frame: bytes) -> bool:
    """Say whether a frame is IGMP."""
    return frame[12:14] == b"\x08\x00" and len(frame) > 23 and frame[23] == _IGMP


def _mapped(address: str) -> bytes:
    """Give the 16 bytes of an address as `wire.frame` has them."""
    packed = ip_address(address).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def _framer(frame: bytes, packet: Packet) -> Callable[[bytes], bytes]:
    """Learn from the first frame of a flow how to frame its payloads."""
    source, destination = _text(packet.source), _text(packet.destination)
    sender = (source, packet.source_port, frame[6:12].hex(":"))
    receiver = (destination, packet.destination_port, frame[0:6].hex(":"))
    return lambda payload: udp_frame(payload, sender, receiver)


def _text(address: bytes) -> str:
    found = ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
