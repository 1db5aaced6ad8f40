"""A server that sends messages again when asked: what it honours, what it refuses, and how it can be made to misbehave.

Source: MoldUDP64 1.00 (a request that cannot be honoured gets no answer; the answer is one packet, of what fits); the
retransmit gateway of Starbase (one request a packet, at most 255 messages, rejects with a reason and a delay).

What a client may ask is limited by a token bucket, the size of a request, and the window of messages that are kept.
`refusing` makes it refuse everything, `wrong` makes it send other messages than those that were asked for.

Leaves out: slowness and death: they are faults of the way there (`link`).
"""

from dataclasses import dataclass
from enum import Enum

from netfeed.sim.history import History


class Reason(Enum):
    """Why a request is not honoured."""

    TOO_LOW = "the messages are not kept any more"
    TOO_HIGH = "the messages do not exist yet"
    RATE = "too many requests"
    OTHER = "refused"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server honours. `rate`: requests per second, 0 for any number; `burst` of them may come at once.

    `most`: messages of a request. `packets`: packets of an answer; what does not fit them must be asked for again.
    """

    rate: int = 200
    burst: int = 100
    most: int = 255
    packets: int = 16
    retry_delay_ns: int = 10_000_000


class Gateway:
    """One server."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.refusing = False
        self.wrong = False
        self.requests = self.answered = self.refused = 0
        self._tokens_ns: int | None = None

    def judge(self, first: int, count: int, history: History, now: int) -> Reason | list[bytes]:
        """Give the messages of an answer, from `first` on, or why there is none."""
        self.requests += 1
        reason = self._reason(first, count, history, now)
        if reason is not None:
            self.refused += 1
            return reason
        self.answered += 1
        return history.get(first, min(count, self.limits.most))

    def first_sent(self, first: int) -> int:
        """Give the number under which an answer is sent: the one that was asked for, unless the server is wrong."""
        return first + 1_000 if self.wrong else first

    def _reason(self, first: int, count: int, history: History, now: int) -> Reason | None:
        if not self._allowed(now):
            return Reason.RATE
        if self.refusing or count < 1 or first < 1:
            return Reason.OTHER
        if first < history.first:
            return Reason.TOO_LOW
        return Reason.TOO_HIGH if first >= history.next else None

    def _allowed(self, now: int) -> bool:
        """Take a token: each is there again 1/rate later, `burst` of them at most."""
        if not self.limits.rate:
            return True
        token_ns = 10**9 // self.limits.rate
        full = now - token_ns * self.limits.burst
        paid = max(full, full if self._tokens_ns is None else self._tokens_ns)
        if paid + token_ns > now:
            return False
        self._tokens_ns = paid + token_ns
        return True
