"""Our orders as the board shows them: what may not rest is under way until its end is told."""

import pytest

from netfeed.book.execution import Accepted, New, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.ours import Ours
from netfeed.engine.strategy import Phase
from tests.engine.stage import CONTRACTS, PERPETUAL


@pytest.mark.parametrize(
    ("force", "phase"),
    [(TimeInForce.GTC, Phase.RESTS), (TimeInForce.IOC, Phase.SENT), (TimeInForce.FOK, Phase.SENT)],
)
def test_an_order_at_once_that_waits_in_a_speed_bump_is_under_way_and_does_not_rest(
    force: TimeInForce, phase: Phase
) -> None:
    """It was taken for one that rests, cancelled, and sent anew: no hedge ever left the speed bump."""
    contracts = {one.index: one for one in CONTRACTS}
    account, board = Account(contracts), Board(CONTRACTS)
    order = New(1, PERPETUAL, Side.BID, 1_000_000, 10, force)
    account.decide(order, 0)
    account.sent(order, 1, 0)
    account.apply(Accepted(1, PERPETUAL, "v", 1_000_000, 10, 0, True, None), 1)
    Ours(account, board, queues=False).refresh([PERPETUAL], 1)
    assert [one.phase for one in board.working(PERPETUAL)] == [phase]
