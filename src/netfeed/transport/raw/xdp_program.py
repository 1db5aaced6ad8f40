"""The XDP program of a reader: which frames go to its socket, and which go on to the host as if nobody looked.

Without targets every frame goes to the socket. With targets only UDP datagrams to one of these (address, port) do:
IPv4 of any header length that is no fragment, IPv6 without extension headers, behind one VLAN tag or none. All else,
and everything where this program is not sure, is passed to the host.

Source: linux/bpf.h (struct xdp_md, enum xdp_action), RFC 791, RFC 8200, IEEE 802.1Q. A card that takes VLAN tags off
shows the frame without its tag, to this program as to the reader.
"""

import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.transport.network import address
from netfeed.transport.raw.ebpf import Program

PASS: Final = 2
"""XDP_PASS: the frame goes on to the host."""
MAX_TARGETS: Final = 512
"""More would lead beyond what a jump reaches; a reader of more takes every frame."""
_REDIRECT_MAP: Final = 51
"""bpf_redirect_map of enum bpf_func_id."""

Target = tuple[IPv4Address | IPv6Address, int]

_RESULT, _MAP, _FRAME, _END, _AHEAD, _TYPE, _CONTEXT, _A, _B, _C = range(10)
"""Registers: 0 is what a program gives back, 1 to 5 are arguments, 6 to 9 stay over calls."""


def read_targets(targets: Sequence[tuple[str, int]]) -> list[Target]:
    """Read (address, port) pairs.

    Raises: ConfigurationError for what is none, and for too many.
    """
    if len(targets) > MAX_TARGETS:
        raise ConfigurationError(f"{len(targets)} targets are more than {MAX_TARGETS}: name none, and take every frame")
    for host, port in targets:
        if not 1 <= port <= 65_535:
            raise ConfigurationError(f"a target needs a port of 1 to 65535: {host} has {port}")
    return [(address(host), port) for host, port in targets]


def redirecting(targets: Sequence[Target], sockets: int) -> bytes:
    """Assemble the program that sends frames to the socket of their queue in the map `sockets`; where no socket reads
    a queue, its frames go on to the host.
    """
    program = Program()
    put = program.put
    put(Program.COPY, _CONTEXT, _MAP)
    keep(program, targets)
    put(Program.LOAD32, _FRAME, _CONTEXT, 16)  # xdp_md.rx_queue_index, the second argument
    program.put_map(_MAP, sockets)
    put(Program.MOVE, _END, value=PASS)  # the third one: what to do without a socket
    put(Program.CALL, value=_REDIRECT_MAP)
    put(Program.EXIT)
    return program.code()


def keep(program: Program, targets: Sequence[Target]) -> None:
    """Let frames to the targets go on to what is put next, and give PASS for all others. The context is in r6."""
    if not targets:
        return
    four = [(one.packed, port) for one, port in targets if one.version == 4]
    six = [(one.packed, port) for one, port in targets if one.version == 6]
    _ether_type(program)
    for kind, found, search in ((0x0800, four, _ipv4), (0x86DD, six, _ipv6)):
        if found:
            program.put(Program.JUMP_OTHER, _TYPE, offset=f"no {kind}", value=_seen(kind.to_bytes(2)))
            search(program, found)
            program.label(f"no {kind}")
    program.label("pass")
    program.put(Program.MOVE, _RESULT, value=PASS)
    program.put(Program.EXIT)
    program.label("found")


def _ether_type(program: Program) -> None:
    """Find the EtherType, behind a tag too; the frame is then read as if the tag were not there."""
    put = program.put
    put(Program.LOAD32, _FRAME, _CONTEXT, 0)
    put(Program.LOAD32, _END, _CONTEXT, 4)
    _need(program, 14)
    put(Program.LOAD16, _TYPE, _FRAME, 12)
    put(Program.JUMP_EQUAL, _TYPE, offset="tagged", value=_seen(b"\x81\x00"))
    put(Program.JUMP_OTHER, _TYPE, offset="typed", value=_seen(b"\x88\xa8"))
    program.label("tagged")
    _need(program, 18)
    put(Program.LOAD16, _TYPE, _FRAME, 16)
    put(Program.ADD, _FRAME, value=4)
    program.label("typed")


def _ipv4(program: Program, targets: list[tuple[bytes, int]]) -> None:
    put = program.put
    _need(program, 14 + 20)
    put(Program.LOAD8, _RESULT, _FRAME, 14 + 9)
    put(Program.JUMP_OTHER, _RESULT, offset="pass", value=17)
    put(Program.LOAD16, _RESULT, _FRAME, 14 + 6)
    put(Program.JUMP_SET, _RESULT, offset="pass", value=_seen(b"\x3f\xff"))  # more fragments, or not the first
    put(Program.LOAD32, _A, _FRAME, 14 + 16)
    put(Program.LOAD8, _RESULT, _FRAME, 14)
    put(Program.AND, _RESULT, value=15)
    put(Program.SHIFT_LEFT, _RESULT, value=2)
    put(Program.ADD_REGISTER, _FRAME, _RESULT)  # the frame now begins so that UDP stands behind 14 bytes
    _need(program, 14 + 8)
    put(Program.LOAD16, _B, _FRAME, 14 + 2)
    for number, (packed, port) in enumerate(targets):
        put(Program.JUMP_OTHER, _A, offset=f"four {number}", value=_seen(packed))
        put(Program.JUMP_EQUAL, _B, offset="found", value=_seen(port.to_bytes(2)))
        program.label(f"four {number}")
    put(Program.JUMP, offset="pass")


def _ipv6(program: Program, targets: list[tuple[bytes, int]]) -> None:
    put = program.put
    _need(program, 14 + 40 + 8)
    put(Program.LOAD8, _RESULT, _FRAME, 14 + 6)
    put(Program.JUMP_OTHER, _RESULT, offset="pass", value=17)
    words = (_A, _B, _C, _AHEAD)
    for number, word in enumerate(words):
        put(Program.LOAD32, word, _FRAME, 14 + 24 + 4 * number)
    put(Program.LOAD16, _RESULT, _FRAME, 14 + 40 + 2)
    for number, (packed, port) in enumerate(targets):
        for at, word in enumerate(words):
            value = _seen(packed[4 * at : 4 * at + 4])
            put(Program.JUMP_OTHER, word, offset=f"six {number}", value=value)
        put(Program.JUMP_EQUAL, _RESULT, offset="found", value=_seen(port.to_bytes(2)))
        program.label(f"six {number}")
    put(Program.JUMP, offset="pass")


def _need(program: Program, length: int) -> None:
    """Pass a frame that is shorter: the verifier lets nobody read beyond what was compared with the end."""
    program.put(Program.COPY, _AHEAD, _FRAME)
    program.put(Program.ADD, _AHEAD, value=length)
    program.put(Program.JUMP_ABOVE, _AHEAD, _END, "pass")


def _seen(wire: bytes) -> int:
    """Give bytes of the wire as this processor loads them."""
    return int.from_bytes(wire, sys.byteorder)
