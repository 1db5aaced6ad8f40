"""What a book knows of itself: EMPTY -> SYNCING -> LIVE -> SUSPECT -> STALE.

    EMPTY     nothing is known of the instrument yet
    SYNCING   a snapshot or the start of the stream has begun and is not complete
    LIVE      every message since the start (or since a complete snapshot) has been applied
    SUSPECT   something was lost, refused or crossed: the levels may be wrong
    STALE     the source has been silent beyond its own heartbeat

Only a LIVE book is quotable. TRANSITIONS is the whole behaviour; a step that is not in it is a programming error.
"""

from enum import IntEnum
from typing import Final


class BookState(IntEnum):
    EMPTY = 0
    SYNCING = 1
    LIVE = 2
    SUSPECT = 3
    STALE = 4


TRANSITIONS: Final[dict[BookState, frozenset[BookState]]] = {
    BookState.EMPTY: frozenset({BookState.SYNCING, BookState.LIVE, BookState.SUSPECT}),
    BookState.SYNCING: frozenset({BookState.LIVE, BookState.SUSPECT, BookState.STALE, BookState.EMPTY}),
    BookState.LIVE: frozenset({BookState.SUSPECT, BookState.STALE, BookState.SYNCING, BookState.EMPTY}),
    BookState.SUSPECT: frozenset({BookState.SYNCING, BookState.LIVE, BookState.STALE, BookState.EMPTY}),
    BookState.STALE: frozenset({BookState.SYNCING, BookState.LIVE, BookState.SUSPECT, BookState.EMPTY}),
}
