"""What has happened at a simulated exchange, step by step: for tests, which look for what must never be.

`audit` reads the whole log in the plainest way: it knows reports only, neither books nor ledger, so that it can be held
against them.
"""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from netfeed.book.execution import Accepted, Filled, Quoted, QuoteState, Rejected, Request
from netfeed.sim.exchange_trading import Delivery, Outcome
from netfeed.sim.starbase_market import Told

MAX_STEPS: Final = 200_000


class Step(NamedTuple):
    """One step: who asked what, by which gateway; or what the venue did by itself. Units: ns since 1970."""

    at_ns: int
    account: str | None
    gateway: int
    what: Request | str
    deliveries: tuple[Delivery, ...]
    told: tuple[Told, ...]


class Log:
    """The steps, the last `bound` of them; `count` of all, and by account what was told of `fills` and `rejected`."""

    def __init__(self, bound: int = MAX_STEPS) -> None:
        self.count = 0
        self.fills: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.steps: deque[Step] = deque(maxlen=bound)

    def write(self, account: str | None, gateway: int, what: Request | str, outcome: Outcome) -> None:
        """Write a step down."""
        self.count += 1
        for name, _, report in outcome.deliveries:
            if isinstance(report, Filled):
                self.fills[name] += 1
            elif isinstance(report, Rejected):
                self.rejected[name] += 1
        told = tuple(outcome.told)
        self.steps.append(Step(outcome.at_ns, account, gateway, what, tuple(outcome.deliveries), told))

    def reports(self, account: str) -> list[Delivery]:
        """List all that an account was told, in order."""
        return [one for step in self.steps for one in step.deliveries if one.account == account]


def audit(steps: Iterable[Step]) -> list[str]:
    """Say what must never be: an order id of two orders, a match without two sides, or told to one side twice."""
    complaints: list[str] = []
    named: dict[object, tuple[str, int | None]] = {}
    matches: dict[object, list[tuple[str, Filled]]] = {}
    for step in steps:
        for account, _, report in step.deliveries:
            if isinstance(report, Accepted):
                owner = (account, report.client_id)
                if named.setdefault(report.order_id, owner) != owner:
                    complaints.append(f"order {report.order_id} is {owner} and {named[report.order_id]}")
            elif isinstance(report, Quoted):
                complaints += _quotes(report, account, named)
            elif isinstance(report, Filled):
                matches.setdefault(report.match_id, []).append((account, report))
    return complaints + [text for match, sides in matches.items() for text in _match(match, sides)]


def _quotes(report: Quoted, account: str, named: dict[object, tuple[str, int | None]]) -> list[str]:
    complaints = []
    for _, *sides in report.sides:
        for side in sides:
            if side.state == QuoteState.RESTS and named.setdefault(side.order_id, (account, None)) != (account, None):
                complaints.append(f"quote {side.order_id} of {account} is {named[side.order_id]}")
    return complaints


def _match(match: object, sides: list[tuple[str, Filled]]) -> list[str]:
    if len(sides) != 2:
        return [f"match {match} was told {len(sides)} times"]
    (one, first), (two, second) = sides
    same = (first.price, first.quantity, first.instrument) == (second.price, second.quantity, second.instrument)
    opposite = first.side != second.side and first.maker != second.maker
    return [] if same and opposite and one != two else [f"match {match}: {first} of {one}, {second} of {two}"]
