"""The place in a queue, held against a queue that we stand in: with one move a packet, fills are just those."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import Accepted, Amend, Cancel, New
from netfeed.book.level import Side
from netfeed.engine.board import ahead
from tests.sim.fill_room import Room, leaves, rests, trades

LOWS, HIGHS = st.integers(96, 100), st.integers(101, 105)
MOVES = ("rest", "rest", "trade", "trade", "cut", "ask", "ask", "again")
SIZES = st.integers(1, 12)


@dataclass
class Waiter:
    """Whoever stands in the oracle's queue: somebody else, or one of ours."""

    price: int
    left: int
    ours: int = 0
    order: int = 0


class Queues:
    """Both sides as lists in the order in which they are filled."""

    def __init__(self) -> None:
        self.sides: tuple[list[Waiter], list[Waiter]] = ([], [])
        self.filled: dict[int, int] = {}

    def join(self, side: Side, waiter: Waiter) -> None:
        queue, sign = self.sides[side], (-1, 1)[side]
        at = next((k for k, one in enumerate(queue) if sign * one.price > sign * waiter.price), len(queue))
        queue.insert(at, waiter)

    def leave(self, side: Side, waiter: Waiter) -> None:
        self.sides[side].remove(waiter)

    def find(self, ours: int) -> tuple[Side, Waiter] | None:
        return next(((side, one) for side in Side for one in self.sides[side] if one.ours == ours), None)

    def trade(self, side: Side, order: int, quantity: int) -> None:
        """The record's order is executed: of ours, those before it would have been, by as much and no more."""
        queue = self.sides[side]
        at = next(k for k, one in enumerate(queue) if one.order == order)
        left = quantity
        for one in queue[:at]:
            size = min(left, one.left) if one.ours else 0
            left, one.left = left - size, one.left - size
            self.filled[one.ours] = self.filled.get(one.ours, 0) + size
        queue[at].left -= quantity
        self.sides[side][:] = [one for one in queue if one.left]

    def best(self, side: Side) -> Waiter | None:
        return next((one for one in self.sides[side] if not one.ours), None)


class World:
    """The same moves for a room and for the oracle."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.room, self.queues = draw, Room(), Queues()
        self.orders = self.names = 0
        self.ids: dict[int, int | str] = {}

    def run(self, steps: int) -> "World":
        for _ in range(steps):
            getattr(self, self.draw(st.sampled_from(MOVES)))()
        return self

    def rest(self) -> None:
        side, (price, size) = self.side(), self.terms()
        self.orders += 1
        self.queues.join(side, Waiter(price[side], size, order=self.orders))
        self.room.packet(rests(self.orders, side, price[side], size))

    def trade(self) -> None:
        side = self.side()
        found = self.queues.best(side)
        if found is not None:
            size = self.draw(st.integers(1, found.left))
            self.queues.trade(side, found.order, size)
            self.room.packet(trades(found.order, size))

    def cut(self) -> None:
        side = self.side()
        others = [one for one in self.queues.sides[side] if not one.ours]
        if others:
            found = self.draw(st.sampled_from(others))
            size = self.draw(st.integers(1, found.left))
            self.room.packet(leaves(found.order, size))
            found.left -= size
            if not found.left:
                self.queues.leave(side, found)

    def ask(self) -> None:
        side, (price, size) = self.side(), self.terms()
        self.names += 1
        (told,) = self.room.ask(New(self.names, 7, side, price[side], size))
        assert isinstance(told, Accepted)
        self.ids[self.names] = told.order_id
        self.queues.join(side, Waiter(price[side], size, ours=self.names))

    def again(self) -> None:
        """Amend or cancel one of ours that rests."""
        found = self.queues.find(self.draw(st.integers(1, self.names))) if self.names else None
        if found is None:
            return
        side, one = found
        price, size = self.terms()
        if self.draw(st.booleans()):
            self.queues.leave(side, one)
            self.room.ask(Cancel(one.ours, 7))
            return
        filled = self.queues.filled.get(one.ours, 0)
        self.room.ask(Amend(one.ours, 7, price[side], filled + size))
        if price[side] == one.price and size <= one.left:
            one.left = size
        else:
            self.queues.leave(side, one)
            self.queues.join(side, Waiter(price[side], size, ours=one.ours))

    def side(self) -> Side:
        side: Side = self.draw(st.sampled_from(Side))
        return side

    def terms(self) -> tuple[tuple[int, int], int]:
        return (self.draw(LOWS), self.draw(HIGHS)), self.draw(SIZES)


@st.composite
def worlds(draw: Any) -> World:
    return World(draw).run(draw(st.integers(5, 40)))


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_fills_are_those_of_a_queue_that_we_stand_in(world: World) -> None:
    for name in range(1, world.names + 1):
        assert sum(size for _, size, _ in world.room.fills(name)) == world.queues.filled.get(name, 0)


@settings(max_examples=15, deadline=None)
@given(worlds())
def test_what_is_shown_before_us_is_what_stands_before_us(world: World) -> None:
    for side in Side:
        queue = world.queues.sides[side]
        for at, one in enumerate(queue):
            if one.ours:
                rows = world.room.model.book(7).queue(side, one.price)
                order_id = world.ids[one.ours]
                assert ahead(rows, order_id) == sum(w.left for w in queue[:at] if w.price == one.price)
