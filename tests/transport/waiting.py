"""Wait for what the kernel does in its own time, without saying how long that takes."""

import os
import socket
import time
from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

P, T = ParamSpec("P"), TypeVar("T")


def until(done: Callable[[], bool]) -> None:
    """Ask again and again whether something has happened; fail when it has not after a long while."""
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.0005)


def come(receive: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
    """Call `receive` once all that was sent on this machine has come.

    A datagram is most often there when `send` returns; on a busy machine it may wait in the queue of its processor for
    the kernel's own thread. What is sent behind it on the same processor comes behind it.
    """
    ours = os.sched_getaffinity(0)
    for processor in ours:
        os.sched_setaffinity(0, {processor})
        _behind().send(b"x")
        assert _behind().recv(1) == b"x"
    os.sched_setaffinity(0, ours)
    return receive(*args, **more)


@cache
def _behind() -> socket.socket:
    """Give a socket that sends to itself, in the namespace that tests begin in."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", 0))
    one.connect(one.getsockname())
    one.settimeout(60)
    return one
