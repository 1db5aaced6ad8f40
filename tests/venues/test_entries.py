"""Lists of instruments of which something is of an unknown form: what can be read is read, the rest is told."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.venues import binance, bybit, coinbase, deribit_json, kraken, okx
from netfeed.venues.entries import MAX_REASONS, MAX_WORDS, OTHER, Listed, Passed

Json = dict[str, Any]


class Venue(NamedTuple):
    """How a venue's list is read and written, the key of a name, an entry, and what makes one odd: key, value, why."""

    read: Callable[[Buffer], Listed]
    write: Callable[[list[Any]], Any]
    key: str
    entry: Json
    odd: list[tuple[str, Any, str]]


NO_TICK = "Invalid decimal string - at `$.tick_size`"
VENUES = {
    "deribit": Venue(
        deribit_json.instruments, lambda rows: {"result": rows}, "instrument_name",
        {"kind": "future", "base_currency": "BTC", "quote_currency": "USD", "tick_size": 0.5, "min_trade_amount": 10,
         "contract_size": 10, "instrument_type": "reversed"},
        [("kind", "dated_spread", "kind dated_spread"), ("tick_size", "much", NO_TICK),
         ("tick_size", 0, "increment 0"), ("base_currency", 7, "Expected `str`, got `int` - at `$.base_currency`"),
         ("tick_size_steps", [{"above": 1}], "missing required field `above_price` - at `$.tick_size_steps[0]`")],
    ),
    "binance": Venue(
        binance.instruments, lambda rows: {"symbols": rows}, "symbol",
        {"status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
         "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10"},
                     {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.005"}]},
        [("filters", [], "filters none"), ("filters", "x", "Expected `array`, got `str` - at `$.filters`"),
         ("filters", [{"filterType": "PRICE_FILTER", "tickSize": "x"}], "Invalid decimal string"),
         ("contractType", {}, "Expected `str`, got `object` - at `$.contractType`")],
    ),
    "okx": Venue(
        okx.instruments, lambda rows: {"code": "0", "msg": "", "data": rows}, "instId",
        {"instType": "SPOT", "tickSz": "0.01", "lotSz": "0.001", "minSz": "0.001", "baseCcy": "A", "quoteCcy": "B"},
        [("instType", "EVENT", "instType EVENT"), ("tickSz", "x", "decimal x"), ("lotSz", "-1", "increment -1"),
         ("stk", 5, "Expected `str`, got `int` - at `$.stk`")],
    ),
    "bybit": Venue(
        bybit.instruments, lambda rows: {"retCode": 0, "result": {"category": "linear", "list": rows}}, "symbol",
        {"contractType": "LinearPerpetual", "baseCoin": "X", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.01"},
         "lotSizeFilter": {"minOrderQty": "0.1", "qtyStep": "0.1"}},
        [("contractType", "LinearOdd", "contractType LinearOdd"),
         ("priceFilter", {"tickSize": ""}, "Invalid decimal string - at `$.priceFilter.tickSize`"),
         ("lotSizeFilter", {"minOrderQty": "1"}, "lotSizeFilter no step"), ("status", None, "got `null`")],
    ),
    "kraken": Venue(
        kraken.instruments, lambda rows: {"channel": "instrument", "data": {"assets": [], "pairs": rows}}, "symbol",
        {"base": "BTC", "quote": "USD", "price_precision": 1, "qty_precision": 8, "price_increment": 0.1,
         "qty_increment": 1e-8, "qty_min": 1e-4},
        [("price_increment", "x", "Invalid decimal string - at `$.price_increment`"),
         ("price_increment", -1, "increment -1"), ("qty_precision", "8", "Expected `int`, got `str`")],
    ),
    "coinbase": Venue(
        coinbase.instruments, lambda rows: {"products": rows}, "product_id",
        {"base_increment": "0.001", "quote_increment": "0.01", "base_min_size": "0.001", "price_increment": "0.01"},
        [("price_increment", "", "Invalid decimal string - at `$.price_increment`"),
         ("base_increment", "0", "increment 0"),
         ("trading_disabled", "no", "Expected `bool`, got `str`"), ("base_min_size", "inf", "number Infinity")],
    ),
}  # fmt: skip
each_venue = pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES)
ODD = [pytest.param(venue, *odd, id=f"{name}-{odd[2]}") for name, venue in VENUES.items() for odd in venue.odd]


def listed(venue: Venue, *rows: Any) -> Listed:
    return venue.read(json.dumps(venue.write(list(rows))).encode())


def names(told: Listed) -> list[str]:
    return [one.name for one in told.instruments]


@pytest.mark.parametrize(("venue", "key", "value", "why"), ODD)
def test_an_odd_instrument_costs_no_other_its_place(venue: Venue, key: str, value: Any, why: str) -> None:
    before, odd, behind = ({**venue.entry, venue.key: name} for name in ("A", "B", "C"))
    told = listed(venue, before, odd | {key: value}, behind).some()
    assert (names(told), len(told), told.passed_over) == (["A", "C"], 3, 1)
    (passed,) = told.passed
    assert why in passed.reason
    assert (passed.times, passed.first) == (1, "B")
    assert str(told) == f"1 passed over: {passed.reason} at B"


@pytest.mark.parametrize(("venue", "key", "value", "why"), ODD)
def test_a_list_of_nothing_but_odd_ones_is_an_error_with_its_reason(
    venue: Venue, key: str, value: Any, why: str
) -> None:
    odd = {**venue.entry, venue.key: "A", key: value}
    with pytest.raises(WireError) as error:
        listed(venue, odd, odd).some()
    assert error.value.found.startswith("2 that cannot be read: ")
    assert why in error.value.found


@each_venue
def test_what_is_sound_passes_nothing_over_and_nothing_is_nothing(venue: Venue) -> None:
    assert listed(venue, venue.entry | {venue.key: "A"}).passed == ()
    assert listed(venue).some() == Listed()


@each_venue
@pytest.mark.parametrize("rows", [None, {}, "x", 7])
def test_what_is_no_list_is_an_error(venue: Venue, rows: Any) -> None:
    with pytest.raises(WireError, match="the venue's documented JSON"):
        venue.read(json.dumps(venue.write(rows)).encode())


@each_venue
@pytest.mark.parametrize("torn", [b"NaN", b"{", b"[" * 200_000, b'{"a":tru}'])
def test_a_list_that_is_no_json_is_an_error_as_a_whole(venue: Venue, torn: bytes) -> None:
    body = json.dumps(venue.write([venue.entry | {venue.key: "A"}, "HERE"])).encode()
    with pytest.raises(WireError, match="the venue's documented JSON"):
        venue.read(body.replace(b'"HERE"', torn))


@each_venue
@pytest.mark.parametrize("odd", [7, None, [], {}, "x"])
def test_one_without_a_name_is_told_by_its_place(venue: Venue, odd: Any) -> None:
    told = listed(venue, venue.entry | {venue.key: "A"}, odd)
    assert names(told) == ["A"]
    assert [one.first for one in told.passed] == ["entry 2"]


@each_venue
def test_words_of_a_venue_are_short_and_forge_no_line(venue: Venue) -> None:
    key, value, _ = venue.odd[0]
    name = "B\n\x1b[31m" + "x" * 500
    (passed,) = listed(venue, {**venue.entry, venue.key: name, key: value}).passed
    assert passed.first == "B??[31m" + "x" * (MAX_WORDS - 7)
    body = json.dumps(venue.write([{**venue.entry, venue.key: "B"}])).encode().replace(b'"B"', b'"B\xff"')
    (passed,) = venue.read(body).passed
    assert passed.first == "entry 1"


def test_reasons_are_counted_and_only_so_many_are_kept() -> None:
    venue = VENUES["bybit"]
    rows = [{**venue.entry, "symbol": f"S{n}", "contractType": f"\n{n % 6}" + "y" * 999} for n in range(12)]
    told = listed(venue, *rows, venue.entry | {"symbol": "A"})
    assert [(one.times, one.first) for one in told.passed] == [(2, "S0"), (2, "S1"), (2, "S2"), (2, "S3"), (4, "S4")]
    assert len(told.passed) == MAX_REASONS + 1
    assert told.passed[-1].reason == OTHER
    assert all(len(one.reason) <= MAX_WORDS and one.reason.isprintable() for one in told.passed)
    assert str(told).endswith("; other reasons at S4 and 3 more")


def test_pages_are_one_list() -> None:
    first = Listed((), (Passed("a", 1, "A"), Passed("b", 1, "B")))
    more = Listed((), (Passed("b", 2, "X"), *(Passed(reason, 1, reason) for reason in "cdef")))
    told = first + more
    assert told.passed == (
        Passed("a", 1, "A"), Passed("b", 3, "B"), Passed("c", 1, "c"), Passed("d", 1, "d"), Passed(OTHER, 2, "e"),
    )  # fmt: skip
    assert (told + Listed() + told).passed_over == 2 * len(told) == 16
    assert len((told + told).passed) == MAX_REASONS + 1
