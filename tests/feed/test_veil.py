"""Secrets are not repeated, whoever says them again."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from netfeed.feed.veil import MAX_READ, MAX_TEXT, MIN_WORD, Veil

SECRET = "pA55-w0rd/of+the=client"


def veiled(opening: bytes, text: str) -> str:
    veil = Veil()
    veil.learn([opening])
    return veil.over(text)


def test_words_of_the_opening_are_not_told() -> None:
    opening = msgspec.json.encode({"method": "auth", "params": {"client_secret": "abcdef123456"}})
    assert veiled(opening, "bad secret abcdef123456!") == "bad secret ***!"


def test_what_was_no_secret_is_told_as_it_is() -> None:
    assert Veil().over("no such instrument") == "no such instrument"
    assert veiled(b'{"id":1}', "no such instrument") == "no such instrument"


def test_a_line_of_a_log_cannot_be_forged_and_a_text_is_short() -> None:
    assert Veil().over("no\nERROR\x1b[2J") == "no?ERROR?[2J"
    assert len(Veil().over("x" * 10_000)) == MAX_TEXT
    assert Veil().over("x" * (MAX_READ + 1)) == f"a text of {MAX_READ + 1} characters"


@given(st.text("abcdef0123456789+/_-", min_size=MIN_WORD, max_size=80), st.text(max_size=300), st.text(max_size=300))
def test_no_text_around_a_secret_brings_it_out(secret: str, before: str, after: str) -> None:
    opening = msgspec.json.encode({"id": 1, "key": secret})
    assert secret not in veiled(opening, before + secret + after).replace("***", "")


def test_a_veil_shows_nothing_of_what_it_hides() -> None:
    veil = Veil()
    veil.learn([SECRET.encode()])
    assert SECRET not in repr(veil)
