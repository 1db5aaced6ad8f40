"""Order sessions over real sockets, against the machines of the venue: requests out, reports in, nothing twice."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
import pytest

from netfeed.app.config import parse
from netfeed.app.configuration import VenueTls
from netfeed.app.live import Live
from netfeed.app.trading.session_driver import Sessions
from netfeed.app.trading.session_places import traded_of
from netfeed.book.execution import (
    Accepted,
    Ask,
    Cancel,
    Canceled,
    Cause,
    Down,
    Filled,
    Flag,
    List,
    Listed,
    New,
    Rejected,
    TimeInForce,
    Up,
)
from netfeed.book.level import Side
from netfeed.engine.quote_words import ROW
from netfeed.errors import MisuseError
from netfeed.proto import tls
from netfeed.transport.tcp import Listener
from tests.app.trading.order_sockets import SECRET, Exchange, pump
from tests.proto import certificates
from tests.sim.exchange_room import PERPETUAL

pytestmark = pytest.mark.net
T = TypeVar("T")
ENVIRONMENT = {"SECRET": SECRET, "SHORT": SECRET[:10]}


class Desk:
    """Sessions to an exchange, and what they were told."""

    def __init__(self, venue: Exchange, *names: str, **more: Any) -> None:
        self.venue = venue
        self.told: list[Any] = []
        self.lines: list[str] = []
        self.sent: list[tuple[int, int]] = []
        self.doubts: list[int] = []
        configs = [venue.config(name, **more) for name in names]
        self.sessions = Sessions(
            configs, {"sim": traded_of(configs)}, ENVIRONMENT, hear=self._hear, tell=self.lines.append,
            sent=lambda request, at: self.sent.append((request.client_id, at)),
            doubt=lambda number, now: self.doubts.append(number),
        )  # fmt: skip
        self.links = self.sessions.links
        self.sessions.open()

    def _hear(self, number: int, report: Any, now: int) -> None:
        self.told.append(report)

    def pump(self, until: Callable[[], bool]) -> None:
        pump(self.venue, self.sessions, until, why=f"{self.told} {self.lines}")

    def up(self) -> "Desk":
        self.pump(lambda: all(link.is_up for link in self.links))
        return self

    def of(self, kind: type[T]) -> list[T]:
        return [one for one in self.told if isinstance(one, kind)]

    def wait_for(self, kind: type[T], count: int = 1) -> T:
        self.pump(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    def bid(self, client_id: int, steps: int = -4, quantity: int = 10, **more: Any) -> New:
        price = self.venue.room.mark // 10**8 // 5 * 5 + 5 * steps
        return New(client_id, 0, Side.BID, price, quantity, **more)


@pytest.fixture
def venue() -> Iterator[Exchange]:
    exchange = Exchange()
    yield exchange
    exchange.close()


@pytest.fixture
def desk(venue: Exchange) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(*names: str, **more: Any) -> Desk:
        made.append(Desk(venue, *names, **more))
        return made[-1]

    yield make
    for one in made:
        one.sessions.close()


def test_a_session_logs_on_and_an_order_comes_to_rest_and_leaves(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a").up()
    (link,) = one.links
    assert one.told == [Up(1)]
    assert (link.name, link.venue, link.number, link.latency_ns) == ("a", "sim", 1, None)
    link.send(one.bid(7))
    assert venue.room.exchange.listed("mm").orders == ()
    link.flush()
    assert one.wait_for(Accepted).client_id == 7
    assert [order.client_id for order in venue.room.exchange.listed("mm").orders] == [7]
    link.send(Cancel(7, 0))
    link.flush()
    one.wait_for(Canceled)
    assert venue.room.exchange.listed("mm").orders == ()
    assert [client_id for client_id, _ in one.sent] == [7, 7]
    assert link.latency_ns is not None
    assert link.answers.histogram.count == 2
    said = link.statistics()
    assert (said.sent, said.writes, said.waiting, said.reports) == (2, 2, 0, 3)
    assert [(stamp.client_id, stamp.ask.name) for stamp in link.stamps] == [(7, "NEW"), (7, "CANCEL")]


def test_what_is_queued_goes_out_in_one_write(desk: Callable[..., Desk]) -> None:
    one = desk("a").up()
    (link,) = one.links
    before = link._stream.statistics().sent_bytes  # type: ignore[union-attr]
    for client_id in range(10, 20):
        link.send(one.bid(client_id, steps=-client_id))
    assert link._stream.statistics().sent_bytes == before  # type: ignore[union-attr]
    link.flush()
    assert link.statistics().writes == 1
    one.wait_for(Accepted, 10)
    assert len({at for _, at in one.sent}) == 1


def test_both_gateways_are_routes_of_their_own(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a", "b").up()
    for place, link in enumerate(one.links):
        link.send(one.bid(place + 1, flags=Flag.KEEP))
        link.flush()
    one.wait_for(Accepted, 2)
    venue.gateways[0].kill(one.sessions.loop.clock())
    one.wait_for(Down)
    assert one.of(Down)[0].session == 1
    assert [link.is_up for link in one.links] == [False, True]
    with pytest.raises(MisuseError, match="another session"):
        one.links[0].send(one.bid(9))
    assert one.links[0].refused == {"down": 1}


@pytest.mark.parametrize("name", ["a", "json"])
def test_a_wrong_secret_is_told_once_and_never_shown(venue: Exchange, name: str) -> None:
    lines: list[str] = []
    told: list[Any] = []
    sessions = Sessions(
        [venue.config(name)], {}, {"SECRET": "another-secret"}, hear=lambda *said: told.append(said), tell=lines.append
    )
    sessions.open()
    pump(venue, sessions, lambda: sum(sessions.links[0].reconnects.values()) >= 3, why=str(lines))
    assert told == []
    assert len(lines) == 1
    assert "another-secret" not in repr([lines, sessions.links[0].statistics(), vars(sessions.links[0]._speech)])
    sessions.close()


def test_the_connection_dies_between_order_and_answer_and_nothing_is_sent_twice(
    venue: Exchange, desk: Callable[..., Desk]
) -> None:
    one = desk("a").up()
    (link,) = one.links
    venue.gateways[0].kill_after(1)
    link.send(one.bid(7, flags=Flag.KEEP))
    link.flush()
    down = one.wait_for(Down)
    assert (down.session, down.cancels) == (1, True)
    assert one.of(Accepted) == []
    assert link.statistics().unanswered == 1
    venue.gateways[0].revive()
    one.wait_for(Up, 2)
    one.wait_for(Accepted)  # the venue kept what it had said, and was asked for it
    assert [order.client_id for order in venue.room.exchange.listed("mm").orders] == [7]
    taken = [what for what in [step.what for step in venue.room.exchange.log.steps] if isinstance(what, New)]
    assert len(taken) == 1


def test_what_was_queued_when_the_connection_died_is_never_sent(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a").up()
    (link,) = one.links
    link.send(one.bid(7, flags=Flag.KEEP))
    venue.gateways[0].kill(one.sessions.loop.clock())
    one.wait_for(Down)
    venue.gateways[0].revive()
    one.wait_for(Up, 2)
    link.flush()
    link.send(one.bid(8))
    link.flush()
    assert one.wait_for(Accepted).client_id == 8
    assert [order.client_id for order in venue.room.exchange.listed("mm").orders] == [8]


def test_what_is_queued_when_the_venue_logs_us_out_does_not_go_out_with_the_last_words(
    venue: Exchange, desk: Callable[..., Desk]
) -> None:
    one = desk("a").up()
    (link,) = one.links
    link.send(one.bid(7))
    (connection,) = venue.gateways[0]._connections.values()
    connection.server.logout("the day is over", one.sessions.loop.clock())
    assert "the day is over" in one.wait_for(Down).reason
    one.wait_for(Up, 2)
    link.flush()
    assert link.statistics().sent == 0
    assert not any(isinstance(step.what, New) for step in venue.room.exchange.log.steps)


def test_a_gateway_that_forgot_is_logged_on_to_anew(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a").up()
    for client_id in (1, 2):
        one.links[0].send(one.bid(client_id, steps=-client_id))
    one.links[0].flush()
    one.wait_for(Accepted, 2)
    venue.gateways[0].kill(one.sessions.loop.clock(), forget=True)
    one.wait_for(Down)
    venue.gateways[0].revive()
    one.wait_for(Up, 2)
    one.links[0].send(one.bid(3))
    one.links[0].flush()
    assert one.wait_for(Accepted, 3).client_id == 3


def test_a_pace_and_a_full_queue_refuse_but_not_a_cancel(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a", rate=1, burst=2).up()
    (link,) = one.links
    link.send(one.bid(1))
    link.send(one.bid(2, steps=-5))
    with pytest.raises(MisuseError, match="1 messages a second"):
        link.send(one.bid(3))
    link.send(Cancel(1, 0))
    link.flush()
    one.wait_for(Canceled)
    assert link.refused == {"pace": 1}
    stream: Any = link._stream
    stream._queue += bytes(link.config.queue + 1)  # the kernel takes no more: its buffer is larger than a test
    with pytest.raises(MisuseError, match="does not read"):
        link.send(one.bid(4))
    link.send(Cancel(2, 0))
    assert link.refused == {"pace": 1, "full": 1}


def test_the_wire_is_given_to_a_hot_step_only_where_nothing_waits(desk: Callable[..., Desk]) -> None:
    one = desk("a", "json")
    assert [link.wire() for link in one.links] == [None, None]
    one.up()
    starbase, deribit = one.links
    wire = starbase.wire()
    assert wire is not None
    assert wire[0] == starbase._stream.fileno()  # type: ignore[union-attr]
    assert deribit.wire() is None
    starbase.send(one.bid(7))
    assert starbase.wire() is None
    starbase.flush()
    assert starbase.wire() is not None


def test_quotes_in_rows_go_behind_what_is_queued_and_are_paid_stamped_and_waited_for(desk: Callable[..., Desk]) -> None:
    one = desk("a", rate=1, burst=2)
    (link,) = one.links
    send, rows, price = link.rows([0]), np.zeros(1, ROW), one.bid(1).price
    assert price is not None
    rows[0] = (0, price, 10, price + 100, 10)
    with pytest.raises(MisuseError, match="not up"):
        send(rows, 1, 2, 1)
    one.up()
    link.send(one.bid(1))
    send(rows, 1, 2, 1)
    assert (link.statistics().sent, link.statistics().writes) == (2, 1)
    assert [(stamp.client_id, stamp.ask) for stamp in link.stamps] == [(1, Ask.NEW), (2, Ask.QUOTE)]
    assert link.answers.waiting == 2
    one.pump(lambda: not link.answers.waiting)
    with pytest.raises(MisuseError, match="1 messages a second"):
        send(rows, 1, 3, 1)
    assert link.refused == {"down": 1, "pace": 1}


def test_only_starbase_takes_quotes_in_rows(desk: Callable[..., Desk]) -> None:
    with pytest.raises(MisuseError, match="only Starbase takes quotes in rows, not deribit"):
        desk("json").links[0].rows([0])


def test_a_request_that_does_not_fit_is_refused_before_anything_is_done(desk: Callable[..., Desk]) -> None:
    one = desk("a").up()
    (link,) = one.links
    with pytest.raises(MisuseError, match="not one of this session"):
        link.send(New(1, 99, Side.BID, 100, 10))
    assert not link.takes(List(1))
    assert link.refused == {"unfit": 1}
    link.flush()
    assert link.statistics().writes == 0


# --- Deribit


def test_over_websocket_an_order_rests_is_listed_and_leaves(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("json").up()
    (link,) = one.links
    link.send(one.bid(7))
    link.flush()
    accepted = one.wait_for(Accepted)
    link.send(List(8))
    link.flush()
    listed = one.wait_for(Listed)
    assert [(order.client_id, order.order_id) for order in listed.orders] == [(7, accepted.order_id)]
    link.send(Cancel(7, 0))
    link.flush()
    one.wait_for(Canceled)
    assert venue.room.exchange.listed("mm").orders == ()
    assert link.answers.histogram.count == 3


def test_over_websocket_portfolios_that_were_asked_for_are_kept(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("json", portfolios=["btc"]).up()
    for currency in ("BTC", "DOGE"):
        for task in venue.tasks:
            task.machine.portfolio(currency)  # type: ignore[attr-defined]
    one.pump(lambda: one.links[0].portfolios != {})
    assert {name: held.initial_margin for name, held in one.links[0].portfolios.items()} == {"BTC": Decimal("0.25")}


def test_over_websocket_a_connection_that_dies_behind_an_order_leaves_it_to_a_list(
    venue: Exchange, desk: Callable[..., Desk]
) -> None:
    one = desk("json").up()
    (link,) = one.links

    def die(peer: Any, method: str) -> None:
        peer.is_over = peer.is_over or method == "private/buy"

    venue.after_call = die
    link.send(one.bid(7))
    link.flush()
    one.wait_for(Down)
    one.wait_for(Up, 2)
    assert one.of(Accepted) == []
    link.send(List(8))
    link.flush()
    assert [order.client_id for order in one.wait_for(Listed).orders] == [7]
    assert venue.calls.count("private/buy") == 1


# --- OUCH


def test_over_ouch_the_day_is_read_and_listed(venue: Exchange, desk: Callable[..., Desk]) -> None:
    first = desk("ouch").up()
    first.links[0].send(first.bid(7, time_in_force=TimeInForce.DAY, flags=Flag.KEEP))
    first.links[0].send(first.bid(8, steps=-9, time_in_force=TimeInForce.DAY, flags=Flag.KEEP))
    first.links[0].flush()
    first.wait_for(Accepted, 2)
    first.sessions.hang_up()
    pump(venue, first.sessions, lambda: first.sessions.is_idle)
    now = venue.loop.clock()
    venue.board.route(venue.room.exchange.new("bob", sale(venue), venue.board.wall_ns + now, 9), now)

    again = desk("ouch").up()
    assert [line.partition(" at ")[0] for line in again.lines] == ["ouch: up"]
    assert again.links[0].statistics().reconnects == {}
    again.links[0].send(List(9))
    again.links[0].flush()
    listed = again.wait_for(Listed)
    assert [(one.client_id, one.filled) for one in listed.orders] == [(8, 0)]
    assert [(one.instrument, one.quantity) for one in listed.positions] == [(0, 10)]
    again.links[0].send(again.bid(10, steps=-11, time_in_force=TimeInForce.DAY))
    again.links[0].send(Cancel(8, 0))
    again.links[0].flush()
    again.pump(lambda: again.of(Accepted)[-1:] != [] and again.of(Accepted)[-1].client_id == 10)
    again.wait_for(Canceled)


def sale(venue: Exchange) -> New:
    return New(1, PERPETUAL, Side.ASK, venue.room.mark - 50 * 10**8, 10, TimeInForce.IOC)


def test_over_ouch_the_connection_dies_between_order_and_answer(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("ouch").up()
    venue.ouch.dies_after = 1
    one.links[0].send(one.bid(7, time_in_force=TimeInForce.DAY))
    one.links[0].flush()
    one.wait_for(Down)
    assert one.of(Accepted) == []
    one.wait_for(Up, 2)
    assert one.wait_for(Accepted).client_id == 7  # told after all, and asked for once
    assert sum(isinstance(step.what, New) for step in venue.room.exchange.log.steps) == 1


# --- TLS, and peers that say nonsense


@pytest.mark.parametrize("names", [("a", "json"), ("ouch",)])
def test_over_tls_all_of_it_is_the_same(names: tuple[str, ...]) -> None:
    venue = Exchange(tls.server_context(certificates.good(), alpn=["http/1.1"]))
    said = VenueTls(ca=certificates.saved("ca", certificates.authority().cert_pem.bytes()))
    one = Desk(venue, *names, tls=said).up()
    for place, link in enumerate(one.links):
        force = TimeInForce.DAY if link.name == "ouch" else TimeInForce.GTC
        link.send(one.bid(place + 1, steps=-4 - place, time_in_force=force))
        link.flush()
    one.wait_for(Accepted, len(names))
    assert {link.statistics().sent for link in one.links} == {1}
    one.sessions.close()
    venue.close()


def test_a_certificate_that_is_not_believed_is_said_with_the_remedy() -> None:
    venue = Exchange(tls.server_context(certificates.good(), alpn=["http/1.1"]))
    said = VenueTls(ca=certificates.saved("other", certificates.stranger().cert_pem.bytes()))
    one = Desk(venue, "a", "json", tls=said)
    one.pump(lambda: len(one.lines) >= 2)
    assert all("its certificate is not believed (`tls.ca` names whom to believe)" in line for line in one.lines)
    assert one.told == []
    one.sessions.close()
    venue.close()


def test_an_execution_of_an_order_that_nobody_knows_is_a_doubt(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("json").up()
    trade = {
        "trade_id": "t-1", "order_id": "of-nobody", "instrument_name": "BTC-PERPETUAL", "direction": "buy",
        "amount": 10, "price": 60_000, "timestamp": 1, "label": "", "liquidity": "M",
    }  # fmt: skip
    for task in venue.tasks:
        task.machine.deliver([], [trade])  # type: ignore[attr-defined]
    one.pump(lambda: bool(one.doubts))
    assert one.doubts == [1]
    assert one.links[0].statistics().notes == {"puzzling": 1}
    assert one.of(Filled) == []


@pytest.mark.parametrize("name", ["a", "json", "ouch"])
@pytest.mark.parametrize("nonsense", [b"\xff" * 400, b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\x00", b""])
def test_a_peer_that_says_nonsense_is_left_and_tried_again(venue: Exchange, name: str, nonsense: bytes) -> None:
    def answer(stream: Any, now: int) -> None:
        if nonsense:
            stream.send([nonsense])
        stream.end_sending()
        kept.append(stream)

    kept: list[Any] = []
    listener = Listener("127.0.0.1", 0, answer)
    venue.loop.watch(listener.fileno(), listener.ready)
    scheme = "ws" if name == "json" else "tcp"
    one = Desk(venue, name, endpoints=[f"{scheme}://127.0.0.1:{listener.port}"])
    one.pump(lambda: len(kept) >= 3)
    assert one.told == []
    assert sum(one.links[0].reconnects.values()) >= 2
    one.sessions.close()
    venue.loop.forget(listener.fileno())
    listener.close()
    for stream in kept:
        stream.close()


def test_endpoints_are_tried_one_after_the_other(venue: Exchange) -> None:
    dead = Listener("127.0.0.1", 0, lambda stream, now: None)
    dead.close()
    good = venue.config("a").endpoints[0]
    one = Desk(venue, "a", endpoints=[f"tcp://127.0.0.1:{dead.port}", good]).up()
    assert "onnection refused" in one.lines[0]
    assert one.lines[-1].startswith("a: up at 127.0.0.1:")
    one.sessions.close()


def test_what_our_own_budget_refuses_is_told_and_not_sent(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("json").up()
    (link,) = one.links
    for client_id in range(1, 40):
        link.send(one.bid(client_id, steps=-client_id))
    link.flush()
    refused = one.wait_for(Rejected)
    assert (refused.cause, refused.venue_reason) == (Cause.RATE, "our own budget")
    one.pump(lambda: len(one.of(Accepted)) + len(one.of(Rejected)) == 39)
    assert link.statistics().sent == len(one.of(Accepted)) == len(one.sent) == venue.calls.count("private/buy")


def test_a_refusal_is_told_with_the_venues_word(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a").up()
    one.links[0].send(one.bid(7, quantity=10**9))
    one.links[0].flush()
    assert one.wait_for(Rejected).client_id == 7
    assert one.of(Filled) == []


def test_sessions_turn_inside_the_loop_of_a_run(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a")
    text = 'schema_version = 1\n[[channels]]\nname = "x"\nprotocol = "itch50"\nlines = [{ group = "127.0.0.1:0" }]'
    live = Live(parse(text.encode(), "x.toml"))
    live.watch(one.sessions.fileno(), one.sessions.ready)
    live.machines.append(one.sessions)

    def until(ready: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if ready():
                return
            venue.turn()
            live.turn(one.sessions.loop.clock() + 1_000_000)
        raise AssertionError("it did not come to that")

    until(lambda: one.links[0].is_up)
    one.links[0].send(one.bid(7))
    one.links[0].flush()
    until(lambda: one.of(Accepted) != [])
    venue.gateways[0].kill(one.sessions.loop.clock())
    until(lambda: one.of(Down) != [])
    live.forget(one.sessions.fileno())
    live.stop()
    live.close()


def test_goodbye_is_said_and_down_told_once(venue: Exchange, desk: Callable[..., Desk]) -> None:
    one = desk("a", "json").up()
    one.sessions.hang_up()
    one.sessions.hang_up()
    assert [down.session for down in one.of(Down)] == [1, 2]
    pump(venue, one.sessions, lambda: one.sessions.is_idle and not venue.tasks)
    assert one.of(Down)[0].reason == "closed by us"
