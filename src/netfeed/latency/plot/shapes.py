"""What a plot is made of: lines, areas, boxes, words. Whoever writes them (SVG, PNG) knows nothing of latency.

Units: pixels, from the upper left corner. A shape's `style` is a name of `palette`; `said` is what a reader is told
who points at it.
"""

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    style: str


@dataclass(frozen=True, slots=True)
class Area:
    """Polygons of one style, filled."""

    polygons: tuple[tuple[Point, ...], ...]
    style: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A small disc."""

    at: Point
    style: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle."""

    x: float
    y: float
    width: float
    height: float
    style: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text. `anchor` is start, middle or end; `turned` text runs upwards."""

    at: Point
    text: str
    style: str
    anchor: str = "start"
    turned: bool = False


Shape = Line | Area | Dot | Box | Words


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture. `title` is what it is called where it cannot be seen."""

    title: str
    width: float
    height: float
    shapes: tuple[Shape, ...]


def box_polygon(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    """Give the corners of a rectangle."""
    return (left, top), (right, top), (right, bottom), (left, bottom)
