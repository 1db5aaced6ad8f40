"""SoupBinTCP: a session of numbered messages over TCP, as a client and as a server.

Source: Nasdaq SoupBinTCP 3.00 (revision of 22 February 2017); the packets are those of `wire.soupbintcp`. The client
logs in, the server accepts and sends sequenced messages whose numbers are known only by counting; both sides send a
heartbeat when they have sent nothing for a second, and take a peer that was silent for 15 s for dead.

The whole behaviour is two tables in `soupbintcp_state`: state x packet -> state. A packet that they do not have is a
`Violation` and the end of the conversation, as are bytes that are no packet: the stream cannot be followed after them.

                 login()            LoginAccepted             EndOfSession
    client: START ------> LOGGING_IN ------------> ACTIVE ----------------> ENDED       logout() -> LEAVING
                    LoginRequest        accept()              finish()
    server: LOGGING_IN --------> JUDGING ---------> ACTIVE ----------------> ENDED

Everything ends in CLOSED, told by exactly one `Closed` (the caller's own `reject` needs none), after which nothing is
told any more. Commands take `now`, because the next heartbeat is counted from the last thing sent.

Bounds: what is kept of an incomplete packet is less than the packet (at most 64 KiB); what is not drained is at most
MAX_QUEUED bytes, then commands are refused, and heartbeats are not added to bytes that wait anyway.

Leaves out: reconnecting (`LoggedIn` and `next_sequence` are what it needs), and what messages mean.
"""

from collections.abc import Sequence
from typing import Final

from netfeed.machine import Buffer
from netfeed.proto.soupbintcp_conversation import Conversation, Statistics, Timing
from netfeed.proto.soupbintcp_state import (
    CLIENT,
    SERVER,
    Closed,
    Event,
    Heartbeat,
    LoggedIn,
    LoginRejected,
    LoginRequested,
    Malformed,
    Sequenced,
    SessionEnded,
    Silent,
    State,
    Unsequenced,
    Violation,
)
from netfeed.wire import soupbintcp as wire

__all__ = [
    "Client",
    "Closed",
    "Event",
    "Heartbeat",
    "LoggedIn",
    "LoginRejected",
    "LoginRequested",
    "Malformed",
    "Sequenced",
    "Server",
    "SessionEnded",
    "Silent",
    "State",
    "Statistics",
    "Timing",
    "Unsequenced",
    "Violation",
]

_TALKS: Final = frozenset({State.ACTIVE})


class Client:
    """The client's side. `login` begins the conversation."""

    def __init__(self, timing: Timing | None = None) -> None:
        self._talk = Conversation(CLIENT, wire.ClientHeartbeat(), State.START, timing or Timing(), 0)
        self._requested = 0

    def login(self, username: str, password: str, now: int, *, session: str = "", sequence: int = 1) -> None:
        """Ask for the messages from `sequence` on; 0 is the newest, a blank session the current one.

        Raises: MisuseError when a login was sent before, or a field does not fit.
        """
        self._talk.command(frozenset({State.START}), "log in", now)
        self._talk.send(wire.LoginRequest(username, password, session, sequence))
        self._requested = sequence
        self._talk.enter(State.LOGGING_IN)

    def send(self, message: bytes, now: int) -> None:
        """Send an unsequenced message. Raises: MisuseError unless logged in."""
        self._talk.command(_TALKS, "send", now)
        self._talk.send(wire.UnsequencedData(message))

    def logout(self, now: int) -> None:
        """Ask the server to close; what is on its way is still told. Raises: MisuseError unless logged in."""
        self._talk.command(frozenset({State.ACTIVE, State.ENDED}), "log out", now)
        self._talk.send(wire.LogoutRequest())
        self._talk.enter(State.LEAVING)

    @property
    def next_sequence(self) -> int:
        """Give the number of the next sequenced message: what a reconnect asks for. 0 before the first login."""
        return self._talk.sequence

    @property
    def state(self) -> State:
        """Say where the conversation is."""
        return self._talk.state

    @property
    def deadline(self) -> int:
        """Say when a heartbeat or a verdict on the peer is due. Units: monotonic ns."""
        return self._talk.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        self._talk.tick(now)
        return self._talk.receive(data, self._told)

    def wake(self, now: int) -> Sequence[Event]:
        """Send the heartbeat that is due, or give the peer up. A call before the deadline does nothing."""
        return self._talk.wake(now)

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed."""
        self._talk.tick(now)
        return self._talk.end()

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return self._talk.statistics()

    def _told(self, packet: wire.Packet) -> list[Event]:
        match packet:
            case wire.SequencedData(message):
                self._talk.sequence += 1
                return [Sequenced(self._talk.sequence - 1, message)]
            case wire.UnsequencedData(message):
                return [Unsequenced(message)]
            case wire.ServerHeartbeat():
                return [Heartbeat()]
            case wire.LoginAccepted(session, sequence):
                self._talk.sequence = sequence
                return [LoggedIn(session, sequence, self._requested)]
            case wire.LoginRejected(reason):
                return [LoginRejected(reason), *self._talk.close("the login was rejected")]
            case wire.EndOfSession():
                return [SessionEnded(self._talk.sequence)]
        return []


class Server:
    """The server's side of one connection, which begins with it at `now`."""

    def __init__(self, now: int, timing: Timing | None = None) -> None:
        self._talk = Conversation(SERVER, wire.ServerHeartbeat(), State.LOGGING_IN, timing or Timing(), now)

    def accept(self, session: str, sequence: int, now: int) -> None:
        """Let the client in; the next sequenced message is `sequence`.

        Raises: MisuseError unless a login waits for an answer, or when a field does not fit.
        """
        self._talk.command(frozenset({State.JUDGING}), "accept", now)
        self._talk.send(wire.LoginAccepted(session, sequence))
        self._talk.sequence = sequence
        self._talk.enter(State.ACTIVE)

    def reject(self, reason: str, now: int) -> None:
        """Send the client away (A not authorised, S session not available); the driver drains and closes.

        Raises: MisuseError unless a login waits for an answer.
        """
        self._talk.command(frozenset({State.JUDGING}), "reject", now)
        self._talk.send(wire.LoginRejected(reason))
        self._talk.close("")

    def send(self, message: bytes, now: int) -> None:
        """Send the sequenced message `next_sequence`. Raises: MisuseError unless the client is in."""
        self._talk.command(_TALKS, "send", now)
        self._talk.send(wire.SequencedData(message))
        self._talk.sequence += 1

    def send_unsequenced(self, message: bytes, now: int) -> None:
        """Send an unsequenced message (version 4.00). Raises: MisuseError unless the client is in."""
        self._talk.command(_TALKS, "send", now)
        self._talk.send(wire.UnsequencedData(message))

    def finish(self, now: int) -> None:
        """End the session. Raises: MisuseError unless the client is in."""
        self._talk.command(_TALKS, "finish", now)
        self._talk.send(wire.EndOfSession())
        self._talk.state = State.ENDED

    @property
    def next_sequence(self) -> int:
        """Give the number of the next sequenced message, 0 before a client is in."""
        return self._talk.sequence

    @property
    def state(self) -> State:
        """Say where the conversation is."""
        return self._talk.state

    @property
    def deadline(self) -> int:
        """Say when a heartbeat or a verdict on the peer is due. Units: monotonic ns."""
        return self._talk.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        self._talk.tick(now)
        return self._talk.receive(data, self._told)

    def wake(self, now: int) -> Sequence[Event]:
        """Send the heartbeat that is due, or give the peer up. A call before the deadline does nothing."""
        return self._talk.wake(now)

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed."""
        self._talk.tick(now)
        return self._talk.end()

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return self._talk.statistics()

    def _told(self, packet: wire.Packet) -> list[Event]:
        match packet:
            case wire.UnsequencedData(message):
                return [Unsequenced(message)]
            case wire.ClientHeartbeat():
                return [Heartbeat()]
            case wire.LoginRequest(username, password, session, sequence, timeout):
                return [LoginRequested(username, password, session, sequence, timeout)]
            case wire.LogoutRequest():
                return self._talk.close("the client logged out")
        return []
