"""Round trips between a ping and a pong on real sockets: every transport, every answer known, nobody there at all."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.latency.ping import Ping, UnansweredError, Way
from netfeed.app.latency.ping_report import DUE, SENT, ping_report
from netfeed.app.latency.ping_stream import Trusting
from netfeed.app.latency.ping_target import Target, read_target
from netfeed.app.latency.pong import Pong
from netfeed.errors import ConfigurationError
from netfeed.host.clocks import Epoch
from netfeed.latency.clock import Look
from netfeed.latency.report import Report
from netfeed.proto.probe_words import Plan
from netfeed.transport.clock import look
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import Listener
from netfeed.transport.udp import open_unicast
from tests.transport.waiting import until

net = pytest.mark.net
FAST = {"interval_ns": 500_000, "count": 30, "warmup_ns": 2_000_000, "timeout_ns": 5_000_000_000}


def free_port(*, tcp: bool = False) -> int:
    if tcp:
        with Listener("127.0.0.1", 0, lambda stream, now: None) as listener:
            return listener.port
    with open_unicast("127.0.0.1") as one:
        return one.port


@dataclass
class Running:
    """A pong on a thread of its own."""

    pong: Pong
    ready: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    hint: str = ""
    errors: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        try:
            self.pong.run()
        except BaseException as error:
            self.errors.append(error)
            self.ready.set()


@contextmanager
def answering(target: Target, **options: Any) -> Iterator[Running]:
    stop, ready = threading.Event(), threading.Event()
    running: Running

    def told(text: str) -> None:
        running.hint = text
        ready.set()

    running = Running(Pong(target, stop=stop.is_set, ready=told, **options), ready, stop)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        assert ready.wait(60)
        assert not running.errors, running.errors
        yield running
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def run(target: Target, way: Way | None = None, **plan: Any) -> tuple[Ping, Report]:
    ping = Ping(target, Plan(77, **{**FAST, **plan}), way or Way())
    ping.run()
    return ping, ping_report(ping)


def rows(report: Report, name: str) -> dict[Any, Any]:
    (table,) = (table for table in report.tables if table.name == name)
    return {row[0]: row[1:] for row in table.rows}


def counts(report: Report) -> dict[str, int]:
    return {one.name: one.histogram.count for one in report.distributions}


def local(scheme: str) -> Target:
    return Target(scheme, "127.0.0.1", free_port(tcp=scheme != "udp"), "/" if scheme != "ws" else "/probe")


@net
@pytest.mark.parametrize("scheme", ["udp", "tcp", "ws"])
def test_every_question_is_answered_and_each_answer_split_by_its_stamps(scheme: str) -> None:
    target = local(scheme)
    with answering(target) as running:
        ping, report = run(target)
    account = rows(report, "account")
    assert (account["asked"], account["answered"]) == ((30,), (30,))
    found = counts(report)
    assert {found[name] for name in ("round trip, from due", "round trip, from sent", "sent late", "held there")} == {
        30
    }
    assert found.get("wire") == found.get("wake-up here"), "the first connection of a host may come before its stamps"
    assert found["way there"] == found["way back"] == 30
    (row,) = rows(report, "who answered").values()
    assert row[-3:-1] == (0, 0), "one kernel has one clock"
    assert running.pong.statistics.answered == ping.pinger.statistics().asked + ping.pinger.statistics().warmup


@net
def test_over_tls_the_pongs_own_authority_is_believed_when_it_is_named(tmp_path: Path) -> None:
    for scheme in ("tls", "wss"):
        target = local(scheme)
        with answering(target, directory=str(tmp_path)) as running:
            ca = str(tmp_path / "ca.pem")
            assert running.hint == f"{target} --ca {ca}"
            _, report = run(target, Way(trusting=Trusting(ca=ca)))
            assert rows(report, "account")["answered"] == (30,)
            with pytest.raises(NetworkError, match=r"not believed: .*--ca, or --insecure"):
                run(target, Way(trusting=Trusting(ca=ca, name="somebody.else.example")))
            _, report = run(target, Way(trusting=Trusting(anybody=True)), interval_ns=None, window=3)
            assert rows(report, "account")["answered"] == (30,)
        assert running.pong.connections == 3


@net
def test_all_of_a_group_answer_and_each_has_its_row() -> None:
    target = Target("multicast", "239.255.77.1", free_port())
    way = Way(interface="lo")
    with answering(target, interface="lo"), answering(target, interface="lo"):
        _, report = run(target, way, answers=2, interval_ns=None)
    assert [row[:2] for row in rows(report, "who answered").values()] == [(30, 0), (30, 0)]
    assert len([name for name in counts(report) if name.startswith("way there ")]) == 2


@net
def test_spinning_under_load_everything_is_answered_too() -> None:
    target = local("udp")
    with answering(target):
        ping, report = run(target, Way(spin=True), background_ns=1_000_000, size=1200)
    assert rows(report, "account")["answered"] == (30,)
    assert ping.pinger.statistics().background_answered > 0
    assert report.facts["receiving"] == "spins"


@net
@pytest.mark.parametrize("scheme", ["udp", "tcp", "wss"])
def test_nobody_at_the_other_end_is_said_with_what_to_do(scheme: str) -> None:
    target = local(scheme)
    with pytest.raises(UnansweredError, match=f"start `netfeed latency pong {target}` there"):
        run(target, Way(trusting=Trusting(anybody=True)))


@net
def test_another_server_is_not_taken_for_a_pong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfeed.app.latency.ping.PATIENCE_NS", 50_000_000)
    target = local("udp")
    with open_unicast("127.0.0.1", target.port) as mute:
        with pytest.raises(UnansweredError):
            run(target, timeout_ns=10_000_000)
        assert mute.receive()


@net
def test_what_answers_with_something_else_ends_the_run() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            with other.accept()[0] as one:
                one.sendall(b"SSH-2.0-x says hello\r\n")
                one.recv(1000)

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(NetworkError, match="does not speak as"):
            run(Target("tcp", "127.0.0.1", other.getsockname()[1]))
        thread.join(60)


@net
def test_an_answerer_on_another_kernel_gets_an_estimated_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    target = local("udp")
    monkeypatch.setattr("netfeed.app.latency.pong.kernel_number", lambda: 12345)
    with answering(target):
        _, report = run(target)
    (row,) = rows(report, "who answered").values()
    assert row[-3] is not None
    assert row[-2] > 0
    assert any("clocks are two" in note for note in report.notes)


@net
def test_a_pong_whose_clock_is_set_stamps_by_the_new_time_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    was_set = threading.Event()

    def looking() -> Look:
        real = look()
        return real if was_set.is_set() else Look(real.at_ns, real.offset_ns - 5 * 10**9, real.bracket_ns)

    monkeypatch.setattr("netfeed.host.clocks.GLANCE_NS", 1_000_000)
    monkeypatch.setattr("netfeed.app.latency.pong.Epoch", lambda: Epoch(looking))
    target = local("udp")
    with answering(target) as running:
        _, before = run(target)
        was_set.set()
        until(lambda: running.pong._epoch.steps)
        _, after = run(target)
    assert counts(before)["round trip, from due"] == 30
    assert rows(before, "account")["with stamps of no clock, or of one that was set"] == (30,)
    assert "held there" not in counts(before)
    assert counts(after)["held there"] == counts(after)["way there"] == 30
    assert running.pong.notes == ["this host's clock was set by +5.000000 s meanwhile: askers' reports say when"]


@net
def test_a_ping_whose_clock_is_set_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = chain([Look(0, 5, 0)], iter(look, None))
    monkeypatch.setattr("netfeed.app.latency.ping.Epoch", lambda: Epoch(lambda: next(looks)))
    target = local("udp")
    with answering(target):
        ping, report = run(target)
    assert any("this host's clock was set by" in note for note in report.notes)
    assert abs(ping.pinger.epoch_ns - look().offset_ns) < 10**9


@net
def test_a_report_says_what_no_percentile_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfeed.app.latency.pong.BURST", 10)
    target = local("udp")
    with answering(target, rate=1.0):
        ping, report = run(target, timeout_ns=20_000_000, warmup_ns=0)
    told = ping.pinger.statistics().unanswered
    assert told >= 15
    assert any(note.startswith(f"{told} questions had no answer within 20 ms") for note in report.notes)


@net
def test_the_heat_map_is_of_a_distribution_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two single runs are compared by slices of time, which are the columns of a map of that name."""
    target = local("udp")
    monkeypatch.setattr("netfeed.latency.round_trip.COLUMN_NS", 10_000)
    for plan, name in (({}, DUE), ({"interval_ns": None}, SENT)):
        with answering(target):
            ping = Ping(target, Plan(77, **{**FAST, **plan}), Way())
            ping.run()
        (heat,) = ping_report(ping).heat_maps
        assert heat.name == name
        assert name in counts(ping_report(ping))


def test_a_line_is_told_each_second() -> None:
    ping = Ping(Target("udp", "127.0.0.1", 9), Plan(77), Way())
    told: list[str] = []
    ping.watch._tell = told.append
    for elapsed in (5, 10**9, 10**9 + 5, 4 * 10**9):
        ping.watch.glance(elapsed)
    assert told == ["1 s: 0 answers", "4 s: 0 answers"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("udp://127.0.0.1", "is not SCHEME"), ("http://127.0.0.1:80", "is not SCHEME"), ("udp://:5", "is not SCHEME"),
        ("udp://127.0.0.1:99999", "is not SCHEME"), ("tcp://127.0.0.1:5/x", "nothing stands behind"),
        ("ws://127.0.0.1:5/?a=b", "nothing stands behind"), ("udp://239.1.1.1:5", "multicast://239.1.1.1:5"),
        ("multicast://127.0.0.1:5", "udp://127.0.0.1:5"), ("udp://pong.example:5", "names are not resolved"),
        ("udp://[::1:5", "is not SCHEME"),
    ],
)  # fmt: skip
def test_what_is_no_target_is_said_to_be_none(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        read_target(text)


def test_a_target_is_read_as_it_is_written() -> None:
    for text in ("udp://127.0.0.1:5", "wss://[::1]:7/a/b", "multicast://[ff3e::1]:7"):
        assert str(read_target(text)) == text
