"""The simulated ITCH venue: what it publishes is held against a plain reader of its messages."""

from typing import Any

from netfeed.book.digest import digest
from netfeed.proto import soupbintcp
from netfeed.sim.gateway import Limits
from netfeed.sim.itch_ledger import Ledger
from netfeed.sim.venue import Settings, itch_venue
from netfeed.sim.venue_events import Answered, Connected, Disconnected, Malformed, Refused, SnapshotServed, Truth
from netfeed.sim.venue_ports import GLIMPSE
from netfeed.wire import glimpse, moldudp64
from tests.sim.venue_driver import Driven

S = 10**9
SESSION = b"NETFEED001"


def driven(**changes: Any) -> Driven:
    fields: dict[str, Any] = {"seed": 3, "rate": 500, "transactions": 400, "instruments": 4, "live_orders": 60}
    return Driven(itch_venue(Settings(**(fields | changes))))


def messages(packets: list[bytes], session: bytes = SESSION) -> list[bytes]:
    found: list[bytes] = []
    for data in packets:
        packet = moldudp64.decode(data)
        assert (packet.session, packet.sequence) == (session, len(found) + 1)
        found += [bytes(message) for message in packet.messages]
    return found


def agree(truth: Truth, ledger: Ledger) -> None:
    bids, asks = ledger.rows(truth.instrument, "B"), ledger.rows(truth.instrument, "S")
    assert (truth.bid, truth.ask) == (bids[0] if bids else None, asks[0] if asks else None)
    assert truth.digest == digest(bids, asks)


def snapshot(run: Driven, port: int = GLIMPSE, sequence: int = 1) -> tuple[list[Any], list[Any]]:
    """Log in to the snapshot server; give the events of the venue, and what the client was told."""
    client = soupbintcp.Client()
    client.login("user", "secret", run.now, sequence=sequence)
    events, told = [], []
    for data in client.transmit():
        events += run.venue.receive(data, run.now, port)
    for data in run.venue.transmit(port):
        told += client.receive(data, run.now)
    return events, told


def disconnected(run: Driven) -> list[str]:
    return [event.reason for event in run.told(Disconnected)]


def test_who_connects_and_says_nothing_is_given_up_like_one_who_never_ends_to_log_in() -> None:
    run = driven().run(S)
    login = b"".join(logged_in(run))
    for port in (GLIMPSE, GLIMPSE + 1):
        run.venue.open(run.now, port)
    for k in range(40):
        run.venue.receive(login[k : k + 1], run.now, GLIMPSE + 1)
        run.run(run.now + S)
    assert disconnected(run) == ["no login", "no login"]
    assert isinstance(snapshot(run)[0][1], SnapshotServed)


def logged_in(run: Driven) -> list[bytes]:
    client = soupbintcp.Client()
    client.login("user", "secret", run.now)
    return client.transmit()


def test_who_stays_after_the_snapshot_is_sent_away() -> None:
    run = driven().run(S)
    client = soupbintcp.Client()
    client.login("user", "secret", run.now)
    for _ in range(20):
        for data in client.transmit():
            run.events += run.venue.receive(data, run.now, GLIMPSE)
        for data in run.venue.transmit(GLIMPSE):
            client.receive(data, run.now)
        client.wake(run.now)
        run.run(run.now + S)
    assert disconnected(run) == ["the client did not leave"]


def test_a_connection_anew_on_a_port_has_nothing_of_the_one_before() -> None:
    run = driven().run(S)
    snapshot(run)
    run.venue.open(run.now, GLIMPSE)
    assert run.venue.transmit(GLIMPSE) == []
    assert isinstance(snapshot(run)[0][1], SnapshotServed)


def test_every_truth_is_the_book_of_the_messages_so_far() -> None:
    run = driven().run_out()
    stream, ledger, done = messages(run.sent[0]), Ledger(), 0
    truths = run.told(Truth)
    assert len(truths) > 400
    for truth in truths:
        for message in stream[done : truth.sequence]:
            ledger.apply(message)
        done = truth.sequence
        agree(truth, ledger)
    assert run.sent[0] == run.sent[1]


def test_times_do_not_fall() -> None:
    times = [int.from_bytes(message[5:11]) for message in messages(driven().run_out().sent[0])]
    assert times == sorted(times)


def test_a_seed_is_a_venue() -> None:
    assert driven().run_out().sent == driven().run_out().sent
    assert driven().run_out().sent[0] != driven(seed=4).run_out().sent[0]


def test_an_idle_venue_says_every_second_which_number_comes_next() -> None:
    run = driven().run_out().run(12 * S)
    beats = [moldudp64.decode(data) for data in run.sent[0] if len(data) == 20]
    assert len(beats) in (9, 10, 11)
    assert {beat.sequence for beat in beats} == {run.venue.lines.next}


def test_an_ended_session_says_so_and_still_answers() -> None:
    run = driven().run_out()
    run.venue.finish(run.now)
    run.run(run.now + 3 * S)
    assert [moldudp64.decode(data).end_of_session for data in run.sent[0][-3:]] == [True] * 3
    assert isinstance(run.ask(moldudp64.encode_request(SESSION, 1, 3))[0][0], Answered)
    transactions = run.venue.transactions
    run.venue.pace(1000, run.now)
    assert run.run(run.now + S).venue.transactions == transactions


def test_an_answer_is_one_packet_of_what_fits() -> None:
    run = driven().run_out()
    events, answer = run.ask(moldudp64.encode_request(SESSION, 5, 1_000))
    packet = moldudp64.decode(answer[0])
    assert (len(answer), packet.session, packet.sequence) == (1, SESSION, 5)
    assert len(answer[0]) <= 1472
    assert events == [Answered(4, 5, packet.count)]
    assert [bytes(message) for message in packet.messages] == messages(run.sent[0])[4 : 4 + packet.count]


def test_what_cannot_be_sent_gets_no_answer() -> None:
    run = driven(retain=50, limits=Limits(rate=1, burst=4)).run_out()
    asked = [(SESSION, 1, 1), (SESSION, 10**9, 1), (SESSION, 0, 1), (b"SOMETHING1", 450, 1)]
    for session, first, count in asked:
        events, answer = run.ask(moldudp64.encode_request(session, first, count))
        assert (type(events[0]), answer) == (Refused, [])
    assert isinstance(run.ask(b"x" * 21)[0][0], Malformed)
    assert isinstance(run.ask(moldudp64.encode_request(SESSION, run.venue.lines.next - 1, 1))[0][0], Answered)
    assert run.ask(moldudp64.encode_request(SESSION, run.venue.lines.next - 1, 1))[0][0].reason == "too many requests"


def test_a_wrong_server_sends_what_was_not_asked_for() -> None:
    run = driven().run_out()
    run.venue.gateways[0].wrong = True
    assert moldudp64.decode(run.ask(moldudp64.encode_request(SESSION, 5, 2))[1][0]).sequence == 1_005


def test_a_snapshot_and_what_comes_after_it_is_the_whole_stream() -> None:
    run = driven(transactions=None).run(S // 2)
    events, told = snapshot(run)
    assert [type(event) for event in events] == [Connected, SnapshotServed]
    copies = [event.message for event in told if isinstance(event, soupbintcp.Sequenced)]
    following = glimpse.decode_end_of_snapshot(copies[-1])
    assert following == run.venue.lines.next
    assert isinstance(told[-1], soupbintcp.SessionEnded)
    ledger = Ledger()
    for message in copies:
        ledger.apply(message)
    run.run(S)
    for message in messages(run.sent[0])[following - 1 :]:
        ledger.apply(message)
    for locate in run.venue.floor.instruments:
        agree(run.venue.truth(locate), ledger)


def test_a_client_that_asks_for_another_sequence_or_is_not_known_is_turned_away() -> None:
    run = driven(credentials=("user", "secret")).run_out()
    assert isinstance(snapshot(run)[0][1], SnapshotServed)
    events, told = snapshot(run, GLIMPSE + 1, sequence=7)
    assert [type(event) for event in events] == [Connected, Disconnected]
    assert told[0] == soupbintcp.LoginRejected("S")
    other = driven(credentials=("user", "another")).run_out()
    assert snapshot(other)[1][0] == soupbintcp.LoginRejected("A")


def test_a_torn_snapshot_has_no_end() -> None:
    run = driven().run_out()
    assert run.venue.glimpse is not None
    run.venue.glimpse.torn = True
    copies = [event.message for event in snapshot(run)[1] if isinstance(event, soupbintcp.Sequenced)]
    assert copies
    assert all(message[:1] != b"G" for message in copies)


def test_clients_that_come_and_go_leave_nothing() -> None:
    run = driven().run_out()
    for _ in range(5):
        snapshot(run)
        run.venue.end(run.now, GLIMPSE)
        assert run.venue.transmit(GLIMPSE) == []
    assert run.venue.receive(b"x", run.now, GLIMPSE + 32) == [Malformed(GLIMPSE + 32, "no such port")]


def test_after_a_restart_there_is_another_session_and_the_orders_still_rest() -> None:
    run = driven(transactions=None).run(S)
    before = len(run.sent[0])
    snapshot(run)
    run.venue.restart(run.now)
    run.run(3 * S)
    assert [event.reason for event in run.told(Disconnected)] == ["the venue went down"]
    ledger = Ledger()
    for message in messages(run.sent[0][before:], b"NETFEED002"):
        ledger.apply(message)
    for locate in run.venue.floor.instruments:
        agree(run.venue.truth(locate), ledger)


def test_nonsense_behind_a_login_ends_that_connection_and_no_other() -> None:
    run = driven().run(S)
    login = b"".join(logged_in(run))
    for place, behind in enumerate((b"\x00\x00", b"\x00\x01O", b"\xff" * 64), 1):
        port = GLIMPSE + place
        told = [*run.venue.receive(login + behind, run.now, port), *run.venue.wake(run.now)]
        assert [one.port for one in told if isinstance(one, Disconnected)] == [port]
        assert not [one for one in told if isinstance(one, SnapshotServed)]
    assert [one for one in snapshot(run)[0] if isinstance(one, SnapshotServed)]
