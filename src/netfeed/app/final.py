"""What a live run leaves behind when it is over: its account, every gap, and every book with all of its levels as one
number, so that a tool can hold it against what the venue says.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from netfeed.app.changes import Book
from netfeed.app.gap_records import full_account
from netfeed.app.live import Live
from netfeed.app.report import book_json
from netfeed.book.digest import digest
from netfeed.book.level import Side

Json = dict[str, Any]


def final_report(live: Live) -> Json:
    """Give the account of the run, with `gap_records` for each channel, and `final_books`."""
    told = full_account(live)
    told["final_books"] = [final_book(book) for book in live.catalogue.books]
    return told


def final_book(book: Book) -> Json:
    """Describe a book by its best levels and the digest of all levels."""
    sides = (book.view.depth(side, max(1, book.view.levels(side))) for side in (Side.BID, Side.ASK))
    bids, asks = ([(level.price, level.quantity, level.orders) for level in levels] for levels in sides)
    return {**book_json(book), "digest": digest(bids, asks)}


def write_report(live: Live, path: str) -> None:
    """Write the report as JSON; the file appears whole.

    Raises: OSError when it cannot be written.
    """
    part = Path(f"{path}.part")
    part.write_bytes(msgspec.json.encode(final_report(live)) + b"\n")
    os.replace(part, path)
