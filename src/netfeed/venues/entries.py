"""A venue's list of instruments, entry by entry: one of a form that nobody knows costs no other instrument its book.

A list is decoded as far as its entries (`msgspec.Raw`); each of them is read by itself. What cannot be read is passed
over and counted by what is wrong, with the first that it happened to. Invariant: no more than MAX_REASONS reasons are
kept, and one more for all others; all words of the venue are cut short, and printable.

Leaves out: what makes a list none at all (`answers.decoded`), and whether an entry is wanted.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

import msgspec

from netfeed.errors import WireError
from netfeed.venues.instrument import Instrument

MAX_REASONS: Final = 4
"""Reasons of one list that are kept one by one."""
MAX_WORDS: Final = 80
"""How much is told of a reason, and of a name. Units: characters."""
OTHER: Final = "other reasons"
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""What reading an entry may raise; a `WireError` is a ValueError."""
Row = TypeVar("Row")


class Passed(NamedTuple):
    """Entries that were passed over for one reason: how many, and the name of the first, or its place in the list."""

    reason: str
    times: int
    first: str

    def __str__(self) -> str:
        return f"{self.reason} at {self.first}" + (f" and {self.times - 1} more" if self.times > 1 else "")


@dataclass(frozen=True, slots=True)
class Listed:
    """What could be read of a list, or of a page of one, and what could not."""

    instruments: tuple[Instrument, ...] = ()
    passed: tuple[Passed, ...] = ()

    @property
    def passed_over(self) -> int:
        """Count what could not be read."""
        return sum(one.times for one in self.passed)

    def __len__(self) -> int:
        return len(self.instruments) + self.passed_over

    def __add__(self, other: "Listed") -> "Listed":
        return Listed(self.instruments + other.instruments, _counted(self.passed + other.passed))

    def some(self) -> "Listed":
        """Give the list, unless nothing of what is in it could be read.

        Raises: WireError with a reason.
        """
        if self.passed and not self.instruments:
            found = f"{self.passed_over} that cannot be read: {self.passed[0]}"
            raise WireError("instruments", offset=0, found=found, wanted="at least one of the venue's documented form")
        return self

    def __str__(self) -> str:
        return f"{self.passed_over} passed over: {'; '.join(map(str, self.passed))}" if self.passed else ""


def each(
    rows: Iterable[msgspec.Raw], decoder: "msgspec.json.Decoder[Row]", read: Callable[[Row], Instrument | None],
    name: str,
) -> Listed:  # fmt: skip
    """Read each entry; `read` gives None for one that is left out in silence. `name`: the key of an entry's name."""
    found: list[Instrument] = []
    passed: dict[str, Passed] = {}
    for place, row in enumerate(rows, 1):
        try:
            one = read(decoder.decode(row))
        except UNREADABLE as error:
            _count(passed, Passed(_reason(error), 1, _name(row, name) or f"entry {place}"))
            continue
        if one is not None:
            found.append(one)
    return Listed(tuple(found), tuple(passed.values()))


def _counted(all_passed: Iterable[Passed]) -> tuple[Passed, ...]:
    kept: dict[str, Passed] = {}
    for one in all_passed:
        _count(kept, one)
    return tuple(kept.values())


def _count(kept: dict[str, Passed], one: Passed) -> None:
    reason = one.reason if one.reason in kept or len(kept) < MAX_REASONS else OTHER
    known = kept.get(reason, Passed(reason, 0, one.first))
    kept[reason] = known._replace(times=known.times + one.times)


def _reason(error: Exception) -> str:
    return _clean(f"{error.what} {error.found}" if isinstance(error, WireError) else str(error))


def _name(row: msgspec.Raw, key: str) -> str:
    try:
        value = msgspec.json.decode(row)
    except UNREADABLE:
        return ""
    name = value.get(key) if isinstance(value, dict) else None
    return _clean(name) if isinstance(name, str) else ""


def _clean(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text[:MAX_WORDS])
