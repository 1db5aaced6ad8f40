"""Whether this host's clock can be believed: what it counts by, whether anybody disciplines it, how far it is off.

Sources: adjtimex(2) for status and bounds of the kernel's clock, clocksource in Documentation/timers/timekeeping.rst,
chronyc(1) `-c tracking` (a line of commas). One-way latencies and the age of quotes are worth what this says.
"""

import ctypes
import shutil
import subprocess
from typing import Final

from netfeed.host.finding import Finding, Level
from netfeed.host.tree import Tree
from netfeed.host.tune.rows.clock import FAST
from netfeed.units import duration_text

TOPIC: Final = "clock"
_SOURCE: Final = "/sys/devices/system/clocksource/clocksource0/"
_STA_UNSYNC, _STA_NANO = 0x40, 0x2000
_TIMEOUT_S: Final = 2
_NOBODY: Final = ("", "00000000", "7F7F0101")
"""Reference identifiers of no server, and of the clock itself (`local`)."""
WARN_NS: Final = 1_000_000
"""An error that is more than this makes a one-way latency worthless."""


class Timex(ctypes.Structure):
    """struct timex of linux/timex.h, as far as it is read here, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("constant", ctypes.c_long),
        ("precision", ctypes.c_long), ("tolerance", ctypes.c_long), ("seconds", ctypes.c_long),
        ("micros", ctypes.c_long), ("tick", ctypes.c_long), ("rest", ctypes.c_long * 32),
    )  # fmt: skip


def checks(tree: Tree | None = None) -> list[Finding]:
    """Look at the clock."""
    return [source(tree or Tree()), discipline(read_timex()), tracking(chrony())]


def read_timex() -> Timex | None:
    """Read the kernel's state of its clock; None when it does not say."""
    found = Timex()
    return found if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found)) >= 0 else None


def source(tree: Tree) -> Finding:
    """Say on which counter the kernel's clock runs."""
    current = tree.text(_SOURCE + "current_clocksource")
    others = (tree.text(_SOURCE + "available_clocksource") or "").split()
    if not current:
        return Finding(TOPIC, "clock source", Level.UNKNOWN, "the kernel does not say which one it uses")
    if current in FAST:
        return Finding(TOPIC, "clock source", Level.OK, f"{current}: read without a system call")
    better = next((one for one in FAST if one in others), None)
    remedy = (
        f"`dmesg | grep -i clocksource` says why not {better}; was it a mistake, `echo {better} > "
        f"{_SOURCE}current_clocksource`" if better
        else "look for `Marking TSC unstable` in dmesg; with a good TSC, boot with tsc=reliable"
    )  # fmt: skip
    return Finding(TOPIC, "clock source", Level.WARN, f"{current}: each look at the clock is a system call", remedy)


def discipline(found: Timex | None) -> Finding:
    """Say whether anybody sets the clock, and within what it claims to be right."""
    if found is None:
        return Finding(TOPIC, "disciplined", Level.UNKNOWN, "adjtimex is refused here")
    bound = f"at most {duration_text(found.maxerror * 1000)} off, says the kernel"
    if found.status & _STA_UNSYNC:
        return Finding(
            TOPIC, "disciplined", Level.WARN, f"nobody sets this clock ({bound})",
            "run chronyd, or ptp4l and phc2sys with a card that has a clock; in a VM, the host's clock by ptp_kvm; "
            "until then one-way latencies and the venue's clock offset mean nothing",
        )  # fmt: skip
    level = Level.OK if found.maxerror * 1000 <= 100 * WARN_NS else Level.WARN
    offset = found.offset if found.status & _STA_NANO else found.offset * 1000
    said = f"synchronised, {duration_text(offset)} still to correct, {bound}"
    return Finding(TOPIC, "disciplined", level, said, "" if level is Level.OK else "a nearer or better time server")


def chrony() -> str | None:
    """Ask chrony how it tracks; None when there is none, or it does not answer."""
    program = shutil.which("chronyc")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-n", "-c", "tracking"], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def tracking(text: str | None) -> Finding:
    """Read a line of `chronyc -c tracking`, in seconds: fields 5 to 7 are the offset now, the last one, and their mean.

    One that follows nobody has no offset: it says 0.
    """
    if text is None:
        return Finding(
            TOPIC, "offset", Level.UNKNOWN, "no chronyd answers here; how far the clock is off is not known",
            "with ptp4l: `pmc -u -b 0 'GET CURRENT_DATA_SET'`",
        )  # fmt: skip
    fields = text.strip().split(",")
    try:
        now, last, mean = (round(float(fields[at]) * 1e9) for at in (4, 5, 6))
    except (IndexError, ValueError, OverflowError):
        return Finding(TOPIC, "offset", Level.UNKNOWN, "chronyc answered what nobody here can read")
    if fields[0] in _NOBODY or "Not synchronised" in fields:
        said = "chronyd runs, and follows nobody: how far the clock is off is not known"
        return Finding(TOPIC, "offset", Level.WARN, said, "`chronyc sources` says whom it tries")
    said = f"chrony: {duration_text(now)} off, last offset {duration_text(last)}, usually {duration_text(mean)}"
    if max(abs(now), abs(last), abs(mean)) > WARN_NS:
        return Finding(
            TOPIC, "offset", Level.WARN, said, "wait until chrony has settled (`chronyc makestep`), or a nearer server"
        )
    return Finding(TOPIC, "offset", Level.OK, said)
