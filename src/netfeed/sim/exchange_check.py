"""What must hold at a simulated exchange between two steps; tests ask after each one."""

from netfeed.book.execution import Flag
from netfeed.sim.exchange_match import capacity
from netfeed.sim.exchange_trading import Trading
from netfeed.sim.matching import ASK, BID


def check(trading: Trading) -> list[str]:
    """Say what does not hold; nothing, when all is well."""
    return [*trading.ledger.check(), *_books(trading), *_limits(trading), *_reducing(trading)]


def _books(trading: Trading) -> list[str]:
    """Books hold the orders of accounts and no others, as they are, and are not crossed."""
    complaints, resting = [], 0
    for number, market in trading.markets.items():
        bid, ask = market.best(BID), market.best(ASK)
        if bid is not None and ask is not None and bid >= ask:
            complaints.append(f"{market.instrument.name}: crossed at {bid} and {ask}")
        for order in market.orders.values():
            live = trading.orders.by_id.get(order.id)
            mine = live and (live.instrument, live.side, live.price, live.left, live.sort)
            if mine != (number, order.side, order.price, order.quantity, order.sort):
                complaints.append(f"{market.instrument.name}: {order} is {live}")
        resting += len(market.orders)
    if resting != sum(not live.queued for live in trading.orders):
        complaints.append(f"{resting} orders in books, {len(trading.orders.by_id)} live")
    return complaints


def _limits(trading: Trading) -> list[str]:
    """No account is beyond a limit, whatever of its orders is filled."""
    complaints = []
    for account, permit in trading.permits.items():
        if trading.orders.count(account) > permit.max_orders:
            complaints.append(f"{account}: {trading.orders.count(account)} orders")
        exposure = trading.exposure(account)
        for instrument, limit in permit.max_positions.items():
            reach = max(exposure.reach(instrument, side) for side in (BID, ASK))
            if reach > limit:
                complaints.append(f"{account}: may hold {reach} of {instrument}, the limit is {limit}")
        for live in trading.orders.of(account):
            number = live.protected_by
            if number is not None and trading.groups[account, number].frozen:
                complaints.append(f"{account}: order {live.id} rests while group {number} is frozen")
    return complaints


def _reducing(trading: Trading) -> list[str]:
    """Reduce-only orders together never make a position larger."""
    totals: dict[tuple[str, int, int], int] = {}
    for live in trading.orders:
        if live.flags & Flag.REDUCE_ONLY:
            key = (live.account, live.instrument, live.side)
            totals[key] = totals.get(key, 0) + live.left
    return [
        f"{account}: reduce-only orders of {total} on side {side} of {instrument}"
        for (account, instrument, side), total in totals.items()
        if total > capacity(trading.position(account, instrument), side)
    ]
