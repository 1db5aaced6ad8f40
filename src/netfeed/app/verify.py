"""Verify a file: sequences, duplicates, times that fall, truncation, and messages that do not decode.

The same drive as a replay, with a `Checker` in the place of books. A time that falls by no more than JITTER_NS is
normal where several sockets or ports are captured into one file, each drained in its turn (as `netfeed run --record`
does), and only told; more than that is an error.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from netfeed.app.fault import DECODE
from netfeed.app.protocols import Protocol
from netfeed.app.replay import Falls, Options, Replay
from netfeed.app.report import Json, errors, gaps, is_sound, recognised_nothing
from netfeed.book.change import CHANGE, NO_BOOK, ChangeLog, Kind, Refusal
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.units import duration_text
from netfeed.wire import iex, itch
from netfeed.wire.sbe import UnknownTemplate

JITTER_NS: Final = 50_000_000
"""How long a receiver on a busy machine may take to come round to the next socket. Units: ns."""
MAX_INSTRUMENTS: Final = 1 << 16

_UNKNOWN: Final = (UnknownTemplate, itch.UnknownType, iex.UnknownType)


class Checker:
    """Stands where a feed stands, and decodes every message; keeps no books."""

    def __init__(self, protocol: Protocol) -> None:
        self.by_type: dict[str, int] = {}
        self.names: list[str] = []
        self.books: list[Any] = []
        self.exponents: list[tuple[int, int]] = []
        self.changes = ChangeLog(16)
        self.needs_snapshot = True  # who keeps no books cannot tell that a snapshot has made them right
        self._instruments: set[int] = set()
        self._starbase = protocol.name == "starbase"
        self._decode = DECODE[protocol.name]
        self._sizes = itch.SIZES if protocol.name == "itch50" else None

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Check one message; a type that is not known is none of our business."""
        if self._sizes is not None and len(message) and self._sizes[message[0]] == len(message):
            return
        if self._starbase and len(message) >= 32 and len(self._instruments) < MAX_INSTRUMENTS:
            self._instruments.add(int.from_bytes(message[24:32], "little", signed=True))
        try:
            self._decode(message)
        except _UNKNOWN:
            return
        except WireError:
            self.changes.append(
                Kind.REFUSED, NO_BOOK, sequence=sequence % 2**64, ts_recv_ns=ts_recv_ns, flags=Refusal.BAD_LENGTH,
                channel=channel & 0xFFFF,
            )  # fmt: skip

    def knows(self, instrument_id: int) -> bool:
        """Say whether a book of an instrument would be here."""
        return instrument_id in self._instruments

    def gap(self, first: int, last: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Nothing hangs on a loss here: the channel's account has it."""

    def reset(self, channel: int = 0) -> None:
        """There is nothing to forget."""

    def take(self) -> "np.ndarray[Any, Any]":
        """Give what did not decode."""
        return self.changes.take() if len(self.changes) else np.zeros(0, CHANGE)


def verification(options: Options, stop: Callable[[], bool]) -> Replay:
    """Make the run that verifies files."""
    return Replay(options, new_feed=Checker, stop=stop, skips=True)


def note_falls(replay: Replay) -> None:
    """Turn times that fell by more than jitter into errors."""
    for falls in replay.tally.falls.values():
        if falls.most_ns > JITTER_NS and falls.place is not None:
            replay.findings.add(falls.place, falls_text(falls), "times that do not fall")


def falls_text(falls: Falls) -> str:
    """Say how the times of a capture fell."""
    return f"times of capture that fall {falls.count:,} times, by {duration_text(falls.most_ns)} at most"


def verify_report(replay: Replay) -> Json:
    """Give the report of a verification."""
    torn = replay.findings.torn
    records = replay.tally.records + sum(file.sequence - 1 - file.passed for file in replay.itch_files)
    return {
        "ok": is_sound(replay) and not recognised_nothing(replay),
        "packets": records,
        "gaps": gaps(replay.lanes),
        "duplicates": sum(lane.statistics().duplicates for lane in replay.lanes),
        "truncated": errors([torn])[0] if torn is not None else None,
        "errors": errors(replay.findings.listed()),
    }
