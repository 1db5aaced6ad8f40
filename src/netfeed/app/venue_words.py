"""What a gateway tells, for an operator in a line, for a program as a record, for a counter as a reason.

    CONNECTED, DISCONNECTED, GAP_OPENED, GAP_CLOSED, REFUSED_TOPICS, SILENT, HELD   records of the JSON stream

Units of records: times in ns since 1970, `*_ns` durations otherwise; absent is None.
"""

from typing import Any, Final

from netfeed.feed import session_words as said
from netfeed.feed.gateway_words import Connected, Disconnected, FetchFailed, GapClosed, GapOpened, Told
from netfeed.machine import NEVER
from netfeed.units import count_text, duration_text
from netfeed.venues.deribit_events import TickerEvent, TradeEvent

Json = dict[str, Any]
_WHO: Final = {"venue": "the venue closed", "us": "we closed", "network": "lost"}
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


def line(event: Any, now: int) -> str | None:
    """Say an event to an operator; None when nobody need know."""
    match event:
        case Connected(line=number, endpoint=endpoint, topics=topics):
            return f"line {number}: connected to {endpoint}, {count_text(topics, 'topic')}"
        case Disconnected():
            return _disconnected(event, now)
        case GapOpened(topic=topic, after=after, why=why):
            return f"gap of {topic} after {after}: {why}"
        case GapClosed(topic=topic, by=by, opened_at=opened, closed_at=closed):
            return f"gap of {topic} closed by {by} after {duration_text(closed - opened)}"
        case FetchFailed(topic=topic, status=status, reason=why):
            return f"no snapshot of {topic}: {why}" + (f" (status {status})" if status else "")
        case Told(what=said.TopicsRefused(topics=topics, code=code, text=text, final=final)):
            rest = "for good" if final else "for now"
            return f"refused {rest}: {count_text(len(topics), 'topic')} such as {topics[0]}: {code} {text}"
        case Told(what=said.OpeningRefused(code=code, text=text)):
            return f"the opening was refused: {code} {text}"
        case Told(line=number, what=said.Unanswered(topics=topics)):
            return f"line {number}: no answer for {count_text(len(topics), 'topic')}"
        case Told(line=number, what=said.Silent(silent=silent, since=since)):
            if not silent:
                return f"line {number}: heard again"
            return f"line {number}: silent for {duration_text(now - since)}: what it alone carries is STALE"
        case Told(what=said.Held(wait_ns=wait, code=code)):
            return f"asked too often ({code}): nothing more is asked for {duration_text(wait)}"
        case Told(line=number, what=said.Parting(reason=why)):
            return f"line {number}: the venue will close it: {why}"
    return None


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


def _disconnected(event: Disconnected, now: int) -> str:
    code = f" ({event.code})" if event.code is not None else ""
    text = f"line {event.line}: {_WHO[event.by]}{code}: {event.reason or 'no reason was given'}"
    if event.uptime_ns:
        text += f"; it was up for {duration_text(event.uptime_ns)}"
    if event.planned or event.retry_at == NEVER:
        return f"{text}; as planned" if event.planned else text
    return f"{text}; again in {duration_text(max(event.retry_at - now, 0))}"


def _lost(event: Disconnected, skew_ns: int) -> Json:
    return {
        "kind": "DISCONNECTED", "channel": event.venue, "line": event.line, "endpoint": event.endpoint, "by": event.by,
        "code": event.code, "reason": event.reason, "uptime_ns": event.uptime_ns, "quiet_ns": event.quiet_ns,
        "planned": event.planned, "retry_ns": None if event.retry_at == NEVER else event.retry_at + skew_ns,
        "last": dict(event.last),
    }  # fmt: skip
