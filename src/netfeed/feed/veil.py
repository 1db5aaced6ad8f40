"""Keep secrets out of what is told: words that we said when we logged in are not repeated, whoever says them again.

A venue's error may quote the request that it refuses, keys and all, and what a venue says ends in events, metrics and
logs. So of its words none is told that stood in the opening of a connection; and they are cut short, and printable, so
that no line of a log can be forged with them.
"""

import re
from collections.abc import Sequence
from typing import Final

MIN_WORD: Final = 6
"""Shorter words of an opening are its grammar; a secret that short is none."""
MAX_TEXT: Final = 200
MAX_READ: Final = 65_536
"""A longer text is not told at all: it could end in the middle of a secret."""
HIDDEN: Final = "***"
_WORDS: Final = re.compile(rb"[^\s\"'{}\[\]:,=&]{%d,}" % MIN_WORD)


class Veil:
    """What must not be told. Empty until it `learns`."""

    __slots__ = ("_secret",)

    def __init__(self) -> None:
        self._secret: re.Pattern[str] | None = None

    def learn(self, opening: Sequence[bytes]) -> None:
        """Take the words of an opening for secrets."""
        words = {word.decode("utf-8", "replace") for message in opening for word in _WORDS.findall(message)}
        longest_first = sorted(words, key=lambda word: (-len(word), word))
        self._secret = re.compile("|".join(map(re.escape, longest_first))) if words else None

    def over(self, text: str) -> str:
        """Give a text as it may be told."""
        if len(text) > MAX_READ:
            return f"a text of {len(text)} characters"
        if self._secret is not None:
            text = self._secret.sub(HIDDEN, text)
        return "".join(sign if sign.isprintable() else "?" for sign in text[:MAX_TEXT])
