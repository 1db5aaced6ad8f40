"""Round trips between namespaces: a group across a link, both versions of IP, answered to who asked."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")

from netfeed.app.latency.ping import Ping, Way
from netfeed.app.latency.ping_report import ping_report
from netfeed.app.latency.ping_target import Target
from netfeed.app.latency.pong import Pong
from netfeed.host.namespace import Namespace, permitted
from netfeed.proto.probe_words import Plan

pytestmark = pytest.mark.root
COUNT = 20


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Give who asks and who answers, joined by a veth pair: a0 10.9.0.1 fd09::1, b0 10.9.0.2 fd09::2."""
    if not permitted():
        pytest.skip("may not make network namespaces")
    with Namespace("asks") as asks, Namespace("answers") as answers:
        asks.connect("a0", answers, "b0")
        for namespace, name, number in ((asks, "a0", 1), (answers, "b0", 2)):
            namespace.address(name, f"10.9.0.{number}/24")
            namespace.address(name, f"fd09::{number}/64")
        yield asks, answers


@pytest.mark.parametrize(
    "target",
    [
        Target("multicast", "233.252.0.9", 7400), Target("multicast", "ff3e::8000:9", 7400),
        Target("udp", "10.9.0.2", 7400), Target("udp", "fd09::2", 7400), Target("tcp", "fd09::2", 7400),
    ],
    ids=str,
)  # fmt: skip
def test_all_who_answer_across_a_link_are_measured(pair: tuple[Namespace, Namespace], target: Target) -> None:
    asks, answers = pair
    stop = threading.Event()
    ready = threading.Semaphore(0)
    pongs = [
        Pong(target, interface="b0", stop=stop.is_set, ready=lambda text: ready.release())
        for _ in range(2 if target.is_group else 1)
    ]

    def answer(pong: Pong) -> None:
        with answers.entered():
            pong.run()

    threads = [threading.Thread(target=answer, args=[pong]) for pong in pongs]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join, 60)
        stack.callback(stop.set)
        assert all(ready.acquire(timeout=60) for _ in pongs)
        plan = Plan(1, interval_ns=1_000_000, count=COUNT, timeout_ns=500_000_000, answers=len(pongs))
        ping = Ping(target, plan, Way(interface="a0" if target.is_group else None))
        with asks.entered():
            ping.run()
    report = ping_report(ping)
    (who,) = (table for table in report.tables if table.name == "who answered")
    assert [row[1:3] for row in who.rows] == [(COUNT, 0)] * len(pongs)
    assert any("one kernel" in note for note in report.notes), "namespaces share their clocks"
    assert {pong.statistics.answered for pong in pongs} == {COUNT}
