"""Filters of raw sockets: make a program from an expression or from groups and ports, and have the kernel run it.

`compile_filter` takes what tcpdump takes where libpcap is installed, and without it the part that `grammar` reads.
Expressions with `vlan` are always read here: libpcap looks for the tag in the frame, and the kernel has taken it off.
So are very long ones, for which libpcap takes hours.
"""

import re
import socket
from collections.abc import Iterable
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.transport.network import told
from netfeed.transport.raw import libpcap
from netfeed.transport.raw.bpf import KEEP, RETURN, Instruction, Program, check, matches, text
from netfeed.transport.raw.expression import any_of, program_of
from netfeed.transport.raw.fanout import kernel_program
from netfeed.transport.raw.grammar import parse

__all__ = [
    "Instruction", "Program", "attach", "check", "compile_filter", "compile_pairs", "detach", "matches", "text",
]  # fmt: skip

_SO_ATTACH_FILTER, _SO_DETACH_FILTER, _SO_LOCK_FILTER = 26, 27, 44
_TAG: Final = re.compile(r"\bvlan\b")


def compile_filter(expression: str, *, cooked: bool = False) -> Program:
    """Make the program of an expression as tcpdump's; `cooked`: for a socket of all interfaces, or without Ethernet.

    Raises: ConfigurationError that says what cannot be read, and what can.
    """
    if not expression.strip():
        return (Instruction(RETURN, k=KEEP),)
    pcap = libpcap.library()
    if pcap is None:
        return _own(expression, cooked, "needs libpcap (Debian: libpcap0.8, Fedora: libpcap)")
    if cooked:
        return _own(expression, cooked, "is read for one interface with Ethernet frames")
    if len(expression) > libpcap.MAX_LENGTH:
        return _own(expression, cooked, f"is read up to {libpcap.MAX_LENGTH:,} characters")
    if _TAG.search(expression):
        return _own(expression, cooked, "is read where there is no vlan in it")
    return libpcap.compile_with(pcap, expression)


def compile_pairs(pairs: Iterable[tuple[str, int | None]], protocol: str = "udp", *, cooked: bool = False) -> Program:
    """Make the program that keeps what goes to any of these (group, port) pairs; port None is any.

    Raises: ConfigurationError for what is no address, and for more of them than the kernel takes.
    """
    return program_of(any_of(pairs, protocol), cooked=cooked)


def attach(one: socket.socket, program: Program, *, lock: bool = True) -> None:
    """Let the kernel drop what a program does not keep; `lock`: nobody can take it off again, not even we.

    Raises: NetworkError; ConfigurationError for what is no program.
    """
    check(program)
    held, pointer = kernel_program(program)
    try:
        one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
        if lock:
            one.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)
    except OSError as error:
        remedy = "a shorter filter, or a larger net.core.optmem_max"
        raise told(f"the kernel does not take a filter of {len(program)} instructions", error, remedy) from None
    finally:
        del held


def detach(one: socket.socket) -> None:
    """Take off a filter that was not locked."""
    one.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _own(expression: str, cooked: bool, otherwise: str) -> Program:
    try:
        return program_of(parse(expression), cooked=cooked)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}; all of tcpdump's language {otherwise}") from None
