"""How a gateway of a simulated exchange speaks Starbase.

What is reported is kept in the journal of its session, whether it is connected or not, so that the next connection can
ask for it: a report that is lost here is one that was numbered and not sent, and shows as a gap; one that comes twice
says of itself that it was resent. A gateway that forgets begins its journals anew, and a client that logs on with its
old numbers must reset, and find out by other means what is true.

Source: `proto.starbase_orders_server`; who may log on, one connection for a key, is this venue's own.
"""

from collections.abc import Iterable, Sequence

from netfeed.book.execution import Report
from netfeed.proto.starbase_orders_server import Server, report_to
from netfeed.proto.starbase_past import VenuePast
from netfeed.proto.starbase_state import LogonRequested, State, Timing
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.sim.exchange import Exchange
from netfeed.sim.order_faults import NONE, OrderFaults
from netfeed.sim.session_gateway import Key, SessionGateway
from netfeed.sim.switchboard import Switchboard
from netfeed.wire import starbase_orders as wire


def listed(exchange: Exchange) -> Instruments:
    """List the instruments of an exchange for its order sessions, by the exchange's own numbers."""
    return Instruments(
        Terms(number, number, terms.price_exponent, terms.quantity_exponent)
        for number, terms in exchange.trading.ledger.terms.items()
    )


def starbase_gateway(
    board: Switchboard, number: int, keys: Iterable[Key], *, seed: int = 1, faults: OrderFaults = NONE,
    timing: Timing | None = None,
) -> SessionGateway:  # fmt: skip
    """Make a gateway. `keys` say which accounts may log on."""
    return SessionGateway(board, number, StarbaseSpeech(board, keys, timing), seed=seed, faults=faults)


class StarbaseSpeech:
    """Starbase, as a `Speech`."""

    loses_connections = False

    def __init__(self, board: Switchboard, keys: Iterable[Key], timing: Timing | None = None) -> None:
        self._wall_ns, self._timing = board.wall_ns, timing
        self._keys = {key.client_id: key for key in keys}
        self._listed = listed(board.exchange)

    def server(self, port: int, now: int) -> Server:
        """Make the venue's side of a connection."""
        return Server(port, self._listed, now, timing=self._timing, epoch_ns=self._wall_ns)

    def past(self) -> VenuePast:
        """Begin a journal."""
        return VenuePast()

    def forget(self) -> None:
        """Forget nothing else."""

    def log_on(self, gateway: SessionGateway, server: Server, event: object, now: int) -> str | None:
        """Judge a logon."""
        if not isinstance(event, LogonRequested) or server.state is not State.JUDGING:
            return None  # what it said behind its logon has ended the connection already
        key = self._keys.get(event.client_id)
        if key is None or key.secret != event.secret:
            server.refuse("unknown client id or secret", now)
        elif gateway.is_connected(event.client_id):
            server.refuse("this key has a connection here", now)
        else:
            server.accept(gateway.past(event.client_id), now)
            return event.client_id
        return None

    def sayable(self, past: VenuePast, reports: Sequence[Report]) -> Sequence[Report]:
        """Give all of them."""
        return reports

    def keep(self, past: VenuePast, reports: Sequence[Report], now: int) -> None:
        """Write them into the journal."""
        report_to(past, self._listed, reports, self._wall_ns + now)

    def again(self, frame: bytes) -> bytes:
        """Give a message that says that it was sent before."""
        return wire.resent(frame)
