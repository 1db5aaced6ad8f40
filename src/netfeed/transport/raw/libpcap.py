"""Compile tcpdump's filter language with libpcap, where that is installed: by ctypes, without its headers.

Source: pcap_open_dead(3), pcap_compile(3).
"""

import ctypes
import textwrap
from functools import lru_cache
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.transport.raw.bpf import KEEP, Instruction, Program

NAMES: Final = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")
_ETHERNET: Final = 1
_NO_NETMASK: Final = 0xFFFFFFFF


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


MAX_LENGTH: Final = 36_000
"""How long an expression may be: some 500 groups and ports. With other words libpcap takes the cube of the length, half
an hour did not suffice for 3 times as much, and no signal ends it. Units: characters.
"""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction)))


@lru_cache
def library() -> ctypes.CDLL | None:
    """Load libpcap; None where there is none."""
    for name in NAMES:
        try:
            found = ctypes.CDLL(name)
        except OSError:
            continue
        found.pcap_open_dead.restype = ctypes.c_void_p
        found.pcap_geterr.restype = ctypes.c_char_p
        found.pcap_geterr.argtypes = found.pcap_close.argtypes = (ctypes.c_void_p,)
        found.pcap_compile.argtypes = (
            ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
        )  # fmt: skip
        return found
    return None


def compile_with(pcap: ctypes.CDLL, expression: str) -> Program:
    """Compile an expression for Ethernet frames.

    Raises: ConfigurationError with what libpcap says of it.
    """
    handle, program = pcap.pcap_open_dead(_ETHERNET, KEEP), _Program()
    if not handle:
        raise MemoryError("libpcap has no memory for a filter")
    try:
        if pcap.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, _NO_NETMASK):
            why = pcap.pcap_geterr(handle).decode(errors="replace")
            raise ConfigurationError(f"the filter {textwrap.shorten(expression, 400)!r} cannot be read: {why}")
        made = tuple(Instruction(one.code, one.jt, one.jf, one.k) for one in program.instructions[: program.length])
        pcap.pcap_freecode(ctypes.byref(program))
        return made
    finally:
        pcap.pcap_close(handle)
