"""What a venue told over HTTP, told again: a list page by page, and the snapshot that fits how far a client is."""

import json
from typing import Any

import pytest

from netfeed.app.venue_kinds import KINDS
from netfeed.sim.past_pages import PastPages
from tests.app.crypto_words import VENUES


def heard(ts_ns: int) -> Any:
    return lambda topic: ts_ns


def snapshots() -> PastPages:
    pages = PastPages("/api/v3/exchangeInfo", KINDS["binance"].more)
    for ts_ns in (10, 20, 30):
        pages.add(ts_ns, "btcusdt@depth@100ms", b"%d" % ts_ns)
    return pages


@pytest.mark.parametrize(("ts_ns", "body"), [(0, b"10"), (10, b"10"), (19, b"10"), (25, b"20"), (2**63 - 1, b"30")])
def test_the_snapshot_is_the_last_one_from_before_what_was_heard(ts_ns: int, body: bytes) -> None:
    for target in ("/api/v3/depth?symbol=BTCUSDT&limit=1000", "/fapi/v1/depth?limit=5&symbol=BTCUSDT"):
        assert snapshots().answer(target, heard(ts_ns)) == (200, body)


@pytest.mark.parametrize(
    "target", ["/", "/api/v3/depth", "/api/v3/depth?symbol=BTC", "/api/v3/exchangeInfo", "//[", ""]
)
def test_what_was_not_recorded_is_not_found(target: str) -> None:
    status, body = snapshots().answer(target, heard(0))
    assert status in (400, 404)
    assert json.loads(body)["code"] == status


def test_a_list_of_several_pages_is_told_page_by_page() -> None:
    said = [VENUES["bybit"].listing({"category": "linear", "cursor": cursor}) for cursor in ("at=0", "at=2", "at=4")]
    bodies = [json.dumps(one).encode() for one in said]
    pages = PastPages("/v5/market/instruments-info", KINDS["bybit"].more)
    for body in [*bodies, bodies[0]]:  # it was had again
        pages.add(0, "", body)
    assert pages.passed_over == 1
    target = "/v5/market/instruments-info?category=linear"
    for query, body in zip(("", "&cursor=at%3D2", "&cursor=at%3D4"), bodies, strict=True):
        assert pages.answer(target + query, heard(0)) == (200, body)
    assert pages.answer(f"{target}&cursor=x", heard(0))[0] == 404


def test_a_list_that_is_none_ends_the_list() -> None:
    pages = PastPages("/v5/market/instruments-info", KINDS["bybit"].more)
    pages.add(0, "", b"\xff")
    pages.add(0, "", b"{}")
    assert (pages.passed_over, pages.answer(pages.listing, heard(0))) == (1, (200, b"\xff"))
