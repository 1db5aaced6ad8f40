"""The screen of a run that trades: it becomes the engine's when there is one, and gives the terminal back once."""

import io
from dataclasses import dataclass

import pytest
from rich.console import Console

from netfeed.app import live_view
from netfeed.app.configuration import Configuration
from netfeed.app.live import Live
from netfeed.app.trading.desk_view import DeskView
from netfeed.app.trading.engine_drive import EngineDrive
from netfeed.engine.engine import Engine
from tests.engine.engine_world import MS, World


@dataclass
class Desk:
    drive: EngineDrive
    engine: Engine | None = None


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    monkeypatch.setattr(live_view, "console", lambda: console)
    return console


def said(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_the_screen_becomes_the_engines_when_there_is_one(screen: Console) -> None:
    live = Live(Configuration(schema_version=1, name="mine", channels=[]))
    desk = Desk(EngineDrive(live, clock_off_ns=0))
    told: list[str] = []
    view = DeskView(live, desk, told.append, on=screen)
    view.start()
    view.log("gate A: up")
    view.draw()
    assert not view.shows_engine
    assert "gate A: up" in said(screen)
    desk.engine = World().run(200 * MS).engine
    view.draw()
    assert view.shows_engine
    view.log("somebody says something")
    view.stop()
    view.stop()
    live.close()
    assert "QUOTING" in said(screen)
    assert said(screen).count("\x1b[?1049h") == said(screen).count("\x1b[?1049l") == 1
    assert told[-1] == "quotes rest on 10 instruments"
