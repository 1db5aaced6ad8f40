"""What a profile wants of a setting: when a value will do, and what is written when it does not.

Values are compared by what they mean. `rmem_max` that is larger than recommended is right, a mask of interrupts is
right when no feed core is in it. What cannot be judged yet says what it needs (`asks`), and is told, not passed over.
"""

from dataclasses import dataclass, field
from typing import Protocol

from netfeed.host.cpus import cpu_list_text, mask_text
from netfeed.host.tune.form import Form, meaning, number, numbers, same

NEEDS_CPUS = "needs --cpus LIST"


@dataclass(frozen=True, slots=True)
class Here:
    """What a want may depend on: the processors, and where in a row of queues a place stands."""

    feed: frozenset[int] = frozenset()
    housekeeping: frozenset[int] = frozenset()
    beside: frozenset[int] = frozenset()
    """Housekeeping processors of the feed's package, none of them its hyper-thread, as far as there are such."""
    isolated: frozenset[int] = frozenset()
    index: int = 0
    limit: str | None = None
    """The most that the device can, where it says."""


class Want(Protocol):
    """What a profile wants of a setting."""

    @property
    def text(self) -> str:
        """Say it for people."""

    @property
    def sample(self) -> str:
        """Give what somebody writes by hand: a value, or in capitals what it must be."""

    def asks(self, here: Here) -> str | None:
        """Say what is missing before this can be judged."""

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether a value will do. Raises: ValueError when it does not have the form."""

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give what to write when it will not."""


@dataclass(frozen=True, slots=True)
class Equal:
    """This value; `also` will do, too."""

    value: str
    also: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Say it for people."""
        return " or ".join((self.value, *self.also))

    @property
    def sample(self) -> str:
        """Give what is written by hand."""
        return self.value

    def asks(self, here: Here) -> str | None:
        """Say what is missing: nothing."""
        return None

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether a value is one of them."""
        return meaning(form, current) in [meaning(form, one) for one in (self.value, *self.also)]

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give the first."""
        return self.value


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Numbers that are each at least these; `also` will do, too: 0 may be without a limit."""

    least: tuple[int, ...]
    also: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Say it for people."""
        return " or ".join((f"at least {self.sample}", *self.also))

    @property
    def sample(self) -> str:
        """Give what is written by hand."""
        return " ".join(str(one) for one in self.least)

    def asks(self, here: Here) -> str | None:
        """Say what is missing: nothing."""
        return None

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether no number is smaller."""
        if any(same(form, current, one) for one in self.also):
            return True
        return all(have >= want for have, want in zip(self._read(current), self.least, strict=True))

    def target(self, form: Form, current: str, here: Here) -> str:
        """Raise those that are smaller, and leave the others."""
        return " ".join(str(max(pair)) for pair in zip(self._read(current), self.least, strict=True))

    def _read(self, current: str) -> tuple[int, ...]:
        found = numbers(current)
        if len(found) != len(self.least):
            raise ValueError(f"{len(found)} numbers where there should be {len(self.least)}: {current!r}")
        return found


@dataclass(frozen=True, slots=True)
class AtMost:
    """A number that is at most this; a negative one is none."""

    most: int

    @property
    def text(self) -> str:
        """Say it for people."""
        return f"at most {self.most}"

    @property
    def sample(self) -> str:
        """Give what is written by hand."""
        return str(self.most)

    def asks(self, here: Here) -> str | None:
        """Say what is missing: nothing."""
        return None

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether the number is not larger."""
        return 0 <= number(current) <= self.most

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give the most."""
        return str(self.most)


@dataclass(frozen=True, slots=True)
class Largest:
    """The most that the device can."""

    text: str = "the most that it can"
    sample: str = "MAX"

    def asks(self, here: Here) -> str | None:
        """Say what is missing: a device that tells its most."""
        return None if here.limit else "the device does not say what it can"

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether it is the most."""
        return number(current) >= number(here.limit or "")

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give the most."""
        return here.limit or current


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Processors, none of which is the feed's. `beside`: of the feed's package where it has others."""

    beside: bool = False

    @property
    def text(self) -> str:
        """Say it for people."""
        return "housekeeping processors" + (" of the feed's package" if self.beside else "")

    @property
    def sample(self) -> str:
        """Give what is written by hand."""
        return "OTHERS"

    def asks(self, here: Here) -> str | None:
        """Say what is missing: the feed's processors."""
        return None if here.feed else NEEDS_CPUS

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether no feed core is in it, and somebody is."""
        cpus = meaning(form, current)
        assert isinstance(cpus, frozenset)
        return bool(cpus) and not cpus & here.feed and (not self.beside or cpus <= here.beside)

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give those that are not the feed's."""
        return _written(form, here.beside if self.beside else here.housekeeping)


@dataclass(frozen=True, slots=True)
class FeedCores:
    """The feed's processors, all of them; others may be there, too."""

    text: str = "the feed's processors"
    sample: str = "LIST"

    def asks(self, here: Here) -> str | None:
        """Say what is missing: the feed's processors."""
        return None if here.feed else NEEDS_CPUS

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether all are in it."""
        cpus = meaning(form, current)
        assert isinstance(cpus, frozenset)
        return cpus >= here.feed

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give the feed's processors."""
        return _written(form, here.feed)


@dataclass(frozen=True, slots=True)
class OneEach:
    """Queue N of the N-th feed core, the queues beyond them for housekeeping."""

    text: str = "a queue for each of the feed's processors"
    sample: str = "MASK"

    def asks(self, here: Here) -> str | None:
        """Say what is missing: the feed's processors."""
        return None if here.feed else NEEDS_CPUS

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether this queue is of whom it should be."""
        return meaning(form, current) == meaning(form, self.target(form, current, here))

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give the processor of this queue."""
        feed = sorted(here.feed)
        return _written(form, {feed[here.index]} if here.index < len(feed) else here.housekeeping)


@dataclass(frozen=True, slots=True)
class QueueEach:
    """As many as the feed has processors, at least, within what the device can."""

    text: str = "at least one for each of the feed's processors"
    sample: str = "N"

    def asks(self, here: Here) -> str | None:
        """Say what is missing: the feed's processors."""
        return None if here.feed else NEEDS_CPUS

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether there are enough."""
        return number(current) >= self._enough(here)

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give how many are enough."""
        return str(self._enough(here))

    def _enough(self, here: Here) -> int:
        return min(len(here.feed), number(here.limit)) if here.limit else len(here.feed)


@dataclass(frozen=True, slots=True)
class WhereIsolated:
    """Something that is right only where the feed's processors are isolated: elsewhere it can hang the host."""

    want: Want
    needs: str = field(default="only where the feed's processors are isolated (isolcpus)", repr=False)

    @property
    def text(self) -> str:
        """Say it for people."""
        return f"{self.want.text} where they are isolated"

    @property
    def sample(self) -> str:
        """Give what is written by hand."""
        return self.want.sample

    def asks(self, here: Here) -> str | None:
        """Say what is missing: the feed's processors, or their isolation."""
        if not here.feed:
            return NEEDS_CPUS
        if not here.feed <= here.isolated:
            return f"{self.needs}: isolated are {cpu_list_text(here.isolated) or 'none'}"
        return self.want.asks(here)

    def met(self, form: Form, current: str, here: Here) -> bool:
        """Say whether a value will do."""
        return self.want.met(form, current, here)

    def target(self, form: Form, current: str, here: Here) -> str:
        """Give what to write."""
        return self.want.target(form, current, here)


def _written(form: Form, cpus: frozenset[int] | set[int]) -> str:
    return mask_text(cpus) if form is Form.MASK else cpu_list_text(cpus)
