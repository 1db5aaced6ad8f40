"""A bounded queue between the loop and a thread that writes, with a policy that is named: what happens when it is full.

    drop       the newest is not taken; how much was lost is told to the writer, in its place in the order
    coalesce   as drop, but what was lost is asked of `coalesced` in one piece when there is room again
    block      the loop waits: nothing is lost here, and packets wait in the kernel until it drops them
    halt       the run ends with an error

What a batch costs is whatever its owner counts (rows, bytes). The loop never waits but under `block`.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from netfeed.errors import NetfeedError

JOIN_S: Final = 5.0
"""How long the end of a run waits for a writer that is stuck."""


class QueueFull(NetfeedError):
    """A queue whose policy is `halt` had no room."""


class Queue:
    """A queue of batches, and the thread that drains it through `write(batch, lost_before_it)`."""

    def __init__(self, name: str, limit: int, policy: str, write: Callable[[Any, int], None]) -> None:
        self.name = name
        self.policy = policy
        self.overflow = 0
        self.error: BaseException | None = None
        self._limit = limit
        self._write = write
        self._waiting: deque[tuple[Any, int, int]] = deque()
        self._cost = self._lost = 0
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"netfeed-{name}", daemon=True)
        self._thread.start()

    def put(self, batch: Any, cost: int, *, last: bool = False) -> bool:
        """Take a batch, by the policy; say whether it was taken. The `last` ones of a run always are.

        Raises: QueueFull under `halt`; what the writer failed with.
        """
        with self._change:
            if self.error is not None:
                raise self.error
            while (
                self.policy == "block"
                and not last
                and self._cost + cost > self._limit
                and self._cost
                and self.error is None
            ):
                self._change.wait(1.0)
            if self._cost + cost > self._limit and self._cost and not last:
                self.overflow += cost
                self._lost += cost
                if self.policy == "halt":
                    raise QueueFull(f"the queue of {self.name} is full ({self._limit}); its policy is halt")
                return False
            self._waiting.append((batch, cost, self._lost))
            self._lost = 0
            self._cost += cost
            self._change.notify_all()
        return True

    def account(self) -> dict[str, Any]:
        """Give the account."""
        return {"queue": self.name, "policy": self.policy, "depth": self._cost, "overflow": self.overflow}

    def close(self) -> bool:
        """Let the writer finish, within JOIN_S; say whether it did."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join(JOIN_S)
        return not self._thread.is_alive()

    @property
    def lost(self) -> int:
        """Give what was lost since the last batch that was taken."""
        return self._lost

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._waiting and not self._closed:
                    self._change.wait()
                if not self._waiting:
                    return
                batch, cost, lost = self._waiting.popleft()
            try:
                self._write(batch, lost)
            except BaseException as error:  # told by the next `put`: the loop must not go on as if it were written
                self.error = error
                return
            finally:
                with self._change:
                    self._cost -= cost
                    self._change.notify_all()
