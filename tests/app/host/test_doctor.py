"""What the doctor says of this host, of a configuration's wishes, and of a handler that runs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from netfeed.app import configuration as conf
from netfeed.app.host import doctor
from netfeed.app.host.doctor import Options, Verdict, examine, verdict_json, wishes_of
from netfeed.app.host.doctor_table import show
from netfeed.app.host.topics import TOPICS
from netfeed.app.tables import console
from netfeed.cli.main import main
from netfeed.host.doctor.wishes import Wishes
from netfeed.host.finding import Finding, Level
from netfeed.host.namespace import Namespace, permitted

LO = Wishes(interfaces=("lo",))


@contextmanager
def handler(*texts: str) -> Iterator[str]:
    """Serve metrics: each text once, the last one from then on."""
    left = list(texts)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def metrics(queue: int, sequence: int) -> str:
    return (
        f'netfeed_packets_dropped_total{{channel="a",layer="queue",line="A"}} {queue}.0\n'
        f'netfeed_packets_dropped_total{{channel="a",layer="socket",line="A"}} 3.0\n'
        f'netfeed_messages_lost_total{{channel="a"}} {sequence}.0\n# a comment\n'
    )


def test_every_topic_is_looked_at_and_each_row_has_its_words() -> None:
    found = examine(Options(LO, between_ns=0, handler=None)).findings
    assert [topic for topic in TOPICS if any(one.topic == topic for one in found)] == list(TOPICS)
    assert all(one.found for one in found)
    assert all(one.remedy for one in found if one.level is Level.FAIL)


def test_only_the_topics_that_are_asked_for_are_told() -> None:
    found = examine(Options(LO, topics=("clock",), handler=None), sleep=pytest.fail).findings
    assert {one.topic for one in found} == {"clock"}


def test_nothing_is_looked_at_that_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (doctor.clock, doctor.sockets, doctor.multicast, doctor.permissions, doctor.processors):
        monkeypatch.setattr(module, "checks", pytest.fail)
    monkeypatch.setattr(doctor.handler, "ask", pytest.fail)
    assert [one.check for one in examine(Options(LO, topics=("build",))).findings] == ["core"]


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here")
def test_an_interface_that_goes_while_it_is_watched_leaves_the_other_rows() -> None:
    def gone(_: float) -> None:
        with pyroute2.IPRoute() as ip:
            ip.link("del", ifname="feed")

    pyroute2 = pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra tune)")
    with Namespace("host") as host, Namespace("other") as other:
        host.connect("feed", other, "peer")
        with host.entered():
            wishes = Wishes(interfaces=("feed", "lo"))
            found = examine(Options(wishes, ("multicast", "loss"), handler=None), gone)
    rows = {one.check: one.level for one in found.findings}
    assert (rows["feed link"], rows["nic feed"]) == (Level.FAIL, Level.UNKNOWN)
    assert (rows["lo join and loop"], rows["nic lo"]) == (Level.OK, Level.OK)


@pytest.mark.net
def test_a_handler_is_asked_twice_and_what_moves_is_a_failure() -> None:
    with handler(metrics(5, 0), metrics(7, 0)) as at:
        verdict = examine(Options(LO, ("loss",), 0, at))
    rows = {one.check: one.level for one in verdict.findings}
    assert (rows["queue"], rows["sequence"]) == (Level.FAIL, Level.OK)
    assert (verdict.layers["queue"], verdict.layers["sequence"]) == ((7, 2), (0, 0))


@pytest.mark.net
def test_what_a_handler_lost_long_ago_is_a_warning() -> None:
    with handler(metrics(0, 9)) as at:
        rows = {one.check: one.level for one in examine(Options(LO, ("loss",), 0, at)).findings}
    assert rows["sequence"] is Level.WARN


@pytest.mark.net
@pytest.mark.parametrize("text", ["", "<html>", 'netfeed_messages_lost_total{channel="a"} nonsense\n'])
def test_another_program_at_that_address_is_not_a_handler(text: str) -> None:
    with handler(text) as at:
        verdict = examine(Options(LO, ("loss",), 0, at))
    assert verdict.layers["sequence"] is None


def test_no_handler_is_not_known_rather_than_fine() -> None:
    rows = {one.check: one for one in examine(Options(LO, ("loss",), 0, "127.0.0.1:1")).findings}
    assert rows["queue"].level is rows["sequence"].level is Level.UNKNOWN
    assert "--handler" in rows["queue"].remedy


def test_a_configuration_says_what_will_be_asked_of_the_host() -> None:
    line = conf.Line(group="233.252.0.1:26400", interface="127.0.0.1", source="10.0.0.1")
    config = conf.Configuration(
        schema_version=1, channels=[conf.Channel(name="one", protocol="itch50", lines=[line])],
        receive=conf.Receive(cpu=1, priority=40, spin=True, buffer=1 << 20, hardware_stamps=True),
        process=conf.Process(lock_memory=True, cpus=[0]),
    )  # fmt: skip
    assert wishes_of(config) == Wishes(
        ("lo",), ("233.252.0.1:26400",), True, 1 << 20, (1,), 40, True, True, True, (0,)
    )  # fmt: skip


def test_quiet_leaves_out_what_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Finding("clock", "a", Level.OK, "good"), Finding("clock", "b", Level.WARN, "bad\x1b[2J", "do it")]
    show(Verdict(rows, {}), console(), quiet=True)
    said = capsys.readouterr().out
    assert "good" not in said
    assert "bad\\x1b[2J" in said  # what comes from outside cannot steer a terminal
    assert "do it" in said


def test_the_report_for_machines_has_every_layer() -> None:
    told = verdict_json(examine(Options(LO, ("loss",), 0, None)))
    assert list(told["layers"]) == ["nic", "kernel", "socket", "queue", "sequence"]
    assert told["layers"]["queue"] is None
    json.dumps(told)


def test_the_command_says_what_failed_by_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for level, code in ((Level.WARN, 0), (Level.FAIL, 3)):
        monkeypatch.setattr(
            doctor, "examine", lambda options, level=level: Verdict([Finding("x", "y", level, "z")], {})
        )
        assert main(["doctor"]) == code


@pytest.mark.parametrize(
    "arguments", [["teeth"], ["-i", "nowhere0"], ["--handler", "localhost"], ["--duration", "soon"]]
)
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *arguments]) == 2
    assert arguments[-1] in capsys.readouterr().err


def test_a_wrong_configuration_is_one(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("schema_version = 7\n")
    assert main(["doctor", "--config", str(tmp_path / "bad.toml")]) == 4
