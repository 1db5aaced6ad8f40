"""One HTTP exchange, bytes in and bytes out."""

from pathlib import Path

import pytest

from netfeed.app.config import load
from netfeed.app.endpoints import MAX_REQUEST, Exchange
from netfeed.app.gap_log import MOST_A_SECOND, GapLog
from netfeed.app.run import VENUES_STAY, Options, Run, differences, merged
from netfeed.feed.events import GapClosed, GapLost, GapOpened, Heartbeat
from tests.app.live_venue import configured


def exchange() -> Exchange:
    return Exchange(lambda path: (200, "text/plain", path.encode()))


def test_a_request_is_answered_and_the_next_one_too() -> None:
    one = exchange()
    out = one.receive(b"GET /healthz?x=1 HTTP/1.1\r\nhost: a\r\n\r\nGET /readyz HTTP/1.1\r\nhost: a\r\n\r\n")
    assert out.startswith(b"HTTP/1.1 200")
    assert out.endswith(b"/healthz")
    assert one.more().endswith(b"/readyz")
    assert one.more() == b""
    assert not one.closed


def test_of_many_requests_at_once_each_is_answered_when_the_answer_before_it_was_taken() -> None:
    asked: list[str] = []

    def answer(path: str) -> tuple[int, str, bytes]:
        asked.append(path)
        return 200, "text/plain", b"x" * 10_000

    one = Exchange(answer)
    one.receive(b"GET /account HTTP/1.1\r\nhost: a\r\n\r\n" * 300)
    assert len(asked) == 1
    while one.more():
        pass
    assert len(asked) == 300


@pytest.mark.parametrize("cut", [1, 5, 20, 37])
def test_a_request_may_come_in_pieces(cut: int) -> None:
    data, one = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n", exchange()
    assert (one.receive(data[:cut]) + one.receive(data[cut:]) if cut < len(data) else one.receive(data)).endswith(
        b"/metrics"
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", b" 405 "),
        (b"\x16\x03\x01\x02\x00 no request at all\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 2 * MAX_REQUEST, b" 431 "),
    ],
)
def test_what_is_no_request_for_us_is_refused_and_hung_up(data: bytes, status: bytes) -> None:
    one = exchange()
    assert status in one.receive(data)
    assert one.closed


def test_the_end_of_the_stream_closes() -> None:
    one = exchange()
    assert one.receive(b"") == b""
    assert one.closed


class Named:
    name = "equities"


def test_gaps_are_told_in_words_and_so_many_a_second() -> None:
    told: list[str] = []
    log = GapLog(told.append)
    for event in (GapOpened(7, 9, 0), GapClosed(7, 9, "retransmit", 0, 21_000_000), GapLost(10, 10, "window", 0, 1)):
        log.hear(Named(), event, 0)  # type: ignore[arg-type]
    log.hear(Named(), Heartbeat(0, 1), 0)  # type: ignore[arg-type]
    assert told[0] == "equities: gap: sequence 7 to 9 is missing"
    assert "closed by retransmit after 21 ms" in told[1]
    assert len(told) == 3
    for _ in range(100):
        log.hear(Named(), GapOpened(1, 1, 0), 0)  # type: ignore[arg-type]
    log.hear(Named(), GapOpened(1, 1, 0), 10**9)  # type: ignore[arg-type]
    assert len(told) == MOST_A_SECOND + 2
    assert told[-2].startswith("and 83 more")


def test_a_reload_takes_what_may_change_and_names_what_may_not() -> None:
    old = configured(7000)
    new = configured(7001, "[books]\ninstruments = ['A*']", 'heartbeat = "2s"')
    assert differences(old, new) == ["channels.lines"]
    mixed = merged(old, new)
    assert mixed.books.instruments == ["A*"]
    assert mixed.channels[0].heartbeat == 2 * 10**9
    assert mixed.channels[0].lines == old.channels[0].lines


def test_a_reload_says_that_venues_need_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    text = 'schema_version = 1\n[[venues]]\nname = "a"\nvenue = "deribit"\ninstruments = ["B*"]\n'
    path.write_text(text)
    said: list[str] = []
    run = Run(load(str(path)), Options(str(path), {}, quiet=True), lambda: False)
    run.tell = said.append  # type: ignore[method-assign]
    run._reload()
    assert said == ["the configuration was read again", VENUES_STAY]
    path.write_text(text.replace("B*", "E*"))
    run._reload()
    assert said[2:] == [
        "these need a restart and are kept as they were: venues", "the configuration was read again", VENUES_STAY,
    ]  # fmt: skip
    assert run.config.venues[0].instruments == ["B*"]
    run._close()
