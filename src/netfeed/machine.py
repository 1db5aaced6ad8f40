"""The contract that every protocol in netfeed keeps. Read this first.

A *machine* is a protocol without I/O. Bytes and the time go in; events, bytes and a deadline come out:

    machine.receive(data, now, port=0) -> list of events   bytes came in on a port
    machine.wake(now)                  -> list of events   the deadline has passed; an early call does nothing
    machine.transmit(port=0)           -> list of bytes    drain what must go out
    machine.deadline                   -> int              monotonic ns; NEVER when it waits for nothing

Stream machines (TCP, TLS, files) add `end(now)`: the peer closed. End of file is not `b""`.

Whoever drives a machine follows one law: *one input, hand over its events, drain every port, read the deadline,
wait*. Live sockets, asyncio, a capture whose clock is the file, and a simulated world are all just drivers, so one
machine behaves the same in all of them - and a test moves time with an integer.

What makes this work is what a machine may not do. It reads no clock (`now` is an argument, monotonic nanoseconds),
no entropy (`random_bytes` is a constructor argument), no socket, no file, no environment, and writes no log. Bad
bytes never raise out of `receive`: they are an event and a counter. A misuse by the caller raises `MisuseError`
before any state changes. Everything that a peer can make grow has a named bound.

`tests/test_machine_laws.py` holds every machine to eight laws: pure, split, lent, tame, honest deadline, drained,
bounded, final.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

NEVER = 2**63 - 1
"""The deadline of a machine that waits for nothing. Units: ns."""

Buffer = bytes | bytearray | memoryview
"""Anything that bytes can be read from. A machine keeps no reference to it after `receive` returns."""


@runtime_checkable
class Machine(Protocol):
    """A protocol over packets: each `receive` is one whole datagram."""

    @property
    def deadline(self) -> int:
        """Say until when the driver may sleep. Units: monotonic ns, NEVER when it waits for nothing."""

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        """Take what came in on `port` and return what it means. Bad bytes become events."""

    def wake(self, now: int) -> Sequence[Any]:
        """Act on a deadline that has passed. A call before the deadline does nothing and returns nothing."""

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain the bytes that must go out on `port`. A second call returns nothing."""


@runtime_checkable
class StreamMachine(Machine, Protocol):
    """A protocol over a byte stream: how the bytes were cut up does not change the events."""

    def end(self, now: int) -> Sequence[Any]:
        """Take note that the peer closed its side."""
