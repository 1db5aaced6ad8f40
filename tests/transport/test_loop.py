"""The driver's law, timers, and machines that talk over loopback."""

import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.transport.endpoint import Outgoing, exchange, incoming, service
from netfeed.transport.loop import Loop
from netfeed.transport.send import Sender
from netfeed.transport.udp import open_unicast
from tests.transport.waiting import come

S = 10**9


class Asker:
    """Asks until it has `wanted` answers; asks again when its deadline passes."""

    def __init__(self, wanted: int, retry_ns: int = S) -> None:
        self.wanted, self.retry_ns = wanted, retry_ns
        self.deadline = 0
        self.out: list[bytes] = []
        self.got = 0

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Any]:
        self.got += 1
        if self.got < self.wanted:
            self.ask(now)
        else:
            self.deadline = NEVER
        return [bytes(data)]

    def wake(self, now: int) -> list[Any]:
        if now < self.deadline:
            return []
        self.ask(now)
        return ["asked by the clock"]

    def transmit(self, port: int = 0) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def ask(self, now: int) -> None:
        self.out.append(b"question %d" % self.got)
        self.deadline = now + self.retry_ns


class Echo:
    """Answers on the port that it was asked on."""

    deadline = NEVER

    def __init__(self, deaf: int = 0) -> None:
        self.deaf = deaf
        self.out: dict[int, list[bytes]] = {}

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Any]:
        self.deaf -= 1
        if self.deaf < 0:
            self.out.setdefault(port, []).append(b"answer to " + bytes(data))
        return []

    def wake(self, now: int) -> list[Any]:
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        return self.out.pop(port, [])


def talk(loop: Loop, askers: list[Asker], echo: Echo) -> list[Any]:
    """Run until every asker has what it wants."""
    told: list[Any] = []

    def take(events: Sequence[Any], now: int) -> None:
        told.extend(events)
        if all(asker.got >= asker.wanted for asker in askers):
            loop.stop()

    server = open_unicast("127.0.0.1")
    loop.add(echo, {4: service(server)})
    for asker in askers:
        loop.add(asker, {0: exchange(open_unicast("127.0.0.1", peer=("127.0.0.1", server.port)))}, events=take)
    loop.run(loop.clock() + 30 * S)
    loop.close()
    return told


@pytest.mark.net
@pytest.mark.parametrize("spin", [False, True])
def test_a_question_is_answered_to_who_asked(spin: bool) -> None:
    askers = [Asker(3), Asker(2)]
    told = talk(Loop(spin=spin), askers, Echo())
    assert [asker.got for asker in askers] == [3, 2]
    assert told.count(b"answer to question 0") == 2
    assert told.count(b"answer to question 2") == 1


@pytest.mark.net
def test_a_deadline_asks_again() -> None:
    loop = Loop()
    told = talk(loop, [Asker(1, retry_ns=2_000_000)], Echo(deaf=2))
    assert told.count("asked by the clock") >= 3
    statistics = loop.statistics()
    assert statistics.late_wakes >= 3
    assert statistics.longest_turn_ns > 0


@pytest.mark.net
def test_a_command_is_sent_when_the_task_is_kicked() -> None:
    loop = Loop()
    with open_unicast("127.0.0.1") as there:
        asker = Asker(1)
        asker.deadline = NEVER
        task = loop.add(asker, {0: Outgoing(Sender("127.0.0.1", there.port))})
        asker.ask(loop.clock())
        assert come(there.receive) == []
        task.kick()
        assert [one.data for one in come(there.receive)] == [b"question 0"]
        assert task.deadline == asker.deadline == loop.deadline
        with Sender("127.0.0.1", there.port) as another, pytest.raises(MisuseError):
            loop.open_port(task, 0, Outgoing(another))
        task.close()
        assert loop.deadline == NEVER
    loop.close()


@pytest.mark.net
def test_timers_come_back_and_posted_calls_run_on_the_loop() -> None:
    loop = Loop()
    calls: list[str] = []
    loop.every(1_000_000, lambda now: (calls.append("tick"), loop.stop() if len(calls) > 3 else None)[0])
    loop.post(lambda: calls.append("posted"))
    loop.run(loop.clock() + 30 * S)
    assert calls[0] == "posted"
    assert calls.count("tick") >= 3
    loop.close()


def test_a_loop_runs_on_the_core_that_it_is_given() -> None:
    cores: list[set[int]] = []
    core = min(os.sched_getaffinity(0))

    def run() -> None:
        loop = Loop(cpu=core)
        loop.post(lambda: (cores.append(os.sched_getaffinity(0)), loop.stop())[1])
        loop.run()
        loop.close()

    thread = threading.Thread(target=run)  # the affinity is the thread's and ends with it
    thread.start()
    thread.join()
    assert cores == [{core}]


def test_a_timer_ends_when_it_is_told_to() -> None:
    now = 0
    loop = Loop(clock=lambda: now)
    end = loop.every(S, lambda now: None)
    assert loop.deadline == S
    end()
    end()
    assert loop.deadline == NEVER
    with pytest.raises(MisuseError):
        loop.every(0, lambda now: None)
    loop.close()


@pytest.mark.net
def test_nothing_is_received_any_more_once_the_task_is_closed() -> None:
    loop = Loop()
    with open_unicast("127.0.0.1") as there, Sender("127.0.0.1", there.port) as here:
        asker = Asker(5)
        asker.deadline = NEVER
        task = loop.add(asker, {0: incoming(there)}, events=lambda events, now: task.close())
        here.send_all([b"one", b"two", b"three"])
        loop.turn(loop.clock() + 30 * S)
        assert asker.got == 1
        assert loop.tasks == []
    loop.close()


@pytest.mark.net
def test_an_endpoint_that_is_only_heard_counts_what_it_should_have_sent() -> None:
    loop = Loop()
    with open_unicast("127.0.0.1") as there:
        asker = Asker(1)
        endpoint = incoming(there)
        task = loop.add(asker, {0: endpoint})
        asker.ask(loop.clock())
        task.kick()
        assert endpoint.unsent == 1
    loop.close()


@pytest.mark.net
def test_a_watched_descriptor_is_told_of_until_it_is_forgotten() -> None:
    loop = Loop()
    with open_unicast("127.0.0.1") as there, Sender("127.0.0.1", there.port) as here:
        seen: list[bytes] = []
        loop.watch(there.fileno(), lambda now: seen.extend(one.data for one in there.receive()))
        here.send(b"x")
        loop.turn(loop.clock() + S)
        assert seen == [b"x"]
        loop.forget(there.fileno())
        here.send(b"y")
        loop.turn(loop.clock() + 1000)
        assert seen == [b"x"]
    loop.close()
