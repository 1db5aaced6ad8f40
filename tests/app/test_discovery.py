"""A question for instruments over WebSocket, without a socket: the answer, what is none, and what is refused."""

import pytest

from netfeed.app.discovery import LATE, PATIENCE_NS, Discovery, Found, Nothing
from netfeed.app.venue_kinds import KINDS
from tests.feed.plain_talk import Plain

LISTED = {
    "kraken": (
        b'{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC",'
        b'"quote":"USD","price_precision":1,"qty_precision":8,"price_increment":0.1,"qty_increment":1e-8,"qty_min":1e-4}]}}',
        "BTC/USD",
    ),
    "deribit": (
        b'{"jsonrpc":"2.0","id":1,"result":[{"instrument_name":"BTC-PERPETUAL","kind":"future","base_currency":"BTC",'
        b'"quote_currency":"USD","tick_size":0.5,"min_trade_amount":10,"contract_size":10,"instrument_type":"reversed"}]}',
        "BTC-PERPETUAL",
    ),
}
OTHERS = [
    b'{"channel":"status","type":"update","data":[]}', b'{"channel":"heartbeat"}', b'{"jsonrpc":"2.0","id":7}', b"{",
    b'{"method":"subscribe","result":{"channel":"instrument"},"success":true,"req_id":1}', b"\xff", b"[]",
]  # fmt: skip


def message(data: bytes) -> bytes:
    return b"M" + len(data).to_bytes(4, "big") + data


def opened(name: str) -> Discovery:
    one = Discovery(Plain(), b"which?", KINDS[name].instruments, 0)
    assert one.receive(b"!", 0) == []
    assert b"which?" in b"".join(one.transmit())
    return one


@pytest.mark.parametrize("name", sorted(LISTED))
def test_the_answer_is_found_among_other_messages(name: str) -> None:
    one, (answer, instrument) = opened(name), LISTED[name]
    for other in OTHERS:
        assert one.receive(message(other), 1) == []
    (found,) = one.receive(message(answer), 2)
    assert isinstance(found, Found)
    assert ([listed.name for listed in found.listed.instruments], found.answers) == ([instrument], (answer,))
    assert one.receive(message(answer), 3) == []


@pytest.mark.parametrize(
    ("name", "refusal", "what"),
    [
        (
            "kraken",
            b'{"error":"Cloudflare says no","method":"subscribe","success":false,"req_id":1}',
            "Cloudflare says no",
        ),
        (
            "deribit",
            b'{"jsonrpc":"2.0","id":1,"error":{"code":10028,"message":"too_many_requests"}}',
            "the venue refuses it: 10028 too_many_requests",
        ),
    ],
)
def test_a_refusal_is_told_as_the_venue_says_it(name: str, refusal: bytes, what: str) -> None:
    (told,) = opened(name).receive(message(refusal), 1)
    assert isinstance(told, Nothing)
    assert what in told.reason


def test_no_answer_in_time_is_none() -> None:
    one = opened("kraken")
    assert one.wake(PATIENCE_NS - 1) == []
    assert one.wake(PATIENCE_NS) == [Nothing(LATE)]


@pytest.mark.parametrize("name", sorted(LISTED))
def test_what_cannot_be_read_is_passed_over_unless_it_is_all(name: str) -> None:
    answer, instrument = LISTED[name]
    start, end = answer.index(b'[{"') + 1, answer.rindex(b"]")
    sound = answer[start:end]
    odd = sound.replace(b'"BTC"', b"7").replace(instrument.encode(), b"ODD")
    (found,) = opened(name).receive(message(answer[:start] + odd + b"," + sound + answer[end:]), 1)
    assert isinstance(found, Found)
    assert [listed.name for listed in found.listed.instruments] == [instrument]
    assert str(found.listed).startswith("1 passed over: Expected `str`, got `int` - at `$.base")
    assert str(found.listed).endswith(" at ODD")
    (told,) = opened(name).receive(message(answer[:start] + odd + answer[end:]), 1)
    assert isinstance(told, Nothing)
    assert "1 that cannot be read: Expected `str`, got `int`" in told.reason
