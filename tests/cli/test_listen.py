"""`netfeed listen` and `netfeed send`, as they are typed: on loopback, with groups and ports of the test's own."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.listen import Listen, Options, Target, is_lossy
from netfeed.app.send import Numbered
from netfeed.cli.main import main
from netfeed.transport.resend import Pace, Resend
from netfeed.transport.send import Sender

A, B = "233.252.0.71", "233.252.0.72"
S = 10**9
Json = dict[str, Any]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listened(targets: list[Target], send: Callable[[], None], count: int | None = None) -> tuple[Json, list[str]]:
    """Listen in this thread while another one sends; ends when it has sent and nothing is left."""
    notes: list[str] = []
    ready, sent = threading.Event(), threading.Event()

    def note(text: str) -> None:
        notes.append(text)
        if sum("listening" in one for one in notes) == len(targets):
            ready.set()

    def sending() -> None:
        assert ready.wait(30)
        send()
        sent.set()

    thread = threading.Thread(target=sending)
    thread.start()
    options = Options(targets=targets, count=count, duration_ns=60 * S)
    summary = Listen(options, note=note, stop=sent.is_set).run()
    thread.join()
    return summary, notes


@pytest.mark.net
def test_two_lines_of_numbered_packets_are_compared() -> None:
    port = free_port()

    def send() -> None:
        with Sender(A, port, interface="lo") as a, Sender(B, port, interface="lo") as b:
            Numbered([a, b], stream=1, size=200, pps=None, count=300).run()
            Numbered([a], stream=2, size=200, pps=None, count=10).run()

    summary, _ = listened([Target(A, port, interface="lo"), Target(B, port, interface="lo")], send)
    a, b = summary["lines"]
    assert (a["numbers"], b["numbers"]) == (310, 300)
    assert (a["lost"], b["lost"], summary["missed_by_all"]) == (0, 0, 0)
    assert a["first"] + b["first"] == 310
    assert (a["behind_ns"] or {"count": 0})["count"] + (b["behind_ns"] or {"count": 0})["count"] == 300
    assert a["one_way_ns"]["count"] == 310
    assert a["protocol"] == b["protocol"] == "numbered"
    assert not is_lossy(summary)


@pytest.mark.net
def test_a_capture_that_is_sent_again_is_recognised_and_its_loss_is_seen() -> None:
    port = free_port()
    moved = {("233.252.0.1", 26400): (A, port), ("233.252.0.2", 26400): (B, port)}

    def send() -> None:
        Resend(
            ["pcaps/itch-ab.pcap"], lambda host, to: Sender(host, to, interface="lo"), pace=Pace(speed=None),
            moved=moved,
        ).run()  # fmt: skip

    summary, _ = listened([Target(A, port, interface="lo"), Target(B, port, interface="lo")], send)
    a, b = summary["lines"]
    assert a["protocol"] == b["protocol"] == "itch50"
    assert (a["lost"], summary["missed_by_all"]) == (0, 0)
    assert b["lost"] == a["only"] > 0
    assert is_lossy(summary)


@pytest.mark.net
def test_a_count_ends_it_exactly() -> None:
    port = free_port()

    def send() -> None:
        with Sender(A, port, interface="lo") as one:
            Numbered([one], stream=1, size=100, pps=None, burst=8, count=100).run()

    summary, _ = listened([Target(A, port, "127.0.0.1", "lo")], send, count=42)
    assert summary["packets"] == 42
    assert summary["lines"][0]["sources"][0].startswith("127.0.0.1:")


@pytest.mark.net
def test_a_silent_line_beside_another_is_a_fault() -> None:
    port = free_port()

    def send() -> None:
        with Sender(A, port, interface="lo") as one:
            Numbered([one], stream=1, size=100, pps=None, count=10).run()

    summary, _ = listened([Target(A, port, interface="lo"), Target(B, port, interface="lo")], send)
    assert summary["lines"][1]["packets"] == 0
    assert is_lossy(summary)


@pytest.mark.net
def test_nothing_at_all_is_exit_5_and_says_what_to_check(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netfeed.app.listen.PATIENCE_NS", 1)
    code = main(["listen", f"127.0.0.7,{A}:{free_port()}", "-i", "lo", "--timeout", "200ms", "--json"])
    out = capsys.readouterr()
    assert code == 5
    assert json.loads(out.out.splitlines()[-1])["packets"] == 0
    assert "What to check" in out.err
    assert "only 127.0.0.7 is heard" in out.err


@pytest.mark.net
def test_a_signal_dumps_the_counters_and_another_one_ends_it_with_the_summary() -> None:
    program = [sys.executable, "-m", "netfeed.cli.main", "listen", f"{A}:{free_port()}", "-i", "lo", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    listen = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert listen.stderr is not None
    assert "listening to" in listen.stderr.readline()
    listen.send_signal(signal.SIGUSR1)
    assert json.loads(listen.stderr.readline().removeprefix("netfeed: "))["type"] == "summary"
    listen.send_signal(signal.SIGINT)
    out, _ = listen.communicate(timeout=60)
    assert listen.returncode == 130
    assert json.loads(out.splitlines()[-1])["type"] == "summary"


@pytest.mark.net
def test_the_commands_speak_to_each_other_and_the_last_line_is_the_summary() -> None:
    port = free_port()
    program = [sys.executable, "-m", "netfeed.cli.main"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    listen = subprocess.Popen(
        [*program, "listen", f"{A}:{port}", "-i", "lo", "-c", "203", "--duration", "60s", "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert listen.stderr is not None
    assert "listening to" in listen.stderr.readline()
    send = subprocess.run(
        [*program, "send", f"{A}:{port}", "-i", "lo", "-c", "200", "--pps", "20k", "--json"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    out, _ = listen.communicate(timeout=60)
    assert send.returncode == listen.returncode == 0
    report, summary = json.loads(send.stdout), json.loads(out.splitlines()[-1])
    assert report["packets"] == summary["lines"][0]["numbers"] == 200
    assert summary["type"] == "summary"
    assert report["late_ns"]["max"] >= report["late_ns"]["p50"] >= 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["listen", "233.252.0.1"], "needs a port"),
        (
            ["listen", "233.252.0.1:1", "233.252.0.2:1", "-i", "a", "-i", "b", "-i", "c"],
            "once for each of the 2 groups",
        ),
        (["listen", "venue,233.252.0.1:1"], "no IP address"),
        (["listen", "233.252.0.1:5000", "-i", "nic9"], "there is no interface 'nic9'"),
        (["send"], "name a GROUP:PORT"),
        (["send", "233.252.0.1"], "needs a port"),
        (["send", "233.252.0.1:5000", "--speed", "2"], "need a capture"),
        (["send", "-r", "x.pcap", "--size", "100"], "numbered packets"),
        (["send", "-r", "x.pcap", "233.252.0.1:1", "233.252.0.2:1"], "use --map"),
        (["send", "233.252.0.1:5000", "--layer2"], "need a capture"),
        (["send", "-r", "x.pcap", "--layer2"], "to one -i IF"),
        (["send", "-r", "x.pcap", "--layer2", "-i", "lo", "-i", "lo"], "to one -i IF"),
        (["send", "-r", "x.pcap", "--layer2", "-i", "lo", "233.252.0.1:1"], "without GROUP:PORT"),
        (["send", "233.252.0.1:5000", "--size", "31"], "32 to 65507"),
        (["send", "-r", "x.pcap", "--map", "233.252.0.1=233.252.0.2:1"], "both sides need their port"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", "-r", "nowhere.pcap"]) == 1
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["listen", "send"])
def test_help_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"netfeed {verb} " in capsys.readouterr().out.partition("examples:")[2]
