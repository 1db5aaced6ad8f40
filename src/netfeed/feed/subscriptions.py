"""What is wanted of one connection against what the venue has acknowledged, brought together one request at a time.

Whatever happened before - a reconnect, a refusal, an answer that never came - `due` gives what is still missing, and
nothing that was asked for already. So a hundred reconnects ask for each topic a hundred times, not 2**100.

    topic is    wanted                              no longer wanted
    OFF         ask for it                          forget it
    ASKED       wait for the answer                 ask no longer, once it is on
    ON          -                                   ask no longer
    LEAVING     wait, then ask for it               wait, then forget it
    RESTING     ask for it when the wait is over    forget it; ask no longer, where it is in doubt
    FINAL       never ask again                     forget it

A request that is not answered in time, or only for some of its topics, makes the rest RESTING, each time twice as long.
Those are in *doubt*: the venue may carry them, though it has not said so; who wants such a one no longer has to say it.
`anew` takes a topic off and on again: its snapshot comes with that.

Bounds: requests that wait for an answer, topics of a request; topics that nobody wanted are never taken in.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from netfeed.machine import NEVER

ANSWER_NS: Final = 10_000_000_000
FIRST_REST_NS: Final = 1_000_000_000
MAX_REST_NS: Final = 300_000_000_000
MAX_REFUSED: Final = 8
"""How often a topic that shall go is asked off: a venue that refuses that, or is silent about it, does not carry it."""
IN_FLIGHT: Final = 4
"""Requests that may wait for an answer at a time: a venue that answers slowly is not asked faster."""


class State(Enum):
    """Where a topic is."""

    OFF = "off"
    ASKED = "asked"
    ON = "on"
    LEAVING = "leaving"
    RESTING = "resting"
    FINAL = "final"


_PENDING: Final = frozenset({State.ASKED, State.LEAVING})


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be asked now: these topics on, or off."""

    on: bool
    topics: tuple[str, ...]


class _Topic:
    """One topic. `rests` counts how often it came to nothing in a row; `doubt`: the venue may carry it all the same."""

    __slots__ = ("doubt", "rests", "state", "wanted")

    def __init__(self) -> None:
        self.state, self.wanted, self.rests, self.doubt = State.OFF, True, 0, False


class _Request:
    """A request that waits for its answer: its topics that are not answered yet."""

    __slots__ = ("due_at", "on", "topics")

    def __init__(self, ask: Ask, due_at: int) -> None:
        self.on, self.topics, self.due_at = ask.on, dict.fromkeys(ask.topics), due_at


class Subscriptions:
    """The topics of one connection. `per_request`: how many the venue takes at once."""

    def __init__(self, *, per_request: int, in_flight: int = IN_FLIGHT, answer_ns: int = ANSWER_NS) -> None:
        self._per_request, self._in_flight, self._answer_ns = per_request, in_flight, answer_ns
        self._topics: dict[str, _Topic] = {}
        self._ask: dict[str, None] = {}  # OFF and wanted, in the order of their turn
        self._leave: dict[str, None] = {}  # ON and unwanted, or to be had anew
        self._resting: dict[str, int] = {}
        self._requests: dict[int, _Request] = {}
        self.asked = self.unasked = self.unanswered = 0

    # --- what is wanted

    def want(self, topics: Iterable[str]) -> None:
        """Want topics; those that are wanted already stay as they are, but a final refusal is tried again."""
        for name in topics:
            topic = self._topics.setdefault(name, _Topic())
            if topic.state is State.ON and not topic.wanted and not topic.doubt:
                self._leave.pop(name, None)
                self._resting.pop(name, None)
            topic.wanted = True
            if topic.state in (State.OFF, State.FINAL):
                self._off(name, topic)

    def drop(self, topics: Iterable[str]) -> None:
        """Want topics no longer."""
        for name in topics:
            topic = self._topics.get(name)
            if topic is None:
                continue
            topic.wanted = False
            if topic.state is State.ON:
                self._leave[name] = None
                self._resting.pop(name, None)
            elif topic.state not in _PENDING:
                self._forget_or_leave(name, topic)

    def anew(self, name: str) -> bool:
        """Take a topic off and on again; False when it is not on, so that a snapshot comes anyway, or never."""
        topic = self._topics.get(name)
        if topic is None or topic.state is not State.ON:
            return False
        self._leave[name] = None
        self._resting.pop(name, None)
        return True

    def heir(self) -> "Subscriptions":
        """Make the same for another connection: all that is wanted, and what was refused for good stays so."""
        heir = Subscriptions(per_request=self._per_request, in_flight=self._in_flight, answer_ns=self._answer_ns)
        heir.want(self.topics)
        for name in self.topics:
            if self._topics[name].state is State.FINAL:
                del heir._ask[name]
                heir._topics[name].state = State.FINAL
        return heir

    # --- what is asked

    def due(self) -> Ask | None:
        """Give what can be asked now, None when nothing is missing or enough is being waited for."""
        waiting = self._leave or self._ask
        if not waiting or len(self._requests) >= self._in_flight:
            return None
        names = tuple(name for name, _ in zip(waiting, range(self._per_request), strict=False))
        return Ask(waiting is self._ask, names)

    def sent(self, ask: Ask, request: int, now: int) -> None:
        """Take note that what was due has been asked, under a number of its own."""
        for name in ask.topics:
            self._topics[name].state = State.ASKED if ask.on else State.LEAVING
            (self._ask if ask.on else self._leave).pop(name, None)
        self._requests[request] = _Request(ask, now + self._answer_ns)
        self.asked += len(ask.topics)

    # --- what is answered

    def acknowledged(self, request: int | None, topics: Iterable[str] | None, *, on: bool, now: int) -> list[str]:
        """Take an acknowledgement; give the topics that it moved. What nobody asked for is counted and left alone."""
        moved = []
        for name in self._named(request, topics, (on,)):
            topic = self._topics.get(name)
            if topic is None:
                self.unasked += on
            elif on and topic.state in (State.ASKED, State.RESTING):
                self._on(name, topic)
                moved.append(name)
            elif not on and topic.state in (State.LEAVING, State.ON):
                self._ended(name, topic, now)
                moved.append(name)
        return moved

    def refused(self, request: int | None, topics: Iterable[str] | None, *, final: bool, now: int) -> list[str]:
        """Take a refusal; give the topics that it hit.

        A topic that the venue will not let go is asked off again later; when that is final, or was tried MAX_REFUSED
        times, it has gone already. One that is in doubt may be refused because it is carried: it is let go first.
        """
        hit = []
        for name in self._named(request, topics, (True, False)):
            topic = self._topics.get(name)
            if topic is None or topic.state not in (State.ASKED, State.LEAVING, State.ON):
                continue
            if topic.state is State.LEAVING and not final and topic.rests < MAX_REFUSED:
                topic.state = State.ON
                self._pause(name, topic, now)
                continue
            if topic.state is State.ASKED and not final and topic.doubt:
                self._back_on(name, topic)
                continue
            hit.append(name)
            topic.doubt = False
            if topic.state is not State.ASKED:
                self._ended(name, topic, now)
            elif final and topic.wanted:
                topic.state = State.FINAL
            else:
                self._rest(name, topic, now)
        return hit

    def unheard(self, number: int) -> list[str]:
        """Take note that a request was not even looked at (too many requests): it is due again. Give what is off."""
        request = self._requests.pop(number, None)
        off = []
        for name, topic in [] if request is None else self._pending(request):
            if topic.state is State.LEAVING:
                self._back_on(name, topic)
            else:
                off += [] if topic.doubt else [name]
                self._off(name, topic)
        return off

    def wake(self, now: int) -> list[str]:
        """Let what has rested be due again, and give up requests that are overdue: their topics are given."""
        late: list[str] = []
        for number in [number for number, request in self._requests.items() if request.due_at <= now]:
            self.unanswered += 1
            for name, topic in self._pending(self._requests.pop(number)):
                late.append(name)
                topic.doubt = True
                self._late(name, topic, now)
        for name in [name for name, at in self._resting.items() if at <= now]:
            topic = self._topics[name]
            self._off(name, topic) if topic.state is State.RESTING else self._back_on(name, topic)
        return late

    def lost(self) -> list[str]:
        """Take note that the connection is gone; give the topics that it carried, or may have."""
        self._requests.clear()
        self._leave.clear()
        carried = []
        for name, topic in list(self._topics.items()):
            if topic.state is State.ON or topic.state in _PENDING:
                carried.append(name)
                topic.doubt = False
                self._off(name, topic)
            elif topic.doubt:
                carried.append(name)
                topic.doubt = False
        return carried

    # --- what can be seen

    @property
    def topics(self) -> list[str]:
        """List the topics that are wanted."""
        return [name for name, topic in self._topics.items() if topic.wanted]

    @property
    def on(self) -> list[str]:
        """List the topics that the venue carries now, as far as it has said so."""
        return [name for name, topic in self._topics.items() if topic.state is State.ON]

    def state(self, name: str) -> State | None:
        """Say where a topic is; None for one that nobody wants."""
        topic = self._topics.get(name)
        return None if topic is None else topic.state

    def census(self) -> dict[str, int]:
        """Count the topics by their state; a state that none is in is left out."""
        counted = Counter(topic.state.value for topic in self._topics.values())
        return dict(sorted(counted.items()))

    @property
    def settled(self) -> bool:
        """Say whether nothing is to be asked, and no answer waited for; what is refused may still rest."""
        return not self._ask and not self._leave and not self._requests

    @property
    def deadline(self) -> int:
        """Say when an answer is overdue or a rest is over. Units: monotonic ns."""
        overdue = min((request.due_at for request in self._requests.values()), default=NEVER)
        return min(overdue, min(self._resting.values(), default=NEVER))

    # --- moves

    def _named(self, number: int | None, topics: Iterable[str] | None, ways: tuple[bool, ...]) -> list[str]:
        """Give the topics that an answer is about, and take them off the requests that it answers."""
        known = self._requests.get(number) if number is not None else None
        if topics is None:
            named = list(known.topics) if known is not None and known.on in ways else []
        else:
            named = list(topics)
        for request in self._requests.values():
            for name in named if request.on in ways else ():
                request.topics.pop(name, None)
        self._requests = {key: request for key, request in self._requests.items() if request.topics}
        return named

    def _pending(self, request: _Request) -> list[tuple[str, _Topic]]:
        """Give the topics of a request that still wait for its answer."""
        wanted = State.ASKED if request.on else State.LEAVING
        known = [(name, self._topics.get(name)) for name in request.topics]
        return [(name, topic) for name, topic in known if topic is not None and topic.state is wanted]

    def _off(self, name: str, topic: _Topic) -> None:
        self._resting.pop(name, None)
        topic.state = State.OFF
        if topic.wanted:
            self._ask[name] = None
        else:
            self._forget_or_leave(name, topic)

    def _on(self, name: str, topic: _Topic) -> None:
        self._resting.pop(name, None)
        topic.state, topic.rests, topic.doubt = State.ON, 0, False
        if not topic.wanted:
            self._leave[name] = None

    def _back_on(self, name: str, topic: _Topic) -> None:
        """A topic that was not taken off: it is tried again."""
        topic.state = State.ON
        self._resting.pop(name, None)
        self._leave[name] = None

    def _ended(self, name: str, topic: _Topic, now: int) -> None:
        """A topic is off: as it was asked to be, or because the venue ended it, which is not asked for at once."""
        was, topic.state, topic.doubt = topic.state, State.OFF, False
        topic.rests = topic.rests if was is State.ON else 0
        self._leave.pop(name, None)
        if was is State.ON:
            self._rest(name, topic, now)
        else:
            self._off(name, topic)

    def _rest(self, name: str, topic: _Topic, now: int) -> None:
        if not topic.wanted:
            self._forget_or_leave(name, topic)
            return
        topic.state = State.RESTING
        self._pause(name, topic, now)

    def _pause(self, name: str, topic: _Topic, now: int) -> None:
        self._resting[name] = now + min(FIRST_REST_NS << min(topic.rests, 32), MAX_REST_NS)
        topic.rests += 1

    def _late(self, name: str, topic: _Topic, now: int) -> None:
        """A request was not answered for this topic: ask again, but not for ever where it shall go."""
        if topic.state is State.ASKED:
            self._rest(name, topic, now)
        elif topic.rests < MAX_REFUSED:
            topic.rests += 1
            self._back_on(name, topic)
        else:
            self._ended(name, topic, now)

    def _forget_or_leave(self, name: str, topic: _Topic) -> None:
        """Let an unwanted topic go: where it is in doubt the venue is told so, as if it were on."""
        if not topic.doubt:
            self._forget(name)
            return
        self._resting.pop(name, None)
        self._ask.pop(name, None)
        self._back_on(name, topic)

    def _forget(self, name: str) -> None:
        self._topics.pop(name, None)
        self._resting.pop(name, None)
        for table in (self._ask, self._leave):
            table.pop(name, None)
