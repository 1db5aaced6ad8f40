"""In which form a setting is written, and when two writings mean the same: `3`, `00000003` and `0,3` as masks.

The journal keeps the form of each value, so that a revert can compare what stands there with what was written.
"""

from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import Final

from netfeed.host.cpus import parse_cpu_list, parse_mask
from netfeed.host.words import selected

UNLIMITED: Final = 2**63


class Form(StrEnum):
    """The forms."""

    NUMBER = "number"
    NUMBERS = "numbers"
    CHOICE = "choice"
    MASK = "mask"
    CPUS = "cpus"
    TEXT = "text"


def number(text: str) -> int:
    """Read a number in decimal or with 0x; `unlimited` is more than any.

    Raises: ValueError.
    """
    text = text.strip()
    if text == "unlimited":
        return UNLIMITED
    return int(text, 16 if text.lower().startswith("0x") else 10)


def numbers(text: str) -> tuple[int, ...]:
    """Read numbers with blanks between, as of udp_mem.

    Raises: ValueError.
    """
    found = tuple(number(word) for word in text.split())
    if not found:
        raise ValueError("no number")
    return found


_MEANING: Final[dict[Form, Callable[[str], Hashable]]] = {
    Form.NUMBER: number,
    Form.NUMBERS: numbers,
    Form.CHOICE: lambda text: selected(text) if "[" in text else text.strip(),
    Form.MASK: parse_mask,
    Form.CPUS: parse_cpu_list,
    Form.TEXT: lambda text: text.strip(),
}


def meaning(form: Form, text: str) -> Hashable:
    """Give what a text means in a form: equal values mean the same.

    Raises: ValueError when the text does not have this form.
    """
    return _MEANING[form](text)


def same(form: Form, one: str, other: str) -> bool:
    """Say whether two texts mean the same; texts that do not have the form are the same when they are equal."""
    try:
        return meaning(form, one) == meaning(form, other)
    except ValueError:
        return one.strip() == other.strip()


def writable(form: Form, text: str) -> str:
    """Give what must be written to have this value again: of a selection, the word that is selected."""
    return str(meaning(form, text)) if form is Form.CHOICE else text.strip()
