"""How a gateway of a simulated exchange speaks OUCH 5.0 over SoupBinTCP.

It leads to the same exchange as the gateways that speak Starbase: only there orders have owners, and what is traded
over one wire is seen on all others. The ITCH venue has a flow and no accounts. A symbol is the number of the instrument
("1001"), shares are units of its quantity, prices are of 1e-4; orders rest for a DAY, and leave when their connection
is lost. A user is the name of a key (6 characters at most), the password the first PASSWORD characters of its secret.

SoupBinTCP counts messages by their arrival, so that none can be missing on a connection that stands: a report that is
lost here is one whose connection ended before it left, and none comes twice. A gateway that forgets begins another
session.

Source: `proto.ouch_server`; Nasdaq OUCH 5.0 (updated April 2023), SoupBinTCP 3.00.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from netfeed.book.execution import Accepted, Amended, Canceled, Filled, Rejected, Report
from netfeed.proto.ouch_server import Server, VenuePast
from netfeed.proto.ouch_words import Stocks, Terms
from netfeed.proto.soupbintcp import LoginRequested
from netfeed.sim.exchange import Exchange
from netfeed.sim.order_faults import NONE, OrderFaults
from netfeed.sim.session_gateway import Key, SessionGateway
from netfeed.sim.switchboard import Switchboard

PASSWORD: Final = 10
"""So many characters of a secret are its password: SoupBinTCP has room for no more."""
_TOLD: Final = (Accepted, Amended, Canceled, Filled, Rejected)


def stocks(exchange: Exchange) -> Stocks:
    """List the instruments of an exchange by their symbols, and by the exchange's own numbers."""
    terms = exchange.trading.ledger.terms
    return Stocks(Terms(number, str(number), one.price_exponent) for number, one in terms.items())


def ouch_gateway(
    board: Switchboard, number: int, keys: Iterable[Key], *, seed: int = 1, faults: OrderFaults = NONE
) -> SessionGateway:
    """Make a gateway. `keys` say which accounts may log on."""
    return SessionGateway(board, number, OuchSpeech(board, keys), seed=seed, faults=faults)


class OuchSpeech:
    """OUCH over SoupBinTCP, as a `Speech`."""

    loses_connections = True

    def __init__(self, board: Switchboard, keys: Iterable[Key]) -> None:
        self._wall_ns = board.wall_ns
        self._keys = {key.client_id: key for key in keys}
        self._listed = stocks(board.exchange)
        self._sessions = 1

    def server(self, port: int, now: int) -> Server:
        """Make the venue's side of a connection."""
        return Server(port, self._listed, now, epoch_ns=self._wall_ns)

    def past(self) -> VenuePast:
        """Begin the day of an account."""
        return VenuePast(f"OUCH{self._sessions:06}")

    def forget(self) -> None:
        """Begin another session."""
        self._sessions += 1

    def log_on(self, gateway: SessionGateway, server: Server, event: object, now: int) -> str | None:
        """Judge a login."""
        if not isinstance(event, LoginRequested) or not server.asks:
            return None  # what it said behind its login has ended the connection already
        user = event.username.strip()
        key = self._keys.get(user)
        if key is None or key.secret[:PASSWORD] != event.password.strip():
            server.reject("A", now)
        elif event.session.strip() not in ("", gateway.past(user).session) or gateway.is_connected(user):
            server.reject("S", now)
        else:
            server.accept(gateway.past(user), now)
            return user
        return None

    def sayable(self, past: VenuePast, reports: Sequence[Report]) -> Sequence[Report]:
        """Give what is of orders that came by OUCH."""
        return [one for one in reports if isinstance(one, _TOLD) and one.client_id in past.orders]

    def keep(self, past: VenuePast, reports: Sequence[Report], now: int) -> None:
        """Number them as a server that nobody is connected to does."""
        nobody = self.server(0, now)
        nobody.past = past
        nobody.report(reports, now)

    def again(self, frame: bytes) -> None:
        """None comes twice."""
