"""JSON-RPC 2.0: every request has one end, and no message does harm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Machine
from netfeed.proto.jsonrpc import Answered, Called, Failed, Malformed, Notified, Peer, Stray, TimedOut

MS, S = 1_000_000, 1_000_000_000


def asking(*methods: str) -> Peer:
    peer = Peer()
    for method in methods:
        peer.request(method, {}, 0)
    peer.transmit()
    return peer


def sent(peer: Peer) -> list[Any]:
    return [json.loads(message) for message in peer.transmit()]


def test_it_is_a_machine() -> None:
    assert isinstance(Peer(), Machine)


def test_requests_count_from_one_and_say_what_they_want() -> None:
    peer = Peer()
    peer.request("public/auth", {"client_id": "me"}, 0)
    peer.request("public/test", {}, 0)
    assert sent(peer) == [
        {"jsonrpc": "2.0", "id": 1, "method": "public/auth", "params": {"client_id": "me"}},
        {"jsonrpc": "2.0", "id": 2, "method": "public/test", "params": {}},
    ]
    assert sent(peer) == []


def test_answers_come_in_any_order_and_find_their_request() -> None:
    peer = asking("one", "two")
    assert peer.receive(b'{"jsonrpc":"2.0","id":2,"result":{"a":1.50}}', 7 * MS) == [
        Answered(2, "two", b'{"a":1.50}', 7 * MS)
    ]
    assert peer.receive(b'{"result":[],"id":1,"usIn":5}', 9 * MS) == [Answered(1, "one", b"[]", 9 * MS)]
    assert (peer.deadline, peer.statistics().waiting) == (NEVER, 0)


def test_a_result_of_null_is_an_answer() -> None:
    assert asking("one").receive(b'{"id":1,"result":null}', 0) == [Answered(1, "one", b"null", 0)]


def test_an_error_is_told_with_its_code_and_its_data() -> None:
    peer = asking("one")
    message = b'{"id":1,"error":{"code":10028,"message":"too_many_requests","data":{"wait":1}}}'
    assert peer.receive(message, 3) == [Failed(1, "one", 10028, "too_many_requests", b'{"wait":1}', 3)]


def test_a_request_without_an_answer_ends_at_its_time_and_a_late_answer_is_a_stray() -> None:
    peer = Peer()
    peer.request("slow", {}, 0, timeout_ns=2 * S)
    peer.request("fast", {}, 0, timeout_ns=S)
    assert peer.deadline == S
    assert peer.wake(S - 1) == []
    assert peer.wake(2 * S) == [TimedOut(1, "slow"), TimedOut(2, "fast")]
    assert peer.receive(b'{"id":1,"result":1}', 3 * S) == [Stray(1)]


@pytest.mark.parametrize("number", ["9", '"1"', "null", "0", "-1"])
def test_an_answer_to_nothing_is_a_stray(number: str) -> None:
    peer = asking("one")
    (event,) = peer.receive(b'{"id":%s,"result":1}' % number.encode(), 0)
    assert isinstance(event, Stray)
    assert peer.statistics().waiting == 1


def test_an_answer_counts_once() -> None:
    peer = asking("one")
    assert isinstance(peer.receive(b'{"id":1,"result":1}', 0)[0], Answered)
    assert peer.receive(b'{"id":1,"result":1}', 0) == [Stray(1)]


def test_the_other_side_asks_and_tells() -> None:
    peer = Peer()
    assert peer.receive(b'{"method":"subscription","params":{"channel":"x","data":1}}', 0) == [
        Notified("subscription", b'{"channel":"x","data":1}')
    ]
    assert peer.receive(b'{"id":"a","method":"m"}', 0) == [Called("a", "m", b"")]
    peer.answer("a", {"ok": True})
    peer.refuse(7, -32601, "no such method")
    peer.notify("bye", [])
    assert sent(peer) == [
        {"jsonrpc": "2.0", "id": "a", "result": {"ok": True}},
        {"jsonrpc": "2.0", "id": 7, "error": {"code": -32601, "message": "no such method"}},
        {"jsonrpc": "2.0", "method": "bye", "params": []},
    ]


def test_two_peers_talk() -> None:
    client, server = Peer(), Peer()
    client.request("add", [1, 2], 0)
    ((called,),) = [server.receive(message, 1) for message in client.transmit()]
    assert isinstance(called, Called)
    server.answer(called.id, sum(json.loads(called.params)))
    assert [client.receive(message, 5) for message in server.transmit()] == [[Answered(1, "add", b"3", 5)]]


@pytest.mark.parametrize(
    "message",
    [
        b"", b"x", b"[]", b"null", b"1", b"{}", b'{"id":1}', b'{"result":1}', b'{"id":1.5,"result":1}',
        b'{"id":1,"error":5}', b'{"id":1,"error":null}', b'{"method":5}', b'[{"id":1,"result":1}]',
        b'{"id":1,"result":1', b'{"id":1,"result":1}}', b'{"id":[],"result":1}', b"\xff\xfe", b'{"method":"\xff"}',
        b"[" * 100_000,
        b'{"params":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"id":1e999,"result":1}', b'{"id":1' + b"0" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_json_rpc_is_malformed_and_ends_no_request(message: bytes) -> None:
    peer = asking("one")
    (event,) = peer.receive(message, 0)
    assert isinstance(event, Malformed)
    assert (peer.statistics().waiting, peer.statistics().malformed) == (1, 1)


def test_a_message_that_is_too_long_is_not_looked_at() -> None:
    peer = Peer(max_bytes=100)
    assert isinstance(peer.receive(b'{"method":"m"}' + b" " * 100, 0)[0], Malformed)
    assert peer.receive(b'{"method":"m"}', 0) == [Notified("m", b"")]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["id", "method", "params", "result", "error", "code"]), x), max_leaves=8))  # fmt: skip
def test_any_json_gives_one_event(value: Any) -> None:
    assert len(asking("one").receive(json.dumps(value).encode(), 0)) == 1


@given(st.binary(max_size=60))
def test_any_bytes_give_one_event(data: bytes) -> None:
    assert len(asking("one").receive(data, 0)) == 1


def test_requests_that_wait_are_bounded() -> None:
    peer = Peer(max_waiting=2)
    peer.request("a", {}, 0)
    peer.request("b", {}, 0)
    with pytest.raises(MisuseError):
        peer.request("c", {}, 0)
    assert (peer.next_id, len(peer.transmit())) == (3, 2)


@pytest.mark.parametrize("params", [object(), {1: object()}, {"a": {2j}}])
def test_what_is_no_json_is_the_callers_mistake_and_changes_nothing(params: Any) -> None:
    peer = Peer()
    for command in (
        lambda: peer.request("m", params, 0),
        lambda: peer.notify("m", params),
        lambda: peer.answer(1, params),
    ):
        with pytest.raises(MisuseError):
            command()
    assert (peer.next_id, peer.transmit(), peer.deadline) == (1, [], NEVER)


def test_a_request_that_waits_for_no_time_is_the_callers_mistake() -> None:
    with pytest.raises(MisuseError):
        Peer().request("m", {}, 0, timeout_ns=0)
