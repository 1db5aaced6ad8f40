"""Rows about what was lost: what each layer has counted since boot, and what it counted while it was watched.

What moves is a failure: it is being lost now. What only stands there may be years old, and is a warning.
"""

from collections.abc import Sequence
from typing import Final

from netfeed.host.card import losses as named
from netfeed.host.finding import Finding, Level
from netfeed.host.loss import Loss, SocketDrops, moved

TOPIC: Final = "loss"
_KERNEL: Final = {
    "backlog": (
        "the backlog of a processor was full", "raise net.core.netdev_max_backlog, and spread interrupts",
    ),
    "filtered": ("the reverse-path filter", "`sysctl -w net.ipv4.conf.all.rp_filter=0`, and of the interface"),
    "checksum": ("UDP checksums were wrong", "the sender's offloads (`ethtool -K IF tx off`), or whatever relays"),
    "memory": ("all UDP sockets together had no memory left", "raise net.ipv4.udp_mem"),
}  # fmt: skip


Drivers = dict[str, dict[str, int]]
"""By interface what its driver counts."""
_SHOWN: Final = 16
"""Rows of sockets at most."""


def drivers(names: Sequence[str]) -> Drivers:
    """Read what the drivers of interfaces count under names of their own that speak of loss."""
    return {name: named(name) for name in names}


def checks(before: Loss, after: Loss, was: Drivers, driver: Drivers) -> list[Finding]:
    """Judge what was lost, from two looks some time apart. What is not told is no 0, and is said."""
    now, found = moved(before, after), []
    for name, words in driver.items():
        found.append(_nic(name, after, now))
        found += _driver(name, was.get(name, {}), words) + _unclaimed(name, now)
    found += [
        _kernel(reason, after.kernel[reason], now.kernel[reason]) if reason in now.kernel
        else _untold(f"kernel {reason}", "its counter cannot be read here")
        for reason in _KERNEL
    ]  # fmt: skip
    return [*found, _squeezed(after.squeezed, now.squeezed), *_sockets(after.sockets, now.sockets)]


def _untold(check: str, why: str) -> Finding:
    return Finding(TOPIC, check, Level.UNKNOWN, why)


def _judged(check: str, what: str, ever: int, moving: int, remedy: str) -> Finding:
    if moving:
        return Finding(TOPIC, check, Level.FAIL, f"{moving:,} just now, {ever:,} in all: {what}", remedy)
    if ever:
        return Finding(TOPIC, check, Level.WARN, f"{ever:,} since boot, none just now: {what}", remedy)
    return Finding(TOPIC, check, Level.OK, "none")


def _nic(name: str, after: Loss, now: Loss) -> Finding:
    if name not in now.nic:
        return _untold(f"nic {name}", "it has gone, or this kernel does not count for it")
    remedy = f"larger rings (`ethtool -G {name} rx MAX`), other queues; damaged: the cable"
    what = "the card had no room, or frames were damaged"
    return _judged(f"nic {name}", what, after.nic[name].lost, now.nic[name].lost, remedy)


def _driver(name: str, was: dict[str, int], words: dict[str, int]) -> list[Finding]:
    """Tell the driver's own counters, those that move first: by their names alone, so that none is a failure."""
    if not words:
        return []
    counts = sorted((-max(0, value - was.get(key, 0)), key, value) for key, value in words.items())
    said = ", ".join(f"{key} {value:,}" + (f" ({-more:,} just now)" if more else "") for more, key, value in counts[:6])
    rest = f", and {len(counts) - 6} others" if len(counts) > 6 else ""
    return [Finding(TOPIC, f"nic {name} driver", Level.WARN, f"counts {said}{rest}", f"`ethtool -S {name}` says more")]


def _unclaimed(name: str, now: Loss) -> list[Finding]:
    """Tell of frames that the kernel had and gave to no protocol, but for those that the backlog dropped."""
    count = now.nic[name].dropped - now.kernel.get("backlog", 0) if name in now.nic else 0
    if count <= 0:
        return []
    said = f"{count:,} just now dropped before any protocol had them (rx_dropped)"
    remedy = "the driver had no room (clouds), or nobody here speaks their protocol (LLDP, STP): `netfeed capture`"
    return [Finding(TOPIC, f"nic {name} dropped", Level.WARN, said, remedy)]


def _kernel(reason: str, ever: int, moving: int) -> Finding:
    what, remedy = _KERNEL[reason]
    return _judged(f"kernel {reason}", what, ever, moving, remedy)


def _squeezed(ever: int | None, moving: int | None) -> Finding:
    if ever is None or moving is None:
        return _untold("kernel budget", "its counter cannot be read here")
    if not moving:
        return Finding(TOPIC, "kernel budget", Level.OK, f"{ever:,} since boot, none just now")
    return Finding(
        TOPIC, "kernel budget", Level.WARN, f"ended {moving:,} times just now before all was done: packets wait",
        "`sysctl -w net.core.netdev_budget=600 net.core.netdev_budget_usecs=8000`",
    )  # fmt: skip


def _sockets(ever: tuple[SocketDrops, ...] | None, now: tuple[SocketDrops, ...] | None) -> list[Finding]:
    """Give a row for each socket that dropped, those that do just now first, and one for all that are too many."""
    if ever is None or now is None:
        return [_untold("sockets", "/proc/net/udp cannot be read here")]
    moving = {(one.address, one.inode): one.drops for one in now}
    counts = [(moving.get((one.address, one.inode), 0), one.drops, one.address) for one in ever]
    counts.sort(key=lambda one: (-one[0], -one[1]))
    shown, rest = counts[:_SHOWN], counts[_SHOWN:]
    found = [_socket(f"socket {address}", "its buffer was full", drops, more) for more, drops, address in shown]
    if rest:
        drops, more = sum(one[1] for one in rest), sum(one[0] for one in rest)
        found.append(_socket(f"{len(rest)} other sockets", "their buffers were full", drops, more))
    return found or [Finding(TOPIC, "sockets", Level.OK, "no UDP socket here has dropped")]


def _socket(check: str, what: str, ever: int, moving: int) -> Finding:
    remedy = "a larger buffer (receive.buffer, net.core.rmem_max), or a reader that keeps up"
    return _judged(check, what, ever, moving, remedy)
