"""What a simulated Deribit venue writes and reads: numbers from integers, answers, refusals, notifications, requests.

Source: docs.deribit.com, JSON-RPC overview and error codes (API 2.1.1). An answer and a refusal carry when the request
came and the answer left (usIn, usOut, usDiff) and `testnet`; a notification has no id.

Invariant: a price or an amount is written from its integer, as the shortest decimal text that is the same number, with
one decimal at least. No float is on the way of what a book is made of.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from netfeed.machine import Buffer
from netfeed.units import decimal_text

MAX_REQUEST: Final = 32_768
"""A longer request is refused. Units: bytes."""
VERSION: Final = "1.2.26"
"""What the venue says its software is."""

TOO_MANY_REQUESTS: Final = 10028
Id = int | str | None
MESSAGES: Final = {
    10001: "error", 10028: "too_many_requests", 11050: "bad_request", 11052: "subscribe_error_unsubscribed",
    10003: "order_overlap", 10004: "order_not_found", 10005: "price_too_low", 10007: "price_too_high",
    10009: "not_enough_funds", 10011: "price_not_allowed", 10012: "book_closed", 10013: "pme_max_total_open_orders",
    10018: "non_pme_max_future_position_size", 10020: "invalid_or_unsupported_instrument", 10021: "invalid_amount",
    10022: "invalid_quantity", 10026: "price_precision_exceeded", 10043: "price_wrong_tick",
    10047: "matching_engine_queue_full", 11008: "already_filled", 11030: "other_reject", 11044: "not_open_order",
    11054: "post_only_reject", 13004: "invalid_credentials", 13009: "unauthorized", 13020: "not_found",
    13778: "raw_subscriptions_not_available_for_unauthorized", -32000: "Missing params",
    -32600: "request entity too large", -32601: "Method not found", -32602: "Invalid params", -32700: "Parse error",
}  # fmt: skip
"""The short message of each error code."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks. `id` None: it cannot be named."""

    id: Id
    method: str
    params: dict[str, Any] = field(default_factory=dict)


class RefusedError(Exception):
    """A request cannot be done. `param` and `reason` say what is wrong with it; `id` where it is known by now."""

    def __init__(self, code: int, param: str = "", reason: str = "", *, id: Id = None) -> None:
        super().__init__(code, param, reason)
        self.code, self.param, self.reason, self.id = code, param, reason, id


class _Wire(msgspec.Struct):
    id: int | str | msgspec.UnsetType | None = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: dict[str, Any] | None = None


_DECODER: Final = msgspec.json.Decoder(_Wire)


def read(data: Buffer) -> Request:
    """Read a request.

    Raises: RefusedError with the code that the venue has for what is wrong.
    """
    if len(data) > MAX_REQUEST:
        raise RefusedError(-32600)
    try:
        wire = _DECODER.decode(data)
    except msgspec.ValidationError:
        raise RefusedError(11050) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedError(-32700) from None
    if isinstance(wire.id, msgspec.UnsetType) or isinstance(wire.method, msgspec.UnsetType):
        raise RefusedError(11050, id=None if isinstance(wire.id, msgspec.UnsetType) else wire.id)
    return Request(wire.id, wire.method, wire.params or {})


def number(value: int, exponent: int) -> msgspec.Raw:
    """Write an integer of 10**`exponent` as a JSON number.

    >>> bytes(number(90_000_500_000_000, -9)), bytes(number(4714, 0)), bytes(number(-15, -4))
    (b'90000.5', b'4714.0', b'-0.0015')
    """
    whole, _, part = decimal_text(value, exponent).partition(".")
    return msgspec.Raw(f"{whole}.{part.rstrip('0') or '0'}".encode())


def answer(id: Id, result: Any, in_us: int, out_us: int) -> bytes:
    """Write an answer."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "result": result} | _times(in_us, out_us))


def refusal(id: Id, error: RefusedError, in_us: int, out_us: int) -> bytes:
    """Write a refusal."""
    what: dict[str, Any] = {"code": error.code, "message": MESSAGES[error.code]}
    if error.param or error.reason:
        data = {"param": error.param, "reason": error.reason}
        what["data"] = {name: said for name, said in data.items() if said}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": id, "error": what} | _times(in_us, out_us))


def notification(channel: str, data: Any) -> bytes:
    """Write what a channel tells."""
    params = {"channel": channel, "data": data}
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "subscription", "params": params})


def heartbeat(kind: str) -> bytes:
    """Write a `heartbeat`, or a `test_request`."""
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}})


def _times(in_us: int, out_us: int) -> dict[str, Any]:
    return {"usIn": in_us, "usOut": out_us, "usDiff": out_us - in_us, "testnet": True}
