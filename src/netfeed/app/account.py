"""The account of a live run, as plain numbers: what SIGUSR1 prints, what the summary says, what metrics are made of.

Counters are since the start; `books` counts books by state. Times and counts are integers; absent is None.
"""

import os
from collections import Counter
from typing import Any, Final

import netfeed
from netfeed.app.live import Live
from netfeed.app.loss import loss_account, loss_text
from netfeed.app.report import book_json
from netfeed.app.slots import Slot
from netfeed.app.venue_account import sequence_of, venue_account
from netfeed.app.venue_link import VenueLink
from netfeed.book.digest import digest
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.host.process import locked_bytes
from netfeed.machine import NEVER

Json = dict[str, Any]
ALL: Final = 1 << 20
"""More levels than a side has."""
RECOVERIES: Final = ("line", "retransmit", "snapshot")


def account(live: Live) -> Json:
    """Give the whole account."""
    with live.held():
        live.receiver.collect()
        return _account(live)


def _account(live: Live) -> Json:
    channels = [channel_account(live, slot) for slot in live.slots]
    venues = [venue_account(link) for link in live.venues.links]
    return {
        "netfeed": netfeed.__version__,
        "build": netfeed.BUILD,
        "name": live.config.name,
        "elapsed_ns": live.now - live.began,
        "packets": sum(line["packets"] for channel in channels for line in channel["lines"]),
        "messages": sum(channel["messages"] for channel in channels) + sum(venue["messages"] for venue in venues),
        "changes": live.changes.count,
        "gaps": sum(channel["gaps"] for channel in channels),
        "recovered": {by: sum(channel["recovered"][by] for channel in channels) for by in RECOVERIES},
        "messages_lost": sum(channel["messages_lost"] for channel in channels),
        "duplicates": sum(channel["duplicates"] for channel in channels),
        "kernel_drops": sum(line["kernel_drops"] for channel in channels for line in channel["lines"]),
        "loss": loss_account(live.host_loss.read(), channels),
        "channels": channels,
        "venues": venues,
        "books": book_states(live),
        "refused": dict(live.changes.refused),
        "errors": live.findings.count,
        "latency_ns": latency_account(live),
        "receiver": live.receiver.account(),
        "loop": {
            "turns": live.turns, "longest_turn_ns": live.longest_turn_ns, "clock_steps": live.clock_steps,
        },
        "queues": queues(live),
        "process": {"cpus": sorted(os.sched_getaffinity(0)), "locked_bytes": locked_bytes(), "refused": live.refusals},
    }  # fmt: skip


def queues(live: Live) -> list[Json]:
    """Give the account of every queue; that of the receiving thread drops, and what it drops is as good as lost."""
    told = live.receiver.account()
    found = [queue.account() for queue in live.queues]
    if "queue_bytes" in told:
        plain = {"queue": "plain", "policy": "drop", "depth": told["queue_bytes"], "overflow": told["queue_overflow"]}
        found.append(plain)
    return found


def latency_account(live: Live) -> Json:
    """Say how long packets took from the kernel's stamp to changed books."""
    latency = live.latency()
    return {
        "count": latency.count, "p50": latency.percentile(50), "p99": latency.percentile(99), "max": latency.max_ns,
        "negative": latency.negative,
    }  # fmt: skip


def channel_account(live: Live, slot: Slot) -> Json:
    """Give the account of one channel."""
    told = slot.lane.statistics()
    known = {line.port: line for line in told.lines}
    lines = []
    for inlet in slot.inlets:
        line = known.get(inlet.port)
        behind = line.behind if line else None
        lines.append({
            "line": inlet.line,
            "group": inlet.name,
            "packets": inlet.received,
            "first": line.first if line else 0,
            "duplicates": line.duplicates if line else 0,
            "late": line.late if line else 0,
            "malformed": line.malformed if line else 0,
            "foreign": inlet.foreign,
            "cut": inlet.cut,
            "queue_drops": inlet.queue_drops,
            "kernel_drops": inlet.kernel_drops,
            "behind_ns": {"count": behind.count, "sum": behind.sum_ns, "max": behind.max_ns} if behind else None,
            "silent_ns": silent_ns(live.now, line.last_heard) if line else None,
        })  # fmt: skip
    return {
        "channel": slot.name,
        "protocol": slot.protocol.label,
        "session": told.session.decode("latin-1").strip() if told.session else None,
        "next_sequence": told.next_sequence,
        "silent": live.is_silent(slot),
        "silences": live.silences(slot),
        "messages": told.messages,
        "snapshot_messages": told.snapshot_messages,
        "snapshots_refused": slot.lane.delivery.snapshots_refused,
        "gaps": told.gaps_opened,
        "recovered": {by: slot.recovered[by] for by in RECOVERIES},
        "messages_lost": told.lost_messages,
        "reordered": told.reordered,
        "duplicates": told.duplicates,
        "heartbeats": told.heartbeats + live.receiver.heartbeats(slot),
        "malformed": told.malformed,
        "ignored": told.ignored,
        "held_bytes": told.held_bytes,
        "resets": slot.lane.resets,
        "only": only(lines),
        "lines": lines,
        "servers": [
            {"server": one.name, "asked": one.asked, "answered": one.answered, "timeouts": one.timeouts,
             "rejects": one.rejects, "unasked": one.unasked}
            for one in getattr(told, "servers", ())
        ],
    }  # fmt: skip


def silent_ns(now: int, heard: int | None) -> int | None:
    """Say how long a line is silent: what a thread heard after the loop last looked at the clock was just heard."""
    return None if heard is None else max(0, now - heard)


def only(lines: list[Json]) -> Json:
    """Count the packets that one line alone brought: its first copies that no other line repeated."""
    named = [line for line in lines if not line["line"].startswith("SNAPSHOT")]
    copies = sum(line["duplicates"] for line in named)
    return {line["line"]: max(0, line["first"] - (copies - line["duplicates"])) for line in named}


def book_states(live: Live) -> dict[str, int]:
    """Count books by their state, every state named."""
    states = Counter(int(book.state) for one in live.sources for book in one.feed.books)
    return {state.name: states[state] for state in BookState}


def is_ready(live: Live) -> bool:
    """Say whether every channel is heard, in order, and every book of it and of each venue LIVE; connected is not."""
    with live.held():
        slots = all(is_slot_ready(live, slot) for slot in live.slots)
        return slots and all(link.is_ready for link in live.venues.links)


def is_slot_ready(live: Live, slot: Slot) -> bool:
    """Say so of one channel, whose books are held."""
    lane = slot.lane
    if live.is_silent(slot) or lane.channel.next_sequence is None or lane.deadline != NEVER:
        return False
    states = {int(book.state) for book in slot.feed.books}
    return BookState.LIVE in states and not states - {BookState.LIVE, BookState.EMPTY}


def final_books(live: Live) -> list[Json]:
    """Describe every book that is asked for as it is at the end, with a digest of all its levels."""
    sources = {id(one.feed): one for one in live.sources}
    found = []
    for book in live.catalogue.chosen():
        source = sources[id(book.feed)]
        bids, asks = ([(one.price, one.quantity, one.orders) for one in book.view.depth(side, ALL)] for side in Side)
        found.append({
            "kind": "BOOK", "channel": source.name, "sequence": _last(source, book.number), **book_json(book),
            "digest": digest(bids, asks),
        })  # fmt: skip
    return found


def _last(source: Slot | VenueLink, book: int) -> int | None:
    """Give the number of the last message of a channel, or of the last update of a venue's book."""
    if isinstance(source, VenueLink):
        return sequence_of(source, book)
    following: int | None = source.lane.channel.next_sequence
    return None if following is None else following - 1


def summary(told: Json) -> str:
    """Say on exit what happened, in the manner of tcpdump."""
    lines: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for channel in told["channels"]:
        alone.update(channel["only"])
        for line in channel["lines"]:
            lines[line["line"]] += line["packets"]
    recovered = ", ".join(f"{told['recovered'][by]} by {by}" for by in RECOVERIES)
    states = ", ".join(f"{count} {state}" for state, count in told["books"].items() if count) or "none"
    by_line = ", ".join(f"{name} {count}" for name, count in lines.items())
    parts = [
        *([f"{told['packets']} packets received ({by_line})"] if told["channels"] else []),
        *(
            f"{venue['venue']}: {venue['messages']} messages, {venue['disconnected']} connections lost, "
            f"{venue['gaps_opened']} gaps of topics ({venue['open_gaps']} open), {venue['resyncs']} resyncs"
            for venue in told["venues"]
        ),
        f"{told['messages']} messages",
        f"{told['gaps']} gaps (recovered: {recovered})",
        f"{told['messages_lost']} messages lost",
        f"{told['duplicates']} duplicates",
        *([f"{told['kernel_drops']} packets dropped by kernel"] if told["channels"] else []),
        *(f"{count} {name}-only" for name, count in alone.items()),
        *([loss_text(told["loss"])] if told["channels"] else []),
        f"books: {states}",
    ]
    return "\n".join(parts)
