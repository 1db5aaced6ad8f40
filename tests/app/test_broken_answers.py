"""An answer to the question for instruments that cannot be read is told at once; what is no answer is waited past."""

import pytest

from netfeed.app.discovery import Discovery, Nothing
from netfeed.app.venue_kinds import KINDS
from tests.feed.plain_talk import HELLO, Plain
from tests.feed.toy_laws import frame


def opened(name: str) -> Discovery:
    one = Discovery(Plain(), b"which?", KINDS[name].instruments, 0)
    one.receive(HELLO, 0)
    return one


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("deribit", b'{"jsonrpc":"2.0","id":1,"result":[{"instrument_name":"A","tick_size":NaN}]}', "NaN"),
        ("deribit", b'{"id":1,"result":' + b"[" * 200_000, "recursion"),
        ("deribit", b'{"id":1,"error":{"code":10028,"message":"too_many_requests"}}', "too_many_requests"),
        ("kraken", b'{"channel":"instrument","data":{"pairs":[{"price_increment":NaN}]}}', "NaN"),
    ],
)
def test_an_answer_that_cannot_be_read_is_told_at_once(name: str, answer: bytes, why: str) -> None:
    (told,) = opened(name).receive(frame(b"M", answer), 1)
    assert isinstance(told, Nothing)
    assert why.lower() in told.reason.lower()
    assert len(told.reason) < 500


@pytest.mark.parametrize("other", [b"{", b"\xff", b'{"jsonrpc":"2.0","method":"heartbeat"}', b'{"id":7,"result":1}'])
@pytest.mark.parametrize("name", ["deribit", "kraken"])
def test_what_is_no_answer_is_waited_past(name: str, other: bytes) -> None:
    assert opened(name).receive(frame(b"M", other), 1) == []
