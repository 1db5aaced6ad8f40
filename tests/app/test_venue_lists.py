"""What venues answer to the question for instruments: whatever it is, it is an answer, or none, and nobody falls."""

from typing import Any

import msgspec
import pytest

from netfeed.app.configuration import Venue
from netfeed.app.venue_kind import wanted
from netfeed.app.venue_kinds import KINDS

DEEP = b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 200_000
LISTED = {
    "instrument_name": "BTC-PERPETUAL", "kind": "future", "base_currency": "BTC", "quote_currency": "USD",
    "tick_size": 0.5, "min_trade_amount": 10, "contract_size": 10, "instrument_type": "reversed",
}  # fmt: skip
KIND = KINDS["deribit"]


def listing(*names: str) -> list[Any]:
    listed = [LISTED | {"instrument_name": name} for name in names]
    found = KIND.instruments(msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": listed}))
    assert found is not None
    return list(found.some().instruments)


@pytest.mark.parametrize("message", [DEEP, b'{"a":' * 200_000, b"", b"\xff", b'{"id":1e999}', b"[]"])
def test_what_is_no_answer_is_none_however_deep(message: bytes) -> None:
    assert KIND.instruments(message) is None
    assert KIND.asked(message) is None


@pytest.mark.parametrize("names", [
    ("A", "A"), ("A", "B\u00fcch"), ("A", "B\x1b[31m"), ("A", "B\nC"), ("A", "A", "A\u00fc"),
])  # fmt: skip
def test_an_instrument_that_is_listed_twice_or_has_no_name_for_a_topic_hinders_no_other(names: tuple[str, ...]) -> None:
    config = Venue(name="d", venue="deribit", instruments=["*"], trades=True)
    found = wanted(config, listing(*names))
    assert [one.name for one in found] == ["A"]
    made = KIND.made(config, found)
    assert made.books == ("book.A.100ms",)
    assert len(made.market.books) == 1
