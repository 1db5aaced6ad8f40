"""The live handler against real sockets on loopback: whatever the lines do, the books are the exchange's."""

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from netfeed.app.account import account, is_ready, summary
from netfeed.app.run import Options, Run
from netfeed.errors import ConfigurationError
from netfeed.machine import NEVER
from netfeed.transport.ring import Reader
from netfeed.wire import moldudp64
from tests.app.live_venue import (
    GROUPS,
    books_of,
    both,
    configured,
    day,
    free_port,
    opened,
    send,
    sender,
    settle,
    truth_of,
)

pytestmark = pytest.mark.net


@pytest.fixture(params=["loop", "thread"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


NOTHING = lambda index: False  # noqa: E731


def test_both_lines_give_the_books_of_the_exchange(how: str) -> None:
    made, port = day(), free_port()
    run = opened(configured(port, how=how))
    with sender() as out:
        send(run.live, out, port, both(made, (lambda k: k % 7 == 3, lambda k: k % 5 == 1 and k % 7 != 3)))
        settle(run.live)
    told = account(run.live)
    run._close()
    assert books_of(run.live) == truth_of(made)
    assert told["messages"] == len(made.stream)
    assert told["messages_lost"] == 0
    assert told["channels"][0]["only"]["A"] > 0
    assert told["channels"][0]["only"]["B"] > 0
    assert "messages lost" in summary(told)


def test_what_both_lines_lose_is_lost_and_the_books_say_so(how: str) -> None:
    made, port = day(), free_port()
    run = opened(configured(port, channel='recovery = { window = "20ms" }', how=how))
    with sender() as out:
        send(run.live, out, port, both(made, (lambda k: k == 50, lambda k: k == 50)))
        settle(run.live)
        told = account(run.live)
        ready = is_ready(run.live)
    run._close()
    assert told["gaps"] == 1
    assert told["messages_lost"] > 0
    assert told["books"]["SUSPECT"] > 0
    assert not ready
    assert run.exit_code() == 3


def test_packets_of_senders_that_are_not_named_are_not_believed(how: str) -> None:
    made, port = day(600), free_port()
    run = opened(configured(port, channel='sources = ["127.0.0.9/32"]', how=how))
    with sender() as out:
        send(run.live, out, port, both(made, (NOTHING, NOTHING)))
        settle(run.live)
    told = account(run.live)
    run._close()
    assert told["messages"] == 0
    assert sum(line["foreign"] for line in told["channels"][0]["lines"]) == 2 * len(made.sent)


def test_senders_are_admitted_anew_as_often_as_anybody_likes(how: str) -> None:
    """A socket is the same one however often that changes, and what had come before is judged by what held then."""
    made, port = day(600), free_port()
    run = opened(configured(port, how=how))
    packets = list(both(made, (lambda k: k % 3 == 1, NOTHING)))
    few, many = ["127.0.0.1/32"], ["127.0.0.0/24"]
    with sender() as out:
        send(run.live, out, port, packets[:100])
        settle(run.live)
        for line, payload in packets[100:200]:
            send(run.live, out, port, [(line, payload)])  # nobody looks at these before the reload
        while how == "thread" and run.live.receiver.account()["taken"] == 0:
            time.sleep(0.001)
        for k in range(300):
            sources = (few, many, few, [])[k % 4]
            run.live.reload(configured(port, channel=f"sources = {json.dumps(sources)}", how=how))
        send(run.live, out, port, packets[200:])
        settle(run.live)
        told = account(run.live)
        for sources in (["127.0.1.0/24"], ["127.0.0.9/32"]):  # judged by the loop, and by the thread
            run.live.reload(configured(port, channel=f"sources = {json.dumps(sources)}", how=how))
            send(run.live, out, port, packets[:7])
            settle(run.live)
        foreign = sum(line["foreign"] for line in account(run.live)["channels"][0]["lines"])
        books = books_of(run.live)
    run._close()
    assert told["messages"] == len(made.stream)
    assert sum(line["foreign"] for line in told["channels"][0]["lines"]) == 0
    assert foreign == 14
    assert books == truth_of(made)


def test_a_channel_that_falls_silent_has_stale_books_until_it_is_heard_again(how: str) -> None:
    made, port, said = day(600), free_port(), []
    run = opened(configured(port, channel='heartbeat = "100ms"\nstale_after = 2', how=how), said.append)
    packets = list(both(made, (NOTHING, NOTHING)))

    def turn_until(stale: bool) -> dict[str, int]:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            run.live.turn()
            books: dict[str, int] = account(run.live)["books"]
            if bool(books["STALE"]) is stale and books["LIVE" if not stale else "STALE"]:
                return books
        raise AssertionError(books)

    with sender() as out:
        send(run.live, out, port, packets[:-40])
        silent = turn_until(True)
        send(run.live, out, port, packets[-40:])
        again = turn_until(False)
    run._close()
    assert silent["LIVE"] == 0
    assert again["LIVE"] == silent["STALE"]
    assert any("silent" in text for text in said)


def test_the_journal_replays_to_the_same_books(how: str, tmp_path: Path) -> None:
    from netfeed.app.replay import Options, Replay
    from netfeed.app.report import book_json, shown_books

    made, port, path = day(1_000), free_port(), tmp_path / "run.pcapng"
    run = opened(configured(port, f'[journal]\npath = "{path}"', how=how))
    with sender() as out:
        send(run.live, out, port, both(made, (lambda k: k % 9 == 2, NOTHING)))
        settle(run.live)
    run._close()
    replay = Replay(Options([str(path)]))
    replay.run()
    described = sorted((book_json(book) for book in shown_books(replay)), key=lambda book: book["instrument"])
    assert described == books_of(run.live)
    assert replay.tally.packets == account(run.live)["packets"]


def test_the_stream_has_every_change_and_ends_with_the_account(how: str, tmp_path: Path) -> None:
    made, port, path = day(600), free_port(), tmp_path / "changes.jsonl"
    run = opened(configured(port, f'[stream]\npath = "{path}"', how=how))
    with sender() as out:
        send(run.live, out, port, both(made, (NOTHING, NOTHING)))
        settle(run.live)
    run._close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines.pop()["kind"] == "SUMMARY"
    books = [line for line in lines if line["kind"] == "BOOK"]
    assert [book["instrument"] for book in books] == [book["instrument"] for book in truth_of(made)]
    assert {book["sequence"] for book in books} == {len(made.stream)}
    lines = [line for line in lines if line["kind"] != "BOOK"]
    assert len(lines) == run.live.changes.count
    assert {line["channel"] for line in lines} == {"equities"}
    stamps = [line["ts_recv_ns"] for line in lines]
    assert all(abs(stamp - lines[0]["ts_recv_ns"]) < 600 * 10**9 for stamp in stamps)
    assert stamps[0] > 1_600_000_000 * 10**9


def test_metrics_and_readiness_are_served_on_the_same_loop(how: str) -> None:
    made, port = day(600), free_port()
    run = opened(_with_endpoint(port, how))
    endpoints = run._closing[0].__self__
    with sender() as out:
        assert b"503" in _get(run, endpoints.port, "/readyz")
        send(run.live, out, port, both(made, (NOTHING, NOTHING)))
        settle(run.live)
        assert b"HTTP/1.1 200" in _get(run, endpoints.port, "/readyz")
        text = _get(run, endpoints.port, "/metrics").decode()
        assert b"404" in _get(run, endpoints.port, "/nothing")
    run._close()
    assert f'netfeed_packets_received_total{{channel="equities",line="A"}} {len(made.sent)}.0' in text
    assert 'netfeed_books{state="LIVE"}' in text
    assert "netfeed_wire_to_app_seconds_bucket" in text


def _with_endpoint(port: int, how: str):
    from netfeed.app.config import parse
    from tests.app.live_venue import toml

    return parse(toml(port, how=how).replace('listen = ""', 'listen = "127.0.0.1:0"').encode(), "test.toml")


def _get(run, port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        one.setblocking(False)
        got = b""
        while True:
            run.live.turn()
            try:
                more = one.recv(65536)
            except BlockingIOError:
                continue
            if not more:
                return got
            got += more


def test_other_processes_read_the_changes_from_the_ring_by_name(how: str) -> None:
    made, port = day(600), free_port()
    name = f"netfeed-test-{how}-{port}"
    run = opened(configured(port, f'[ring]\nname = "{name}"', how=how))
    reader = Reader(name)
    with sender() as out:
        send(run.live, out, port, both(made, (NOTHING, NOTHING)))
        settle(run.live)
    wanted = {book["instrument"] for book in truth_of(made)}
    end = time.monotonic() + 60
    while not wanted <= {book.text for book in reader.names.values()} and time.monotonic() < end:
        run.live.turn(time.monotonic_ns() + 1_000_000)  # a book that the thread opens is named when the loop turns
    rows = reader.read()
    names = {book.text for book in reader.names.values()}
    run._close()
    reader.close()
    assert len(rows) == run.live.changes.count
    assert reader.lost == 0
    assert wanted <= names


def test_lines_that_bring_heartbeats_only_are_not_silent_and_each_is_counted(how: str) -> None:
    made, port, said = day(600), free_port(), []
    run = opened(configured(port, channel='heartbeat = "500ms"\nstale_after = 3', how=how), said.append)
    idle = moldudp64.encode_heartbeat(made.sent[0].payload[:10], len(made.stream) + 1)
    with sender() as out:
        send(run.live, out, port, both(made, (NOTHING, NOTHING)))
        settle(run.live)
        before = account(run.live)
        end = time.monotonic() + 3.1  # more than twice as long as silence may last
        sent = 0
        while time.monotonic() < end:
            send(run.live, out, port, [(0, idle), (1, idle)])
            sent += 1
            run.live.turn(time.monotonic_ns() + 20_000_000)
        settle(run.live)
        heard = account(run.live)
        for _ in range(20):
            send(run.live, out, port, [(0, idle)])
        settle(run.live)
        last = account(run.live)
    run._close()
    (channel,), (first,), (final,) = heard["channels"], before["channels"], last["channels"]
    assert (channel["silences"], heard["books"]["STALE"]) == (0, 0)
    assert not any("silent" in text for text in said)
    assert channel["heartbeats"] == first["heartbeats"] + 2 * sent
    assert final["heartbeats"] == channel["heartbeats"] + 20
    assert channel["messages"] == first["messages"]
    assert all(0 <= line["silent_ns"] < 1_500_000_000 for line in channel["lines"])
    a, b = final["lines"]
    assert 0 <= a["silent_ns"] < b["silent_ns"]  # only A was heard since


def test_what_is_not_granted_is_told_at_the_start_with_its_remedy(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfeed.transport.udp._SO_RCVBUFFORCE", 0x7FFF)  # as without CAP_NET_ADMIN
    made, port, said = day(600), free_port(), []
    for where in ("app.run", "host.processor"):
        monkeypatch.setattr(f"netfeed.{where}.priority_refusal", lambda priority: f"no {priority}: CAP_SYS_NICE")
    config = configured(port, how=how)
    receive = msgspec.structs.replace(config.receive, buffer=2**30, priority=5)
    run = opened(msgspec.structs.replace(config, receive=receive), said.append)
    with sender() as out:
        send(run.live, out, port, both(made, (NOTHING, NOTHING)))
        settle(run.live)
    run._close()
    assert account(run.live)["messages"] == len(made.stream)
    assert "receive.priority: no 5: CAP_SYS_NICE" in said
    for line in "AB":
        (text,) = [text for text in said if text.startswith(f"equities/{line}: receive buffer")]
        assert "net.core.rmem_max=1073741824" in text


def test_a_processor_that_is_not_there_ends_the_start(how: str) -> None:
    config = configured(free_port(), how=how)
    receive = msgspec.structs.replace(config.receive, cpu=1023)
    run = Run(msgspec.structs.replace(config, receive=receive), Options("test.toml", {}, quiet=True), lambda: False)
    with pytest.raises(ConfigurationError, match=r"receive\.cpu: processor 1023 .* may run on"):
        run.run()


def test_beside_a_busy_thread_books_sequence_and_stamps_advance_though_the_loop_never_turns() -> None:
    made, port = day(), free_port()
    name = f"netfeed-test-busy-{port}"
    run = opened(configured(port, f'[ring]\nname = "{name}"', how="thread"))
    thread, packets = run.live.receiver._receiver, list(both(made, (NOTHING, NOTHING)))
    ends = sum(payload[18:20] == b"\xff\xff" for _, payload in packets[100:])  # the end of a session is for the loop
    stop = threading.Event()

    def never_rest() -> None:
        while not stop.is_set():
            sum(range(1000))

    busy = threading.Thread(target=never_rest)
    with sender() as out, Reader(name) as reader:
        send(run.live, out, port, packets[:100])
        settle(run.live)
        before, stamped, published = thread.statistics(), thread.latencies().count, reader.published
        busy.start()
        try:
            for count, (line, payload) in enumerate(packets[100:], start=1):
                out.sendto(payload, (GROUPS[line], port))
                if count % 64 == 0 or count == len(packets) - 100:
                    _until(lambda count=count: _sum(thread, "packets") - _sum(before, "packets") == count)
            after = thread.statistics()
            assert _sum(after, "taken") - _sum(before, "taken") == len(packets) - 100 - ends
            assert _sum(after, "diverted") - _sum(before, "diverted") == ends
            assert sum(one.drops + one.overflow for one in after.sockets) == 0
            assert thread.progress(0)[0] == len(made.stream) + 1
            assert thread.latencies().count - stamped == len(packets) - 100 - ends
            assert reader.published - published == after.published - before.published > 0
        finally:
            stop.set()
            busy.join()
    run._close()
    assert books_of(run.live) == truth_of(made)


def _sum(told: Any, key: str) -> int:
    sockets = told.sockets if hasattr(told, "sockets") else told.statistics().sockets
    return sum(getattr(one, key) for one in sockets)


def _until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0)


def test_who_floods_what_waits_for_plain_python_does_not_keep_the_loop_from_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = opened(configured(free_port(), how="thread"))
    receiver, waiting = run.live.receiver, iter(range(100))
    plain: list[Any] = []
    with monkeypatch.context() as flooded:
        flooded.setattr(receiver, "_waiting", lambda: [SimpleNamespace(ts_ns=next(waiting) + 1)])
        flooded.setattr(receiver, "_put_aside", lambda packet: False)
        flooded.setattr(receiver, "_plain", plain.append)
        assert receiver.gather() == plain[-1].ts_ns
        assert len(plain) < 10
        assert receiver.busy
    assert receiver.gather() == NEVER
    assert not receiver.busy
    run._close()
