"""The books of a replay by the instruments of an engine, from before the capture has named them.

An engine wants all its books when it begins, and a capture opens them as it goes: a `LateBook` is nobody's and EMPTY
until then, and the book itself from there on.
"""

from collections.abc import Mapping
from typing import Any

from netfeed.app.changes import Catalogue
from netfeed.engine.contract import Contract
from netfeed.sim.fill_depth import NoBook


class LateBook:
    """A book that may not be there yet; what it is asked goes to the book."""

    __slots__ = ("book",)

    def __init__(self) -> None:
        self.book: Any = NoBook()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.book, name)


class ReplayBooks:
    """The books, found by the names of their instruments. `instruments`: by the number of a book in the catalogue."""

    def __init__(self, catalogue: Catalogue, contracts: Mapping[int, Contract]) -> None:
        self.late: dict[int, Any] = {index: LateBook() for index in contracts}
        self.instruments: dict[int, int] = {}
        self._catalogue = catalogue
        self._unfound = {contract.name: index for index, contract in contracts.items()}

    def find(self) -> None:
        """Look for the books that are not found yet; a book may be opened before it is named."""
        if not self._unfound:
            return
        for number, book in enumerate(self._catalogue.books):
            instrument = None if number in self.instruments else self._unfound.pop(book.name, None)
            if instrument is not None:
                self.instruments[number] = instrument
                self.late[instrument].book = book.view
