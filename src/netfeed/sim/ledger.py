"""The books of a simulated venue: who holds what, and what it cost. It is the truth that tests compare with.

Every fill is booked at once, for both sides; nothing else changes a position but an expiry. A position has a `basis`,
what it cost in the worth of `Terms.unit`. A future's gain is paid when it is reduced, settled or expires; a premium at
the trade. Floats are nowhere.

Invariants, checked by `check`, exact to the last digit:
* of every instrument the positions of all accounts sum to nothing;
* of every currency cash, less the bases of futures, plus the fees taken, is what was deposited.

Leaves out: funding, interest, transfers between accounts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netfeed.errors import MisuseError
from netfeed.sim.terms import Fees, Terms

FUND = "(fund)"
"""The venue's own account, which takes the losses that nobody can pay. Its cash may be negative."""


@dataclass(slots=True)
class Holding:
    """What is held of an instrument. Units: `quantity` signed; `basis` in 1e-24 of the settlement currency."""

    quantity: int = 0
    basis: int = 0


@dataclass(slots=True)
class Account:
    """An account. Units: `cash`, `fees` paid and `gained` by futures in 1e-24, by currency."""

    name: str
    fees_of: Fees = field(default_factory=Fees)
    cash: dict[str, int] = field(default_factory=dict)
    fees: dict[str, int] = field(default_factory=dict)
    gained: dict[str, int] = field(default_factory=dict)
    holdings: dict[int, Holding] = field(default_factory=dict)

    def quantity(self, instrument: int) -> int:
        """Give the position of an instrument."""
        holding = self.holdings.get(instrument)
        return holding.quantity if holding else 0


class Ledger:
    """The accounts of a venue, and what they hold of its instruments."""

    def __init__(self, terms: Iterable[Terms]) -> None:
        self.terms: dict[int, Terms] = {one.id: one for one in terms}
        self.accounts: dict[str, Account] = {FUND: Account(FUND)}
        self.deposited: dict[str, int] = {}
        self.collected: dict[str, int] = {}
        self.ended: set[int] = set()

    def open(self, name: str, fees: Fees | None = None) -> Account:
        """Open an account. Raises: MisuseError when there is one of this name."""
        if name in self.accounts:
            raise MisuseError(f"there is an account {name!r}")
        self.accounts[name] = Account(name, fees or Fees())
        return self.accounts[name]

    def deposit(self, name: str, currency: str, amount: int) -> None:
        """Pay into an account. Units: 1e-24."""
        _add(self.accounts[name].cash, currency, amount)
        _add(self.deposited, currency, amount)

    def fill(self, name: str, instrument: int, signed: int, price: int, *, maker: bool) -> int:
        """Book one side of a match: so much bought, or sold where negative. Give its fee. Units: 1e-24.

        Raises: MisuseError when the instrument has ended. The caller books the other side, too.
        """
        if instrument in self.ended:
            raise MisuseError(f"instrument {instrument} has ended")
        account, terms = self.accounts[name], self.terms[instrument]
        self._move(account, terms, signed, terms.unit(price))
        fee = account.fees_of.fee(terms, price, abs(signed), maker=maker)
        _add(account.cash, terms.currency, -fee)
        _add(account.fees, terms.currency, fee)
        _add(self.collected, terms.currency, fee)
        return fee

    def settle(self, instrument: int, price: int) -> None:
        """Pay gains and losses of a future as of a price; positions stay, and cost that price from now on."""
        terms, unit = self.terms[instrument], self.terms[instrument].unit(price)
        for account in self.accounts.values():
            holding = account.holdings.get(instrument)
            if holding and terms.margined:
                worth = holding.quantity * unit
                self._gain(account, terms, worth - holding.basis)
                holding.basis = worth

    def expire(self, instrument: int, index: int) -> None:
        """End an instrument at an index: everybody gets, or pays, what its delivery is worth."""
        terms = self.terms[instrument]
        unit = terms.unit(terms.delivery(index))
        for account in self.accounts.values():
            holding = account.holdings.pop(instrument, None)
            if holding:
                worth = holding.quantity * unit
                if terms.margined:
                    self._gain(account, terms, worth - holding.basis)
                else:
                    _add(account.cash, terms.currency, worth)
        self.ended.add(instrument)

    def rescue(self, name: str, currency: str) -> int:
        """Let the fund pay what an account owes and has no position to pay with; give how much. Units: 1e-24."""
        account = self.accounts[name]
        owed = max(-account.cash.get(currency, 0), 0) if not any(h.quantity for h in account.holdings.values()) else 0
        _add(account.cash, currency, owed)
        _add(self.accounts[FUND].cash, currency, -owed)
        return owed

    def equity(self, name: str, units: Mapping[int, int], currency: str) -> int:
        """Give what an account is worth: cash, gains that are not paid yet, options. Units: 1e-24.

        `units`: what a unit of every instrument that it holds is worth.
        """
        account = self.accounts[name]
        worth = account.cash.get(currency, 0)
        for instrument, holding in account.holdings.items():
            terms = self.terms[instrument]
            if holding.quantity and terms.currency == currency:
                worth += holding.quantity * units[instrument] - (holding.basis if terms.margined else 0)
        return worth

    def check(self) -> list[str]:
        """Say what does not add up; nothing, when all is well."""
        complaints = []
        for instrument, terms in self.terms.items():
            held = sum(account.quantity(instrument) for account in self.accounts.values())
            if held:
                complaints.append(f"{terms.name}: positions sum to {held}")
        for currency in sorted({terms.currency for terms in self.terms.values()} | self.deposited.keys()):
            missing = self._sum(currency) - self.deposited.get(currency, 0)
            if missing:
                complaints.append(f"{currency}: {missing}e-24 more than was deposited")
        paid = {c for account in self.accounts.values() for c in account.fees}
        for currency in sorted(paid):
            fees = sum(account.fees.get(currency, 0) for account in self.accounts.values())
            if fees != self.collected.get(currency, 0):
                complaints.append(
                    f"{currency}: fees paid are {fees}e-24, fees taken {self.collected.get(currency, 0)}e-24"
                )
        return complaints

    def _sum(self, currency: str) -> int:
        total = self.collected.get(currency, 0)
        for account in self.accounts.values():
            total += account.cash.get(currency, 0)
            for instrument, holding in account.holdings.items():
                terms = self.terms[instrument]
                if terms.margined and terms.currency == currency:
                    total -= holding.basis
        return total

    def _move(self, account: Account, terms: Terms, signed: int, unit: int) -> None:
        """Change a position: what reduces it gives its share of the basis back, what is beyond that costs anew."""
        holding = account.holdings.setdefault(terms.id, Holding())
        closing = -holding.quantity if abs(signed) > abs(holding.quantity) else signed
        if signed * holding.quantity >= 0:
            closing = 0
        if not terms.margined:
            _add(account.cash, terms.currency, -signed * unit)
        if closing:
            released = holding.basis * -closing // holding.quantity
            if terms.margined:
                self._gain(account, terms, -closing * unit - released)
            holding.basis -= released
        holding.basis += (signed - closing) * unit
        holding.quantity += signed

    def _gain(self, account: Account, terms: Terms, amount: int) -> None:
        _add(account.cash, terms.currency, amount)
        _add(account.gained, terms.currency, amount)


def _add(amounts: dict[str, int], currency: str, amount: int) -> None:
    amounts[currency] = amounts.get(currency, 0) + amount
