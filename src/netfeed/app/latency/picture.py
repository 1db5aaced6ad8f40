"""Shapes as PNG, by matplotlib: the same drawing that the page and the SVG show, by day.

matplotlib is imported when a picture is asked for (extra `plots`).
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any, Final

from netfeed.latency.plot.palette import LOOKS
from netfeed.latency.plot.shapes import Area, Box, Dot, Drawing, Line, Point, Shape, Words
from netfeed.latency.plot.svg import stacked
from netfeed.latency.wording import printable

DOTS_PER_INCH: Final = 100
"""Shapes are in pixels: so many are an inch of the figure, which is written at twice as many."""
_POINTS: Final = 72 / DOTS_PER_INCH
_MARGIN: Final = 48.0


def png(drawings: Sequence[Drawing]) -> bytes:
    """Write drawings below each other as PNG.

    Raises: ImportError that names the extra.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("a .png needs matplotlib: pip install 'netfeed[plots]', or name a .svg file") from error
    height, placed = stacked(drawings)
    width = max((one.width for one in drawings), default=0) + _MARGIN
    figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), facecolor=LOOKS["paper"].day)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    for order, (one, corner) in enumerate(zip(drawings, placed, strict=True)):
        for at, shape in enumerate(one.shapes):
            _draw(axes, shape, corner, order + at / max(1, len(one.shapes)))
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name in letters that the font does not have is drawn as boxes
        figure.savefig(out, format="png", dpi=2 * DOTS_PER_INCH, metadata={"Software": None})
    return out.getvalue()


def _draw(axes: Any, shape: Shape, corner: Point, order: float) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    look = LOOKS[shape.style]
    x, y = corner
    paint: dict[str, Any] = {"alpha": look.opacity, "zorder": order}
    match shape:
        case Line(points):
            xs, ys = [x + a for a, _ in points], [y + b for _, b in points]
            axes.add_line(Line2D(xs, ys, color=look.day, linewidth=look.stroke * _POINTS, **paint))
        case Area(polygons):
            placed = [[(x + a, y + b) for a, b in polygon] for polygon in polygons]
            axes.add_collection(PolyCollection(placed, facecolors=look.day, linewidths=0, **paint), autolim=False)
        case Dot((a, b)):
            axes.add_line(Line2D([x + a], [y + b], color=look.day, marker="o", markersize=6 * _POINTS,
                                 markeredgecolor=LOOKS["paper"].day, markeredgewidth=_POINTS, **paint))  # fmt: skip
        case Box(a, b, width, height):
            if look.opacity:
                axes.add_patch(Rectangle((x + a, y + b), width, height, facecolor=look.day, linewidth=0, **paint))
        case Words((a, b), text, _, anchor, turned):
            side = {"start": "left", "middle": "center", "end": "right"}[anchor]
            axes.text(
                x + a, y + b, printable(text), color=look.day, fontsize=look.size * _POINTS,
                fontweight="bold" if look.bold else "normal", horizontalalignment=side, verticalalignment="baseline",
                rotation=90 if turned else 0, rotation_mode="anchor", parse_math=False, **paint,
            )  # fmt: skip
