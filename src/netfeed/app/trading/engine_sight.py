"""What a view of a live engine looks at: its picture, the lines it hears, the stages of its orders, all in one look.

sight = EngineSight("netfeed", live, engine, drive.pictures, tell)
run.view = EngineView(sight.look)          `netfeed run` draws its view between turns
"""

from collections.abc import Callable, Sequence

from netfeed.app.live import Live
from netfeed.app.trading.engine_view import Shown
from netfeed.app.trading.feed_screen import FeedWatch, StagePicture
from netfeed.app.trading.notices import Notices
from netfeed.engine.engine import Engine


class EngineSight:
    """Looks at an engine beside live channels; `tell` is told what has changed since the last look."""

    def __init__(
        self, title: str, live: Live, engine: Engine, stages: Callable[[], Sequence[StagePicture]] = tuple,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:  # fmt: skip
        self._title, self._live, self._engine, self._stages, self._tell = title, live, engine, stages, tell
        self._watch, self._notices = FeedWatch(live), Notices()
        self._began = live.now

    def look(self) -> Shown:
        """Give what there is to see now."""
        feed, picture = self._watch.look(), self._engine.picture()
        shown = Shown(self._title, self._live.now - self._began, picture, feed, self._stages())
        for line in self._notices.look(shown):
            self._tell(line)
        return shown
