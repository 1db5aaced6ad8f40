"""`netfeed latency ping` and `pong`: one JSON object, exit codes, and options that contradict each other."""

import json
import re
import subprocess
import sys

import pytest

from netfeed.cli.main import main
from netfeed.transport.udp import open_unicast


def free_port() -> int:
    with open_unicast("127.0.0.1") as one:
        return one.port


@pytest.mark.net
def test_two_programs_measure_a_round_trip(capsys: pytest.CaptureFixture[str]) -> None:
    target = f"udp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "netfeed", "latency", "pong", target, "--duration", "60s", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pong:
        try:
            assert pong.stderr is not None
            assert f"ask with `netfeed latency ping {target}`" in pong.stderr.readline()
            code = main(["latency", "ping", target, "-c", "20", "--rate", "2k", "--warmup", "1ms", "--json"])
            pong.terminate()
            out, _ = pong.communicate(timeout=60)
        finally:
            pong.kill()
    report = json.loads(capsys.readouterr().out)
    assert (code, pong.returncode) == (0, 143)
    assert report["kind"] == "ping"
    assert json.loads(out)["answered"] == 22


@pytest.mark.net
def test_nobody_there_is_exit_5_and_what_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    target = f"udp://127.0.0.1:{free_port()}"
    assert main(["latency", "ping", target, "-q"]) == 5
    assert f"start `netfeed latency pong {target}` there" in capsys.readouterr().err


@pytest.mark.net
def test_a_pong_ends_after_its_time_and_says_what_it_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "pong", f"tcp://127.0.0.1:{free_port()}", "--duration", "1ms"]) == 0
    assert capsys.readouterr().out == "0 answered\n"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["udp://127.0.0.1:5", "--rate", "5", "--load", "3"], "contradict each other"),
        (["udp://127.0.0.1:5", "--rate", "5", "--topspeed"], "not allowed with"),
        (["multicast://239.1.1.1:5", "--topspeed"], "need --answers"),
        (["udp://127.0.0.1:5", "-s", "71"], "not a size of 72"),
        (["udp://127.0.0.1:5", "--load", "x/s"], "not a rate"),
        (["udp://127.0.0.1:5", "--load", "5000"], "at most 4096"),
        (["udp://127.0.0.1:5", "--timeout", "0s"], "would give every answer up"),
        (["udp://127.0.0.1:5", "--cpu", "1023"], "this process may run on"), (["udp:127.0.0.1"], "is not SCHEME"),
        (["tls://127.0.0.1:5", "--ca", "/nowhere.pem"], "/nowhere.pem"),
        (["udp://127.0.0.1:5", "--priority", "100"], "not a priority of 1 to 99"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_exit_2(options: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "ping", *options]) == 2
    assert re.search(why, capsys.readouterr().err)
