"""The plainest exchange that could be written: one list of orders, searched anew for each that comes.

It knows limit orders of owners with GTC, IOC, FOK and post-only-reject, self-match rules, amends and cancels; no
accounts, no money. `exchange_worlds` is held against it, fill by fill.
"""

from dataclasses import dataclass

from netfeed.sim.exchange_match import SelfMatch


@dataclass
class Plain:
    name: tuple[str, int]
    side: int
    price: int
    left: int
    rank: int
    passive: bool


class Oracle:
    """One instrument."""

    def __init__(self, modes: dict[str, SelfMatch]) -> None:
        self.modes = modes
        self.resting: list[Plain] = []
        self.rank = 0

    def meets(self, side: int, price: int) -> list[Plain]:
        """List what an order would meet, the first one first."""
        sign = 1 if side == 0 else -1
        others = [one for one in self.resting if one.side != side and sign * one.price <= sign * price]
        return sorted(others, key=lambda one: (sign * one.price, one.rank))

    def new(self, name: tuple[str, int], side: int, price: int, quantity: int, force: str) -> list[tuple[object, ...]]:
        """Let an order in; give its fills as (maker, taker, price, quantity)."""
        self.rank += 1
        mine, mode = Plain(name, side, price, quantity, self.rank, force == "passive"), self.modes[name[0]]
        if force == "passive":
            if not self.meets(side, price):
                self.resting.append(mine)
            return []
        if force == "FOK" and self.reachable(mine, mode) < quantity:
            return []
        fills, stopped = self.fill(mine, mode)
        if mine.left and force == "GTC" and not stopped:
            self.resting.append(mine)
        return fills

    def reachable(self, mine: Plain, mode: SelfMatch) -> int:
        total = 0
        for other in self.meets(mine.side, mine.price):
            if other.name[0] != mine.name[0]:
                total += other.left
            elif mode != SelfMatch.CANCEL_MAKER:
                break
        return total

    def fill(self, mine: Plain, mode: SelfMatch) -> tuple[list[tuple[object, ...]], bool]:
        fills: list[tuple[object, ...]] = []
        while mine.left and (meets := self.meets(mine.side, mine.price)):
            other = meets[0]
            if other.name[0] == mine.name[0]:
                if mode != SelfMatch.CANCEL_TAKER:
                    self.resting.remove(other)
                if mode != SelfMatch.CANCEL_MAKER:
                    return fills, True
                continue
            quantity = min(mine.left, other.left)
            fills.append((other.name, mine.name, other.price, quantity))
            mine.left -= quantity
            other.left -= quantity
            if not other.left:
                self.resting.remove(other)
        return fills, False

    def find(self, name: tuple[str, int]) -> Plain | None:
        return next((one for one in self.resting if one.name == name), None)

    def cancel(self, name: tuple[str, int]) -> None:
        self.resting = [one for one in self.resting if one.name != name]

    def amend(self, name: tuple[str, int], price: int, left: int) -> list[tuple[object, ...]]:
        """Change an order that rests; `left` of it is to be filled."""
        mine = self.find(name)
        assert mine is not None
        if price == mine.price and left <= mine.left:
            mine.left = left
            return []
        if mine.passive and self.meets(mine.side, price):
            return []
        self.resting.remove(mine)
        return self.new(name, mine.side, price, left, "passive" if mine.passive else "GTC")
