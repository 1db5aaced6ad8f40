"""One order session on sockets, as a Route: connected, logged on, and tried again with pauses when it is lost.

    waiting    a pause, drawn at random, longer after each failure in a row; then the next endpoint
    reaching   its name is looked up, its addresses are raced
    opening    the connection stands, and the session logs on
    up         requests go out; `hear` is told what the venue says
    closed     it was told goodbye

**Nothing is ever sent twice.** What was queued or in flight when a connection is lost is never sent on the next one:
`hear` is told Down once, and every request without an answer is uncertain then. A connection that never came up tells
no Down: nothing was sent on it.

`send` queues a request in the venue's words, `flush` hands all that is queued to the socket in one write (TCP_NODELAY)
and stamps it. What the kernel does not take waits, within `queue` bytes; beyond it requests are refused, cancels not
before twice as much. `hear` is never called from `send` or `flush`, but from turns of the loop.
"""

import contextlib
import random
import ssl
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from netfeed.app.configuration import Session as Config
from netfeed.app.resolve import Resolver, system_resolver
from netfeed.app.trading.answers import ASKS, Answers
from netfeed.app.trading.reach import Reach
from netfeed.app.trading.secrets import Secret
from netfeed.app.trading.session_numbers import SessionNumbers
from netfeed.app.trading.session_places import place_of
from netfeed.app.trading.session_words import Notes, SessionStatistics, is_puzzling
from netfeed.app.trading.speech import StarbaseSpeech, epoch_ns, speech_of
from netfeed.app.trading.traded import Traded
from netfeed.book.execution import NONE, Ask, Cancel, CancelAll, Down, Flag, MassQuote, Report, Request, Up
from netfeed.book.level import Side
from netfeed.errors import MisuseError
from netfeed.machine import NEVER, StreamMachine
from netfeed.proto.backoff import Backoff, Pauses
from netfeed.proto.backoff import State as Trying
from netfeed.proto.bucket import TokenBucket
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_rows import Array, QuoteRows
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.task import Task
from netfeed.transport.tcp import Options, Stream
from netfeed.units import duration_text
from netfeed.venues.deribit_order_words import Portfolio

MAX_STAMPS: Final = 4096
MAX_REASONS: Final = 64
"""Reasons of lost connections that are counted one by one."""

Hear = Callable[[int, Report, int], None]
Doubt = Callable[[int, int], None]
Sent = Callable[[Request, int], None]
Valued = Callable[[int, str, Portfolio | None, int], None]
"""Is told by a session's number what the account is worth in a currency; None: nobody says so any more."""


class Stamp(NamedTuple):
    """When a request was handed to the kernel. Units: `at` monotonic ns, `wall_ns` ns since 1970."""

    client_id: int
    ask: Ask
    at: int
    wall_ns: int


class SessionLink:
    """One session. `number` is what its reports bear; `sent` is told of each request that was handed to the kernel.

    `doubt` is told of each message that no report can say: it may have been an execution.

    `portfolios`: what the venue last said that the account is worth, by currency, where it was asked for, while the
    session is up; `valued` is told of each.
    """

    def __init__(
        self, config: Config, number: int, traded: Sequence[Traded], secret: Secret, loop: Loop, *, hear: Hear,
        tell: Callable[[str], None] = lambda text: None, sent: Sent = lambda request, at: None,
        doubt: Doubt = lambda number, now: None,
        valued: Valued = lambda number, currency, worth, now: None, context: ssl.SSLContext | None = None,
        budget: TokenBucket | None = None, quote_flags: Flag = NONE, paced: bool = True,
        resolver: Resolver = system_resolver, draw: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        """Raises: MisuseError for instruments that the protocol cannot name."""
        self.config, self.number, self.name, self.venue = config, number, config.name, config.venue
        self.answers = Answers()
        self.portfolios: dict[str, Portfolio] = {}
        self.stamps: deque[Stamp] = deque(maxlen=MAX_STAMPS)
        self.refused: Counter[str] = Counter()
        self.reconnects: Counter[str] = Counter()
        self._speech = speech_of(number, config, traded, secret, context, quote_flags=quote_flags)
        self._doubt = doubt
        self._loop, self._hear, self._tell, self._sent, self._resolver = loop, hear, tell, sent, resolver
        self._valued = valued
        pause = config.reconnect
        self._backoff = Backoff(draw, pauses=Pauses(pause.first, pause.cap, pause.healthy), budget=budget)
        rate = config.rate if paced else None
        self._pace = None if rate is None else TokenBucket(rate=rate, burst=config.burst)
        self._options = Options(max_queue_bytes=2 * config.queue, high_bytes=config.queue, low_bytes=config.queue // 4)
        self._waits: Task | None = None
        self._reach: Reach | None = None
        self._task: Task | None = None
        self._machine: StreamMachine | None = None
        self._stream: Stream | None = None
        self._notes = Notes()
        self._queued: list[Request] = []
        self._kept: StarbaseSpeech | None = None
        self._up = self._closed = False
        self._said = ""
        self._ups = self._downs = self._reports = self._written = self._writes = 0

    # --- the route

    @property
    def is_up(self) -> bool:
        """Say whether it is logged on and in sequence."""
        return self._up

    @property
    def latency_ns(self) -> int | None:
        """Give the time from a request to its answer, smoothed; None before the first."""
        return self.answers.smoothed_ns

    @property
    def deadline(self) -> int:
        """Say when something of it is due. Units: monotonic ns."""
        tasks = (self._waits, self._task)
        return min((one.deadline for one in tasks if one is not None), default=NEVER)

    def takes(self, request: Request, /) -> bool:
        """Say whether its venue has a message for a request of this kind."""
        return self._speech.takes(request)

    def send(self, request: Request, /) -> None:
        """Queue a request's bytes. Raises: MisuseError when it cannot, and nothing was done; it is counted by why."""
        now = self._loop.clock()
        self._may_send(request, now)
        try:
            answered = self._speech.send(request, now)
        except MisuseError:
            self.refused["unfit"] += 1
            raise
        if answered and self._machine is not None:  # nothing of it goes out
            self._loop.post(partial(self._take, self._machine, answered, now))
            return
        if self._pace is not None:
            self._pace.spend(now)
        self._queued.append(request)

    def rows(self, instruments: Sequence[int]) -> Callable[[Array, int, int, int], None]:
        """Give what sends mass quotes of these instruments from rows of an array, behind what is queued, and at once.

        They are paid for, stamped and waited for as every request is, and what the kernel does not take of them waits.
        Calls of it raise MisuseError when it cannot, and nothing was done; it is counted by why.

        Raises: MisuseError where the session's protocol has no such rows, or an instrument is not listed.
        """
        if not isinstance(self._speech, StarbaseSpeech):
            raise MisuseError(f"{self.name}: only Starbase takes quotes in rows, not {self.config.protocol}")
        return partial(self._send_rows, self._speech, self._speech.rows(instruments))

    def _send_rows(
        self, speech: StarbaseSpeech, quotes: QuoteRows, rows: Array, count: int, client_id: int, group: int
    ) -> None:
        now = self._loop.clock()
        self._may_send(request := MassQuote(client_id, group, ()), now)
        try:
            speech.send_rows(quotes, rows, count, client_id, group, now)
        except MisuseError:
            self.refused["unfit"] += 1
            raise
        if self._pace is not None:
            self._pace.spend(now)
        self._queued.append(request)
        self.flush()

    def flush(self) -> None:
        """Write what is queued, in one write, and stamp it."""
        if self._task is None or not self._queued:
            return
        self._task.kick()
        queued, self._queued = self._queued, []
        if not self._up:  # the write met a connection that is gone: whether it was sent nobody knows, and Down says so
            return
        at = self._loop.clock()
        wall_ns = at + epoch_ns()
        self._writes += 1
        for request in queued:
            self._written += 1
            self.stamps.append(Stamp(request.client_id, ASKS[type(request)], at, wall_ns))
            self.answers.asked(request, at)
            self._sent(request, at)

    def _may_send(self, request: Request, now: int) -> None:
        """Raise MisuseError with the remedy, and count why."""
        urgent = isinstance(request, Cancel | CancelAll)
        waiting = 0 if self._stream is None else self._stream.queued_bytes
        if not self._up or self._stream is None:
            self._refuse("down", "it is not up: another session of the venue may be")
        if waiting > self.config.queue * (2 if urgent else 1):
            self._refuse("full", f"{waiting} bytes wait, and the venue does not read: cancel, or raise `queue`")
        if not urgent and self._pace is not None and now < self._pace.ready_at():
            self._refuse("pace", f"more than {self.config.rate} messages a second: send less, or raise `rate`")

    def _refuse(self, why: str, text: str) -> None:
        self.refused[why] += 1
        raise MisuseError(f"{self.name}: {text}")

    def wire(self) -> tuple[int, Client] | None:
        """Give descriptor and client of a Starbase session that is up, for a hot step that writes frames by itself.

        None where it must not: another protocol, TLS below, or something waits to be written before it.
        """
        client = self._machine
        if not self._up or self._stream is None or self._stream.queued_bytes or self._queued:
            return None
        return (self._stream.fileno(), client) if isinstance(client, Client) else None

    # --- life

    def open(self) -> None:
        """Begin to connect."""
        self._backoff.begin(self._loop.clock())
        self._waits = self._loop.add(self._backoff, {}, events=lambda events, now: self._try(now))

    def close(self) -> None:
        """Say goodbye and connect no more; what waits is still sent. `hear` is told Down where it was up."""
        if self._closed:
            return
        self._closed = True
        self._backoff.stop()
        if self._waits is not None:
            self._waits.close()
        if self._reach is not None:
            self._reach.give_up()
        if self._task is not None:
            self.flush()
            now = self._loop.clock()
            with contextlib.suppress(MisuseError):  # who is not logged on need not say so
                self._speech.leave(now)
            self._task.kick()
            self._over("closed by us", now)

    def _try(self, now: int) -> None:
        places = self.config.endpoints
        place = places[self._backoff.statistics().failures_in_a_row % len(places)]
        self._reach = Reach(
            self._loop, place_of(place), self._options, opened=partial(self._stands, place), failed=self._failed,
            resolver=self._resolver,
        )  # fmt: skip

    def _stands(self, endpoint: str, stream: Stream, now: int) -> None:
        self._reach = None
        try:
            machine: StreamMachine = self._speech.begin(endpoint, now)
        except MisuseError as error:
            stream.close()
            self._failed(str(error), now)
            return
        self._notes.begin()
        self._machine, self._stream = machine, stream
        self._task = self._loop.add(
            machine, {0: stream}, events=partial(self._take, machine), failed=partial(self._broke, machine)
        )

    def _failed(self, reason: str, now: int) -> None:
        """An attempt came to nothing, or a connection was lost."""
        self._reach = None
        if self._closed or self._backoff.state not in (Trying.TRYING, Trying.OPEN):
            return
        counted = reason if reason in self.reconnects or len(self.reconnects) < MAX_REASONS else "other"
        self.reconnects[counted] += 1
        self._backoff.failed(now)
        if self._waits is not None:
            self._waits.kick()
        if reason != self._said:
            self._said = reason
            again = duration_text(max(0, self._backoff.deadline - now))
            self._tell(f"{self.name}: {reason}; tried again in {again}, and later if that fails")

    def keep(self, numbers: SessionNumbers, sides: Mapping[int, Side]) -> bool:
        """Have the numbers of the session outlive the process; before `open`. False: its protocol has none to keep."""
        if isinstance(self._speech, StarbaseSpeech):
            self._speech.keep(numbers, sides)
            self._kept = self._speech
        return self._kept is not None

    # --- what comes

    def _take(self, machine: StreamMachine, events: Sequence[Any], now: int) -> None:
        self._hand_on(machine, events, now)
        if self._kept is not None:
            self._kept.settled()

    def _hand_on(self, machine: StreamMachine, events: Sequence[Any], now: int) -> None:
        for event in events:
            if machine is not self._machine:
                return
            if isinstance(event, Down):
                self._over(self._notes.because(event.reason), now)
            elif isinstance(event, Report):
                self._report(event, now)
            elif isinstance(event, Portfolio):
                if event.currency.lower() in self.config.portfolios:
                    self.portfolios[event.currency] = event
                    self._valued(self.number, event.currency, event, now)
            else:
                text = self._notes.take(event)
                if text is not None:
                    self._tell(f"{self.name}: {text}")
                if is_puzzling(event):
                    self._doubt(self.number, now)

    def _report(self, report: Report, now: int) -> None:
        self._reports += 1
        if isinstance(report, Up):
            self._up, self._said = True, ""
            self._ups += 1
            self._backoff.opened(now)
            self._tell(f"{self.name}: up at {self._stream.peer if self._stream else ''}")
        self.answers.heard(report, now)
        self._hear(self.number, report, now)

    def _broke(self, machine: StreamMachine, endpoint: Any, error: NetworkError) -> None:
        """The socket failed, perhaps in the middle of a `flush`: nothing more is sent, and the loop tells the rest."""
        if machine is self._machine:
            was_up, self._up = self._up, False
            self._notes.failed(str(error))
            self._loop.post(partial(self._end, machine, was_up))

    def _end(self, machine: StreamMachine, was_up: bool) -> None:
        if machine is self._machine:
            now, self._up = self._loop.clock(), was_up
            self._take(machine, machine.end(now), now)

    def _over(self, reason: str, now: int) -> None:
        """The connection is over. The next one is tried; the last words of this one still go out."""
        was_up, self._up, task = self._up, False, self._task
        self._task = self._machine = self._stream = None
        unsent, self._queued = bool(self._queued), []
        self.answers.lost()
        is_done = self._speech.ended(reason, was_up=was_up)
        if task is not None and unsent:  # they must not go out with the last words
            task.close()
        elif task is not None:
            self._loop.post(partial(self._retire, task))
        if was_up:
            self._downs += 1
            told, self.portfolios = self.portfolios, {}
            for currency in told:
                self._valued(self.number, currency, None, now)
            self._hear(self.number, Down(self.number, reason, self.config.cancel_on_disconnect), now)
        if is_done and not self._closed:
            self._try(now)
        else:
            self._failed(reason, now)

    def _retire(self, task: Task) -> None:
        """Let a machine that is over say its last words, and close what is below it."""
        task.wake(self._loop.clock())
        if task.ports:
            task.finish()
        else:
            task.close()

    def statistics(self) -> SessionStatistics:
        """Give the account as it is now."""
        stream = self._stream
        return SessionStatistics(
            self.number, self.name, self.venue, self._up, self._ups, self._downs, self._written, self._writes,
            dict(self.refused), self._reports, dict(self._notes.total), self.answers.waiting, self.answers.unanswered,
            self.answers.smoothed_ns, 0 if stream is None else stream.queued_bytes, dict(self.reconnects),
        )  # fmt: skip
