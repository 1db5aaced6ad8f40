"""Draw the screen of `netfeed demo` for docs/demo.md: a real demo, looked at once, after a while.

`python tools/draw_demo.py [SECONDS [FILE]]` writes docs/demo.svg. The same seed is the same venue; trades differ, as in
any demo, and so do the numbers of two pictures. Line A fails after 6 s, line B loses packets three quarters of a second
later: docs/demo-suspect.svg is a picture of the moment after that.
"""

import io
import sys
from pathlib import Path

from rich.console import Console

from netfeed.app.trading.demo import Demo, DemoOptions, Phase
from netfeed.app.trading.engine_view import EngineView

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "demo.svg"
SEED = 7
WIDTH, HEIGHT = 110, 40
DURATION_S = 20
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
<rect width="{width}" height="{height}" fill="#1b1b1b"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""Rich's own, without a window and without a font from somewhere else."""


def picture(after_s: float) -> str:
    """Play a demo and draw its screen after so many seconds of trading."""
    drawn: list[str] = []
    demo = Demo(DemoOptions(DURATION_S * 10**9, SEED), lambda: bool(drawn))
    view = EngineView(demo.shown, on=Console(file=io.StringIO()), plain=True)

    def draw() -> None:
        shown = demo.shown()
        if shown.elapsed_ns >= after_s * 10**9 and demo.phase is Phase.TRADING and not drawn:
            canvas = Console(
                record=True,
                width=WIDTH,
                height=HEIGHT,
                file=io.StringIO(),
                force_terminal=True,
                color_system="truecolor",
            )
            canvas.print(view.frame(shown, WIDTH, HEIGHT))
            drawn.append(canvas.export_svg(title="netfeed demo", code_format=FORMAT, unique_id="demo"))

    view.draw = draw  # type: ignore[method-assign]
    outcome = demo.run(view)
    print(outcome.words() if outcome else "stopped", file=sys.stderr)
    return drawn[0]


if __name__ == "__main__":
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else PICTURE
    path.write_text(picture(float(sys.argv[1]) if len(sys.argv) > 1 else 6.95))
    print(f"wrote {path}: {path.stat().st_size:,} bytes")
