"""The plain reader of ITCH is held against the simulated exchange itself."""

import pytest

from netfeed.sim.itch_day import Day, Settings
from netfeed.sim.itch_ledger import Ledger
from netfeed.sim.mold_packets import messages


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_holds_the_books_that_the_exchange_has(seed: int) -> None:
    day = Day(Settings(2_500, 4, 200, seed))
    ledger = Ledger()
    for message in messages(day):
        ledger.apply(message)
    truth = day.truth()
    assert list(ledger.stocks) == list(truth.books)
    assert len(ledger.orders) == truth.live_orders
    for name, book in truth.books.items():
        assert (tuple(ledger.rows(name, "B")), tuple(ledger.rows(name, "S"))) == (book.bids, book.asks)


def test_what_is_not_known_changes_nothing() -> None:
    ledger = Ledger()
    ledger.apply(b"D" + bytes(10) + (7).to_bytes(8))
    ledger.apply(b"A" + bytes(20))
    ledger.apply(b"")
    assert not ledger.orders
    assert not ledger.stocks
