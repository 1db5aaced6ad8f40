"""OUCH over SoupBinTCP as a session speaks it, which lists what rests though OUCH lists nothing.

OUCH numbers what it says and keeps it for the day; whoever has read all of it knows what rests. So the first connection
only looks: it asks for what comes next, and learns how many messages there are. The second one reads the day from its
first message, is up behind the last of these, and answers lists by what it read. Later ones go on where the one before
ended.
"""

import ssl
from collections.abc import Sequence
from typing import Any

from netfeed.app.configuration import Session as Config
from netfeed.app.trading.over_tls import over_tls
from netfeed.app.trading.secrets import Secret
from netfeed.app.trading.traded import Traded, ouch_listing
from netfeed.book.execution import Down, List, MassQuote, New, Report, Request, Up
from netfeed.machine import NEVER, Buffer, StreamMachine
from netfeed.proto.ouch_list import listed
from netfeed.proto.ouch_orders import Client
from netfeed.proto.ouch_past import Past


class Look:
    """A connection that only looks: where it would be up it is over. `many`: messages there are; None: it saw none."""

    def __init__(self, client: Client) -> None:
        self.many: int | None = None
        self._client = client
        self._is_over = False

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._is_over

    @property
    def deadline(self) -> int:
        """Give the client's. Units: monotonic ns."""
        return NEVER if self._is_over else self._client.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        """Take bytes."""
        return [] if self._is_over else self._until_up(self._client.receive(data, now))

    def wake(self, now: int) -> Sequence[Any]:
        """Act on a deadline that has passed."""
        return [] if self._is_over else self._until_up(self._client.wake(now))

    def end(self, now: int) -> Sequence[Any]:
        """Take note that the peer closed."""
        return [] if self._is_over else self._until_up(self._client.end(now))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._client.transmit()

    def _until_up(self, events: Sequence[Any]) -> list[Any]:
        told: list[Any] = []
        for event in events:
            if isinstance(event, Up):
                self._is_over, self.many = True, self._client.past.next_sequence - 1
                return [*told, Down(event.session, f"the day has {self.many} messages: they are read next", False)]
            told.append(event)
        self._is_over = any(isinstance(one, Down) for one in told)
        return told


class OuchSpeech:
    """OUCH 5.0 over SoupBinTCP."""

    def __init__(
        self, number: int, config: Config, traded: Sequence[Traded], secret: Secret, context: ssl.SSLContext | None
    ) -> None:
        self._number, self._config, self._secret, self._context = number, config, secret, context
        self._listed = ouch_listing(traded)
        self._past = Past()
        self._look: Look | None = None
        self._has_looked = False
        self._client: Client | None = None

    def begin(self, endpoint: str, now: int) -> StreamMachine:
        """Log in: to look, to read the day, or to go on."""
        if self._past.next_sequence == 0:  # the first one, or the venue has begun another session
            self._past, self._has_looked = Past(), False
        past = self._past if self._has_looked else Past()
        self._client = client = Client(
            self._number, self._listed, past, cancels=self._config.cancel_on_disconnect, firm=self._config.firm
        )
        client.login(self._config.key, self._secret.reveal(), now)
        self._look = None if self._has_looked else Look(client)
        return over_tls(endpoint, client if self._look is None else self._look, self._context, now)

    def takes(self, request: Request) -> bool:
        """Say whether OUCH has a message for it, or its messages have told what is asked for."""
        return not isinstance(request, MassQuote) and not (isinstance(request, New) and request.price is None)

    def send(self, request: Request, now: int) -> Sequence[Report]:
        """Ask; a list is answered by what was read."""
        assert self._client is not None
        if isinstance(request, List):
            return (listed(self._number, self._past),)
        self._client.send(request, now)
        return ()

    def leave(self, now: int) -> None:
        """Log out."""
        assert self._client is not None
        self._client.logout(now)

    def ended(self, reason: str, *, was_up: bool) -> bool:
        """After a look, read the day from its first message on."""
        if self._look is None or self._look.many is None or self._client is None:
            return False
        self._past.session, self._past.next_sequence, self._past.told = self._client.past.session, 1, self._look.many
        self._has_looked = True
        return True
