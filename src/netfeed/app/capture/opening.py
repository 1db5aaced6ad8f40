"""What is captured: interfaces, each with an expression of what of it, and the ring that reads it.

Words of a filter are tcpdump's. GROUP:PORT is short for "UDP to that group and port"; several of them, one after the
other, are any of them. AF_XDP knows no filters: it takes GROUP:PORT only, because what it takes nobody else gets.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from netfeed.app.config import split_endpoint
from netfeed.errors import ConfigurationError
from netfeed.transport.network import find_interface, is_multicast
from netfeed.transport.raw.source import FrameSource
from netfeed.transport.udp import UdpSocket
from netfeed.wire.pcapng import Interface

if TYPE_CHECKING:
    from netfeed.transport.raw.bpf import Program

BLOCK_BYTES: Final = 256 * 1024
RING_BYTES: Final = 128 * BLOCK_BYTES
REST_NS: Final = 20_000_000
MAX_SNAP: Final = 262_144
_CHUNK_BYTES: Final = 4096
"""What AF_XDP takes for a frame, whatever its length."""

Pair = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is captured of one interface. `pairs` are the (address, port) that it consists of, if it is no more."""

    interface: str
    expression: str = ""
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """How frames are read. Units: bytes; `fanout` is the number of a group and how it shares."""

    kind: str = "packet"
    snap: int = MAX_SNAP
    ring_bytes: int = RING_BYTES
    promiscuous: bool = True
    outgoing: bool = True
    stamps: str = "software"
    fanout: tuple[int, str] | None = None

    @property
    def rest_ns(self) -> int:
        """Say how long a ring may be left alone: 10 Gbit/s fill three quarters of it. AF_XDP's holds few frames."""
        return REST_NS * min(self.ring_bytes, RING_BYTES) // RING_BYTES if self.kind == "packet" else 0


def wanted(interface: str, words: Sequence[str]) -> Wanted:
    """Read the words of a filter."""
    pairs = [_pair(word) for word in words]
    found = tuple(pair for pair in pairs if pair is not None)
    return Wanted(interface, _expression(words, pairs), found if len(found) == len(words) else ())


def to_pair(pair: Pair) -> str:
    """Write an expression for UDP to an address and port."""
    return f"(udp and dst host {pair[0]} and dst port {pair[1]})"


@contextlib.contextmanager
def opened(each: Sequence[Wanted], reader: Reader) -> Iterator[list[FrameSource]]:
    """Open a source for each; close them at the end.

    Raises: NetworkError, ConfigurationError.
    """
    with contextlib.ExitStack() as end:
        sources: list[FrameSource] = []
        for one in each:
            sources.append(_xdp(one, reader) if reader.kind == "xdp" else _packet(one, reader))
            end.callback(sources[-1].close)
        yield sources


def described(each: Sequence[Wanted], sources: Sequence[FrameSource], snap: int) -> list[Interface]:
    """Describe the interfaces for the head of a file."""
    return [
        Interface(getattr(source, "linktype", 1), snap, name=source.interface, filter=one.expression)
        for one, source in zip(each, sources, strict=True)
    ]


@contextlib.contextmanager
def joined(memberships: Sequence[tuple[str, str | None, str | None]]) -> Iterator[None]:
    """Be a member of groups: (group, interface, source), so that switches send them. Nothing is received here.

    Raises: NetworkError, ConfigurationError.
    """
    with contextlib.ExitStack() as end:
        for group, interface, source in memberships:
            found = find_interface(interface)
            one = end.enter_context(UdpSocket(group, 0, stamps="none", buffer_bytes=4096, scope=found.index))
            one.join(group, interface=found, source=source)
        yield


def groups(pairs: Sequence[Pair], interface: str) -> list[tuple[str, str | None, str | None]]:
    """Give the memberships that pairs need on an interface."""
    return [(host, interface, None) for host in dict.fromkeys(host for host, _ in pairs if is_multicast(host))]


def _packet(one: Wanted, reader: Reader) -> FrameSource:
    from netfeed.transport.raw.fanout import Fanout
    from netfeed.transport.raw.packet import PacketRing

    return PacketRing(
        one.interface, block_bytes=BLOCK_BYTES, blocks=max(2, reader.ring_bytes // BLOCK_BYTES), snap=reader.snap,
        promiscuous=reader.promiscuous, outgoing=reader.outgoing, stamps=reader.stamps, program=_program(one),
        fanout=Fanout(*reader.fanout) if reader.fanout else None,
    )  # fmt: skip


def _program(one: Wanted) -> "Program | None":
    """Make the filter. That of pairs is made here: it has fewer instructions than what libpcap makes of many."""
    from netfeed.transport.raw.filter import compile_filter, compile_pairs
    from netfeed.transport.raw.packet import is_cooked

    cooked = is_cooked(one.interface)
    if one.pairs:
        return compile_pairs(one.pairs, cooked=cooked)
    return compile_filter(one.expression, cooked=cooked) if one.expression else None


def _xdp(one: Wanted, reader: Reader) -> FrameSource:
    from netfeed.transport.raw.xdp import XdpSource

    if one.expression and not one.pairs:
        raise ConfigurationError("--reader xdp takes no filter but GROUP:PORT: the host does not get what it takes")
    if reader.stamps == "hardware" or reader.fanout:
        raise ConfigurationError("--reader xdp has neither the card's stamps nor a fanout")
    frames = 64
    while frames * 2 * _CHUNK_BYTES <= reader.ring_bytes:
        frames *= 2
    return XdpSource(one.interface, frames=frames, snap=reader.snap, targets=one.pairs)


def _pair(word: str) -> Pair | None:
    try:
        host, port = split_endpoint(word)
    except ValueError:
        return None
    return host, port


def _expression(words: Sequence[str], pairs: Sequence[Pair | None]) -> str:
    """Join words; pairs that stand side by side are any of them."""
    parts: list[str] = []
    for is_pair, run in groupby(zip(words, pairs, strict=True), key=lambda one: one[1] is not None):
        if is_pair:
            either = [to_pair(pair) for _, pair in run if pair is not None]
            parts.append(either[0] if len(either) == 1 else f"({' or '.join(either)})")
        else:
            parts += [word for word, _ in run]
    return " ".join(parts)
