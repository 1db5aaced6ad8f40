"""A list over HTTP, page by page, without a socket: what is asked, what is found, and why nothing is."""

import gzip
import json
from typing import Any

import pytest

from netfeed.app.discovery import LATE, PATIENCE_NS, Found, Nothing
from netfeed.app.listing import MAX_PAGES, Listing
from netfeed.app.venue_kinds import KINDS
from netfeed.machine import NEVER
from netfeed.proto import http

BYBIT = KINDS["bybit"]
TARGET = "/v5/market/instruments-info?limit=1000&category=linear"
SECOND = 10**9


def page(*names: str, cursor: str = "") -> bytes:
    listed = [
        {"symbol": name, "contractType": "LinearPerpetual", "baseCoin": "X", "quoteCoin": "USDT",
         "priceFilter": {"tickSize": "0.01"}, "lotSizeFilter": {"minOrderQty": "0.1", "qtyStep": "0.1"}}
        for name in names
    ]  # fmt: skip
    return json.dumps(
        {"retCode": 0, "result": {"category": "linear", "list": listed, "nextPageCursor": cursor}}
    ).encode()


def answer(body: bytes, status: int = 200, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def asked(one: Listing) -> list[str]:
    """Drain, and give the targets that were asked for."""
    sent = b"".join(one.transmit()).decode()
    assert sent.count("user-agent: netfeed") == sent.count("GET ")
    return [line.split()[1] for line in sent.split("\r\n") if line.startswith("GET ")]


def listing() -> Listing:
    one = Listing(http.Client("venue"), TARGET, BYBIT.instruments, BYBIT.more, 0)
    assert asked(one) == [TARGET]
    return one


def test_pages_are_asked_for_until_one_names_no_other() -> None:
    one = listing()
    pages = [page("A", "B", cursor="first%3DA%26last=B"), page("C", cursor="x"), page("D")]
    assert one.receive(answer(pages[0]), 1) == []
    assert asked(one) == [f"{TARGET}&cursor=first%3DA%26last%3DB"]
    packed = gzip.compress(pages[1])
    assert one.receive(answer(packed, 200, "content-encoding: gzip"), 2) == []
    assert asked(one) == [f"{TARGET}&cursor=x"]
    (found,) = one.receive(answer(pages[2]), 3)
    assert isinstance(found, Found)
    assert [instrument.name for instrument in found.listed.instruments] == ["A", "B", "C", "D"]
    assert found.answers == tuple(pages)
    assert (one.is_over, one.deadline, asked(one)) == (True, NEVER, [])


def test_each_page_has_its_own_time() -> None:
    one = listing()
    assert one.deadline == PATIENCE_NS
    one.receive(answer(page("A", cursor="x")), 5 * SECOND)
    assert one.deadline == 5 * SECOND + PATIENCE_NS
    assert one.wake(one.deadline - 1) == []
    assert one.wake(one.deadline) == [Nothing(LATE)]


@pytest.mark.parametrize(
    ("body", "status", "headers", "what", "wait_ns"),
    [
        (b"", 429, ["retry-after: 7"], "asked too often", 7 * SECOND),
        (b"", 418, ["retry-after: 99999999"], "banned this address", 3 * 86_400 * SECOND),
        (b"", 429, ["retry-after: Wed, 21 Oct 2026 07:28:00 GMT"], "asked too often", 0),
        (b'{"code":-1121,"msg":"Invalid symbol."}', 400, [], '`category` and `currency`; it says {"code":-1121', 0),
        (b"", 451, [], "does not serve the country", 0),
        (b"", 404, [], "compare `listing`", 0),
        (b"<html>", 503, [], "it is asked again; it says <html>", 0),
        (b"", 301, [], "status 301", 0),
        (b'{"retCode":10001,"retMsg":"params error","result":{}}', 200, [], "10001 params error", 0),
        (b"{}", 200, [], "the venue's documented JSON", 0),
        (b"[" * 100_000, 200, [], "the venue's documented JSON", 0),
        (b"", 200, [], "the venue's documented JSON", 0),
    ],
)
def test_what_is_no_list_is_named_with_what_can_be_done(
    body: bytes, status: int, headers: list[str], what: str, wait_ns: int
) -> None:
    one = listing()
    (told,) = one.receive(answer(body, status, *headers), 1)
    assert isinstance(told, Nothing)
    assert what in told.reason
    assert told.wait_ns == wait_ns
    assert one.receive(answer(page("A")), 2) == []


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"), (b"", "no HTTP"),
        (b"HTTP/1.1 200 x\r\ncontent-length: 9\r\n\r\n{", "no HTTP: peer closed"),
        (answer(page("A", cursor="x"), 200, "connection: close"), "after page 1, before its list ends"),
    ],
)  # fmt: skip
def test_a_stream_that_ends_is_the_end(data: bytes, what: str) -> None:
    one = listing()
    told = [*one.receive(data, 1), *one.end(2)]
    assert len(told) == 1
    assert isinstance(told[0], Nothing)
    assert what in told[0].reason


@pytest.mark.parametrize("cursor", ["x", "{}"])
def test_a_list_that_does_not_end_is_given_up(cursor: str) -> None:
    one, told = listing(), []  # type: ignore[var-annotated]
    for number in range(MAX_PAGES + 1):
        told += one.receive(answer(page("A", cursor=cursor.format(number))), number)
        asked(one)
    (end,) = told
    assert isinstance(end, Nothing)
    assert "does not end" in end.reason


@pytest.mark.parametrize(
    ("name", "body", "what"),
    [
        ("okx", {"code": "51000", "msg": "Parameter instFamily error", "data": []}, "51000 Parameter instFamily error"),
        ("binance", {"code": -1, "msg": "x"}, "exchangeInfo"),
        ("coinbase", {"error": "x"}, "market/products"),
    ],
)
def test_an_error_of_a_venue_is_told_as_it_says_it(name: str, body: dict[str, Any], what: str) -> None:
    kind = KINDS[name]
    one = Listing(http.Client("venue"), "/", kind.instruments, kind.more, 0)
    (told,) = one.receive(answer(json.dumps(body).encode()), 1)
    assert isinstance(told, Nothing)
    assert what in told.reason


def odd(body: bytes, *names: str) -> bytes:
    """Give some instruments of a page a form that nobody knows."""
    told = json.loads(body)
    for one in told["result"]["list"]:
        one["contractType"] = "Odd" if one["symbol"] in names else one["contractType"]
    return json.dumps(told).encode()


def test_what_cannot_be_read_is_passed_over_on_any_page() -> None:
    one = listing()
    one.receive(answer(odd(page("A", "B", cursor="x"), "A", "B")), 1)
    one.receive(answer(page("C", cursor="y")), 2)
    (found,) = one.receive(answer(odd(page("D"), "D")), 3)
    assert isinstance(found, Found)
    assert [instrument.name for instrument in found.listed.instruments] == ["C"]
    assert str(found.listed) == "3 passed over: contractType Odd at A and 2 more"


def test_pages_of_which_nothing_can_be_read_are_no_list() -> None:
    one = listing()
    one.receive(answer(odd(page("A", cursor="x"), "A")), 1)
    (told,) = one.receive(answer(odd(page("B"), "B")), 2)
    assert isinstance(told, Nothing)
    assert "2 that cannot be read: contractType Odd at A and 1 more" in told.reason
