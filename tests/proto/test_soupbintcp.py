"""SoupBinTCP, client and server: bytes in; events, bytes and the deadline out; time is a number."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, StreamMachine
from netfeed.proto import soupbintcp as soup
from netfeed.proto.soupbintcp import Client, Server, State, Timing
from netfeed.proto.soupbintcp_conversation import MAX_QUEUED
from netfeed.proto.soupbintcp_pieces import Pieces
from netfeed.proto.soupbintcp_state import CLIENT, SERVER
from netfeed.wire import soupbintcp as wire

S = 10**9
ACCEPTED = bytes.fromhex("001f 41") + b"  SESSION1" + b"%20d" % 7
MESSAGE = bytes.fromhex("0004 53 616263")
UNSEQUENCED = bytes.fromhex("0002 55 7a")
SERVER_HEARTBEAT = bytes.fromhex("0001 48")
CLIENT_HEARTBEAT = bytes.fromhex("0001 52")
END = bytes.fromhex("0001 5a")
LOGOUT = bytes.fromhex("0001 4f")
LOGIN = bytes.fromhex("002f 4c") + b"user  " + b"password  " + b" " * 10 + b"%20d" % 7
DEBUG = bytes.fromhex("0003 2b 6869")


def logged_in(now: int = 0) -> Client:
    client = Client()
    client.login("user", "password", now, sequence=7)
    client.transmit()
    client.receive(ACCEPTED, now)
    return client


def serving(now: int = 0) -> Server:
    server = Server(now)
    server.receive(LOGIN, now)
    server.accept("SESSION1", 7, now)
    server.transmit()
    return server


def test_both_sides_are_stream_machines() -> None:
    assert isinstance(Client(), StreamMachine)
    assert isinstance(Server(0), StreamMachine)


# --- the conversation


def test_a_client_logs_in_and_counts_what_it_is_sent() -> None:
    client = Client()
    client.login("user", "password", 0, sequence=7)
    assert client.transmit() == [LOGIN]
    assert client.receive(ACCEPTED + MESSAGE + MESSAGE, 1) == [
        soup.LoggedIn("SESSION1", 7, 7), soup.Sequenced(7, b"abc"), soup.Sequenced(8, b"abc")]  # fmt: skip
    assert (client.next_sequence, client.state) == (9, State.ACTIVE)


def test_unsequenced_messages_do_not_count_and_debug_is_ignored() -> None:
    client = logged_in()
    assert client.receive(UNSEQUENCED + DEBUG + SERVER_HEARTBEAT, 1) == [soup.Unsequenced(b"z"), soup.Heartbeat()]
    assert (client.next_sequence, client.statistics().debug) == (7, 1)


def test_a_rejected_login_is_the_end() -> None:
    client = Client()
    client.login("user", "password", 0)
    assert client.receive(bytes.fromhex("0002 4a 53") + MESSAGE, 1) == [
        soup.LoginRejected("S"), soup.Closed("the login was rejected")]  # fmt: skip
    assert client.deadline == NEVER


def test_the_end_of_a_session_is_told_with_its_number_and_then_the_close() -> None:
    client = logged_in()
    assert client.receive(MESSAGE + END, 1) == [soup.Sequenced(7, b"abc"), soup.SessionEnded(8)]
    assert client.end(2) == [soup.Closed("the session ended")]


def test_a_client_that_logs_out_still_hears_what_was_on_its_way() -> None:
    client = logged_in()
    client.logout(1)
    assert client.transmit() == [LOGOUT]
    assert client.receive(MESSAGE, 2) == [soup.Sequenced(7, b"abc")]
    assert client.end(3) == [soup.Closed("the session ended")]


def test_a_client_sends_unsequenced_messages() -> None:
    client = logged_in()
    client.send(b"z", 1)
    assert client.transmit() == [UNSEQUENCED]
    assert client.transmit() == []


def test_a_server_lets_a_client_in_and_numbers_what_it_sends() -> None:
    server = Server(0)
    assert server.receive(LOGIN, 1) == [soup.LoginRequested("user", "password", "", 7, None)]
    server.accept("SESSION1", 7, 2)
    server.send(b"abc", 3)
    server.send_unsequenced(b"z", 3)
    server.finish(4)
    assert b"".join(server.transmit()) == ACCEPTED + MESSAGE + UNSEQUENCED + END
    assert (server.next_sequence, server.state) == (8, State.ENDED)
    assert server.receive(UNSEQUENCED + CLIENT_HEARTBEAT, 5) == [soup.Unsequenced(b"z"), soup.Heartbeat()]
    assert server.receive(LOGOUT, 6) == [soup.Closed("the client logged out")]


def test_a_server_reads_the_heartbeat_timeout_of_version_4_10() -> None:
    login = bytes.fromhex("0034 4c") + LOGIN[3:] + b" 3000"
    assert Server(0).receive(login, 0) == [soup.LoginRequested("user", "password", "", 7, 3000)]


def test_a_server_sends_a_client_away() -> None:
    server = Server(0)
    server.receive(LOGIN, 0)
    server.reject("A", 1)
    assert server.transmit() == [bytes.fromhex("0002 4a 41")]
    assert (server.state, server.deadline, server.receive(LOGIN, 2)) == (State.CLOSED, NEVER, [])


def test_client_and_server_understand_each_other() -> None:
    client, server = Client(), Server(0)
    client.login("user", "password", 0, session="S", sequence=3)
    told: list[soup.Event] = []
    for now in range(1, 5):
        for chunk in client.transmit():
            for event in server.receive(chunk, now):
                if isinstance(event, soup.LoginRequested):
                    server.accept(event.session, event.sequence, now)
                    server.send(b"one", now)
                    server.send(b"", now)
                    server.finish(now)
        for chunk in server.transmit():
            told += client.receive(chunk, now)
    assert told == [soup.LoggedIn("S", 3, 3), soup.Sequenced(3, b"one"), soup.Sequenced(4, b""), soup.SessionEnded(5)]


# --- time


@pytest.mark.parametrize(("machine", "beat"), [(logged_in(), CLIENT_HEARTBEAT), (serving(), SERVER_HEARTBEAT)])
def test_a_heartbeat_goes_out_a_second_after_the_last_thing_sent(machine: Client | Server, beat: bytes) -> None:
    assert machine.deadline == S
    assert machine.wake(S - 1) == []
    assert machine.transmit() == []
    assert machine.wake(S) == []
    assert machine.transmit() == [beat]
    machine.send(b"x", S + 500)
    machine.transmit()
    assert machine.deadline == 2 * S + 500, "what is sent counts as a heartbeat"


@pytest.mark.parametrize("machine", [logged_in(), serving()])
def test_a_peer_that_is_silent_for_fifteen_seconds_is_given_up(machine: Client | Server) -> None:
    events: list[soup.Event] = []
    while machine.deadline < NEVER:
        events += machine.wake(machine.deadline)
        machine.transmit()
    assert events == [soup.Silent(0), soup.Closed("the peer is silent")]


def test_anything_that_is_heard_keeps_the_peer_alive() -> None:
    client = logged_in()
    client.receive(SERVER_HEARTBEAT[:1], 10 * S)
    client.wake(15 * S)
    assert client.state is State.ACTIVE
    assert client.wake(25 * S) == [soup.Silent(10 * S), soup.Closed("the peer is silent")]


def test_a_login_that_is_not_answered_and_one_that_does_not_come() -> None:
    client, server = Client(), Server(5)
    assert client.deadline == NEVER
    client.login("user", "password", 5)
    assert (client.deadline, server.deadline) == (5 + 30 * S, 5 + 30 * S)
    assert client.wake(5 + 30 * S) == [soup.Closed("no answer to the login")]
    assert server.wake(5 + 30 * S) == [soup.Closed("no login")]


def test_a_server_that_judges_waits_for_nobody() -> None:
    server = Server(0)
    server.receive(LOGIN, 0)
    assert server.deadline == NEVER


def test_heartbeats_do_not_pile_up_where_nobody_drains() -> None:
    client = logged_in()
    for second in range(1, 10):
        client.wake(second * S)
    assert client.transmit() == [CLIENT_HEARTBEAT]


def test_times_can_be_chosen_and_make_sense() -> None:
    client = Client(Timing(heartbeat_ns=10, silent_ns=50, login_ns=99))
    client.login("u", "p", 0)
    assert client.deadline == 99
    with pytest.raises(MisuseError, match="positive"):
        Timing(heartbeat_ns=0)


# --- the table


@pytest.mark.parametrize(
    ("machine", "data", "violation"),
    [
        (Client(), ACCEPTED, soup.Violation("LoginAccepted", "start")),
        (logged_in(), ACCEPTED, soup.Violation("LoginAccepted", "active")),
        (logged_in(), CLIENT_HEARTBEAT, soup.Violation("ClientHeartbeat", "active")),
        (Server(0), UNSEQUENCED, soup.Violation("UnsequencedData", "logging in")),
        (serving(), LOGIN, soup.Violation("LoginRequest", "active")),
        (serving(), MESSAGE, soup.Violation("SequencedData", "active")),
    ],
)
def test_a_packet_out_of_place_ends_the_conversation(
    machine: Client | Server, data: bytes, violation: soup.Violation
) -> None:
    assert machine.receive(data + data, 1) == [violation, soup.Closed("a packet out of place")]
    assert machine.receive(data, 2) == []


@pytest.mark.parametrize("table", [CLIENT, SERVER])
def test_debug_is_ignored_in_every_state_and_no_state_leads_nowhere(table: dict[State, dict[type, State]]) -> None:
    for state, row in table.items():
        assert row[wire.Debug] is state
        assert set(row.values()) <= set(table) | {State.CLOSED}


def test_bytes_that_are_no_packet_end_the_conversation_and_say_where() -> None:
    client = logged_in()
    client.receive(MESSAGE, 1)
    message, malformed, closed = client.receive(MESSAGE + b"\x00\x01?", 2)
    assert (message, closed) == (soup.Sequenced(8, b"abc"), soup.Closed("malformed bytes"))
    assert isinstance(malformed, soup.Malformed)
    assert (malformed.offset, malformed.found) == (33 + 6 + 6 + 2, "0x3f")


def test_a_torn_last_packet_is_told_when_the_peer_closes() -> None:
    client = logged_in()
    client.receive(MESSAGE[:4], 1)
    torn, closed = client.end(2)
    assert isinstance(torn, soup.Malformed)
    assert (torn.offset, torn.found) == (33, "4 bytes of it")
    assert closed == soup.Closed("the peer closed")
    assert client.end(3) == []


# --- misuse


def test_commands_out_of_place_are_refused_and_change_nothing() -> None:
    client, server = Client(), Server(0)
    for command in (lambda: client.send(b"", 0), lambda: client.logout(0), lambda: server.send(b"", 0),
                    lambda: server.accept("", 1, 0), lambda: server.reject("A", 0), lambda: server.finish(0),
                    lambda: server.send_unsequenced(b"", 0)):  # fmt: skip
        with pytest.raises(MisuseError, match="cannot"):
            command()
    assert (client.state, server.state, client.transmit(), server.transmit()) == (
        State.START, State.LOGGING_IN, [], [])  # fmt: skip


def test_a_login_that_cannot_be_encoded_changes_nothing() -> None:
    client = Client()
    with pytest.raises(MisuseError, match="does not fit"):
        client.login("far too long", "password", 0)
    assert (client.state, client.transmit()) == (State.START, [])
    client.login("user", "password", 0)


def test_output_that_nobody_drains_is_bounded() -> None:
    server = serving()
    with pytest.raises(MisuseError, match="drained"):
        for _ in range(MAX_QUEUED // 60_000 + 2):
            server.send(bytes(60_000), 1)
    server.transmit()
    server.send(b"x", 1)


def test_the_account_counts_packets_and_bytes() -> None:
    client = logged_in()
    client.receive(MESSAGE + DEBUG, 9)
    statistics = client.statistics()
    assert (statistics.packets, statistics.bytes_in, statistics.bytes_out) == (3, 33 + 6 + 5, 49)
    assert (statistics.next_sequence, statistics.last_heard) == (8, 9)


def test_a_server_gives_an_account_too() -> None:
    server = serving()
    assert server.statistics().bytes_in == 49
    assert server.end(4) == [soup.Closed("the peer closed")]


@given(lengths=st.lists(st.integers(0, 300), max_size=6), cuts=st.lists(st.integers(0, 1800), max_size=6))
def test_a_stream_is_cut_behind_each_packet(lengths: list[int], cuts: list[int]) -> None:
    data = b"".join(length.to_bytes(2, "big") + b"S" * length for length in lengths) + b"\0"
    ends = {sum(2 + one for one in lengths[:count]) for count in range(1, len(lengths) + 1)}
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = Pieces()
    told = [bytes(piece) for start, stop in pairwise(places) for piece in pieces.of(data[start:stop])]
    assert b"".join(told) == data
    seen = set(accumulate(len(piece) for piece in told))
    assert ends <= seen | {0}
    assert seen <= ends | set(places)


def test_a_login_shows_its_password_to_nobody() -> None:
    sent, asked = wire.LoginRequest("mm", "word-of-mm", "", 1), soup.LoginRequested("mm", "word-of-mm", "", 1, None)
    assert "word-of-mm" not in repr(sent) + repr(asked) + str(sent) + f"{asked}"
