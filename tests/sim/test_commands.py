"""What a simulated venue can be told to do, in words, and what its lines make of it."""

from itertools import pairwise
from typing import Any

import pytest

from netfeed.errors import ConfigurationError
from netfeed.proto import soupbintcp
from netfeed.sim.commands import command, parse_faults
from netfeed.sim.faults import Chain, Faults
from netfeed.sim.venue import Settings, itch_venue, starbase_venue
from netfeed.sim.venue_ports import GLIMPSE
from netfeed.sim.wired_venue import WiredVenue
from netfeed.wire import moldudp64
from tests.sim.venue_driver import Driven

S = 10**9


def starbase(**changes: Any) -> Driven:
    return Driven(WiredVenue(starbase_venue(Settings(instruments=3, rate=200, truth=False, **changes)), seed=5))


def itch() -> Driven:
    return Driven(WiredVenue(itch_venue(Settings(instruments=3, rate=200, live_orders=30, truth=False)), seed=5))


def tell(run: Driven, text: str) -> None:
    command(run.venue, text, run.now)


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        ("ok", Faults()),
        ("silent", Faults(silent=True)),
        ("loss 10%", Faults(loss=100_000)),
        ("loss 0.0001% corrupt 100%", Faults(loss=1, corrupt=1_000_000)),
        ("burst 1%", Faults(burst=10_000)),
        ("burst 1% 30 duplicate 2%", Faults(burst=10_000, burst_packets=30, duplicate=20_000)),
        ("chain 1% 10%", Faults(chain=Chain(10_000, 100_000))),
        ("chain 1% 10% 50% 0.1%", Faults(chain=Chain(10_000, 100_000, good=1_000, bad=500_000))),
        (
            "reorder 5% 2ms delay 1ms jitter 50us",
            Faults(0, 0, 8, None, 0, 50_000, 50_000, 2_000_000, 1_000_000, 50_000),
        ),
    ],
)
def test_faults_are_read(words: str, faults: Faults) -> None:
    assert parse_faults(words.split()) == faults


def test_a_venue_with_good_lines_is_the_venue() -> None:
    plain = Driven(starbase_venue(Settings(instruments=3, rate=200, truth=False))).run(S)
    assert starbase().run(S).sent == plain.sent


def test_a_line_loses_what_it_is_told_to() -> None:
    run = starbase()
    tell(run, "line A loss 30%")
    run.run(2 * S)
    assert 0.6 < len(run.sent[0]) / len(run.sent[1]) < 0.8
    assert run.venue.links[0].counts.lost == len(run.sent[1]) - len(run.sent[0])


@pytest.mark.parametrize("words", ["silent 2s", "silent for 2s"])
def test_a_line_is_silent_for_a_time(words: str) -> None:
    run = starbase().run(S)
    tell(run, f"line A,b {words}")
    heard = len(run.sent[1])
    assert len(run.run(3 * S - 1).sent[1]) == heard
    assert len(run.run(4 * S).sent[1]) > heard


def test_a_port_that_nobody_drains_does_not_stop_the_time() -> None:
    run = starbase()
    while run.venue.deadline < S:
        before = run.venue.deadline
        run.venue.wake(before)
        run.venue.transmit(0)
        assert run.venue.deadline > before


def test_a_delay_delays() -> None:
    run = starbase()
    tell(run, "line B delay 10ms")
    run.run(S)
    a, b = run.times[0], run.times[1]
    assert {late - early for early, late in zip(a, b, strict=False)} == {10_000_000}


def test_a_gateway_dies_is_slow_and_comes_back() -> None:
    run = itch().run(S)
    request = moldudp64.encode_request(b"NETFEED001", 1, 1)
    tell(run, "gateway dead")
    assert run.ask(request)[1] == []
    tell(run, "gateway 1 slow 100ms")
    assert run.ask(request)[1] == []
    assert len(run.run(run.now + 100_000_000).sent[4]) == 1
    tell(run, "gateway refusing")
    assert run.ask(request)[1] == []
    assert run.venue.venue.gateways[0].refused == 1
    tell(run, "gateway ok")
    assert len(run.ask(request)[1]) == 1


def test_requests_are_lost_on_their_way_as_they_are_told_to() -> None:
    run = itch().run(S)
    tell(run, "requests loss 50%")
    request = moldudp64.encode_request(b"NETFEED001", 1, 1)
    answers = sum(len(run.ask(request)[1]) for _ in range(40))
    way = run.venue.inward[4]
    assert answers == run.venue.venue.gateways[0].requests == 40 - way.counts.lost
    assert 5 < answers < 35
    tell(run, "requests 1 slow 100ms")
    assert run.ask(request)[1] == []
    assert len(run.run(run.now + 100_000_000).sent[4]) == 1
    tell(run, "requests dead for 1s")
    assert run.ask(request)[1] == []
    tell(run.run(run.now + S), "requests ok")
    assert len(run.ask(request)[1]) == 1


def logged_in(run: Driven, port: int) -> list[bytes]:
    client = soupbintcp.Client()
    client.login("user", "word", run.now, sequence=1)
    return run.ask(b"".join(client.transmit()), port)[1]


def test_logins_are_lost_each_with_its_whole_connection() -> None:
    run = itch().run(S)
    tell(run, "logins loss 50%")
    heard = [bool(logged_in(run, GLIMPSE + k)) for k in range(20)]
    assert 3 < sum(heard) < 17
    assert run.venue.venue.glimpse.served == sum(heard)
    tell(run, "logins ok")
    deaf = GLIMPSE + heard.index(False)
    assert not logged_in(run, deaf), "a stream of which something was swallowed is torn"
    run.venue.end(run.now, deaf)
    assert logged_in(run, deaf)


def test_logins_are_late_or_not_heard_for_a_time() -> None:
    run = itch().run(S)
    tell(run, "logins slow 100ms")
    assert not logged_in(run, GLIMPSE)
    run.run(run.now + 100_000_000)
    assert run.venue.transmit(GLIMPSE)
    tell(run, "logins ok")
    tell(run, "logins dead for 1s")
    assert not logged_in(run, GLIMPSE + 1)
    assert logged_in(run.run(run.now + S), GLIMPSE + 2)


def test_a_snapshot_server_is_told_to_misbehave() -> None:
    run = itch()
    for text in ("glimpse dead for 1s", "glimpse slow 5ms", "glimpse torn", "glimpse refusing"):
        tell(run, text)
    server = run.venue.venue.glimpse
    assert server is not None
    assert (server.torn, server.refusing, run.venue.faults(GLIMPSE)) == (True, True, Faults(delay_ns=5_000_000))
    tell(run, "glimpse ok")
    assert (server.torn, server.refusing, run.venue.faults(GLIMPSE)) == (False, False, Faults())


def test_the_flow_and_the_session_are_told() -> None:
    run = itch().run(S)
    tell(run, "rate 0")
    count = run.venue.venue.transactions
    assert run.run(2 * S).venue.venue.transactions == count
    tell(run, "session restart 3s")
    run.run(4 * S)
    assert not run.venue.venue.is_up
    run.run(6 * S)
    assert run.venue.venue.epoch == 2
    tell(run, "session end")
    assert moldudp64.decode(run.venue.transmit(0)[-1]).end_of_session


def test_one_switch_sends_alone_and_the_other_takes_over_with_the_next_number() -> None:
    run = itch()
    for until, text in enumerate(("switch A", "switch B", "switch both"), start=1):
        tell(run, text)
        run.run(until * S)
    firsts = {port: [moldudp64.decode(packet).sequence for packet in run.sent[port]] for port in (0, 1)}
    times = {port: run.times[port] for port in (0, 1)}
    assert all(at >= S for at in times[1])
    assert not [at for at in times[0] if S < at < 2 * S]
    assert [at for at in times[0] if at > 2 * S] == [at for at in times[1] if at > 2 * S] != []
    held = sorted(set(firsts[0] + firsts[1]))
    counts = {
        packet.sequence: len(packet.messages)
        for data in (*run.sent[0], *run.sent[1])
        for packet in [moldudp64.decode(data)]
    }
    for before, after in pairwise(held):
        assert before + counts[before] == after


def test_snapshots_are_told_to_contradict_themselves() -> None:
    run = starbase()
    tell(run, "snapshots spoilt 50%")
    assert run.venue.venue.cycle.spoilt == 500_000
    tell(run, "snapshots ok")
    assert run.venue.venue.cycle.spoilt == 0


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "line", "line C loss 1%", "line A", "line A loss", "line A loss 10", "line A loss 101%",
        "line A loss x%", "line A wet", "line A loss 1% for", "line A silent for ever", "gateway", "gateway 3 dead",
        "gateway sleepy", "glimpse dead", "snapshots", "snapshots spoilt", "snapshots good", "rate", "rate fast",
        "rate -1", "switch", "switch C", "switch A B", "session", "session pause", "session restart soon",
        "line A delay -1ms", "line A chain 1%", "requests", "requests 3 loss 1%", "requests wet", "logins loss 1%",
    ],
)  # fmt: skip
def test_what_is_not_understood_changes_nothing(text: str) -> None:
    run = starbase()
    with pytest.raises(ConfigurationError):
        tell(run, text)
    assert all(link.faults == Faults() for link in (*run.venue.links.values(), *run.venue.inward.values()))
