"""Requests that passed every check: the only thing that the door to a session takes.

A Cleared is made by `Risk.pass_` alone: its constructor wants a seal that this module gives to one taker, once, and
`risk` takes it when it is imported. It cannot be copied, changed, inherited from or pickled, and its request comes out
once: so a check cannot be forgotten, and nothing is sent twice by handing the same one over again.
"""

from typing import Final, NoReturn, final

from netfeed.book.execution import Cancel, CancelAll, List, Request
from netfeed.errors import MisuseError

FRESH_NS: Final = 1_000_000_000
"""How long a check holds: what is sent later is judged by a market that is gone. Cancels hold for ever."""


class Seal:
    """What makes a Cleared genuine."""


_seals: list[Seal] = [Seal()]
_GENUINE: Final = _seals[0]


def is_genuine(seal: Seal) -> bool:
    """Say whether it is the one that `risk` has."""
    return seal is _GENUINE


def take_seal() -> Seal:
    """Give the seal, to the first who asks. Raises: MisuseError to everybody else."""
    if not _seals:
        raise MisuseError("only `risk` clears requests")
    return _seals.pop()


@final
class Cleared:
    """One request that passed. Units: `at`, when it did, monotonic ns."""

    __slots__ = ("_request", "_seal", "_spent", "at")
    _request: Request
    _seal: Seal
    _spent: bool
    at: int

    def __init__(self, seal: Seal, request: Request, at: int) -> None:
        if seal is not _GENUINE:
            raise MisuseError("only `Risk.pass_` clears requests")
        object.__setattr__(self, "_seal", seal)
        object.__setattr__(self, "_request", request)
        object.__setattr__(self, "_spent", False)
        object.__setattr__(self, "at", at)

    def spend(self, now: int) -> Request:
        """Give the request, once.

        Raises: MisuseError the second time, when the check is too old to hold, and for one that `risk` did not make.
        """
        if getattr(self, "_seal", None) is not _GENUINE:
            raise MisuseError("only `Risk.pass_` clears requests")
        if self._spent:
            raise MisuseError("this request was taken before: nothing is ever sent twice")
        if now - self.at > FRESH_NS and not isinstance(self._request, Cancel | CancelAll | List):
            raise MisuseError("this request was checked too long ago: have it checked again")
        object.__setattr__(self, "_spent", True)
        return self._request

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise MisuseError("what was cleared does not change")

    def __copy__(self) -> NoReturn:
        raise MisuseError("what was cleared is not copied")

    def __deepcopy__(self, memory: object) -> NoReturn:
        raise MisuseError("what was cleared is not copied")

    def __reduce__(self) -> NoReturn:
        raise MisuseError("what was cleared is not pickled")

    def __init_subclass__(cls) -> None:
        raise MisuseError("what was cleared has no kinds")
