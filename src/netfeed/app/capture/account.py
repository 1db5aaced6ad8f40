"""The account of a capture: what came, what is in the files, and where the rest was lost; as JSON and as text.

received             frames that passed the filter: captured and lost
captured             frames in the files
dropped by kernel    the ring had no room: this process was too slow, or the ring too small
dropped by queue     the queue to the thread that packs had no room: packing or the disk was too slow
unwritten            the disk was full
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import netfeed
from netfeed.app.capture.files import Files
from netfeed.app.capture.tap import Tap
from netfeed.units import count_text, duration_text

FAILED: Final = 1
LOST: Final = 3
UNREAD: Final = "whoever read it has gone"
"""Why a capture into a pipe ended, which is their right: what they did not read was not lost by us."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counted:
    """Counters at a moment. Units: bytes of records, ns."""

    elapsed_ns: int
    frames: int
    bytes: int
    lost: int
    name: str

    def since(self, before: "Counted") -> Json:
        """Give the report of the time between two moments."""
        span = max(1, self.elapsed_ns - before.elapsed_ns)
        return {
            "type": "interval", "elapsed_ns": self.elapsed_ns, "captured": self.frames, "bytes": self.bytes,
            "frames_per_second": round((self.frames - before.frames) * 1e9 / span),
            "bits_per_second": round((self.bytes - before.bytes) * 8e9 / span), "lost": self.lost,
            "lost_now": self.lost - before.lost, "file": self.name,
        }  # fmt: skip


def interval(taps: Sequence[Tap], files: Files, elapsed_ns: int) -> Counted:
    """Take the counters."""
    queue = sum(files.queue_drops)
    frames, size = sum(tap.frames for tap in taps), sum(tap.bytes for tap in taps)
    return Counted(elapsed_ns, frames - queue, size, sum(tap.drops() for tap in taps) + queue, files.name)


def account(taps: Sequence[Tap], files: Files, elapsed_ns: int, reason: str) -> Json:
    """Give the account. `reason`: why it ended, "" while it goes on."""
    read = sum(tap.frames for tap in taps)
    kernel, queue = sum(tap.drops() for tap in taps), sum(files.queue_drops)
    captured = read - queue - files.unwritten
    return {
        "type": "summary", "netfeed": netfeed.__version__, "build": netfeed.BUILD, "elapsed_ns": elapsed_ns,
        "received": read + kernel, "captured": captured, "dropped_by_kernel": kernel, "dropped_by_queue": queue,
        "unwritten": files.unwritten, "bytes": sum(tap.bytes for tap in taps), "ended": reason,
        "interfaces": [_interface(tap) for tap in taps], "files_begun": files.count, "files": files.complete,
    }  # fmt: skip


def lost(summary: Json) -> int:
    """Count the frames that passed the filter and are in no file."""
    return int(summary["received"] - summary["captured"])


def exit_code(summary: Json, otherwise: int) -> int:
    """Choose the exit code: 1 when it failed, 3 when frames were lost."""
    gone = any(one["gone"] for one in summary["interfaces"])
    if gone or summary["ended"].startswith("failed"):
        return FAILED
    unread = summary["unwritten"] if summary["ended"] == UNREAD else 0
    return LOST if lost(summary) > unread else otherwise


def interval_text(report: Json) -> str:
    """Write the report of an interval in one line."""
    drops = f"{report['lost']:,} lost" + (f" (+{report['lost_now']:,})" if report["lost_now"] else "")
    rate = f"{report['frames_per_second']:,}/s  {report['bits_per_second'] / 1e6:,.1f} Mbit/s"
    return f"{report['captured']:,} frames  {rate}  {drops}  {report['file']}"


def summary_text(summary: Json) -> list[str]:
    """Write the account as tcpdump does, and what it does not say."""
    lines = [
        f"{count_text(summary['captured'], 'frame')} captured in {duration_text(summary['elapsed_ns'])}",
        f"{count_text(summary['received'], 'frame')} received by filter",
        f"{count_text(summary['dropped_by_kernel'], 'frame')} dropped by kernel",
    ]
    if summary["dropped_by_kernel"]:
        lines[-1] += ": a larger ring (-B), a snap length (-s), a filter, or a faster disk helps"
    if summary["dropped_by_queue"]:
        lines.append(
            f"{count_text(summary['dropped_by_queue'], 'frame')} dropped by queue: packing is too slow for them"
        )
    if summary["unwritten"]:
        lines.append(f"{count_text(summary['unwritten'], 'frame')} not written")
    lines += [
        f"{one['interface']}: {count_text(one['invalid'], 'frame')} could not be read"
        for one in summary["interfaces"] if one["invalid"]
    ]  # fmt: skip
    files = summary["files"]
    more = f" and {len(files) - 4:,} before them" if len(files) > 4 else ""
    kept = f", {len(files):,} kept" if len(files) < summary["files_begun"] else ""
    lines.append(f"{count_text(summary['files_begun'], 'file')} written{kept}: {', '.join(files[-4:])}{more}")
    return lines


def _interface(tap: Tap) -> Json:
    counters = tap.source.statistics()
    return {
        "interface": tap.source.interface, "stamps": tap.source.stamps, "frames": tap.frames, "bytes": tap.bytes,
        "first_ns": tap.first_ns, "last_ns": tap.last_ns, "dropped_by_kernel": counters.drops,
        "freezes": counters.freezes, "invalid": counters.invalid, "gone": tap.source.gone,
    }  # fmt: skip
