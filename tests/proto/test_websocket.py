"""WebSocket as a machine: the handshake, messages both ways, pings and their round trips, and every way to end."""

import re
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto import http
from netfeed.proto.websocket import (
    Client,
    Closed,
    Code,
    Limits,
    Malformed,
    Messages,
    Opened,
    Pinged,
    Ponged,
    Refused,
    Requested,
    Server,
    TimedOut,
    Timing,
    Who,
)
from netfeed.wire.websocket import BINARY, CLOSE, COMPRESSED, FINAL, PING, PONG, TEXT, encode
from tests.proto.websocket_peers import (
    ANSWER,
    HEAD,
    KEY,
    REQUEST,
    Message,
    client,
    deflated,
    new_client,
    no_entropy,
    pair,
    unbatched,
)

SECOND = 1_000_000_000
Side = Client | Server


def out(side: Side) -> bytes:
    return b"".join(side.transmit())


def told(side: Side, data: bytes, now: int = 1) -> list[Any]:
    return unbatched(side.receive(data, now))


# --- the handshake


def test_a_client_asks_as_the_specification_says() -> None:
    lines = REQUEST.decode().split("\r\n")
    assert lines[0] == "GET /ws HTTP/1.1"
    fields = dict(line.lower().split(": ", 1) for line in lines[1:-2])
    assert fields["host"] == "venue"
    assert fields["upgrade"] == "websocket"
    assert fields["sec-websocket-version"] == "13"
    assert len(fields["sec-websocket-key"]) == 24
    assert fields["sec-websocket-extensions"] == "permessage-deflate; client_max_window_bits"


def test_the_key_of_the_specification_has_the_answer_of_the_specification() -> None:
    one = Server(0)
    key = b"dGhlIHNhbXBsZSBub25jZQ=="
    request = re.sub(rb"(?i)(sec-websocket-key: )[^\r]*", rb"\1" + key, REQUEST)
    one.receive(request, 0)
    one.accept(0)
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in out(one)


def test_a_handshake_opens_both_sides() -> None:
    one, two = new_client(subprotocols=["a", "b"], headers=[("x-key", "k")]), Server(0)
    [requested] = two.receive(out(one), 1)
    assert isinstance(requested, Requested)
    assert (requested.target, requested.subprotocols, requested.header("X-Key")) == ("/ws", ("a", "b"), "k")
    two.accept(2, "b", [("x-session", "7")])
    assert two.deadline == 2
    [opened] = two.wake(2)
    assert isinstance(opened, Opened)
    assert (opened.subprotocol, opened.compressed) == ("b", True)
    [opened] = one.receive(out(two), 3)
    assert isinstance(opened, Opened)
    assert (opened.subprotocol, opened.compressed, opened.header("x-session")) == ("b", True, "7")
    assert one.is_open
    assert two.is_open


@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True), (False, False)])
def test_compression_needs_both_sides(ours: bool, theirs: bool) -> None:
    one, two = pair(client={"compression": ours}, server={"compression": theirs})
    for side, other in ((one, two), (two, one)):
        side.send_text("a" * 1000)
        data = out(side)
        assert len(data) > 1000
        assert told(other, data) == [Message(True, b"a" * 1000)]


def test_messages_right_behind_the_handshake_are_told() -> None:
    one = new_client()
    opened, *messages = told(one, ANSWER + encode(0x81, b"first") + encode(0x81, b"second"))
    assert isinstance(opened, Opened)
    assert messages == [Message(True, b"first"), Message(True, b"second")]


def test_messages_before_the_server_agreed_are_told_after_it_has() -> None:
    two = Server(0)
    two.receive(REQUEST + encode(0x81, b"eager", KEY), 0)
    two.accept(1)
    opened, message = unbatched(two.wake(1))
    assert isinstance(opened, Opened)
    assert message == Message(True, b"eager")


def test_a_server_may_send_before_its_opening_is_told() -> None:
    two = Server(0)
    two.receive(REQUEST, 0)
    two.accept(1)
    two.send_text("hello")
    _, message = told(new_client(), out(two))
    assert message == Message(True, b"hello")
    assert [type(event) for event in two.receive(encode(0x81, b"x", KEY), 2)] == [Opened, Messages]


def test_a_server_that_refuses_is_told_with_all_that_it_said() -> None:
    one, two = new_client(), Server(0)
    two.receive(out(one), 0)
    two.refuse(1, 429, b"slow down", [("retry-after", "7")])
    assert not two.is_closed
    data = out(two)
    assert two.wake(1) == [Closed(Code.ABNORMAL, "refused with status 429", Who.WE)]
    assert two.is_closed
    refused, closed = one.receive(data, 2)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.body, refused.header("Retry-After")) == (429, b"slow down", "7")
    assert closed == Closed(Code.ABNORMAL, "refused with status 429", Who.PEER)


ELSE = "the server switched to something else than a WebSocket"
WRONG_ANSWERS = [
    (HEAD + b"\r\n", "the server did not read the key of the handshake"),
    (ANSWER.replace(b"websocket", b"h2c"), ELSE),
    (
        ANSWER.replace(b"connection: Upgrade", b"connection: x"),
        "the server switched to something else than a WebSocket",
    ),
    (ANSWER.replace(b"permessage-deflate", b"x-other"), "an extension that was not offered"),
    (ANSWER[:-2] + b"sec-websocket-protocol: x\r\n\r\n", "the server chose a subprotocol that was not offered"),
]


@pytest.mark.parametrize(("data", "what"), WRONG_ANSWERS)
def test_an_answer_that_is_not_in_order_ends_the_conversation(data: bytes, what: str) -> None:
    one = new_client()
    one.transmit()
    assert one.receive(data, 1) == [Malformed(what, Code.ABNORMAL), Closed(Code.ABNORMAL, what, Who.WE)]
    assert one.transmit() == []
    assert one.is_closed


def test_an_extension_is_wrong_where_none_was_offered() -> None:
    assert isinstance(new_client(compression=False).receive(ANSWER, 1)[0], Malformed)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"13", b"8", 426), (b"GET", b"HEAD", 426), (b"upgrade: websocket\r\n", b"", 426),
        (b"connection: Upgrade", b"connection: keep-alive", 426), (b"sec-websocket-key", b"x-key", 400),
        (b"AQIDBAECAwQBAgMEAQIDBA==", b"AQID", 400), (b"AQIDBAECAwQBAgMEAQIDBA==", b"\xff" * 24, 400),
        (b"host: venue\r\n", b"", 400), (b"\r\n\r\n", b"\r\ncontent-length: 1\r\n\r\nx", 400),
    ],
)  # fmt: skip
def test_a_request_that_is_not_in_order_is_answered_with_a_status(old: bytes, new: bytes, status: int) -> None:
    two = Server(0)
    assert REQUEST.lower().count(old.lower()) >= 1
    events = two.receive(re.sub(re.escape(old), lambda _: new, REQUEST, flags=re.IGNORECASE), 0)
    assert [type(event) for event in events] == [Malformed, Closed]
    assert out(two).startswith(b"HTTP/1.1 %d" % status)
    assert two.is_closed


def test_who_wants_pages_is_told_them_where_there_are_such() -> None:
    asked = b"GET /list?page=%d HTTP/1.1\r\nhost: venue\r\n\r\n"
    two = Server(0, pages=lambda target: (200, target.encode()))
    for page in (1, 2):
        assert two.receive(asked % page, 0) == []
        assert out(two).endswith(b"\r\n\r\n/list?page=%d" % page)
    assert [type(event) for event in two.receive(REQUEST, 0)] == [Requested]
    assert [type(event) for event in Server(0).receive(asked % 1, 0)] == [Malformed, Closed]


def test_who_wants_one_page_is_let_go_behind_it() -> None:
    two = Server(0, pages=lambda target: (404, b"{}"))
    two.receive(b"GET / HTTP/1.1\r\nhost: venue\r\nconnection: close\r\n\r\n", 0)
    assert out(two).startswith(b"HTTP/1.1 404")
    assert two.deadline == 0
    two.wake(0)
    assert two.is_closed


def test_an_old_version_is_told_the_right_one() -> None:
    two = Server(0)
    two.receive(REQUEST.replace(b"13", b"8"), 0)
    assert b"sec-websocket-version: 13" in out(two)


@pytest.mark.parametrize(
    "make", [lambda: new_client(timing=Timing(open_ns=SECOND)), lambda: Server(0, timing=Timing(open_ns=SECOND))]
)
def test_a_handshake_that_does_not_come_to_its_end_is_given_up(make: Any) -> None:
    side = make()
    side.transmit()
    assert side.deadline == SECOND
    timed_out, closed = side.wake(SECOND)
    assert timed_out == TimedOut("the handshake")
    assert closed.code == Code.ABNORMAL
    assert closed.by is Who.WE


def test_a_stream_that_ends_in_the_handshake_was_ended_by_the_peer() -> None:
    for side in (new_client(), Server(0)):
        assert side.end(1) == [Closed(Code.ABNORMAL, "the peer closed in the handshake", Who.PEER)]


def test_what_cannot_be_asked_is_misuse() -> None:
    for wrong in (
        {"headers": [("Upgrade", "x")]},
        {"headers": [("sec-websocket-key", "x")]},
        {"subprotocols": ["\u20ac"]},
    ):
        with pytest.raises(MisuseError):
            new_client(**wrong)
    two = Server(0)
    with pytest.raises(MisuseError, match="nobody asks"):
        two.accept(0)
    two.receive(REQUEST, 0)
    with pytest.raises(MisuseError, match="did not offer"):
        two.accept(0, "x")
    two.accept(0)
    with pytest.raises(MisuseError, match="nobody asks"):
        two.refuse(0)


# --- messages


def test_messages_go_both_ways_in_their_order() -> None:
    one, two = pair()
    for side, other in ((one, two), (two, one)):
        side.send_text("gr\u00fc\u00df")
        side.send_binary(bytearray(b"\x00\xff"))
        side.send_text(b"bytes")
        side.send_text("")
        side.send_binary(bytes(70_000))
        assert told(other, out(side)) == [
            Message(True, "gr\u00fc\u00df".encode()), Message(False, b"\x00\xff"), Message(True, b"bytes"),
            Message(True, b""), Message(False, bytes(70_000)),
        ]  # fmt: skip


def test_all_plain_messages_of_a_piece_are_one_batch_without_a_copy() -> None:
    one = client()
    piece = encode(0x81, b"a") + encode(0x82, b"b") + encode(0x81, b"c")
    [batch] = one.receive(piece, 1)
    assert isinstance(batch, Messages)
    assert len(batch) == 3
    assert batch.data.obj is piece


def test_a_buffer_that_the_driver_uses_again_is_not_kept() -> None:
    one = client()
    buffer = bytearray(encode(0x81, b"keep me"))
    [batch] = one.receive(memoryview(buffer), 1)
    buffer[:] = bytes(len(buffer))
    assert isinstance(batch, Messages)
    assert batch.text(0) == "keep me"


def test_fragments_become_one_message_with_pings_between_them() -> None:
    one = client()
    data = encode(TEXT, b"\xe2") + encode(FINAL | PING, b"?") + encode(0, b"\x82") + encode(FINAL, b"\xac")
    assert told(one, data) == [Pinged(b"?"), Message(True, b"\xe2\x82\xac")]
    assert told(one, encode(0x81, b"next")) == [Message(True, b"next")]


def test_a_ping_between_compressed_fragments_does_not_end_their_compression() -> None:
    payload = deflated(b"abc" * 100)
    data = encode(COMPRESSED | TEXT, payload[:5]) + encode(FINAL | PING, b"") + encode(FINAL, payload[5:])
    assert told(client(), data) == [Pinged(b""), Message(True, b"abc" * 100)]


def test_messages_are_sent_in_fragments_where_that_is_wanted() -> None:
    for compression in (False, True):
        one, two = pair(limits=Limits(fragment_bytes=100), compression=compression)
        payload = bytes(at * at % 251 for at in range(1050))
        one.send_binary(payload)
        data = out(one)
        assert told(two, data) == [Message(False, payload)]
        assert two.statistics().plain_in == 0


def test_small_messages_are_not_compressed_and_big_ones_are() -> None:
    one, _ = pair(limits=Limits(deflate_bytes=100))
    one.send_text("a" * 99)
    assert len(out(one)) == 2 + 4 + 99
    one.send_text("a" * 1000)
    assert len(out(one)) < 50


def test_a_client_masks_each_frame_with_new_entropy() -> None:
    drawn: list[int] = []

    def entropy(count: int) -> bytes:
        drawn.append(count)
        return bytes(at * 7 % 256 for at in range(count))

    one = Client("venue", "/", 0, random_bytes=entropy, compression=False)
    two = Server(0)
    two.receive(out(one), 0)
    two.accept(0)
    one.receive(out(two), 0)
    keys = set()
    for _ in range(60):
        one.send_binary(b"")
        keys.add(out(one)[2:6])
    assert len(keys) == 60
    for _ in range(600):
        one.send_binary(b"")
    assert len(drawn) == 4


def test_what_cannot_be_sent_is_misuse_and_changes_nothing() -> None:
    fresh = new_client()
    with pytest.raises(MisuseError, match="not open yet"):
        fresh.send_text("x")
    one = client()
    for wrong in ("\ud800", b"\xff"):
        with pytest.raises(MisuseError, match="UTF-8"):
            one.send_text(wrong)
    assert one.transmit() == []
    one.close(0)
    with pytest.raises(MisuseError, match="closing"):
        one.send_text("x")
    one.end(1)
    with pytest.raises(MisuseError, match="over"):
        one.ping(2)


def test_who_never_drains_is_stopped() -> None:
    one = client(limits=Limits(queued_bytes=1000), compression=False)
    with pytest.raises(MisuseError, match="wait to be drained"):
        for _ in range(10):
            one.send_binary(bytes(500))
    one.transmit()
    one.send_binary(bytes(500))


# --- pings


def test_a_ping_is_answered_at_once() -> None:
    one = client()
    assert one.receive(encode(FINAL | PING, b"are you there"), 1) == [Pinged(b"are you there")]
    assert out(one) == encode(FINAL | PONG, b"are you there", no_entropy(4))


def test_a_ping_goes_out_when_it_is_time_and_its_round_trip_is_told() -> None:
    one, two = pair(client={"timing": Timing(ping_ns=SECOND)}, server={"timing": Timing(ping_ns=NEVER)})
    assert one.deadline == SECOND
    assert two.deadline == NEVER
    assert one.wake(SECOND - 1) == []
    assert one.transmit() == []
    assert one.wake(SECOND) == []
    two.receive(out(one), SECOND + 20)
    [ponged] = one.receive(out(two), SECOND + 45)
    assert isinstance(ponged, Ponged)
    assert ponged.rtt_ns == 45
    assert one.deadline == 2 * SECOND


def test_a_pong_answers_the_pings_before_it_too() -> None:
    one = client()
    one.ping(10, b"first")
    one.ping(20, b"second")
    assert one.receive(encode(FINAL | PONG, b"second"), 50) == [Ponged(30, b"second")]
    assert one.receive(encode(FINAL | PONG, b"first"), 60) == []
    assert one.statistics().unasked == 1


def test_a_pong_that_nobody_asked_for_is_counted() -> None:
    one = client()
    assert one.receive(encode(FINAL | PONG, b"x"), 1) == []
    assert one.statistics().unasked == 1


def test_so_many_pings_wait_and_no_more() -> None:
    one = client(limits=Limits(pings=3))
    for _ in range(3):
        one.ping(1)
    with pytest.raises(MisuseError, match="3 pings wait"):
        one.ping(1)
    with pytest.raises(MisuseError, match="125"):
        one.ping(1, bytes(126))


def quiet(now: int = 0) -> Client:
    """A client whose ping has no answer: it went out at one second, and is due at three."""
    one = client(timing=Timing(ping_ns=SECOND, pong_ns=2 * SECOND), now=now)
    one.wake(now + SECOND)
    assert one.deadline == now + 2 * SECOND
    one.wake(now + 2 * SECOND)
    one.transmit()
    return one


def test_a_peer_that_is_silent_behind_a_ping_is_taken_for_dead() -> None:
    one = quiet()
    assert one.deadline == 3 * SECOND
    assert one.wake(3 * SECOND) == [
        TimedOut("a pong"),
        Closed(Code.INTERNAL_ERROR, "a pong did not come in time", Who.WE),
    ]
    assert out(one)[:1] == bytes([FINAL | CLOSE])
    assert one.statistics().timed_out == 1


def test_any_whole_frame_is_a_sign_of_life_and_half_a_frame_is_none() -> None:
    one = quiet()
    one.receive(encode(0x81, b"alive"), 2 * SECOND + 5)
    assert one.wake(3 * SECOND) == []
    assert not one.is_closed
    half = quiet()
    half.receive(encode(0x82, bytes(50))[:40], 2 * SECOND + 5)
    assert half.wake(3 * SECOND)[0] == TimedOut("a pong")


def test_a_driver_that_slept_does_not_blame_the_peer() -> None:
    one = quiet()
    late = 3 * SECOND + SECOND // 2
    assert one.wake(late) == []
    assert late < one.deadline <= late + SECOND
    one.receive(encode(FINAL | PONG, bytes(7) + b"\x01"), late + 1)
    assert not one.is_closed
    dead = quiet()
    dead.wake(late)
    while not dead.is_closed:
        dead.wake(dead.deadline + SECOND)
    assert dead.statistics().timed_out == 1


# --- the end


def test_the_peer_closes_and_gets_its_code_back() -> None:
    one, two = pair()
    one.close(5, 4001, "gr\u00fc\u00df")
    assert not one.is_open
    assert two.receive(out(one), 6) == [Closed(4001, "gr\u00fc\u00df", Who.PEER)]
    assert one.receive(out(two), 7) == [Closed(4001, "gr\u00fc\u00df", Who.WE)]
    assert one.deadline == two.deadline == NEVER


def test_a_close_without_a_code_is_answered_without_one() -> None:
    one = client()
    assert one.receive(encode(FINAL | CLOSE, b""), 1) == [Closed(Code.NO_STATUS, "", Who.PEER)]
    assert out(one) == encode(FINAL | CLOSE, b"", no_entropy(4))


def test_what_was_on_its_way_is_told_after_our_close_and_pings_are_not_answered() -> None:
    one = client()
    one.close(1)
    one.transmit()
    data = (
        encode(0x81, b"late") + encode(FINAL | PING, b"") + encode(FINAL | CLOSE, b"\x03\xe9") + encode(0x81, b"never")
    )
    assert told(one, data) == [Message(True, b"late"), Pinged(b""), Closed(Code.NORMAL, "", Who.WE)]
    assert one.transmit() == []


def test_two_closes_that_cross_are_each_ones_own() -> None:
    one, two = pair()
    one.close(1, 4001)
    two.close(1, 4002)
    first, second = out(one), out(two)
    assert one.receive(second, 2) == [Closed(4001, "", Who.WE)]
    assert two.receive(first, 2) == [Closed(4002, "", Who.WE)]


def test_a_peer_that_does_not_close_is_left() -> None:
    one = client(timing=Timing(close_ns=SECOND))
    one.close(7)
    assert one.deadline == 7 + SECOND
    assert one.wake(7 + SECOND) == [
        TimedOut("the peer's close"),
        Closed(Code.ABNORMAL, "the peer's close did not come in time", Who.WE),
    ]


def test_a_stream_that_ends_says_who_ended_it() -> None:
    one = client()
    assert one.end(1) == [Closed(Code.ABNORMAL, "the stream ended without a close", Who.PEER)]
    two = client()
    two.close(1)
    assert two.end(2) == [Closed(Code.ABNORMAL, "the stream ended before the peer's close", Who.WE)]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1, 70_000])
def test_a_code_that_may_not_be_sent_is_misuse(code: int) -> None:
    one = client()
    with pytest.raises(MisuseError):
        one.close(1, code)
    with pytest.raises(MisuseError):
        one.close(1, 1000, "x" * 124)
    assert one.is_open


def test_a_message_that_goes_on_for_too_long_ends_the_conversation() -> None:
    timing = Timing(ping_ns=NEVER, message_ns=SECOND)
    for start in (encode(0x82, bytes(50))[:30], encode(BINARY, b"x"), b"\x81", encode(FINAL | PING, b"abc")[:3]):
        one = client(timing=timing)
        assert one.deadline == NEVER
        one.receive(start, 10)
        one.receive(start[:0], 20)
        assert one.deadline == 10 + SECOND
        timed_out, closed = one.wake(10 + SECOND)
        assert timed_out == TimedOut("the rest of a message")
        assert closed == Closed(Code.POLICY_VIOLATION, "the rest of a message did not come in time", Who.WE)


def test_each_message_has_its_own_time() -> None:
    one = client(timing=Timing(ping_ns=NEVER, message_ns=SECOND))
    frame = encode(0x82, bytes(50))
    one.receive(frame[:30], 0)
    one.receive(frame[30:] + frame[:20], SECOND // 2)
    assert one.deadline == SECOND // 2 + SECOND
    one.receive(frame[20:], SECOND)
    assert one.deadline == NEVER


# --- and the account


def test_the_account_says_what_came_and_went() -> None:
    one, two = pair(compression=False)
    before = two.statistics()
    one.send_text("abc")
    one.ping(1)
    data = out(one)
    two.receive(data + encode(TEXT, b"a", KEY) + encode(FINAL, b"b", KEY), 2)
    account = two.statistics()
    assert account.bytes_in - before.bytes_in == len(data) + 7 + 7
    assert (account.messages_in, account.plain_in, account.pings_in) == (2, 1, 1)
    assert (one.statistics().messages_out, one.statistics().pings_out) == (1, 1)
    assert one.statistics().bytes_out - len(data) == before.bytes_in


def test_bounds_and_times_are_checked() -> None:
    for wrong in ({"frame_bytes": 0}, {"pings": 0}, {"deflate_bytes": -1}, {"fragment_bytes": 0}):
        with pytest.raises(MisuseError):
            Limits(**wrong)
    with pytest.raises(MisuseError):
        Timing(ping_ns=0)
    assert Limits(http=http.Limits(header_bytes=5)).http.header_bytes == 5
