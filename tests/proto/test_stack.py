"""Machine over machine: HTTP and SoupBinTCP over TLS are one machine, whichever way the stream is cut up."""

from typing import Any

import pytest

from netfeed.machine import NEVER, StreamMachine
from netfeed.proto import http, soupbintcp, tls
from netfeed.proto.stack import Stack
from netfeed.proto.tls import Closed, Ending
from tests.proto import certificates
from tests.proto.certificates import NAME
from tests.proto.opposite import client_side, server_side

S = 10**9


def over_tls(client: StreamMachine, server: StreamMachine, **kinds: Any) -> tuple[Stack, Stack]:
    here = Stack(tls.client(client_side(), NAME, 0), client, **kinds)
    return here, Stack(tls.server(server_side(), 0), server, **kinds)


def carry(sender: Stack, receiver: Stack, now: int, step: int = 2**20) -> list[Any]:
    out = b"".join(sender.transmit())
    told: list[Any] = []
    for at in range(0, len(out), step):
        told += receiver.receive(out[at : at + step], now)
    return told


def shaken(here: Stack, there: Stack, step: int = 2**20) -> tuple[list[Any], list[Any]]:
    """Carry until both have heard whom they speak with, and give what each was told."""
    mine: list[Any] = []
    its: list[Any] = []
    for _ in range(3):
        its += carry(here, there, 0, step)
        mine += carry(there, here, 0, step)
    return mine, its


def kinds(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.parametrize("step", [1, 2, 5, 100, 2**20])
def test_http_over_tls_is_one_machine_however_it_is_cut_up(step: int) -> None:
    here, there = over_tls(http.Client(NAME), http.Server(0))
    here.upper.request("GET", "/book", 0)  # type: ignore[attr-defined]
    mine, its = shaken(here, there, step)
    assert kinds(mine) == ["Established"]
    assert kinds(its) == ["Established", "Request"]
    assert its[1].target == "/book"
    there.upper.respond(200, b"bids and asks" * 1000, 1)  # type: ignore[attr-defined]
    (answer,) = carry(there, here, 1, step)
    assert (answer.status, answer.body) == (200, b"bids and asks" * 1000)


def test_a_session_over_tls_runs_to_its_end() -> None:
    def closed(one: Any) -> bool:
        return bool(one.state is soupbintcp.State.CLOSED)

    client, server = soupbintcp.Client(), soupbintcp.Server(0)
    client.login("user", "password", 0)
    here, there = over_tls(client, server, closed=closed)
    _, its = shaken(here, there)
    assert kinds(its) == ["Established", "LoginRequested"]
    server.accept("SESSION", 1, 0)
    server.send(b"first", 0)
    assert kinds(carry(there, here, 0)) == ["LoggedIn", "Sequenced"]
    client.logout(1)
    told = carry(here, there, 1)
    assert kinds(told)[-1] == "Closed"
    assert there.deadline <= 1, "the lower machine is closed at the next wake"
    assert there.wake(1) == []
    told = carry(there, here, 2)
    assert told[0] == Closed("the peer closed", Ending.CLEAN)
    assert (here.is_closed, here.deadline) == (True, NEVER)
    assert carry(here, there, 3) == [Closed("we closed", Ending.CLEAN)]


def test_the_earlier_deadline_counts_and_each_is_woken_for_its_own() -> None:
    here, _ = over_tls(http.Client(NAME), http.Server(0))
    assert here.deadline == 10 * S
    here.upper.request("GET", "/", -25 * S)  # type: ignore[attr-defined]
    assert here.deadline == 5 * S
    assert here.wake(5 * S - 1) == []
    told = list(here.wake(5 * S))
    assert kinds(told) == ["TimedOut", "Closed", "Closed"]
    assert told[-1] == Closed("the handshake was given up", Ending.FAILED)
    assert (here.deadline, here.wake(6 * S)) == (NEVER, [])


def test_a_certificate_that_is_not_believed_ends_the_upper_machine_too() -> None:
    client = http.Client(NAME)
    client.request("GET", "/", 0)
    here = Stack(tls.client(client_side(), NAME, 0), client)
    there = Stack(tls.server(tls.server_context(certificates.expired()), 0), http.Server(0))
    mine, its = shaken(here, there)
    assert kinds(mine[:2]) == ["Unverified", "Closed"]
    assert isinstance(mine[-1], http.Closed)
    assert mine[-1].unanswered == 1
    assert kinds(its) == ["AlertReceived", "Closed", "Closed"]


def test_a_stream_that_is_cut_short_is_told_by_both() -> None:
    here, there = over_tls(http.Client(NAME), http.Server(0))
    here.upper.request("GET", "/", 0)  # type: ignore[attr-defined]
    shaken(here, there)
    told = list(here.end(1))
    assert told[0].ending is Ending.TRUNCATED
    assert isinstance(told[-1], http.Closed)
    assert told[-1].unanswered == 1
    assert (here.end(2), here.receive(b"x", 2), here.wake(3), here.transmit()) == ([], [], [], [])


def test_whoever_hears_of_the_end_of_the_upper_machine_may_put_another_one_there() -> None:
    here, there = over_tls(http.Client(NAME), http.Server(0))
    proposes = [("connection", "upgrade"), ("upgrade", "soup")]
    here.upper.request("GET", "/", 0, proposes)  # type: ignore[attr-defined]
    shaken(here, there)
    there.upper.upgrade(1, [("upgrade", "soup"), ("connection", "upgrade")])  # type: ignore[attr-defined]
    assert there.upper.is_closed  # type: ignore[attr-defined]
    told = carry(there, here, 1)
    assert kinds(told) == ["Upgraded"]
    session = soupbintcp.Server(1)
    session.is_closed = False  # type: ignore[attr-defined]
    there.upper = session
    assert there.deadline > 1
    there.wake(1)
    assert not there.is_closed
    assert there.lower.is_open


class Talker:
    """An upper machine that has something to say."""

    deadline = NEVER
    is_closed = False

    def __init__(self) -> None:
        self.out: list[bytes] = []

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        return [bytes(data)]

    def wake(self, now: int) -> list[Any]:
        return []

    def end(self, now: int) -> list[Any]:
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        out, self.out = self.out, []
        return out


def test_what_the_upper_machine_says_waits_there_while_the_lower_one_has_no_room() -> None:
    talker = Talker()
    lower = tls.client(client_side(), NAME, 0, limits=tls.Limits(queued_bytes=1000))
    here, there = Stack(lower, talker), Stack(tls.server(server_side(), 0), Talker())
    for part in (b"a" * 600, b"b" * 600, b"c"):
        talker.out.append(part)
        assert carry(here, there, 0) == [], "nothing but a hello goes out"
    assert talker.out == [b"c"]
    assert not lower.has_room
    assert kinds(carry(there, here, 0)) == ["Established"]
    assert carry(here, there, 0)[1:] == [b"a" * 600 + b"b" * 600 + b"c"]


def test_the_account_is_of_both() -> None:
    here, _ = over_tls(http.Client(NAME), http.Server(0))
    lower, upper = here.statistics()
    assert isinstance(lower, tls.Statistics)
    assert isinstance(upper, http.Statistics)
