"""Pictures of an engine for the tests of its screen: a chain of two expiries, drawn as an engine would fill it in."""

from dataclasses import replace
from typing import Any

from netfeed.app.trading.engine_view import Shown
from netfeed.app.trading.feed_screen import FeedPicture, LinePicture, StagePicture
from netfeed.book.state import BookState
from netfeed.engine.picture import (
    EnginePicture,
    ExpiryPicture,
    InstrumentPicture,
    LimitPicture,
    MoneyPicture,
    QuotePicture,
    RoutePicture,
)

S = 10**9
DAY = 86_400 * S
WALL = 1_795_824_000 * S
EXPIRIES = (WALL + 7 * DAY, WALL + 35 * DAY)
STRIKES = (80_000.0, 85_000.0, 90_000.0, 95_000.0, 100_000.0)


def option(expiry: int, strike: float, is_call: bool, **changes: Any) -> InstrumentPicture:
    bid = 30_000_000 + int(abs(strike - 90_000)) * 1_000 + 100_000 * is_call
    one = InstrumentPicture(
        int(strike) + is_call, f"BTC-{strike:.0f}-{'CP'[not is_call]}", BookState.LIVE, bid, bid + 1_000_000, -9, -1,
        strike, expiry, is_call, (bid + 500_000) / 1e9, 0.52, QuotePicture(bid - 500_000, 10),
        QuotePicture(bid + 1_500_000, 10), 0,
    )  # fmt: skip
    return replace(one, **changes)


def perpetual(**changes: Any) -> InstrumentPicture:
    one = InstrumentPicture(
        1, "BTC-PERPETUAL", BookState.LIVE, 90_000_500_000_000, 90_001_000_000_000, -9, 0, None, None, None, 90_000.7,
        None, None, None, -120,
    )  # fmt: skip
    return replace(one, **changes)


def chain(strikes: tuple[float, ...] = STRIKES) -> tuple[InstrumentPicture, ...]:
    pairs = [(expiry, strike, is_call) for expiry in EXPIRIES for strike in strikes for is_call in (True, False)]
    return (perpetual(), *(option(*one) for one in pairs))


def engine(**changes: Any) -> EnginePicture:
    one = EnginePicture(
        10 * S, WALL, "", "", True, chain(),
        (ExpiryPicture(None, None, None, "", -0.0133, 0.0, 0.0, 0.0),
         *(ExpiryPicture(expiry, 90_210.4, 9 * S, "GOOD", 0.123, 1.5e-5, 45.3, -12.1) for expiry in EXPIRIES)),
        (LimitPicture("delta", 0.5, 2.0), LimitPicture("vega", 950.0, 1_000.0), LimitPicture("open_orders", 44, 200)),
        (RoutePicture(1, "gate-a", True, 230_000, 1_234, 0), RoutePicture(2, "gate-b", False, None, 3, 0)),
        (MoneyPicture("BTC", -18, 12_300 * 10**12, -200 * 10**12, 5 * 10**12),), "INSIDE, 0.11 stay", 1_237, 17, 3, 0,
        {"collar": 2, "size": 0}, {},
    )  # fmt: skip
    return replace(one, **changes)


def feed(**changes: Any) -> FeedPicture:
    lines = (LinePicture("A", 990, 12_345, 10**7), LinePicture("B", 985, 345, 10**7))
    one = FeedPicture(lines, {"LIVE": 21}, 12_345, 2, {"line": 1, "retransmit": 1, "snapshot": 0}, 0)
    return replace(one, **changes)


def shown(engine_: EnginePicture | None = None, feed_: FeedPicture | None = None, title: str = "netfeed") -> Shown:
    stages = [
        StagePicture(name, 1_000, 45_000, 120_000, 900_000) for name in ("wire>book", "decide", "send", "tick>order")
    ]
    return Shown(title, 72 * S, engine_ or engine(), feed_ or feed(), stages)
