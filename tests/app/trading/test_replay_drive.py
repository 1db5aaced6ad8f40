"""The driver's own care: whoever asks to be woken at one moment for ever is stopped, and it is said."""

import pytest

from netfeed.app.engine_configuration import Fees
from netfeed.app.replay import Options, Replay
from netfeed.app.trading.replay_books import ReplayBooks
from netfeed.app.trading.replay_drive import EngineReplay
from netfeed.app.trading.replay_listing import listing
from netfeed.errors import MisuseError
from netfeed.sim.fill_ledger import FillLedger
from netfeed.sim.fill_model import FillModel
from netfeed.sim.fill_route import FillRoute
from tests.data import PCAPS


class Restless:
    """Whoever decides, and is never done."""

    deadline = 0

    def touch(self, instruments: object, sequence: int, /) -> None: ...

    def hear(self, session: int, report: object, now: int, /) -> None: ...

    def step(self, now: int, wall_ns: int, clock_off_ns: int | None, /) -> None: ...


def test_what_never_comes_to_an_end_is_stopped() -> None:
    options = Options([str(PCAPS / "truncated.pcap")])
    contracts = listing(options, Fees()).contracts
    replay = Replay(options)
    books = ReplayBooks(replay.catalogue, contracts)
    model = FillModel(contracts, books.late)
    EngineReplay(replay, books, Restless(), FillRoute(), model, FillLedger(contracts, books.late))
    with pytest.raises(MisuseError, match="something still asks to be woken then"):
        replay.run()
