"""Mass quotes from rows: byte for byte what the session sends of the same request, with the same memory of it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.execution import NONE, Flag, MassQuote, Quote
from netfeed.errors import MisuseError
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_orders_server import Server
from netfeed.proto.starbase_past import ClientPast, VenuePast
from netfeed.proto.starbase_rows import QuoteRows
from netfeed.proto.starbase_terms import Instruments, Terms

ROW = np.dtype([(name, "<i8") for name in ("slot", "bid", "bid_quantity", "ask", "ask_quantity")])
NO_PRICE = -(2**63)
INSTRUMENTS = tuple(range(40, 80))
LISTED = Instruments([Terms(one, 1_000 + one, (-4, -1)[one % 2], -1, 7) for one in INSTRUMENTS])
FLAGS = Flag.POST_ONLY | Flag.MMP


def up(flags: Flag = FLAGS) -> Client:
    client, server = Client(1, LISTED, 0, ClientPast(), self_match_id=9, quote_flags=flags), Server(1, LISTED, 0)
    client.logon("key", "secret", 0)
    server.receive(b"".join(client.transmit()), 0)
    server.accept(VenuePast(), 0)
    client.receive(b"".join(server.transmit()), 0)
    return client


sides = st.tuples(st.just(NO_PRICE) | st.integers(1, 10**6), st.integers(1, 10**6))
quotes = st.lists(
    st.tuples(st.sampled_from(range(40)), sides, sides), min_size=1, max_size=40, unique_by=lambda q: q[0]
)


def row(slot: int, bid: tuple[int, int], ask: tuple[int, int]) -> tuple[int, ...]:
    return slot, bid[0], bid[1] * (bid[0] != NO_PRICE), ask[0], ask[1] * (ask[0] != NO_PRICE)


def quote(slot: int, bid: Any, ask: Any) -> Quote:
    both = [(None, 0) if one[0] == NO_PRICE else one for one in (bid, ask)]
    return Quote(INSTRUMENTS[slot], *both[0], *both[1])


@given(quotes, st.sampled_from([FLAGS, NONE]))
def test_rows_say_what_the_request_says(given_quotes: list[Any], flags: Flag) -> None:
    one, other = up(flags), up(flags)
    rows = np.array([row(*each) for each in given_quotes], ROW)
    written = QuoteRows(LISTED, INSTRUMENTS, self_match_id=9, quote_flags=flags)
    one.send_rows(written, rows, len(rows), 5, 3, 7)
    other.send(MassQuote(5, 3, tuple(quote(*each) for each in given_quotes)), 7)
    assert b"".join(one.transmit()) == b"".join(other.transmit())
    assert one.past.asked == other.past.asked
    assert (one.past.journal.sequences, one.statistics()) == (other.past.journal.sequences, other.statistics())


def test_what_does_not_fit_changes_nothing() -> None:
    client = up()
    before = client.past.journal.sequences
    rows = np.array([(0, 2**62, 1, NO_PRICE, 0)], ROW)
    with pytest.raises(MisuseError, match="does not fit"):
        client.send_rows(QuoteRows(LISTED, INSTRUMENTS), rows, 1, 5, 3, 7)
    assert (client.transmit(), client.past.journal.sequences, client.past.asked) == ([], before, {})


def test_rows_go_out_only_when_the_session_is_up() -> None:
    with pytest.raises(MisuseError, match="cannot send a quote while start"):
        Client(1, LISTED, 0).send_rows(QuoteRows(LISTED, INSTRUMENTS), np.zeros(1, ROW), 1, 5, 3, 7)


@pytest.mark.parametrize("instruments", [(), (1,)])
def test_rows_of_nothing_or_of_what_is_not_listed_are_refused(instruments: tuple[int, ...]) -> None:
    with pytest.raises(MisuseError):
        QuoteRows(LISTED, instruments)


@given(quotes, st.integers(0, 100))
def test_what_somebody_else_has_sent_is_remembered_as_if_the_session_had(given_quotes: list[Any], left: int) -> None:
    one, other = up(), up()
    rows = np.array([row(*each) for each in given_quotes], ROW)
    written = QuoteRows(LISTED, INSTRUMENTS, self_match_id=9, quote_flags=FLAGS)
    other.send_rows(written, rows, len(rows), 5, 3, 7)
    data = b"".join(other.transmit())
    bears = one.next_rows(7)
    assert bears is not None
    assert written.frames.write(rows, len(rows), 5, 3, bears[0], bears[1], 7 + bears[2]) == data
    rest = data[len(data) - left :] if left else b""
    one.rows_went(written, rows, len(rows), 5, len(data), rest)
    assert one.past.asked == other.past.asked
    assert (one.past.journal.sequences, one.statistics()) == (other.past.journal.sequences, other.statistics())
    assert (one.next_rows(7) is None) is bool(left)
    assert b"".join(one.transmit()) == rest


def test_nobody_else_may_send_before_the_session_is_up_or_while_something_waits() -> None:
    assert Client(1, LISTED, 0).next_rows(0) is None
    client = up()
    assert client.next_rows(0) is not None
    client.send_rows(QuoteRows(LISTED, INSTRUMENTS), np.array([(0, 5, 1, 6, 1)], ROW), 1, 5, 3, 7)
    assert client.next_rows(0) is None
