"""`netfeed run` against crypto venues of another make, on real sockets: found, kept, lost, had again, and replayed.

The servers are aiohttp's and speak the words of each venue's documents; their books are the truth.
"""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trustme

from netfeed.app.account import account
from netfeed.app.config import parse
from netfeed.app.final import final_book
from netfeed.app.metrics import Metrics
from netfeed.app.recording_replay import RecordingReplay, report
from netfeed.app.run import Options, Run
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.feed.gateway_words import VenueStatistics
from tests.app.crypto_server import PATIENCE_S, CryptoVenue, Elsewhere, serving
from tests.app.crypto_words import VENUES, Bybit, Kraken, Words

pytestmark = pytest.mark.net
MS = 10**6
each = pytest.mark.parametrize("name", sorted(VENUES))


def section(venue: CryptoVenue | Elsewhere, more: str = "") -> str:
    """Configure a venue: what is said here is where it is, and nothing that the handler knows of it."""
    words = venue.words
    lines = [
        "[[venues]]", f'name = "{words.shape}"', f'venue = "{words.kind}"', more,
        f'endpoints = ["{venue.url("ws", words.path)}"]', 'instruments = ["BTC*", "ETH*", "SOL*", "DOGE*"]',
        'reconnect = { first = "5ms", cap = "20ms" }',
    ]  # fmt: skip
    lines += [f'category = "{words.category}"'] if words.category else []
    lines += ["depth = 10"] if words.kind == "kraken" else [f'listing = "{venue.url("http")}"']
    lines += [f'fetch = "{venue.url("http")}"'] if words.kind == "binance" else []
    return "\n".join(lines)


class Handler:
    """A run that the test turns by hand."""

    def __init__(self, *sections: str, path: Path | None = None) -> None:
        text = "schema_version = 1\n" + "\n".join(sections) + '\n[endpoints]\nlisten = ""\n'
        flags = {} if path is None else {"recording.path": f"'{path}'"}
        self.said: list[str] = []
        self.is_open = True
        self.run = Run(parse(text.encode(), "run.toml", {}, flags), Options("run.toml", {}, quiet=True), lambda: False)
        self.run.tell = self.said.append  # type: ignore[method-assign]
        self.live = self.run.live
        self.live.tell = self.live.say = self.said.append
        self.links = self.live.venues.links
        self.run._open()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.run._close()

    def turn_until(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            self.live.turn(self.live.now + 20 * MS)
            if done():
                return
        raise AssertionError("\n".join(["it did not come", *self.said[-20:]]))

    def told(self, place: int = 0) -> VenueStatistics:
        told = self.links[place].statistics()
        assert told is not None
        return told

    def numbers(self, place: int = 0) -> dict[str, list[dict[Decimal, Decimal]] | None]:
        """Give the levels of each book as decimals; None for one that is not LIVE."""
        feed, found = self.links[place].feed, {}
        for book, name, exponents in zip(feed.books, feed.names, feed.exponents, strict=True):
            found[name] = None if int(book.state) != BookState.LIVE else [
                {Decimal(one.price).scaleb(exponents[0]): Decimal(one.quantity).scaleb(exponents[1])
                 for one in book.depth(side, 1_000)}
                for side in Side
            ]  # fmt: skip
        return found

    def turn_until_equal(self, venue: CryptoVenue, place: int = 0) -> None:
        """Let the venue rest, and turn until every book is its book, level by level."""
        venue.do(venue.pause)
        truth = venue.do(lambda: {name: book.numbers() for name, book in venue.books.items()})
        self.turn_until(lambda: bool(mine := self.numbers(place)) and mine == {name: truth[name] for name in mine})
        venue.do(venue.flow)

    def turn_until_moved(self, venue: CryptoVenue, messages: int = 40) -> None:
        until = sum(book.number for book in venue.books.values()) + messages * venue.words.step
        self.turn_until(lambda: sum(book.number for book in venue.books.values()) >= until)


@contextmanager
def handled(*sections: str, path: Path | None = None) -> Iterator[Handler]:
    one = Handler(*sections, path=path)
    try:
        yield one
    finally:
        one.close()


@each
def test_books_are_kept_through_a_loss_and_a_lost_connection_and_replayed_to_the_same(
    name: str, tmp_path: Path
) -> None:
    path, words = tmp_path / "day.jsonl", VENUES[name]
    with serving(words) as venue, handled(section(venue), path=path) as one:
        one.turn_until(lambda: one.links[0].is_ready)
        assert (one.links[0].listed, one.links[0].passed, len(one.links[0].feed.books)) == (5, (), 4)
        one.turn_until_moved(venue)
        one.turn_until_equal(venue)
        assert one.told().gaps_opened == 0

        before = venue.do(venue.asked.copy)
        venue.do(lambda: venue.lose(words.names[1]))
        one.turn_until(lambda: one.told().gaps_opened > 0)
        one.turn_until_moved(venue)
        one.turn_until_equal(venue)
        again = {name for name, count in venue.do(venue.asked.copy).items() if count > before[name]}
        whole_connection = set(one.links[0].feed.names)
        assert again == (whole_connection if name == "coinbase" else {words.names[1]})
        assert one.told().open_gaps == ()

        venue.do(venue.drop)
        one.turn_until(lambda: one.told().disconnected == 1 and one.links[0].is_ready)
        one.turn_until_moved(venue)
        one.turn_until_equal(venue)
        one.close()
        live = {book.name: final_book(book)["digest"] for book in one.live.catalogue.books}
    replay = RecordingReplay([str(path)])
    replay.run()
    told = report(replay)
    assert [error["found"] for error in told["errors"]] == (["sequence 0: CHECKSUM"] if name == "kraken" else [])
    assert {book["instrument"]: book["digest"] for book in told["books"]} == live
    assert {book["state"] for book in told["books"]} == {"LIVE"}


@pytest.mark.parametrize("name", sorted(name for name, words in VENUES.items() if words.doubles))
def test_what_one_of_two_lines_loses_is_missing_nowhere(name: str) -> None:
    words = VENUES[name]
    with serving(words) as venue, handled(section(venue, "lines = 2")) as one:
        one.turn_until(lambda: one.links[0].is_ready and len(venue.do(venue.carrying)) == 2)
        venue.do(lambda: venue.lose(words.names[0]))
        one.turn_until_moved(venue)
        one.turn_until_equal(venue)  # the other line has brought it: only then is a line taken away
        venue.do(venue.drop)
        one.turn_until(lambda: one.told().disconnected == 1)
        one.turn_until_moved(venue)
        one.turn_until_equal(venue)
        assert one.told().gaps_opened == 0


@pytest.mark.parametrize("name", sorted(name for name, words in VENUES.items() if not words.doubles))
def test_where_nothing_is_numbered_one_line_is_followed_and_the_other_takes_over(name: str) -> None:
    with serving(VENUES[name]) as venue, handled(section(venue, "lines = 2")) as one:
        one.turn_until(lambda: one.links[0].is_ready and len(venue.do(venue.carrying)) == 2)
        for count in (1, 2):
            venue.do(venue.drop)
            one.turn_until(lambda: one.told().disconnected == count)  # noqa: B023
            one.turn_until_moved(venue)
            one.turn_until_equal(venue)


def test_a_list_of_several_pages_is_read_to_its_end_at_the_venues_own_address() -> None:
    with serving(VENUES["bybit"]) as venue, handled(section(venue)) as one:
        one.turn_until(lambda: one.links[0].is_ready)
        target = "/v5/market/instruments-info?limit=1000&category=linear"
        assert venue.targets == [target, f"{target}&cursor=at%3D2", f"{target}&cursor=at%3D4"]


def test_a_venue_that_cannot_be_asked_says_why_and_stops_no_other() -> None:
    with serving(VENUES["okx"]) as venue, serving(VENUES["coinbase"]) as other:
        venue.refuse = 3
        nowhere = section(venue).replace('"okx"', '"gone"', 1).replace(venue.url("http"), "http://127.0.0.1:9")
        with handled(nowhere, section(venue), section(other)) as one:
            one.turn_until(lambda: all(link.is_ready for link in one.links[1:]))
            one.turn_until_equal(other, 2)
            said = "\n".join(one.said)
        assert said.count("okx: no instruments: status 429, it was asked too often") == 3
        assert "it says too many; asked again in" in said
        assert "gone: no instruments: " in said
        assert one.links[0].gateway is None


def test_names_that_a_venue_does_not_list_are_told_with_some_that_it_does() -> None:
    wanted = ('["BTC*", "ETH*", "SOL*", "DOGE*"]', '["XBT/USD"]')
    with serving(VENUES["kraken"]) as venue, handled(section(venue).replace(*wanted)) as one:
        one.turn_until(lambda: any("names none of the 5 that it lists (BTC/USD, " in text for text in one.said))


@pytest.mark.parametrize("name", ["binance", "kraken"])
def test_lists_snapshots_and_books_come_over_tls_from_whom_the_file_names(name: str, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with serving(VENUES[name], context) as venue:
        with handled(section(venue, f'tls = {{ ca = "{tmp_path / "ca.pem"}" }}')) as one:
            one.turn_until(lambda: one.links[0].is_ready)
            one.turn_until_equal(venue)
        with handled(section(venue)) as one:
            one.turn_until(lambda: any("certificate is not believed" in text for text in one.said))
            assert any("`tls.ca` names whom to believe" in text for text in one.said)


class _OddBybit(Bybit):
    def listing(self, query: dict[str, str]) -> Any:
        told = super().listing(query)
        rows = told["result"]["list"]
        rows.append(rows[0] | {"symbol": "BTCODD", "contractType": "LinearOdd"})
        return told


class _OddKraken(Kraken):
    def pairs(self) -> Any:
        told = super().pairs()
        rows = told["data"]["pairs"]
        rows.insert(0, rows[0] | {"symbol": "BTC/ODD", "base": None})
        return told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (_OddBybit(), "bybit: 4 of 8 instruments, 4 topics; 3 passed over: contractType LinearOdd at BTCODD and 2 "
                      "more"),
        (_OddKraken(), "kraken: 4 of 6 instruments, 4 topics; 1 passed over: Expected `str`, got `null` - at `$.base` "
                       "at BTC/ODD"),
    ],
    ids=["http", "websocket"],
)  # fmt: skip
def test_an_odd_instrument_of_a_list_is_told_once_and_costs_no_other_its_book(words: Words, said: str) -> None:
    with serving(words) as venue, handled(section(venue)) as one:
        one.turn_until(lambda: one.links[0].is_ready)
        one.turn_until_moved(venue)
        one.turn_until_equal(venue)
        assert [line for line in one.said if "passed over" in line] == [said]
        (told,) = account(one.live)["venues"]
        (entry,) = told["passed_over"]
        assert entry["first"] in said
        assert entry["times"] == told["listed"] - 5
        text = Metrics(one.live).text().decode()
        assert f'netfeed_instruments_passed_over{{venue="{words.shape}"}} {told["listed"] - 5}.0' in text
