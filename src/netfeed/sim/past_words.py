"""What five venues say, for recordings of them that are served again: one row a venue.

    topic     which topic a recorded message is of, and whether a client can begin with it; None for what is of no topic
    also      topics that a request names besides those of books: Kraken's list of pairs, Coinbase's heartbeats
    answer    the answers to a request that names topics, each with what is odd about it ("" for nothing)
    pong      the answer to the client's own heartbeat, and to its question what it carries; None for any other message
    refusal   what is said to a message that nobody understands
    beat      the venue's own heartbeat each second; `beat_topic` is the topic that it belongs to, "" for all of them
    counted   messages carry the count of the connection, which is that of who hears them now
    whole     a request with one odd topic is refused as a whole

Source: the documents that the modules of `netfeed.venues` name. Leaves out: times of Kraken's answers (`time_in`),
quotas, authentication.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, NamedTuple

from netfeed.venues import answers, coinbase, kraken, okx

Root = dict[str, Any]
Topic = tuple[str, bool]
Asked = tuple[bool, list[str]]


class Odd(StrEnum):
    """What is odd about a topic that a request names."""

    NOTHING = ""
    UNKNOWN = "not in the recording"
    ALREADY = "already subscribed"
    ABSENT = "not subscribed"


class Told(NamedTuple):
    """What an answer is made of. `carried`: what the connection carries then. Units: ns since 1970."""

    root: Root
    on: bool
    topics: Sequence[tuple[str, Odd]]
    carried: Collection[str]
    ts_ns: int


class Words(NamedTuple):
    """What one venue says."""

    topic: Callable[[Root], Topic | None]
    answer: Callable[[Told], list[Root]]
    pong: Callable[[bytes, Root | None, Collection[str]], Root | bytes | None]
    refusal: Callable[[Root], Root]
    also: Callable[[Root], list[str]] = lambda root: []
    beat: Callable[[int, int], Root] | None = None
    beat_topic: str = ""
    counted: bool = False
    whole: bool = False


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _id(root: Root, key: str = "id") -> int | str | None:
    """Give what a request is told by, where it is of a kind that venues take."""
    value = root.get(key)
    return value if isinstance(value, str) else answers.whole_number(value)


# -- Binance: an answer says nothing but the id; unknown streams are taken, and never heard of


def _binance_topic(root: Root) -> Topic | None:
    return (_text(root["stream"]), True) if _text(root.get("stream")) else None


def _binance_pong(data: bytes, root: Root | None, carried: Collection[str]) -> Root | None:
    if root is None or root.get("method") != "LIST_SUBSCRIPTIONS":
        return None
    return {"result": list(carried), "id": _id(root)}


BINANCE: Final = Words(
    _binance_topic, lambda told: [{"result": None, "id": _id(told.root)}], _binance_pong,
    lambda root: {"error": {"code": 2, "msg": "Invalid request: unknown method"}, "id": _id(root)},
)  # fmt: skip


# -- OKX: an answer for each topic


def _okx_topic(root: Root) -> Topic | None:
    channel, name = (_text(answers.part(root, "arg", key)) for key in ("channel", "instId"))
    return (okx.topic(name, channel), root.get("action") != "update") if channel and name and "data" in root else None


def _okx_answer(told: Told) -> list[Root]:
    said: list[Root] = []
    for topic, odd in told.topics:
        channel, _, name = topic.partition(":")
        one: Root = {"arg": {"channel": channel, "instId": name}, "connId": "a4d3ae55"}
        one |= {"id": _id(told.root)} if "id" in told.root else {}
        what = f"Wrong URL or channel:{channel},instId:{name} doesn't exist. It is {odd}."
        refused = {"event": "error", "code": "60018", "msg": what}
        said.append(one | (refused if odd is Odd.UNKNOWN else {"event": "subscribe" if told.on else "unsubscribe"}))
    return said


OKX: Final = Words(
    _okx_topic, _okx_answer, lambda data, root, carried: b"pong" if data == b"ping" else None,
    lambda root: {"event": "error", "code": "60012", "msg": "Invalid request", "connId": "a4d3ae55"},
)  # fmt: skip


# -- Bybit: one topic that is odd refuses the request; options have an answer of their own


def _bybit_topic(root: Root) -> Topic | None:
    return (_text(root["topic"]), root.get("type") != "delta") if _text(root.get("topic")) else None


_BYBIT_ODD: Final = {Odd.UNKNOWN: "handler not found", Odd.ALREADY: "already subscribed", Odd.ABSENT: "not subscribed"}


def _bybit_head(root: Root) -> Root:
    return {"conn_id": "a4d3ae55", "req_id": _text(root.get("req_id")), "op": _text(root.get("op"))}


def _bybit_answer(told: Told) -> list[Root]:
    first = next(((topic, odd) for topic, odd in told.topics if odd), None)
    text = "" if first is None else f"error:{_BYBIT_ODD[first[1]]},topic:{first[0]}"
    return [{"success": first is None, "ret_msg": text, **_bybit_head(told.root)}]


def _bybit_option_answer(told: Told) -> list[Root]:
    failed = [topic for topic, odd in told.topics if odd is Odd.UNKNOWN]
    taken = [topic for topic, odd in told.topics if odd is not Odd.UNKNOWN]
    data = {"failTopics": failed, "successTopics": taken}
    return [{"success": True, "conn_id": "a4d3ae55", "data": data, "type": "COMMAND_RESP"}]


def _bybit_pong(data: bytes, root: Root | None, carried: Collection[str]) -> Root | None:
    if root is None or root.get("op") != "ping":
        return None
    return {"success": True, "ret_msg": "pong", **_bybit_head(root)}


def _bybit_refusal(root: Root) -> Root:
    return {"success": False, "ret_msg": "error:unknown op", **_bybit_head(root)}


BYBIT: Final = Words(_bybit_topic, _bybit_answer, _bybit_pong, _bybit_refusal, whole=True)
BYBIT_OPTION: Final = Words(
    _bybit_topic, _bybit_option_answer, lambda data, root, carried: {"args": [], "op": "pong"}
    if root is not None and root.get("op") == "ping" else None, _bybit_refusal,
)  # fmt: skip


# -- Kraken: an answer for each topic, heartbeats for all, the list of pairs as a channel


def _kraken_head(root: Root, **more: Any) -> Root:
    return {
        "method": _text(root.get("method")),
        **more,
        **({"req_id": _id(root, "req_id")} if "req_id" in root else {}),
    }


def _kraken_answer(told: Told) -> list[Root]:
    said: list[Root] = []
    for topic, odd in told.topics:
        channel, depth, name = (*topic.split(".", 2), "", "")[:3]
        if odd:
            said.append(_kraken_head(told.root, error=f"{odd}: {name or topic}" if odd is not Odd.UNKNOWN else
                        f"Currency pair not supported {name or topic} (depth {depth}): {odd}",
                        success=False, symbol=name))  # fmt: skip
            continue
        books = {"depth": int(depth), "snapshot": True, "symbol": name} if depth.isdecimal() else {"snapshot": True}
        said.append(_kraken_head(told.root, result={"channel": channel, **books}, success=True))
    return said


def _kraken_also(root: Root) -> list[str]:
    wanted = answers.part(root, "params", "channel") == "instrument"
    return ["instrument"] if wanted and root.get("method") in ("subscribe", "unsubscribe") else []


def _kraken_pong(data: bytes, root: Root | None, carried: Collection[str]) -> Root | None:
    return _kraken_head({**root, "method": "pong"}) if root is not None and root.get("method") == "ping" else None


@cache
def kraken_words(depth: int) -> Words:
    """Give Kraken's words, for a recording of books of one depth: messages do not say theirs."""

    def topic(root: Root) -> Topic | None:
        channel, begins = root.get("channel"), root.get("type") == "snapshot"
        if channel == "instrument":
            return channel, begins
        name = _text(answers.part(_first(root.get("data")), "symbol"))
        return (kraken.topic(name, depth), begins) if channel == "book" and name else None

    return Words(
        topic, _kraken_answer, _kraken_pong,
        lambda root: _kraken_head(root, error="Unsupported method", success=False), _kraken_also,
        beat=lambda count, ts_ns: {"channel": "heartbeat"},
    )  # fmt: skip


# -- Coinbase: every answer lists what is carried; all messages of a connection are counted

_HEARTBEATS: Final = "heartbeats"


def _coinbase_topic(root: Root) -> Topic | None:
    event = _first(root.get("events"))
    name = _text(answers.part(event, "product_id"))
    if root.get("channel") != "l2_data" or not name:
        return None
    return coinbase.topic(name), answers.part(event, "type") == "snapshot"


def _coinbase_also(root: Root) -> list[str]:
    is_asked = root.get("channel") == _HEARTBEATS and root.get("type") in ("subscribe", "unsubscribe")
    return [_HEARTBEATS] if is_asked else []


def _coinbase_said(channel: str, event: Root, ts_ns: int) -> Root:
    return {"channel": channel, "client_id": "", "timestamp": _rfc3339(ts_ns), "sequence_num": 0, "events": [event]}


def _coinbase_answer(told: Told) -> list[Root]:
    products = [one.removeprefix("level2:") for one in told.carried if one != _HEARTBEATS]
    listed = {"level2": products} if products else {}
    listed |= {_HEARTBEATS: [_HEARTBEATS]} if _HEARTBEATS in told.carried else {}
    return [_coinbase_said("subscriptions", {"subscriptions": listed}, told.ts_ns)]


def _coinbase_beat(count: int, ts_ns: int) -> Root:
    return _coinbase_said(_HEARTBEATS, {"current_time": _rfc3339(ts_ns), "heartbeat_counter": count}, ts_ns)


def _rfc3339(ts_ns: int) -> str:
    seconds = min(max(ts_ns // 10**9, 0), 250_000_000_000)  # a recording may have any time; a date has four digits
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ts_ns % 10**9:09d}Z"


COINBASE: Final = Words(
    _coinbase_topic, _coinbase_answer, lambda data, root, carried: None,
    lambda root: {"type": "error", "message": "failure to subscribe: unknown request"}, _coinbase_also,
    _coinbase_beat, _HEARTBEATS, counted=True,
)  # fmt: skip


def words(venue: str, category: str, depth: int | None) -> Words:
    """Give the words of a venue. Raises: KeyError for one that is none of the five."""
    if venue == "kraken":
        return kraken_words(depth or kraken.DEPTH)
    if venue == "bybit" and category == "option":
        return BYBIT_OPTION
    return {"binance": BINANCE, "okx": OKX, "bybit": BYBIT, "coinbase": COINBASE}[venue]
