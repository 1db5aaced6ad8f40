"""Shapes as SVG. Every text is escaped: names come from peers and files.

Source: Scalable Vector Graphics (SVG) 1.1.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

from netfeed.latency.plot.palette import css
from netfeed.latency.plot.shapes import Area, Box, Dot, Drawing, Line, Point, Shape, Words

FONT: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif"
_MARGIN: Final = 24.0
_GAP: Final = 28.0


def escaped(text: str) -> str:
    """Write a text for XML and HTML: what would be markup is none, and what XML cannot hold is shown as an escape."""
    told = "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)
    return told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def inline(drawing: Drawing) -> str:
    """Write a drawing as an element of a page, whose style sheet says how it looks."""
    size = f'viewBox="0 0 {drawing.width:g} {drawing.height:g}"'
    return f'<svg {size} role="img" aria-label="{escaped(drawing.title)}">{"".join(map(_shape, drawing.shapes))}</svg>'


def document(drawings: Sequence[Drawing]) -> str:
    """Write drawings below each other, as a file of its own."""
    height, placed = stacked(drawings)
    used = {shape.style for one in drawings for shape in one.shapes} | {"paper"}
    width = max((one.width for one in drawings), default=0) + 2 * _MARGIN
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f"viewBox={quoteattr(f'0 0 {width:g} {height:g}')} font-family={quoteattr(FONT)}>",
        f'<style>{css(used)}</style><rect class="paper" width="{width:g}" height="{height:g}"/>',
        *(
            f'<g transform="translate({x:g} {y:g})">{"".join(map(_shape, one.shapes))}</g>'
            for (x, y), one in zip(placed, drawings, strict=True)
        ),
    ]
    return "\n".join(parts) + "</svg>\n"


def stacked(drawings: Iterable[Drawing]) -> tuple[float, list[Point]]:
    """Give the height of drawings below each other, and where each has its upper left corner."""
    y, places = _MARGIN, []
    for one in drawings:
        places.append((_MARGIN, y))
        y += one.height + _GAP
    return y - _GAP + _MARGIN, places


def _shape(shape: Shape) -> str:
    match shape:
        case Line(points, style):
            return f'<polyline class="{style}" points="{_points(points)}"/>'
        case Area(polygons, style):
            return f'<path class="{style}" d="{"".join(map(_closed, polygons))}"/>'
        case Dot((x, y), style, said):
            return f'<circle class="{style} dot" cx="{_n(x)}" cy="{_n(y)}" r="3">{_title(said)}</circle>'
        case Box(x, y, width, height, style, said):
            place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
            return f'<rect class="{style}" {place}>{_title(said)}</rect>'
        case Words((x, y), text, style, anchor, turned):
            turn = f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else ""
            end = f' text-anchor="{anchor}"' if anchor != "start" else ""
            return f'<text class="{style}" x="{_n(x)}" y="{_n(y)}"{end}{turn}>{escaped(text)}</text>'


def _title(said: str) -> str:
    return f"<title>{escaped(said)}</title>" if said else ""


def _closed(points: Sequence[Point]) -> str:
    (x, y), *rest = points
    if len(rest) == 3 and rest == [(right := rest[0][0], y), (right, bottom := rest[1][1]), (x, bottom)]:
        return f"M{_n(x)} {_n(y)}H{_n(right)}V{_n(bottom)}H{_n(x)}Z"  # most are boxes
    return f"M{_n(x)} {_n(y)}L{' '.join(f'{_n(a)} {_n(b)}' for a, b in rest)}Z"


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(value: float) -> str:
    """Write a coordinate: a tenth of a pixel is seen by nobody."""
    return f"{value:.1f}".removesuffix(".0")
