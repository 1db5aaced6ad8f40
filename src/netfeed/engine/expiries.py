"""What has expired and is gone by the venue's list, and the price at which it is closed: its exercise, as we know it.

What it paid to a tick is the venue's to say; until a person has compared, gains are of our own worth. Where nobody
knows a worth any more (it expired while we were away) it is closed at what it was bought for.
"""

from collections.abc import Iterator

from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.contract import Contract
from netfeed.engine.reconcile import Found
from netfeed.engine.senses import in_ticks


def expired(account: Account, board: Board) -> Iterator[tuple[int, int]]:
    """Give (instrument, price) of what we hold, has expired, and the last list has no longer."""
    for one in () if account.reconciled is None else account.reconciled.findings:
        contract = account.contracts.get(one.instrument)
        if one.found is not Found.POSITION or one.theirs or contract is None or contract.expiry_ns is None:
            continue
        if contract.expiry_ns <= board.wall_ns:
            yield one.instrument, _last_price(contract, account, board)


def _last_price(contract: Contract, account: Account, board: Board) -> int:
    known = in_ticks(contract, board.fair(contract.index))
    if known is None:
        known = account.positions[contract.index].mark
    return round(account.positions.average(contract.index) or 0) if known is None else known
