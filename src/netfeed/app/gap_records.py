"""Every gap of a live run as a record: where, when it was seen, how and when it ended, which instruments it touched.

    state        open: still waited for; closed: by `closed_by`; lost: given up, what it touched is SUSPECT
    seen_ns      when the first packet behind it came; `opened_ns` is when the reorder window had passed
    instruments  what the messages that were missing were about; None where nobody knows: then it can be all of them

Bounds: the latest MAX_RECORDS gaps of a channel that have ended, and those that are open.
"""

from typing import Any

from netfeed.app import venue_account
from netfeed.app.account import account
from netfeed.app.live import Live
from netfeed.app.slots import Slot
from netfeed.feed.events import GapClosed
from netfeed.feed.sequencer import GapRecord

Json = dict[str, Any]


def full_account(live: Live) -> Json:
    """Give the whole account, the gaps of each channel as `gap_records`, and `engine` of a run that trades."""
    with live.held():
        told = account(live)
        if live.trades is not None:
            told["engine"] = live.trades()
        for channel, slot in zip(told["channels"], live.slots, strict=True):
            channel["gap_records"] = gap_records(slot, live.drive.skew_ns)
        for venue, link in zip(told["venues"], live.venues.links, strict=True):
            venue["gap_records"] = venue_account.gap_records(link)
    return told


def gap_records(slot: Slot, skew_ns: int) -> list[Json]:
    """List the gaps of a channel, those that are open last. Units: ns since 1970, `open_ns` a duration."""
    channel = slot.lane.channel
    ended = [_record(slot, gap, skew_ns) for gap in channel.statistics().gaps]
    opened = {gap.span: gap for gap in channel.open_gaps if gap.span is not None}  # pieces of one gap are one record
    still = [GapRecord(*span, gap.opened_at or 0, 0, None, gap.seen_at) for span, gap in opened.items()]
    return ended + [
        {**_record(slot, gap, skew_ns), "state": "open", "ended_ns": None, "open_ns": None} for gap in still
    ]


def closed_line(slot: Slot, event: GapClosed, skew_ns: int) -> Json:
    """Give the line of the stream that tells of a gap which was closed; call it once its messages were delivered."""
    known = reversed(slot.lane.statistics().gaps)
    same = (gap for gap in known if (gap.first, gap.last, gap.opened_at) == (event.first, event.last, event.opened_at))
    gap = next(same, None) or GapRecord(
        event.first, event.last, event.opened_at, event.closed_at, event.by, event.opened_at
    )
    return {"kind": "GAP_CLOSED", "channel": slot.name, **_record(slot, gap, skew_ns)}


def _record(slot: Slot, gap: GapRecord, skew_ns: int) -> Json:
    touched = slot.lane.delivery.instruments(gap.first, gap.last)
    return {
        "first": gap.first,
        "last": gap.last,
        "lost": gap.lost,
        "state": "lost" if gap.by is None else "closed",
        "closed_by": gap.by,
        "seen_ns": gap.seen_at + skew_ns,
        "opened_ns": gap.opened_at + skew_ns,
        "ended_ns": gap.closed_at + skew_ns,
        "open_ns": gap.closed_at - gap.opened_at,
        "instruments": None if touched is None else list(touched),
    }
