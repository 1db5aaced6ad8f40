"""What a gateway tells, for a program as a record, for a counter as a reason; `venue_log` has it for an operator.

    CONNECTED, DISCONNECTED, GAP_OPENED, GAP_CLOSED, REFUSED_TOPICS, SILENT, HELD   records of the JSON stream

Units of records: times in ns since 1970, `*_ns` durations otherwise; absent is None.
"""

from typing import Any, Final

from netfeed.feed import session_words as said
from netfeed.feed.gateway_words import Connected, Disconnected, GapClosed, GapOpened, Told
from netfeed.machine import NEVER
from netfeed.venues.deribit_events import TickerEvent, TradeEvent

Json = dict[str, Any]
_STARTS: Final = (
    ("silent for", "silent"), ("no handshake", "handshake"), ("the handshake was refused with status", "refused"),
    ("it answers nothing", "deaf"), ("its certificate", "certificate"), ("TLS alert", "alert"), ("no TLS", "tls"),
    ("waited in vain", "timeout"), ("cannot resolve", "resolve"), ("cannot connect", "connect"),
    ("the opening was not heard", "throttled"),
)  # fmt: skip


def reason(event: Disconnected) -> str:
    """Say why a connection was lost, in one of a few words that a counter can be labelled with."""
    for start, word in _STARTS:
        if event.reason.startswith(start):
            return f"{word} {event.reason.split()[-1]}" if word == "refused" else word
    if event.by == "venue" and event.code is not None:
        return f"code {event.code}"
    return "protocol" if event.by == "us" else event.by


def hinted(reason: str, endpoint: str) -> str:
    """Add the likely cause where a plain conversation was cut off before it began: TLS servers do so to plain talk."""
    cut = "reset by peer" in reason or "in the handshake" in reason or "broke off" in reason
    return f"{reason}; does it speak TLS (wss://)?" if cut and endpoint.startswith(("ws:", "http:")) else reason


def records(event: Any, skew_ns: int) -> list[Json]:
    """Give the records of the stream for an event."""
    match event:
        case Connected(venue=venue, line=number, endpoint=endpoint, topics=topics):
            return [{"kind": "CONNECTED", "channel": venue, "line": number, "endpoint": endpoint, "topics": topics}]
        case Disconnected():
            return [_lost(event, skew_ns)]
        case GapOpened(venue=venue, topic=topic, after=after, why=why, at=at):
            return [
                {"kind": "GAP_OPENED", "channel": venue, "topic": topic, "after": after, "why": why,
                 "opened_ns": at + skew_ns}
            ]  # fmt: skip
        case GapClosed():
            return [
                {"kind": "GAP_CLOSED", "channel": event.venue, "topic": event.topic, "after": event.after,
                 "until": event.until, "why": event.why, "closed_by": event.by,
                 "opened_ns": event.opened_at + skew_ns, "ended_ns": event.closed_at + skew_ns,
                 "open_ns": event.closed_at - event.opened_at}
            ]  # fmt: skip
        case Told(venue=venue, line=number, what=said.Silent(silent=silent)):
            return [{"kind": "SILENT", "channel": venue, "line": number, "silent": silent}]
        case Told(venue=venue, what=said.Held(wait_ns=wait, code=code)):
            return [{"kind": "HELD", "channel": venue, "wait_ns": wait, "code": code}]
        case Told(venue=venue, what=said.TopicsRefused(topics=topics, code=code, text=text, final=final)):
            return [
                {"kind": "REFUSED_TOPICS", "channel": venue, "topics": list(topics), "code": code, "text": text,
                 "final": final}
            ]  # fmt: skip
    return []


def told(event: TradeEvent | TickerEvent, channel: str) -> Json:
    """Give the record of a trade or a ticker: decimals as texts, as the venue wrote them."""
    kind = "TICKER" if isinstance(event, TickerEvent) else "PRINT"
    return {"kind": kind, "channel": channel, **_plain(event)}


def _plain(value: Any) -> Json:
    found: Json = {}
    for name in value.__struct_fields__:
        one = getattr(value, name)
        if hasattr(one, "__struct_fields__"):
            found[name] = _plain(one)
        elif name == "resting":
            found[name] = one.name
        else:
            found[name] = one if one is None or isinstance(one, int | str) else format(one, "f")
    return found


def _lost(event: Disconnected, skew_ns: int) -> Json:
    return {
        "kind": "DISCONNECTED", "channel": event.venue, "line": event.line, "endpoint": event.endpoint, "by": event.by,
        "code": event.code, "reason": event.reason, "uptime_ns": event.uptime_ns, "quiet_ns": event.quiet_ns,
        "planned": event.planned, "retry_ns": None if event.retry_at == NEVER else event.retry_at + skew_ns,
        "last": dict(event.last),
    }  # fmt: skip
