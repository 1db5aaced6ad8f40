"""The frame of a plot: title, axes with ticks and grid, legend; and where within it a value lies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from netfeed.latency.plot.axis import Axis
from netfeed.latency.plot.palette import LOOKS
from netfeed.latency.plot.shapes import Box, Drawing, Line, Point, Shape, Words

WIDTH: Final = 960.0
_LEFT, _RIGHT, _BOTTOM = 78.0, 18.0, 50.0
_TITLE: Final = 30.0
_LEGEND_ROW: Final = 20.0
_LETTER: Final = 7.0
"""About the width of a letter of the legend, or of a tick."""
MAX_NAME: Final = 42

Entry = tuple[str, str]
"""(style of the swatch, name)."""


@dataclass(slots=True)
class Frame:
    """A plot that is being drawn: shapes are added between `x` and `y`, and come out as a Drawing."""

    title: str
    x_axis: Axis
    y_axis: Axis
    height: float = 340.0
    legend: Sequence[Entry] = ()
    shapes: list[Shape] = field(default_factory=list)

    @property
    def top(self) -> float:
        """Where the plot begins, below title and legend."""
        return _TITLE + _LEGEND_ROW * len(_rows(self.legend)) + 8

    @property
    def left(self) -> float:
        """Where the plot begins, beside the labels of the upright axis."""
        return _LEFT

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return WIDTH - _RIGHT

    @property
    def bottom(self) -> float:
        """Where the plot ends, above the labels of the level axis."""
        return self.height - _BOTTOM

    def x(self, value: float) -> float:
        """Place a value of the level axis."""
        return self.left + min(max(self.x_axis.place(value), 0.0), 1.0) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Place a value of the upright axis."""
        return self.bottom - min(max(self.y_axis.place(value), 0.0), 1.0) * (self.bottom - self.top)

    def column(self, start: float, end: float, said: str) -> None:
        """Say something to whoever points at what lies above a stretch of the level axis."""
        left = self.x(start)
        self.shapes.append(Box(left, self.top, max(self.x(end) - left, 0.5), self.bottom - self.top, "hover", said))

    def drawing(self) -> Drawing:
        """Give the whole of it."""
        return Drawing(self.title, WIDTH, self.height, (*self._grid(), *self.shapes, *self._words()))

    def _grid(self) -> Iterable[Shape]:
        levels, uprights = self.y_axis, self.x_axis
        yield from (_level(self, value, "fine") for value in levels.fine)
        yield from (_upright(self, value, "fine") for value in uprights.fine)
        yield from (_level(self, value, "grid") for value, _ in levels.ticks)
        yield from (_upright(self, value, "grid") for value, _ in uprights.ticks)

    def _words(self) -> Iterable[Shape]:
        corner, middle = (self.left, self.bottom), (self.left + self.right) / 2
        yield Line(((self.left, self.top), corner, (self.right, self.bottom)), "axis")
        yield Words((0, 17), self.title, "title")
        for at, text in self.x_axis.ticks:
            yield Words((min(self.x(at), WIDTH - _LETTER * len(text) / 2), self.bottom + 17), text, "tick", "middle")
        yield from (Words((self.left - 8, self.y(at) + 4), text, "tick", "end") for at, text in self.y_axis.ticks)
        yield Words((middle, self.height - 10), self.x_axis.label, "label", "middle")
        yield Words((14, (self.top + self.bottom) / 2), self.y_axis.label, "label", "middle", turned=True)
        for row, entries in enumerate(_rows(self.legend)):
            for at, (style, name) in entries:
                y = _TITLE + _LEGEND_ROW * row
                yield _swatch(at, y + 6, style)
                yield Words((at + 20, y + 11), name, "legend")


def _swatch(x: float, y: float, style: str) -> Shape:
    return Box(x, y - 4, 14, 8, style) if LOOKS[style].fill else Line(((x, y), (x + 14, y)), style)


def _level(frame: Frame, value: float, style: str) -> Line:
    return Line(((frame.left, frame.y(value)), (frame.right, frame.y(value))), style)


def _upright(frame: Frame, value: float, style: str) -> Line:
    return Line(((frame.x(value), frame.top), (frame.x(value), frame.bottom)), style)


def _rows(legend: Sequence[Entry]) -> list[list[tuple[float, Entry]]]:
    """Place the entries of a legend one beside the other, in as many rows as they need."""
    rows: list[list[tuple[float, Entry]]] = []
    at = WIDTH
    for style, name in legend:
        shown = clipped(name, MAX_NAME)
        wide = 20 + _LETTER * len(shown) + 18
        if not rows or at + wide > WIDTH:
            rows.append([])
            at = _LEFT
        rows[-1].append((at, (style, shown)))
        at += wide
    return rows


def clipped(text: str, most: int) -> str:
    """Shorten a text to `most` signs."""
    return text if len(text) <= most else text[: most - 1] + "…"


def thinned(points: Iterable[Point], least: float = 0.6) -> tuple[Point, ...]:
    """Leave out points that nobody could tell from the one before; the last one stays."""
    kept: list[Point] = []
    last: Point | None = None
    for last in points:
        if not kept or abs(last[0] - kept[-1][0]) >= least or abs(last[1] - kept[-1][1]) >= least:
            kept.append(last)
    return (*kept, last) if last is not None and kept[-1] != last else tuple(kept)
