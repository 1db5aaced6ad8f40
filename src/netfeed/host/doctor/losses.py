"""Rows about what was lost: what each layer has counted since boot, and what it counted while it was watched.

What moves is a failure: it is being lost now. What only stands there may be years old, and is a warning.
"""

from typing import Final

from netfeed.host.card import losses as named
from netfeed.host.finding import Finding, Level
from netfeed.host.loss import Loss, moved

TOPIC: Final = "loss"
_KERNEL: Final = {
    "backlog": (
        "the backlog of a processor was full", "`sysctl -w net.core.netdev_max_backlog=16384`, and spread interrupts",
    ),
    "filtered": ("the reverse-path filter", "`sysctl -w net.ipv4.conf.all.rp_filter=0`, and of the interface"),
    "checksum": ("UDP checksums were wrong", "the sender's offloads (`ethtool -K IF tx off`), or whatever relays"),
    "memory": ("all UDP sockets together had no memory left", "raise net.ipv4.udp_mem"),
}  # fmt: skip


def checks(before: Loss, after: Loss) -> list[Finding]:
    """Judge what was lost, from two looks some time apart."""
    now = moved(before, after)
    found = [_nic(name, after.nic[name].lost, one.lost) for name, one in now.nic.items()]
    found += [_kernel(reason, after.kernel[reason], count) for reason, count in now.kernel.items() if reason in _KERNEL]
    found.append(_squeezed(after.squeezed, now.squeezed))
    return [*found, *_sockets(after, now)]


def _judged(check: str, what: str, ever: int, moving: int, remedy: str) -> Finding:
    if moving:
        return Finding(TOPIC, check, Level.FAIL, f"{moving:,} just now, {ever:,} in all: {what}", remedy)
    if ever:
        return Finding(TOPIC, check, Level.WARN, f"{ever:,} since boot, none just now: {what}", remedy)
    return Finding(TOPIC, check, Level.OK, "none")


def _nic(name: str, ever: int, moving: int) -> Finding:
    driver = ", ".join(f"{key} {value:,}" for key, value in sorted(named(name).items())[:6])
    what = "the card had no room, or frames were damaged" + (f" (driver: {driver})" if driver else "")
    found = _judged(
        f"nic {name}",
        what,
        ever,
        moving,
        f"larger rings (`ethtool -G {name} rx MAX`), other queues; damaged: the cable",
    )
    if found.level is Level.OK and driver:
        return Finding(TOPIC, found.check, Level.WARN, f"the driver counts {driver}", f"`ethtool -S {name}` says more")
    return found


def _kernel(reason: str, ever: int, moving: int) -> Finding:
    what, remedy = _KERNEL[reason]
    return _judged(f"kernel {reason}", what, ever, moving, remedy)


def _squeezed(ever: int, moving: int) -> Finding:
    if not moving:
        return Finding(TOPIC, "kernel budget", Level.OK, f"{ever:,} since boot, none just now")
    return Finding(
        TOPIC, "kernel budget", Level.WARN, f"ended {moving:,} times just now before all was done: packets wait",
        "`sysctl -w net.core.netdev_budget=600 net.core.netdev_budget_usecs=8000`",
    )  # fmt: skip


def _sockets(after: Loss, now: Loss) -> list[Finding]:
    moving = {(one.address, one.inode): one.drops for one in now.sockets}
    remedy = "a larger buffer (receive.buffer, net.core.rmem_max), or a reader that keeps up"
    found = [
        _judged(
            f"socket {one.address}", "its buffer was full", one.drops, moving.get((one.address, one.inode), 0), remedy
        )
        for one in sorted(after.sockets, key=lambda one: -one.drops)[:16]
    ]
    return found or [Finding(TOPIC, "sockets", Level.OK, "no UDP socket here has dropped")]
