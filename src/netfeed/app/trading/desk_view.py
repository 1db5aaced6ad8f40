"""The screen of a run that trades: channels and books until there is an engine, and from then on the engine."""

from collections.abc import Callable
from typing import Protocol

from rich.console import Console

from netfeed.app.live import Live
from netfeed.app.live_view import LiveView
from netfeed.app.trading.engine_drive import EngineDrive
from netfeed.app.trading.engine_sight import EngineSight
from netfeed.app.trading.engine_view import EngineView
from netfeed.engine.engine import Engine


class Trading(Protocol):
    """What has an engine once the feeds have listed everything."""

    @property
    def engine(self) -> Engine | None:
        """Give the engine, None while there is none."""

    @property
    def drive(self) -> EngineDrive:
        """Give what turns it."""


class DeskView:
    """A screen as `Run` draws it. `tell` is told what happens to the engine."""

    def __init__(
        self, live: Live, desk: Trading, tell: Callable[[str], None] = lambda text: None, *, on: Console | None = None
    ) -> None:
        self._live, self._desk, self._tell, self._on = live, desk, tell, on
        self._screen: LiveView | EngineView = LiveView(live)
        self._is_started = False

    @property
    def shows_engine(self) -> bool:
        """Say whether there is an engine to be seen."""
        return isinstance(self._screen, EngineView)

    def start(self) -> None:
        """Take the terminal."""
        self._is_started = True
        self._screen.start()

    def stop(self) -> None:
        """Give the terminal back."""
        if self._is_started:
            self._is_started = False
            self._screen.stop()

    def log(self, line: str) -> None:
        """Show a line among the newest."""
        self._screen.log(line)

    def draw(self) -> None:
        """Draw what is now."""
        engine = self._desk.engine
        if engine is not None and not self.shows_engine:
            sight = EngineSight(self._live.config.name, self._live, engine, self._desk.drive.pictures, self._tell)
            self._change(EngineView(sight.look, on=self._on))
        self._screen.draw()

    def _change(self, screen: EngineView) -> None:
        if self._is_started:
            self._screen.stop()
            screen.start()
        self._screen = screen
