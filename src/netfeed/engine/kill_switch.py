"""The kill switch: once it is on, only cancels pass, until a person says who they are and arms again.

    ARMED    requests are judged by the limits
    KILLED   everything but cancels is refused; killing again only adds to the count

Who may throw it - a command, a signal, a file, a limit of loss - is the caller's; nothing arms it again by itself.
"""

from dataclasses import dataclass

from netfeed.errors import MisuseError


@dataclass(frozen=True, slots=True)
class Thrown:
    """Who threw it, why, and when. Units: `at` monotonic ns."""

    by: str
    why: str
    at: int


class KillSwitch:
    """The switch. It begins armed unless told otherwise: who starts after a crash may begin killed."""

    def __init__(self, *, killed: Thrown | None = None) -> None:
        self.thrown = killed
        self.kills = 0 if killed is None else 1
        self.rearmed_by: str | None = None

    @property
    def is_killed(self) -> bool:
        """Say whether only cancels pass."""
        return self.thrown is not None

    def kill(self, by: str, why: str, now: int) -> None:
        """Throw it. The first who did is the one that is named."""
        self.kills += 1
        if self.thrown is None:
            self.thrown = Thrown(by, why, now)

    def rearm(self, by: str) -> None:
        """Arm it again. Raises: MisuseError when nobody is named, or it is not thrown."""
        if not by.strip():
            raise MisuseError("say who arms the kill switch again")
        if self.thrown is None:
            raise MisuseError("the kill switch is not thrown")
        self.thrown, self.rearmed_by = None, by
