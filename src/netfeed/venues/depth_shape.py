"""Where a venue's depth messages keep what a book needs: one table for the plain and the compiled way of reading.

A shape mirrors the message: a key of it leads to a `Role`, or to a `Node` whose object holds more of them. The objects
of an `entry` node each speak of one book; what stands outside of them holds for all of them. The order of keys does not
matter, and keys that the shape does not name are skipped.

    Node({"stream": Role.NAME, "data": Node({"e": Role.CHANNEL, "b": Role.BIDS, ...}, entry=True)})

A `Rung` says how one level looks: items of a list by their place, or of an object by their key.

Leaves out: what the numbers mean (`depth_rules`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_KEYS: Final = 32
"""Keys of one node."""
MAX_KEY_BYTES: Final = 31


class Role(IntEnum):
    """What a value is for."""

    CHANNEL = 1  # text: what kind of message it is
    NAME = 2  # text: which book
    TOPIC = 3  # both at once
    KIND = 4  # text: snapshot or update
    BEFORE = 5  # the number of the update before
    FIRST = 6  # the first number that the update holds
    NUMBER = 7  # its number, or the last that it holds
    CHECKSUM = 8
    LINE = 9  # the count of the connection
    MILLISECONDS = 10  # the venue's time since 1970
    TIMESTAMP = 11  # the same as text, RFC 3339 in UTC
    BIDS = 12  # a list of levels
    ASKS = 13
    LEVELS = 14  # of both sides


@dataclass(frozen=True, slots=True)
class Node:
    """What an object holds. `entry`: it speaks of one book; `many`: there is a list of such objects."""

    keys: "Mapping[str, Role | Node]"
    entry: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """One level: items of a list by place, or of an object by key; None where there is none of it.

    `action` says of Deribit's levels whether one is deleted, `side` of Coinbase's on which side it rests.
    """

    price: int | str
    quantity: int | str
    orders: int | None = None
    action: int | None = None
    side: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A venue's depth messages. `accept` is their CHANNEL; one that ends with a dot is a beginning of it.

    `snapshot` and `update` are the words of KIND; without KIND all are updates.
    """

    root: Node
    rung: Rung
    accept: str
    snapshot: str = "snapshot"
    update: str = "update"


Table = tuple[list[tuple[bool, bool, list[tuple[bytes, int, int]]]], tuple[bytes, bytes, int, int, int, int, bytes]]


def table(shape: Shape) -> Table:
    """Write a shape down for the core: nodes with their (key, role, child), role 0 for a child; and the rung.

    The rung is (price key, quantity key, price, quantity, orders, action, side key), -1 and no bytes for none.
    """
    nodes: list[tuple[bool, bool, list[tuple[bytes, int, int]]]] = []

    def add(node: Node) -> int:
        at = len(nodes)
        nodes.append((node.entry, node.many, []))
        assert len(node.keys) <= MAX_KEYS
        for key, value in node.keys.items():
            assert len(key) <= MAX_KEY_BYTES
            role, child = (0, add(value)) if isinstance(value, Node) else (int(value), -1)
            nodes[at][2].append((key.encode("ascii"), role, child))
        return at

    add(shape.root)
    rung = shape.rung
    keys = [item.encode("ascii") if isinstance(item, str) else b"" for item in (rung.price, rung.quantity, rung.side)]
    places = [item if isinstance(item, int) else -1 for item in (rung.price, rung.quantity, rung.orders, rung.action)]
    return nodes, (keys[0], keys[1], places[0], places[1], places[2], places[3], keys[2])
