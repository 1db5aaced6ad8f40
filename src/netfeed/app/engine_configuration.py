"""What `[engine]` of a configuration may say: which strategy, on which instruments, within which limits.

Sizes are decimal texts in the units in which the venue trades ("0.1" of an option, "100" of a perpetual), so that one
text fits instruments that count differently. Tables by instrument take names and globs; the first that fits counts.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

MOST: Final = 1e15
"""A number that is larger, or infinite, is a mistake, and a limit of it would be none."""
Duration = Annotated[int, Meta(ge=0, extra={"reads": "duration"})]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Decimal = Annotated[str, Meta(pattern=r"^\d{1,18}(\.\d{1,18})?$", extra={"example": '"0.1"'})]
Positive = Annotated[float, Meta(gt=0, le=MOST)]
Share = Annotated[float, Meta(ge=-1, le=1)]
Amount = Annotated[float, Meta(ge=0, le=MOST)]
Count = Annotated[int, Meta(ge=1)]

_S: Final = 10**9
_MS: Final = 10**6


class Tier(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One step of the ladder: half the spread times `spread`, for `size`."""

    spread: Positive = 1.0
    size: Decimal


class Quoter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The quoter's numbers; a tick, a volatility and money as `engine.quoter` has them. No tiers: one of one lot."""

    tiers: Annotated[list[Tier], Meta(max_length=16)] = []
    half_ticks: Positive = 1.0
    half_share: Amount = 0.0
    half_volatility: Amount = 0.0
    edge_ticks: Amount = 0.0
    skew_delta: Amount = 0.0
    skew_vega: Amount = 0.0
    max_position: Decimal | None = None
    max_delta: Positive | None = None
    max_gamma: Positive | None = None
    max_vega: Positive | None = None
    requote_ticks: Annotated[int, Meta(ge=1)] = 1
    front_ticks: Annotated[int, Meta(ge=1)] = 2
    front: Decimal = "0"
    refill: Annotated[float, Meta(ge=0, le=1)] = 0.5
    cool_down: Duration = 0
    fill_pause: Duration = 0
    protected: bool = True


class Avellaneda(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The numbers of Avellaneda and Stoikov, for each instrument by itself."""

    gamma: Positive
    kappa: Positive
    sigma: Amount
    horizon: Duration = 60 * _S
    unit: Decimal = "1"
    size: Decimal = "1"
    max_position: Decimal = "10"
    edge: Amount = 0.0
    requote_ticks: Annotated[int, Meta(ge=1)] = 1


class Hedge(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How delta is brought back: a fixed `band` in the underlying, or an `aversion` (Whalley-Wilmott)."""

    instruments: Annotated[list[str], Meta(min_length=1)]
    band: Positive | None = None
    aversion: Positive | None = None
    least: Amount = 0.0
    most: Positive | None = None
    clip: Decimal
    max_position: Decimal
    carry: Share = 0.0
    patience: Duration = 0
    urgent: Positive = 4.0
    through_ticks: Annotated[int, Meta(ge=0, le=10_000)] = 0
    to_middle: bool = False


class Gate(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How old and how far off is too much to quote."""

    max_clock_off: Duration = 5 * _MS
    max_forward_age: Duration = 1 * _S
    max_model_age: Duration = 60 * _S
    min_expiry: Duration = 600 * _S
    settle: Duration = 500 * _MS


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may not be passed. What is left out has no limit, but for sizes and positions: they must be said."""

    order_size: dict[str, Decimal]
    position: dict[str, Decimal]
    expiry: Positive | None = None
    delta: Positive | None = None
    gamma: Positive | None = None
    vega: Positive | None = None
    collar_ppm: Count | None = 50_000
    collar_ticks: Annotated[int, Meta(ge=0)] = 10
    market_orders: bool = False
    open_orders: Count | None = 1_000
    margin_percent: Annotated[int, Meta(ge=1, le=100)] | None = None
    loss: dict[str, Positive] = {}
    rate: Count | None = None
    burst: Count = 1
    stale: Duration | None = 5 * _S
    clock_off: Duration | None = 50 * _MS


class Protection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The venue's market-maker protection of a group, as it is set there; `quantity`, `delta`, `vega` in underlying."""

    group: Annotated[int, Meta(ge=0, lt=2**31)]
    window: Duration
    frozen: Duration = 0
    quantity: Positive | None = None
    delta: Positive | None = None
    vega: Positive | None = None


class Shares(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the venue takes, as shares of the notional; negative for a rebate. None: what it lists, else nothing."""

    maker: Share | None = None
    taker: Share | None = None


class Fees(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`Shares` of everything, but for `options` where they have their own."""

    maker: Share | None = None
    taker: Share | None = None
    options: Shares | None = None


class Surface(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often curves are fitted, and what is good enough (`engine.surface`)."""

    refit: Duration = 2 * _S
    sticky: Literal["strike", "delta"] = "strike"
    max_misfit: Positive = 3.0
    max_off: Positive = 0.005
    discount: Annotated[float, Meta(gt=0, le=2)] = 1.0


class Router(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose an order is to its venue, and after which time without an answer a session is the last choice."""

    owner: Literal["always", "while_up", "never"] = "while_up"
    overdue: Duration = 500 * _MS


class Hot(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The hot step (`engine.hot_engine`): by which Starbase session, and what leads; None: the first that can."""

    session: Name | None = None
    lead: Annotated[str, Meta(min_length=1)] | None = None


class Engine(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The engine. `strategy`: "quoter", "avellaneda", or "module:Class" (a path ending in .py, too) of one's own."""

    strategy: Annotated[
        str, Meta(pattern=r"^(quoter|avellaneda|[^:]+:[A-Za-z_]\w*)$", extra={"example": "mine.py:Mine"})
    ]
    instruments: Annotated[list[str], Meta(min_length=1)]
    limits: Limits
    accounts: dict[str, str] = {}
    settings: dict[str, Any] = {}
    quoter: Quoter = Quoter()
    avellaneda: Avellaneda | None = None
    hedge: Hedge | None = None
    hot: Hot | None = None
    gate: Gate = Gate()
    protections: Annotated[list[Protection], Meta(max_length=64)] = []
    group: Annotated[int, Meta(ge=0, lt=2**31)] = 1
    mass_quotes: bool = True
    fees: Fees = Fees()
    surface: Surface = Surface()
    router: Router = Router()
    journal: Annotated[str, Meta(min_length=1)] | None = None
    kill_file: str | None = None
    quote: Name = "USD"
    clock_off: Duration = 1 * _MS
    look: Duration = 100 * _MS
    list_every: Duration = 30 * _S
    closing: Duration = 5 * _S
    stall: Duration = 10 * _S

    @property
    def kill_path(self) -> str | None:
        """Give the kill file: as it is named, or beside the journal; None without either."""
        return self.kill_file or (None if self.journal is None else f"{self.journal}.kill")


def check_hot(engine: Engine, sessions: Mapping[str, str], how: str) -> list[str]:
    """Name why the hot step cannot be used; `sessions`: protocols by the sessions' names, `how`: of `[receive]`."""
    if engine.hot is None:
        return []
    found = []
    if engine.strategy != "quoter":
        found.append(f'it moves the quotes of strategy = "quoter", not of {engine.strategy}')
    if not engine.mass_quotes:
        found.append("it moves mass quotes: say mass_quotes = true, and set `group` up at the venue")
    if len(engine.quoter.tiers) > 1:
        found.append("it moves one tier: the further ones of engine.quoter.tiers are orders")
    if how != "loop":
        found.append('books that another thread moves would make it wait: say receive.how = "loop"')
    starbase = [name for name, protocol in sessions.items() if protocol == "starbase"]
    if not starbase:
        found.append("it writes Starbase's mass quotes: it takes one of [[sessions]] with that protocol")
    elif engine.hot.session is not None and engine.hot.session not in starbase:
        found.append(f"session: {engine.hot.session!r} is none of the Starbase sessions ({', '.join(starbase)})")
    return [f"engine.hot: {what}" for what in found]


def check_engine(engine: Engine, feeds: list[str], venues: list[str]) -> list[str]:
    """Name what the types cannot say; `feeds`: channels and venues by name, `venues`: those that sessions go to."""
    found = []
    if engine.strategy == "avellaneda" and engine.avellaneda is None:
        found.append("engine.avellaneda: the strategy has no numbers of its own: give gamma, kappa and sigma")
    if engine.hedge is not None and (engine.hedge.band is None) == (engine.hedge.aversion is None):
        found.append("engine.hedge: give a `band`, or an `aversion` from which one is made")
    if not venues:
        found.append("engine: it takes [[sessions]] to send orders by")
    if len(venues) > 1 and not engine.accounts:
        found.append(f"engine.accounts: sessions go to {', '.join(venues)}: say by feed whose account is traded")
    for feed, venue in engine.accounts.items():
        if feed not in feeds:
            found.append(f"engine.accounts: there is no channel or venue {feed!r}")
        if venue not in venues:
            found.append(f"engine.accounts: no session goes to {venue!r}")
    if 0 < engine.stall < _S:
        found.append("engine.stall: a loop that is well may rest for a second: say 1s or more, or 0s for never")
    if engine.settings and ":" not in engine.strategy:
        found.append("engine.settings: they are those of a strategy of one's own")
    if len({one.group for one in engine.protections}) != len(engine.protections):
        found.append("engine.protections: a group stands twice")
    return found
