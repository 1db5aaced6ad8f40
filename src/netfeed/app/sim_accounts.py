"""The accounts of a simulated venue that takes orders, and its rules, as a configuration says them.

    [[accounts]]
    name = "mm"                    # the client id of its key, too: 16 characters at most, 6 for OUCH
    deposit = { BTC = "25" }
    secret_file = "mm.secret"      # mode 0600; or secret_env; without either one is made from the seed (`sim_secrets`)
    fees = { maker = "-0.01%", taker = "0.05%", cap = "12.5%" }
    rate = 200                     # requests a second; `burst` at once
    max_positions = { BTC-PERPETUAL = "50000" }
    [[accounts.groups]]            # market-maker protection; 0 is that of single orders
    number = 1
    name = "mm"                    # as JSON-RPC calls it
    window = "1s"
    frozen = "0s"                  # until it is reset
    quantity = "5"                 # of the underlying

    [exchange]
    chain = "priced"               # options are worth what Black says, see `sim.priced_chain`; or "simple"
    bump = "0s"                    # an order that would take waits so long
    band = "10%"                   # of the mark to either side
    informed = true                # one of the crowd knows where the index goes
    margin = { initial = "2%", maintenance = "1%", short = "15%", least = "10%", kept = "7.5%" }

Percentages, decimals and durations are texts, so that they are exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from netfeed.errors import ConfigurationFileError
from netfeed.sim.exchange_log import Log
from netfeed.sim.exchange_match import SelfMatch
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.faults import parse_rate
from netfeed.sim.margin import Rates
from netfeed.sim.order_venue import OrderVenue, order_venue
from netfeed.sim.priced_chain import priced_chain
from netfeed.sim.protection import Limits
from netfeed.sim.session_gateway import Key
from netfeed.sim.starbase_chain import Instrument, chain
from netfeed.sim.terms import MONEY_EXPONENT, Fees
from netfeed.sim.venue import Settings
from netfeed.units import parse_decimal, parse_duration

STEPS: Final = 20_000
"""So many steps of the exchange are remembered."""
_NANO: Final = -9
_Text = str


class FeesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What trades cost: percentages of the notional, negative for a rebate; `cap` of an option's premium."""

    maker: _Text = "0%"
    taker: _Text = "0%"
    cap: _Text = "12.5%"


class GroupConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of market-maker protection. None: no limit. `frozen` of 0s: until it is reset."""

    number: int
    name: str | None = None
    window: _Text = "1s"
    frozen: _Text = "0s"
    quantity: _Text | None = None
    delta: float | None = None
    vega: float | None = None


class AccountConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One account, and the key with which it logs on."""

    name: str
    deposit: dict[str, _Text] = msgspec.field(default_factory=lambda: {"BTC": "10"})
    secret_file: str | None = None
    secret_env: str | None = None
    fees: FeesConfig = FeesConfig()
    rate: float | None = None
    burst: int = 20
    max_orders: int = 1_000
    max_positions: dict[str, _Text] = {}
    self_match: Literal["cancel_maker", "cancel_taker", "cancel_both"] = "cancel_maker"
    groups: list[GroupConfig] = []


class MarginConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much an account must have: percentages, see `sim.margin`."""

    initial: _Text = "2%"
    maintenance: _Text = "1%"
    short: _Text = "15%"
    least: _Text = "10%"
    kept: _Text = "7.5%"


class ExchangeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of the exchange."""

    chain: Literal["simple", "priced"] = "simple"
    bump: _Text = "0s"
    band: _Text = "10%"
    informed: bool = True
    margin: MarginConfig = MarginConfig()


def make_order_venue(
    settings: Settings, accounts: Sequence[AccountConfig], rules: ExchangeConfig, keys: Iterable[Key]
) -> OrderVenue:
    """Make a venue that these accounts trade on. Raises: ValueError; MisuseError; ConfigurationFileError."""
    margin = Rates(**{name: parse_rate(getattr(rules.margin, name)) for name in MarginConfig.__struct_fields__})
    at_ns = settings.wall_ns + settings.begin_ns
    listing = priced_chain(at_ns, settings.seed) if rules.chain == "priced" else chain(at_ns)
    venue = order_venue(
        settings, keys, bump_ns=parse_duration(rules.bump), informed=rules.informed, band=parse_rate(rules.band),
        rates=margin, log=Log(STEPS), listing=listing,
    )  # fmt: skip
    listed = {one.name: one for one in listing}
    for one in accounts:
        venue.exchange.join(one.name, permit(one, listed))
        for currency, amount in one.deposit.items():
            venue.exchange.trading.ledger.deposit(one.name, currency, parse_decimal(amount, MONEY_EXPONENT))
    return venue


def permit(one: AccountConfig, listed: Mapping[str, Instrument]) -> Permit:
    """Say what an account may do. Raises: ValueError; ConfigurationFileError."""
    limits = {}
    for name, quantity in one.max_positions.items():
        if name not in listed:
            raise ConfigurationFileError(f"accounts.{one.name}.max_positions: {name} is none of {', '.join(listed)}")
        limits[listed[name].id] = parse_decimal(quantity, listed[name].quantity_exponent)
    return Permit(
        fees=Fees(_signed(one.fees.maker), _signed(one.fees.taker), parse_rate(one.fees.cap)), rate=one.rate,
        burst=one.burst, max_orders=one.max_orders, max_positions=limits,
        self_match=SelfMatch[one.self_match.upper()], groups={group.number: _limits(group) for group in one.groups},
        group_names={group.number: group.name for group in one.groups if group.name},
    )  # fmt: skip


def wrong(accounts: Sequence[AccountConfig]) -> Iterable[str]:
    """Name what the types cannot say."""
    for one in accounts:
        if not one.name.isascii() or not 1 <= len(one.name) <= 16:
            yield f"accounts.{one.name}: a client id has 1 to 16 ASCII characters"
        if one.secret_file is not None and one.secret_env is not None:
            yield f"accounts.{one.name}: a secret is in secret_file or in secret_env, not in both"
        for currency in one.deposit:
            if currency not in ("BTC", "USD"):
                yield f"accounts.{one.name}.deposit: {currency} is not settled in here; BTC and USD are"
    names = [one.name for one in accounts]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"accounts: there are {names.count(name)} of the name {name}"


def _limits(group: GroupConfig) -> Limits:
    quantity = None if group.quantity is None else parse_decimal(group.quantity, _NANO)
    return Limits(parse_duration(group.window), parse_duration(group.frozen), quantity, group.delta, group.vega)


def _signed(text: str) -> int:
    """Read a percentage that may be negative. Units: out of a million."""
    return -parse_rate(text[1:]) if text.startswith("-") else parse_rate(text)
