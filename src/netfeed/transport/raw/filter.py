"""Filters of raw sockets, in the kernel: attach a program of classic BPF to a socket, and the door to making one."""

import socket

from netfeed.transport.network import told
from netfeed.transport.raw.bpf import Instruction, Program
from netfeed.transport.raw.fanout import kernel_program

__all__ = ["Instruction", "Program", "attach", "detach"]

_SO_ATTACH_FILTER, _SO_DETACH_FILTER, _SO_LOCK_FILTER = 26, 27, 44


def attach(one: socket.socket, program: Program, *, lock: bool = True) -> None:
    """Let the kernel drop what a program does not keep; `lock`: nobody can take it off again, not even we.

    Raises: NetworkError.
    """
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
