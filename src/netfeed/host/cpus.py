"""Sets of processors as the kernel writes them: lists (`0-3,8`, strides `0-6:2`) and masks (`ff,ffffff00`).

Source: cpuset(7) "List Format" and "Mask Format", Documentation/admin-guide/kernel-parameters (cpu lists).
Leaves out: the words `all` and `N` of boot parameters.
"""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Final

MOST: Final = 8192
"""Processors that a kernel can be built for (CONFIG_NR_CPUS): a number beyond it is a mistake."""
_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5})(?::(\d{1,5}))?)?\Z", re.ASCII)


def parse_cpu_list(text: str) -> frozenset[int]:
    """Read a list; the empty text is the empty set, and so is how the kernel prints a mask that it never made.

    Raises: ValueError.
    """
    if text.strip() == "(null)":
        return frozenset()
    found: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        match = _RANGE.match(part.strip())
        first, last, step = (int(one) if one else None for one in match.groups()) if match else (None, None, None)
        if first is None or (last is not None and last < first) or step == 0 or max(first, last or 0) >= MOST:
            raise ValueError(f"not a list of processors such as 2,4-7: {text.strip()!r}")
        found.update(range(first, (first if last is None else last) + 1, step or 1))
    return frozenset(found)


def cpu_list_text(cpus: Iterable[int]) -> str:
    """Write a list, runs as ranges."""
    runs = groupby(enumerate(sorted(cpus)), key=lambda pair: pair[1] - pair[0])
    spans = [[cpu for _, cpu in run] for _, run in runs]
    return ",".join(f"{span[0]}-{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


def parse_mask(text: str) -> frozenset[int]:
    """Read a mask: hexadecimal words of 32 bits with commas between, the highest first.

    Raises: ValueError.
    """
    words = text.strip().lower().removeprefix("0x").split(",")
    if not all(re.fullmatch(r"[0-9a-f]{1,8}", word) for word in words) and not (
        len(words) == 1 and re.fullmatch(r"[0-9a-f]{1,2048}", words[0])
    ):
        raise ValueError(f"not a mask of processors such as ff or f,ffffffff: {text.strip()!r}")
    value = int("".join([words[0], *(word.zfill(8) for word in words[1:])]), 16)
    if value.bit_length() > MOST:
        raise ValueError(f"a mask of more than {MOST} processors")
    return frozenset(bit for bit in range(value.bit_length()) if value >> bit & 1)


def mask_text(cpus: Iterable[int]) -> str:
    """Write a mask."""
    value, words = sum(1 << cpu for cpu in set(cpus)), []
    while value >> 32:
        words.append(f"{value & 0xFFFFFFFF:08x}")
        value >>= 32
    return ",".join([f"{value:x}", *reversed(words)])
