"""What a configured venue comes to: its places, and what it has not."""

from typing import Any

import pytest

from netfeed.app.config import parse
from netfeed.app.configuration import Venue
from netfeed.app.venue_places import endpoints, fetch_endpoint, listing, misfits, target_of
from netfeed.errors import ConfigurationFileError


def venue(**given: Any) -> Venue:
    return Venue(**({"name": "x", "venue": "binance", "instruments": ["*"]} | given))


def test_categories_are_other_places() -> None:
    usdm = venue(category="usdm")
    assert endpoints(usdm) == ("wss://fstream.binance.com/public/stream",)
    assert fetch_endpoint(usdm) == "https://fapi.binance.com"
    assert listing(venue(venue="bybit", category="linear")) == (
        "https://api.bybit.com/v5/market/instruments-info?limit=1000&category=linear"
    )


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"listing": "http://h:1"}, "http://h:1/v5/market/instruments-info?limit=1000&category=spot"),
        ({"listing": "http://h:1/"}, "http://h:1/v5/market/instruments-info?limit=1000&category=spot"),
        ({"listing": "https://h/mine"}, "https://h/mine?limit=1000&category=spot"),
        ({"listing": "https://h/mine?all=1"}, "https://h/mine?all=1"),
        ({"category": "option", "currency": "ETH"},
         "https://api.bybit.com/v5/market/instruments-info?limit=1000&category=option&baseCoin=ETH"),
    ],
)  # fmt: skip
def test_a_list_is_where_it_is_said_to_be_or_where_the_venue_has_it(given: dict[str, Any], where: str) -> None:
    config = venue(venue="bybit", **given)
    assert (listing(config), misfits(config)) == (where, [])
    assert where.endswith(target_of(where))


def test_options_of_okx_are_those_of_a_currency() -> None:
    config = venue(venue="okx", category="OPTION", currency="BTC")
    assert listing(config) == ("https://openapi.okx.com/api/v5/public/instruments?instType=OPTION&instFamily=BTC-USD")
    assert misfits(config) == []


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"venue": "deribit", "category": "spot"}, "category"),
        ({"venue": "binance", "category": "margin"}, "spot, usdm"),
        ({"venue": "kraken", "depth": 7}, "depth"),
        ({"venue": "bybit", "category": "option", "depth": 50}, "25, 100"),
        ({"venue": "okx", "category": "OPTION"}, 'currency = "BTC"'),
        ({"venue": "coinbase", "currency": "BTC"}, "all currencies; name the instruments"),
        ({"venue": "okx", "trades": True}, "books only"),
        ({"venue": "okx", "interval": "agg2"}, "interval"),
        ({"venue": "deribit", "interval": "raw"}, "for who logs in"),
        ({"venue": "deribit", "client_id": "me"}, "go together"),
        ({"venue": "okx", "client_id": "me", "client_secret_env": "X"}, "nobody logs in"),
        ({"venue": "kraken", "listing": "https://x/y"}, "listing"),
        ({"venue": "okx", "fetch": "https://x"}, "fetch"),
    ],
)
def test_what_a_venue_has_not_is_named(given: dict[str, Any], what: str) -> None:
    (found,) = misfits(venue(**given))
    assert what in found


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('endpoints = ["http://venue"]', "endpoints"), ('endpoints = ["wss://me:secret@venue"]', "endpoints"),
        ("instruments = []", "instruments"), ("lines = 3", "lines"), ("tls = { certificate = 'x' }", "go together"),
        ('reconnect = { first = "2s", cap = "1s" }', "reconnect"), ("limits = { topics = 5 }", "limits.topics"),
        ('venue = "nowhere"', "venue"),
    ],
)  # fmt: skip
def test_a_venue_that_makes_no_sense_is_a_mistake_of_the_file(line: str, what: str) -> None:
    lines = {"name": 'name = "x"', "venue": 'venue = "deribit"', "instruments": 'instruments = ["*"]'}
    lines[line.split(" = ")[0]] = line
    text = "schema_version = 1\n[[venues]]\n" + "\n".join(lines.values())
    with pytest.raises(ConfigurationFileError, match=what.replace(".", r"\.")):
        parse(text.encode(), "run.toml")
