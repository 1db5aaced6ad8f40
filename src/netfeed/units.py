"""Numbers as people write them, and the integers that netfeed keeps.

Prices and quantities are integers with a known decimal exponent: mantissa 12345 with exponent -4 is 1.2345. Text
goes straight to an integer and back; no float is on the way, so nothing is rounded. Times and sizes are integers of
nanoseconds and bytes.
"""

import re
from typing import Final

NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
BYTES: Final = {
    "": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip

_DECIMAL = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?\Z", re.ASCII)
_NUMBER_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\Z", re.ASCII)


def decimal_text(mantissa: int, exponent: int) -> str:
    """Write `mantissa` x 10**`exponent` as plain decimal text, with exactly -`exponent` decimals.

    >>> decimal_text(12345, -4), decimal_text(-5, -2), decimal_text(7, 2)
    ('1.2345', '-0.05', '700')
    """
    if exponent >= 0:
        return str(mantissa * 10**exponent)
    digits = str(abs(mantissa)).rjust(1 - exponent, "0")
    return f"{'-' if mantissa < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"


def parse_decimal(text: str, exponent: int) -> int:
    """Read decimal text as an integer of 10**`exponent`, exactly.

    Raises: ValueError when the text is not a decimal number or has digits finer than 10**`exponent`.

    >>> parse_decimal("1.2345", -4), parse_decimal("-0.05", -2), parse_decimal("1e3", -1)
    (12345, -5, 10000)
    """
    match = _DECIMAL.match(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"not a decimal number: {text!r}")
    fraction = match[3] or ""
    digits = int(match[2] + fraction)
    shift: int = int(match[4] or 0) - len(fraction) - exponent
    if shift >= 0:
        value: int = digits * 10**shift
    else:
        value, rest = divmod(digits, 10**-shift)
        if rest:
            raise ValueError(f"{text!r} is finer than 10**{exponent}")
    return -value if match[1] == "-" else value


def parse_duration(text: str) -> int:
    """Read a duration such as `250ms`, `1s`, `1.5h`; a number alone is seconds. Units: ns.

    Raises: ValueError.
    """
    return _scaled(text, NANOSECONDS, default="s", what="a duration such as 250ms or 1s")


def parse_size(text: str) -> int:
    """Read a size such as `8M` (10**6) or `8MiB` (2**20); a number alone is bytes. Units: bytes.

    Raises: ValueError.
    """
    return _scaled(text, BYTES, default="", what="a size such as 8M or 8MiB")


def _scaled(text: str, scales: dict[str, int], default: str, what: str) -> int:
    match = _NUMBER_UNIT.match(text.strip())
    scale = scales.get(match[2] or default) if match else None
    if match is None or scale is None:
        raise ValueError(f"not {what}: {text!r} (units: {', '.join(unit for unit in scales if unit)})")
    whole, _, fraction = match[1].partition(".")
    part: int = int(fraction or 0) * scale // 10 ** len(fraction)
    return int(whole) * scale + part


def duration_text(nanoseconds: int) -> str:
    """Write a duration with the unit that reads best: 950 ns, 12.3 us, 4.56 ms, 7.89 s.

    >>> duration_text(12_345), duration_text(999_600), duration_text(-3_600_000_000_000)
    ('12.3 us', '1 ms', '-3,600 s')
    """
    if abs(nanoseconds) >= 999_500_000_000:
        return f"{nanoseconds / 10**9:,.0f} s"
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if 10_000 * abs(nanoseconds) >= 9_995 * scale:  # 999.5 us and more are written as 1 ms
            return f"{nanoseconds / scale:.3g} {unit}"
    return f"{nanoseconds} ns"


def count_text(count: int, noun: str) -> str:
    """Write a count and its noun: 1 error, 2 errors."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
