"""One connection to a venue: what is wanted of it is asked for, its heartbeats are answered, its silence is noticed.

    what comes                                        what is done with it
    market data                                       goes to the books (`Market.apply`), and is told to nobody here
    an acknowledgement, a refusal                     moves the topics (`subscriptions`)
    a heartbeat that wants an answer                  is answered before anything else is told
    the venue's time                                  the clock's offset, when it answers a request
    "too many requests"                               nothing is asked for a while, on any connection of the venue
    "I am leaving"                                    `Parting`, once: whoever owns the session moves over
    a message that nobody understands                 is counted; NONSENSE of them in a row end the connection
    nothing for too long, no answer at all, no hello  ends the connection, with that reason

A session is a stream machine over a `Talk`. It begins when the stream stands and is over with `Lost`: another one, made
with the same `Subscriptions`, goes on where this one stopped.

Invariant: a topic is asked for once on a connection, unless the venue did not answer for it, refused it, or it is had
anew. Requests wait for the venue's budget; what the venue waits for (heartbeats, pings, the opening) never does.

Bounds: MAX_QUESTIONS requests whose time is remembered, MAX_KINDS of nonsense, and those of the parts.
Leaves out: when to connect, and where to (`line`); which topic goes where (`shards`); books.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from netfeed.feed.dialect import (
    Acknowledged,
    Batch,
    Beat,
    Clock,
    Dialect,
    Leaving,
    Market,
    Puzzling,
    Refused,
    Said,
    Throttled,
)
from netfeed.feed.offset import Offset
from netfeed.feed.pulse import Pulse
from netfeed.feed.session_words import (
    Event,
    Held,
    Last,
    Lost,
    OpeningRefused,
    Parting,
    Ready,
    Silent,
    Statistics,
    Subscribed,
    TopicsRefused,
    Unanswered,
    Unsubscribed,
)
from netfeed.feed.subscriptions import Ask, Subscriptions
from netfeed.feed.talk import Ended, Heard, Lively, Opened, Talk, Word
from netfeed.feed.throttle import Throttle
from netfeed.feed.veil import Veil
from netfeed.machine import NEVER, Buffer

OPENING_NS: Final = 10_000_000_000
"""How long a handshake may take."""
MAX_UNANSWERED: Final = 6
"""Times in a row that answers were overdue; a venue that carries nothing by then is taken for deaf."""
NONSENSE: Final = 1000
"""Messages in a row that nobody understands: beyond them it is not the venue that speaks there."""
MAX_KINDS: Final = 64
MAX_QUESTIONS: Final = 64


class Skew:
    """How far the local clock is ahead of monotonic time, told by the driver. Units: ns."""

    __slots__ = ("ns",)

    def __init__(self) -> None:
        self.ns = 0


class Session:
    """One connection. `throttle` and `offset` are the venue's, `topics` outlive it, `line` is its number."""

    def __init__(
        self, dialect: Dialect, market: Market, talk: Talk, *, topics: Subscriptions, throttle: Throttle,
        offset: Offset, line: int, now: int, skew: Skew | None = None,
    ) -> None:  # fmt: skip
        self.topics, self.line = topics, line
        self.is_open = self.is_over = self.is_parting = False
        self._dialect, self._market, self._talk = dialect, market, talk
        self._throttle, self._offset, self._skew = throttle, offset, skew or Skew()
        self._pulse = Pulse(dialect.liveness, now)
        self._veil = Veil()
        self._open_by = now + OPENING_NS
        self._since = now
        self._ask_at = NEVER
        self._request = 1
        self._opening = range(0)
        self._questions: dict[int, int] = {}
        self._joined: dict[str, None] = {}  # what the venue was asked for and, for all we know, carries
        self._unanswered = self._nonsense = 0
        self._puzzling: Counter[str] = Counter()
        self._messages = self._answers = self._beats = self._pings = self._subscribes = self._unsubscribes = 0
        self._asked_before, self._unanswered_before, self._unasked_before = _counts(topics)
        self.deadline = self._due
        """When to ask, to ping, to take note of silence, to give up. Market data alone can only make it later, and then
        it stays as it is: that is most of what comes."""

    # --- the machine

    @property
    def is_silent(self) -> bool:
        """Say whether it has missed its signs of life."""
        return self._pulse.is_silent

    @property
    def _due(self) -> int:
        if self.is_over:
            return NEVER
        if not self.is_open:
            return min(self._talk.deadline, self._open_by)
        return min(self._talk.deadline, self._pulse.deadline, self._ask_at, self.topics.deadline)

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Event]:
        """Take bytes of the stream."""
        if self.is_over:
            return []
        return self._turn(self._talk.receive(data, now), now)

    def wake(self, now: int) -> list[Event]:
        """Do what is due. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        events = self._turn(self._talk.wake(now) if self._talk.deadline <= now else [], now)
        if self.is_open and not self.is_over:
            self._overdue(now, events)
            self._listen(now, events)
            self.reconcile(now)
        elif not self.is_over and now >= self._open_by:
            self._give_up("no handshake in time", now, events)
        self.deadline = self._due
        return events

    def end(self, now: int, reason: str = "") -> list[Event]:
        """Take note that the stream has ended, by itself or for the `reason` that the network gave."""
        events: list[Event] = []
        if self.is_over:
            return events
        if reason:
            self._talk.leave("", now)
            self._over(Ended("network", None, reason), now, events)
            return events
        events += self._turn(self._talk.end(now), now)
        if not self.is_over:
            self._over(Ended("network", None, "the stream broke off"), now, events)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    # --- commands

    def leave(self, reason: str, now: int) -> list[Event]:
        """End the connection; what `transmit` gives next is the last."""
        events: list[Event] = []
        if not self.is_over:
            self._give_up(reason, now, events)
        return events

    def reconcile(self, now: int) -> None:
        """Take note that other topics are wanted, or one is to be had anew: ask as soon as the budget allows it."""
        if self.is_open and not self.is_over:
            self._ask(now)
            self.deadline = self._due

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        asked, unanswered, unasked = _counts(self.topics)
        return Statistics(
            messages=self._messages, answers=self._answers, beats=self._beats, pings=self._pings,
            subscribes=self._subscribes, unsubscribes=self._unsubscribes, asked_topics=asked - self._asked_before,
            unanswered=unanswered - self._unanswered_before, unasked=unasked - self._unasked_before,
            puzzling=dict(self._puzzling), topics=self.topics.census(),
        )  # fmt: skip

    # --- what the talk tells

    def _turn(self, words: Iterable[Word], now: int) -> list[Event]:
        events: list[Event] = []
        market_data_alone = True
        for word in words:
            if self.is_over:
                break
            if isinstance(word, Heard):
                market_data_alone &= self._hear(word.batch, now, events)
                continue
            market_data_alone = False
            if isinstance(word, Lively):
                self._alive(now, events)
            elif isinstance(word, Opened):
                self._open(now, events)
            else:
                self._over(word, now, events)
        if not market_data_alone or events or self._talk.deadline < self.deadline:
            self.deadline = self._due
        return events

    def _open(self, now: int, events: list[Event]) -> None:
        """Say the opening, and ask for what is missing; what rested while nothing was open may be due by now."""
        self.is_open = True
        self._since = now
        self._pulse = Pulse(self._dialect.liveness, now)
        opening = self._dialect.opening(self._request)
        self._veil.learn(opening)
        self._opening = range(self._request, self._request + len(opening))
        for message in opening:
            self._say_now(message, self._number(now), now)
        self.topics.wake(now)
        self._ask(now)
        events.append(Ready())

    def _hear(self, batch: Batch, now: int, events: list[Event]) -> bool:
        """Take a batch; say whether it was market data and nothing else."""
        self._alive(now, events)
        self._messages += len(batch)
        others = self._market.apply(batch, now + self._skew.ns, self.line)
        if len(others) < len(batch):
            self._nonsense = 0
        for place in others:
            for said in self._dialect.read(batch[place]):
                _MEANT[type(said)](self, said, now, events)
                if self.is_over:
                    return False
                self._ask(now)
        return not others

    def _alive(self, now: int, events: list[Event]) -> None:
        since = self._pulse.heard_at
        if self._pulse.hear(now):
            self._market.silent(self.line, list(self._joined), silent=False)
            events.append(Silent(False, since))

    # --- what the venue says

    def _acknowledged(self, said: Acknowledged, now: int, events: list[Event]) -> None:
        self._sense()
        moved = self.topics.acknowledged(said.request, said.topics, on=said.on, now=now)
        if not moved:
            return
        self._unanswered = 0
        if said.on:
            events.append(Subscribed(tuple(moved)))
        else:
            self._left(moved)
            events.append(Unsubscribed(tuple(moved)))

    def _refused(self, said: Refused, now: int, events: list[Event]) -> None:
        self._sense()
        code, text = self._veil.over(said.code), self._veil.over(said.text)
        if said.request is not None and said.request in self._opening:
            events.append(OpeningRefused(code, text))
            return
        hit = self.topics.refused(said.request, said.topics, final=said.final, now=now)
        if hit:
            self._unanswered = 0
            self._left(hit)
            events.append(TopicsRefused(tuple(hit), code, text, said.final))

    def _beat(self, said: Beat, now: int, events: list[Event]) -> None:
        self._sense()
        self._beats += 1
        if said.answer is not None:
            self._throttle.spend(now, self._dialect.limits.request_weight)
            self._talk.say(said.answer, now)

    def _clock(self, said: Clock, now: int, events: list[Event]) -> None:
        self._sense()
        asked_at = self._questions.pop(said.request, None) if said.request is not None else None
        if asked_at is not None:
            self._offset.take(asked_at, now, said.ts_event_ns)

    def _throttled(self, said: Throttled, now: int, events: list[Event]) -> None:
        self._sense()
        until = self._throttle.hold(said.wait_ns, now)
        code = self._veil.over(said.code)
        events.append(Held(until, said.wait_ns, code))
        if said.request is None:
            return
        if said.request in self._opening:
            self._give_up(f"the opening was not heard: {code}", now, events, wait_ns=until - now)
        else:
            self._left(self.topics.unheard(said.request))

    def _leaving(self, said: Leaving, now: int, events: list[Event]) -> None:
        self._sense()
        if not self.is_parting:
            self.is_parting = True
            events.append(Parting(self._veil.over(said.reason)))

    def _puzzled(self, said: Puzzling, now: int, events: list[Event]) -> None:
        what = self._veil.over(said.what)
        self._puzzling[what if what in self._puzzling or len(self._puzzling) < MAX_KINDS else "other"] += 1
        self._nonsense += 1
        if self._nonsense >= NONSENSE:
            self._give_up(f"{NONSENSE} messages in a row that nobody understands", now, events)

    def _sense(self) -> None:
        self._answers += 1
        self._nonsense = 0

    # --- what is due

    def _overdue(self, now: int, events: list[Event]) -> None:
        late = self.topics.wake(now)
        if not late:
            return
        self._unanswered += 1
        events.append(Unanswered(tuple(late)))
        if self._unanswered >= MAX_UNANSWERED and not self.topics.on:
            self._give_up("it answers nothing", now, events)

    def _listen(self, now: int, events: list[Event]) -> None:
        if self.is_over:
            return
        if self._pulse.is_dead(now):
            self._give_up(f"silent for {(now - self._pulse.heard_at) / 1e9:.1f} s", now, events)
            return
        if self._pulse.falls_silent(now):
            self._market.silent(self.line, list(self._joined), silent=True)
            events.append(Silent(True, self._pulse.heard_at))
        if self._pulse.ping_at <= now:
            self._ping(now)

    def _ping(self, now: int) -> None:
        self._pulse.asked(now)
        self._pings += 1
        message = self._dialect.ping(self._request)
        if message is None:
            self._talk.ping(now)
        else:
            self._say_now(message, self._number(now), now)

    # --- what is asked

    def _ask(self, now: int) -> None:
        """Ask for what is missing as far as the budget goes."""
        weight = self._dialect.limits.subscribe_weight
        while (ask := self.topics.due()) is not None:
            if not self._throttle.take(now, weight):
                self._ask_at = self._throttle.ready_at(weight)
                return
            self._request_topics(ask, now)
        self._ask_at = NEVER

    def _request_topics(self, ask: Ask, now: int) -> None:
        request = self._number(now)
        write = self._dialect.subscribe if ask.on else self._dialect.unsubscribe
        self._talk.say(write(ask.topics, request), now)
        self.topics.sent(ask, request, now)
        if not ask.on:
            self._unsubscribes += 1
            return
        self._subscribes += 1
        for topic in ask.topics:
            if topic not in self._joined:  # else only the answer was lost, and nothing begins anew
                self._joined[topic] = None
                self._market.joined(self.line, topic)

    def _number(self, now: int) -> int:
        number, self._request = self._request, self._request + 1
        self._questions[number] = now
        if len(self._questions) > MAX_QUESTIONS:
            del self._questions[next(iter(self._questions))]
        return number

    def _say_now(self, message: bytes, number: int, now: int) -> None:
        """Say what cannot wait; it is paid for all the same."""
        self._throttle.spend(now, self._dialect.limits.request_weight)
        self._talk.say(message, now)

    # --- the end

    def _give_up(self, reason: str, now: int, events: list[Event], *, wait_ns: int = 0) -> None:
        self._talk.leave(reason, now)
        self._over(Ended("us", None, reason, wait_ns), now, events)

    def _over(self, ended: Ended, now: int, events: list[Event]) -> None:
        self.is_over, self.deadline = True, NEVER
        self.topics.lost()
        last = tuple(Last(topic, self._sequence(topic)) for topic in self._joined)
        self._left(list(self._joined))
        uptime = now - self._since if self.is_open else 0
        quiet = now - self._pulse.heard_at
        reason = self._veil.over(ended.reason)
        events.append(Lost(ended.by, ended.code, reason, uptime, quiet, last, ended.wait_ns))

    def _left(self, topics: Sequence[str]) -> None:
        for topic in topics:
            self._joined.pop(topic, None)
        self._market.left(self.line, topics)

    def _sequence(self, topic: str) -> int | None:
        standing = self._market.standing(topic)
        return None if standing is None else standing.sequence


_MEANT: Final[dict[type[Said], Callable[[Session, Any, int, list[Event]], None]]] = {
    Acknowledged: Session._acknowledged,
    Refused: Session._refused,
    Beat: Session._beat,
    Clock: Session._clock,
    Throttled: Session._throttled,
    Leaving: Session._leaving,
    Puzzling: Session._puzzled,
}


def _counts(topics: Subscriptions) -> tuple[int, int, int]:
    return topics.asked, topics.unanswered, topics.unasked
