"""Contracts of what a venue over WebSocket lists: asked for once, over a connection of its own, without logging in.

    listed = ask_instruments(session, timeout_ns)       [Instrument("deribit", "BTC-PERPETUAL", ...), ...]
    contract_of(0, listed[0])                           what whoever decides sees
    traded_as(0, listed[0])                             what an order session needs

For a shell, and for sessions whose protocol knows instruments by name. Leaves out: fees, spot and combinations.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from netfeed.app.attempt import Attempt
from netfeed.app.configuration import Session
from netfeed.app.configuration import Venue as VenueConfig
from netfeed.app.discovery import Discovery, Found, Nothing
from netfeed.app.trading.over_tls import context_of
from netfeed.app.trading.traded import Traded
from netfeed.app.venue_kinds import KINDS
from netfeed.engine.contract import Contract, Payoff
from netfeed.errors import NetfeedError
from netfeed.feed.websocket_talk import WebSockets
from netfeed.proto import websocket
from netfeed.transport.loop import Loop
from netfeed.venues.instrument import Instrument, Kind, Right

MAX_BYTES: Final = 16 * 2**20
"""A list of all instruments takes two."""
_PAYOFFS: Final = {Kind.PERPETUAL: Payoff.PERPETUAL, Kind.FUTURE: Payoff.FUTURE}


class UnreachableError(NetfeedError):
    """A venue did not answer in time, or was lost before anything was sent. `unreachable`: the exit code is 69."""

    unreachable = True


def ask_instruments(
    session: Session, timeout_ns: int, *, clock: Callable[[], int] = time.monotonic_ns
) -> list[Instrument]:  # fmt: skip
    """Ask a venue of `protocol = "deribit"` what it lists. Raises: UnreachableError; ConfigurationError."""
    kind, endpoint = KINDS["deribit"], session.endpoints[0]
    assert kind.question is not None
    question = kind.question(VenueConfig(name=session.name, venue="deribit", instruments=["*"]))
    limits = websocket.Limits(frame_bytes=MAX_BYTES, message_bytes=MAX_BYTES)
    talks = WebSockets(os.urandom, context=context_of(session), limits=limits, compression=False)
    told: list[Found | Nothing] = []
    loop, end = Loop(), clock() + timeout_ns

    def machine(now: int) -> Discovery:
        return Discovery(talks(endpoint, now), question, kind.instruments, now)

    attempt = Attempt(loop, endpoint, machine, opened=lambda now: None, told=lambda one, now: told.append(one))
    try:
        while not told and clock() < end:
            loop.turn(end)
    finally:
        attempt.give_up()
        loop.close()
    answer = told[0] if told else Nothing("no answer in time", 0)
    if isinstance(answer, Nothing):
        raise UnreachableError(f"{session.name}: what it lists was asked in vain: {answer.reason}")
    return [one for one in answer.listed.instruments if one.kind in _PAYOFFS or one.kind is Kind.OPTION]


def contract_of(index: int, one: Instrument) -> Contract:
    """Make a contract of what is listed, under a number of ours."""
    payoff = _PAYOFFS.get(one.kind) or (Payoff.CALL if one.right is Right.CALL else Payoff.PUT)
    strike = None if one.strike is None else one.strike.mantissa * 10.0**one.strike.exponent
    return Contract(
        index, one.name, payoff, one.base, one.inverse, one.price_exponent, one.quantity_exponent, one.tick,
        one.lot, strike=strike, expiry_ns=one.expiry_ns,
        steps=tuple((step.above, step.tick) for step in one.steps),
    )  # fmt: skip


def traded_as(index: int, one: Instrument) -> Traded:
    """Give what an order session needs of it."""
    return Traded(index, one.name, one.price_exponent, one.quantity_exponent)


def contracts_of(listed: Sequence[Instrument]) -> tuple[dict[int, Contract], list[Traded]]:
    """Make contracts, and what sessions need, of all that is listed."""
    numbered = list(enumerate(listed))
    return {index: contract_of(index, one) for index, one in numbered}, [traded_as(*pair) for pair in numbered]
