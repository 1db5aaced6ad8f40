"""Between gateways and an exchange: requests in, reports back to the gateway that they belong to, messages to the feed.

One exchange has several gateways (A and B). An order belongs to the gateway by which it came, whatever gateway the
other side of its match came by; what nobody is there for is not told, and what the exchange did is still true.

Gateways live by the monotonic clock of their driver; the exchange counts ns since 1970, `wall_ns` when that is 0.
"""

from collections.abc import Sequence
from typing import Protocol

from netfeed.book.execution import Report, Request
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_trading import Outcome
from netfeed.sim.starbase_market import Told


class Gateway(Protocol):
    """What a switchboard needs of a gateway."""

    @property
    def number(self) -> int:
        """Name it."""

    def deliver(self, account: str, reports: Sequence[Report], now: int) -> None:
        """Tell an account what came of one step, all of it together."""


class Follower(Protocol):
    """What a switchboard needs of somebody who takes all steps."""

    def take(self, outcome: Outcome) -> None:
        """Take a step, whoever it concerns."""


class Switchboard:
    """The switchboard of one exchange. `transactions` wait for whoever publishes the feed."""

    def __init__(self, exchange: Exchange, wall_ns: int = 0) -> None:
        self.exchange = exchange
        self.wall_ns = wall_ns
        self.transactions: list[list[Told]] = []
        self._gateways: dict[int, Gateway] = {}
        self._followers: list[Follower] = []

    def attach(self, gateway: Gateway) -> None:
        """Take a gateway in. Raises: MisuseError when there is one of its number."""
        if gateway.number in self._gateways:
            raise MisuseError(f"there is a gateway {gateway.number}")
        self._gateways[gateway.number] = gateway

    def follow(self, follower: Follower) -> None:
        """Let somebody take each step, before the gateways are told of it: who tells of all ways to the exchange."""
        self._followers.append(follower)

    def request(self, account: str, request: Request, now: int, gateway: int) -> None:
        """Carry a request to the exchange, and what comes of it to everybody."""
        self.route(self.exchange.request(account, request, self.wall_ns + now, gateway), now)

    def disconnect(self, account: str, gateway: int, now: int) -> None:
        """Let the exchange cancel what came by a gateway that has lost the account."""
        self.route(self.exchange.disconnect(account, gateway, self.wall_ns + now), now)

    def route(self, outcome: Outcome, now: int) -> None:
        """Carry what a step has led to."""
        for follower in self._followers:
            follower.take(outcome)
        parts: dict[tuple[int, str], list[Report]] = {}
        for account, gateway, report in outcome.deliveries:
            parts.setdefault((gateway, account), []).append(report)
        if outcome.told:
            self.transactions.append(outcome.told)
        for (number, account), reports in parts.items():
            if number in self._gateways:
                self._gateways[number].deliver(account, reports, now)

    @property
    def deadline(self) -> int:
        """Say when the exchange does something by itself. Units: monotonic ns."""
        due = self.exchange.deadline
        return due - self.wall_ns if due < NEVER else NEVER

    def wake(self, now: int) -> None:
        """Let the exchange do what is due."""
        for outcome in self.exchange.wake(self.wall_ns + now):
            self.route(outcome, now)

    def take(self) -> list[list[Told]]:
        """Drain the transactions for the feed."""
        taken, self.transactions = self.transactions, []
        return taken
