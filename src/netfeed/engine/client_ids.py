"""Names of our own requests: a number of the run and a counter, so that no two runs ever give the same one.

No randomness: who replays a journal gets the same names again. The run's number comes from whoever starts it, one more
than the last; a counter that would overflow into the next run's names is a misuse.
"""

from typing import Final

from netfeed.errors import MisuseError

COUNTER_BITS: Final = 32
MAX_RUN: Final = 2**31 - 1
MAX_COUNTER: Final = 2**COUNTER_BITS - 1


class ClientIds:
    """Give client ids, each once. `counter`: how many of this run were given before."""

    __slots__ = ("counter", "run")

    def __init__(self, run: int, counter: int = 0) -> None:
        if not 0 <= run <= MAX_RUN or not 0 <= counter <= MAX_COUNTER:
            raise MisuseError(f"a run is 0 to {MAX_RUN} and its counter 0 to {MAX_COUNTER}, not {run} and {counter}")
        self.run, self.counter = run, counter

    def take(self) -> int:
        """Give the next one, from 1 on. Raises: MisuseError when the run has no more."""
        if self.counter == MAX_COUNTER:
            raise MisuseError(f"run {self.run} has given all of its client ids: begin another run")
        self.counter += 1
        return self.run << COUNTER_BITS | self.counter


def run_of(client_id: int) -> int:
    """Give the run that a client id is of."""
    return client_id >> COUNTER_BITS
