"""`netfeed latency jitter`: one JSON object, and what cannot be measured."""

import json
import os

import pytest

from netfeed.cli.main import main

CPU = str(max(os.sched_getaffinity(0)))


def test_all_parts_are_one_report(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["latency", "jitter", "--cpus", CPU, "--duration", "30ms", "--json", "-q"])
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (code, report["kind"], err) == (0, "jitter", "")
    names = [one["name"] for one in report["distributions"]]
    assert f"timer, cpu {CPU}" in names
    assert f"wake-up, cpu {CPU} to {CPU}" in names


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--cpus", "0-x"], "not a list"), (["--cpus", "8191"], "this process may run on"),
        (["--what", "spin,dance"], "not of spin"), (["--interval", "1ns"], "not an interval"),
        (["--threshold", "0ns"], "not more than nothing"), (["--duration", "0s"], "not more than nothing"),
        (["--priority", "0"], "not a priority of 1 to 99"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_exit_2(options: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "jitter", *options]) == 2
    assert why in capsys.readouterr().err
