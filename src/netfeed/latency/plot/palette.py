"""How each style looks: colours by day and by night, strokes, fills and sizes of text. One row a style."""

from collections.abc import Collection
from typing import Final, NamedTuple


class Look(NamedTuple):
    """How a style is drawn. `day` and `night` are colours; `stroke` is a line's width, `size` a text's, in pixels."""

    day: str
    night: str
    fill: bool = False
    opacity: float = 1.0
    stroke: float = 1.0
    size: float = 0.0
    bold: bool = False


SERIES: Final = (
    ("#2563eb", "#60a5fa"), ("#ea580c", "#fb923c"), ("#059669", "#34d399"), ("#9333ea", "#c084fc"),
    ("#dc2626", "#f87171"), ("#0891b2", "#22d3ee"), ("#a16207", "#facc15"), ("#475569", "#cbd5e1"),
)  # fmt: skip
"""Told apart by lightness too, in the first four: who does not see colours has the order of the legend."""

HEAT: Final = (
    ("#dbeafe", "#172a46"), ("#bcd7fb", "#1d3c66"), ("#94bff5", "#23528b"), ("#67a0ea", "#2c6bb2"),
    ("#3f7fd8", "#4187d3"), ("#285fb8", "#69a8ea"), ("#1b448e", "#9bcaf8"), ("#102b61", "#dceeff"),
)  # fmt: skip

PAPER: Final = ("#ffffff", "#0f172a")
INK: Final = ("#0f172a", "#e2e8f0")
PALE_INK: Final = ("#64748b", "#94a3b8")
GRID: Final = ("#e2e8f0", "#27344a")
FINE_GRID: Final = ("#f1f5f9", "#1b2638")
WARM: Final = ("#dc2626", "#f43f5e")
LIGHT_LINE: Final = ("#f97316", "#ea580c")

LOOKS: Final[dict[str, Look]] = {
    "paper": Look(*PAPER, fill=True),
    "grid": Look(*GRID),
    "fine": Look(*FINE_GRID),
    "axis": Look(*PALE_INK),
    "title": Look(*INK, fill=True, size=15, bold=True),
    "headline": Look(*INK, fill=True, size=22, bold=True),
    "label": Look(*PALE_INK, fill=True, size=12),
    "tick": Look(*PALE_INK, fill=True, size=11),
    "legend": Look(*INK, fill=True, size=12),
    "hover": Look(*PALE_INK, fill=True, opacity=0.0),
    "middle": Look(*LIGHT_LINE, stroke=1.6),
    "tail": Look(*WARM, stroke=1.6),
    **{f"line{at}": Look(*colours, stroke=1.8) for at, colours in enumerate(SERIES)},
    **{f"area{at}": Look(*colours, fill=True, opacity=0.22) for at, colours in enumerate(SERIES)},
    **{f"solid{at}": Look(*colours, fill=True) for at, colours in enumerate(SERIES)},
    **{f"heat{at}": Look(*colours, fill=True) for at, colours in enumerate(HEAT)},
}


def css(names: Collection[str] = LOOKS) -> str:
    """Write styles as a style sheet; night follows what the reader's system prefers."""
    looks = {name: look for name, look in LOOKS.items() if name in names}
    day = "".join(_rule(name, look) for name, look in looks.items())
    night = "".join(f".{name}{{{_paint(look)}:{look.night}}}" for name, look in looks.items())
    return f"{day}@media(prefers-color-scheme:dark){{{night}}}"


def _paint(look: Look) -> str:
    return "fill" if look.fill else "stroke"


def _rule(name: str, look: Look) -> str:
    parts = [f"{_paint(look)}:{look.day}"]
    parts += [] if look.fill else ["fill:none", f"stroke-width:{look.stroke:g}", "stroke-linejoin:round"]
    parts += [f"opacity:{look.opacity:g}"] if look.opacity < 1 else []
    parts += [f"font-size:{look.size:g}px"] if look.size else []
    parts += ["font-weight:600"] if look.bold else []
    return f".{name}{{{';'.join(parts)}}}"
