"""The screen of an engine: what fits, what is seen at once, and what stands in lines where there is no terminal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from netfeed.app.trading.chain_screen import chain_lines
from netfeed.app.trading.engine_view import EngineView, Shown, layout, plain_line
from netfeed.app.trading.feed_screen import LinePicture, silences
from netfeed.book.state import BookState
from netfeed.engine.picture import LimitPicture, QuotePicture
from tests.app.trading.pictures import EXPIRIES, chain, engine, feed, option, perpetual, shown

SIZES = [(80, 24), (100, 30), (120, 40), (200, 60)]


def text(one: Shown, width: int = 80, height: int = 24, log: list[str] | None = None) -> str:
    view = EngineView(lambda: one, on=Console(file=io.StringIO(), width=width, height=height), plain=False)
    for line in log or []:
        view._log.append(line)
    return view.frame(one, width, height).plain


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_frame_fits_the_terminal_and_has_all_that_is_asked_of_it(width: int, height: int) -> None:
    drawn = text(shown(), width, height, ["gap 12 to 14 closed by line"])
    lines = drawn.splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    for word in (
        "QUOTING", "P&L +0.012095 BTC", "strike", "IV", "ours", "fair", "90000", "vega", "9.5 of 10", "gate-a up",
        "gate-b DOWN", "lines   A ", "gaps 2: 1 by line", "order", "INSIDE", "closed by line",
        "uncertain 0",
    ):  # fmt: skip
        assert word in drawn, word


def test_a_small_terminal_has_every_strike_of_a_chain_of_five() -> None:
    drawn = text(shown())
    for strike in ("80000", "85000", "90000", "95000", "100000"):
        assert drawn.count(f" {strike} ") == 2


def test_of_a_long_chain_the_strikes_around_the_forward_are_shown_and_the_others_counted() -> None:
    strikes = tuple(50_000.0 + 2_500 * place for place in range(33))
    lines = [line.plain for line in chain_lines(engine(instruments=chain(strikes)), 80, 13)]
    assert len(lines) == 13
    assert "28 more" in lines[1]
    assert [line for line in lines if " 90000 " in line]
    assert not [line for line in lines if " 50000 " in line or " 130000 " in line]


def test_a_row_has_calls_left_and_puts_right_with_our_quotes_outside_the_market() -> None:
    rows = (option(EXPIRIES[0], 90_000.0, True, position=5), option(EXPIRIES[0], 90_000.0, False, position=-12))
    line = chain_lines(engine(instruments=rows), 120, 5)[2].plain.split()
    assert line[:7] == ["+0.5", "52", ".0296", ".0301", ".0306", ".0311", ".0316"]
    assert line[7] == "90000"
    assert line[8:] == [".0295", ".0300", ".0305", ".0310", ".0315", "52", "-1.2"]


def test_a_book_that_is_suspect_is_seen_in_colour_and_without() -> None:
    bad = option(EXPIRIES[0], 90_000.0, True, state=BookState.SUSPECT, our_bid=None, our_ask=None, shut="BOOK")
    lines = chain_lines(engine(instruments=(bad, option(EXPIRIES[0], 90_000.0, False))), 80, 4)
    assert lines[2].plain.startswith("!")
    assert " BOOK " in lines[2].plain
    assert any("on red" in str(span.style) for span in lines[2].spans)
    assert not any("on red" in str(span.style) for span in chain_lines(engine(), 80, 13)[2].spans)
    assert "1 SUSPECT" in text(shown(feed_=feed(books={"LIVE": 20, "SUSPECT": 1})))


def test_an_order_under_way_is_marked_and_shifts_nothing() -> None:
    sent = option(EXPIRIES[0], 90_000.0, True, our_bid=QuotePicture(29_600_000, 10, under_way=True))
    put = option(EXPIRIES[0], 90_000.0, False)
    plain = [
        chain_lines(engine(instruments=(one, put)), 80, 4)[2].plain
        for one in (sent, option(EXPIRIES[0], 90_000.0, True))
    ]
    assert plain[0].replace("~", " ") == plain[1]
    assert "~.0296" in plain[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ready": "no list of the venue has agreed"}, "WAITS: no list of the venue has agreed"),
        ({"killed": "file /run/kill", "ready": "killed"}, "KILLED: file /run/kill"),
        ({"instruments": (perpetual(),)}, "NO QUOTES"),
        ({"uncertain": 3}, "uncertain 3"),
        ({"money": ()}, "P&L 0"),
        ({"routes": ()}, "no order session"),
        ({"instruments": (perpetual(),)}, "no options are listed"),
        ({"expiries": ()}, "90000"),
        ({"limits": ()}, "QUOTING"),
    ],
)
@pytest.mark.parametrize(("width", "height"), SIZES[::2])
def test_what_is_missing_or_wrong_is_said(changes: dict[str, object], words: str, width: int, height: int) -> None:
    assert words in text(shown(engine(**changes)), width, height)


def test_a_line_that_is_silent_is_said() -> None:
    lines = (LinePicture("A", 990, 1, 10**7), LinePicture("B", 0, 0, 2_500_000_000, is_silent=True))
    drawn = text(shown(feed_=feed(lines=lines)))
    assert " B  SILENT 2.5s" in drawn
    assert "line B SILENT" in plain_line(shown(feed_=feed(lines=lines)))


def test_what_others_say_cannot_steer_the_terminal() -> None:
    drawn = text(shown(engine(killed="by \x1b[2J me")), log=["\x1b]0;gone\x07"])
    assert "\x1b" not in drawn
    assert "\\x1b[2J" in drawn


def test_the_smallest_terminals_do_not_break_it() -> None:
    for width, height in ((20, 5), (40, 10), (1, 1), (500, 3)):
        lines = text(shown(), width, height).splitlines()
        assert len(lines) <= height
        assert max(map(len, lines), default=0) <= width


def test_the_newest_of_the_log_fill_what_is_left() -> None:
    lines = [line.plain for line in layout(shown(), [f"event {n}" for n in range(100)], 120, 50)]
    assert lines[-1] == "event 99"
    assert len(lines) == 50
    assert lines[-5] == "event 95"


def test_without_a_terminal_it_is_a_line_a_second_and_events_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    now = [shown()]
    view = EngineView(lambda: now[0], on=Console(file=io.StringIO()))
    view.start()
    view.draw()
    view._drawn = 0
    view.draw()
    view._drawn = 0
    view.log("line B fails")
    now[0] = replace(now[0], elapsed_ns=now[0].elapsed_ns + 10**9)
    view.draw()
    view.stop()
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(";")[0] for line in told.err.splitlines()] == [
        "72 s QUOTING 20",
        "line B fails",
        "73 s QUOTING 20",
    ]
    assert "gate-b DOWN" in told.err


def test_with_a_terminal_it_draws_a_frame_and_gives_the_screen_back() -> None:
    file = io.StringIO()
    view = EngineView(shown, on=Console(file=file, width=80, height=24, force_terminal=True, color_system="standard"))
    view.start()
    view.draw()
    view.stop()
    assert "\x1b[?1049h" in file.getvalue()
    assert file.getvalue().count("\x1b[?1049l") == 1
    assert "QUOTING" in file.getvalue()


def test_a_line_is_silent_by_what_the_others_say() -> None:
    def names(*silent_ns: int | None) -> list[bool]:
        lines = [LinePicture("ABC"[at], 0, 0, one) for at, one in enumerate(silent_ns)]
        return [one.is_silent for one in silences(lines)]

    assert names(10**6, 2 * 10**6) == [False, False]
    assert names(10**6, 5 * 10**8) == [False, True]
    assert names(10**9, 11 * 10**8) == [False, False]  # this host lags
    assert names(3 * 10**9, 3 * 10**9) == [True, True]
    assert names(10**6, None) == [False, True]
    assert names(None, None) == [True, True]


def test_the_delta_of_all_futures_is_named_so_and_a_small_limit_is_not_cut() -> None:
    drawn = text(shown(engine(limits=(LimitPicture("gamma", 0.00033, 0.02),))), 120, 40)
    assert "futures       -.0133" in drawn
    assert "perpetual " not in drawn
    assert ".00033 of .02" in drawn
