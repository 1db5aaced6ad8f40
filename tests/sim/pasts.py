"""Small pasts of the venues of topics, message by message: a snapshot of each book, and updates that follow it."""

import json
import random

from netfeed.app.venue_kinds import KINDS
from netfeed.sim.past_streams import PastStreams
from netfeed.sim.past_topics import PastTopics
from netfeed.sim.past_words import words
from tests.app.crypto_server import Book
from tests.app.crypto_words import VENUES, Words

MS = 10**6
S = 10**9
FIRST_NS = 1_700_000_000 * S
STEP_NS = 10 * MS


class Line:
    """A connection, for who writes messages."""

    def __init__(self) -> None:
        self.carried: dict[str, None] = {}
        self.count = 0


def depth(name: str) -> int | None:
    return VENUES[name].kept if name == "kraken" else None


def topic(name: str, instrument: str) -> str:
    """Name a topic as requests do."""
    return {
        "kraken": f"book.10.{instrument}", "okx": f"books:{instrument}", "bybit": f"orderbook.50.{instrument}",
        "coinbase": f"level2:{instrument}",
    }.get(name, f"{instrument.lower()}@depth@100ms")  # fmt: skip


def request(name: str, on: bool, *instruments: str) -> bytes:
    """Ask for topics of books, or give them up; our own dialect of Binance has even numbers for the one."""
    number = 8 if on else 9
    verb = "subscribe" if on else "unsubscribe"
    topics = [topic(name, one) for one in instruments]
    match name:
        case "kraken":
            params = {"channel": "book", "symbol": list(instruments), "depth": 10}
            asked = {"method": verb, "params": params, "req_id": number}
        case "okx":
            asked = {
                "id": str(number),
                "op": verb,
                "args": [{"channel": "books", "instId": one} for one in instruments],
            }
        case "bybit":
            asked = {"req_id": str(number), "op": verb, "args": topics}
        case "coinbase":
            asked = {"type": verb, "product_ids": list(instruments), "channel": "level2"}
        case _:
            asked = {"method": verb.upper(), "params": topics, "id": number}
    return json.dumps(asked).encode()


def messages(said: Words, rounds: int = 20, names: int = 2, line: Line | None = None) -> list[bytes]:
    """Write what a venue says of the first books: snapshots where it says such, then changes in turn."""
    chance, line = random.Random(5), line or Line()
    books = [Book(name, chance) for name in said.names[:names]]
    out = [] if said.kind == "binance" else [said.depth(one, line, "snapshot", one.bids(), one.asks()) for one in books]
    for place in range(rounds):
        book = books[place % names]
        bids, asks = book.move(said.step, said.kept)
        out.append(said.depth(book, line, "update", bids, asks))
    return out


def past(name: str, said: list[bytes] | None = None) -> PastTopics:
    made = PastTopics(words(VENUES[name].kind, VENUES[name].category, depth(name)).topic)
    for place, message in enumerate(messages(VENUES[name]) if said is None else said):
        made.add(FIRST_NS + place * STEP_NS, 1, message)
    return made


def venue(name: str, speed: float | None = 1.0, said: list[bytes] | None = None) -> PastStreams:
    kind = VENUES[name].kind
    spoken = words(kind, VENUES[name].category, depth(name))
    return PastStreams(past(name, said), spoken, KINDS[kind].asked, speed=speed)
