"""The command line as such: verbs, versions, exit codes, and errors of one line that say what to do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import netfeed
from netfeed.cli.main import main
from tests.cli.captures import A, Datagram, orders, write

COMMAND = [sys.executable, "-m", "netfeed"]


def environment(**more: str) -> dict[str, str]:
    source = str(Path(netfeed.__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH", ""), source)))  # a sanitized run adds its own
    return {**os.environ, "PYTHONPATH": paths, **more}


def test_the_version_tells_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    core = {"compiled": "compiled core", "pure": "pure Python twins"}[netfeed.BUILD]
    assert capsys.readouterr().out == f"netfeed {netfeed.__version__} ({core})\n"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.startswith(f"netfeed {netfeed.__version__} (")


@pytest.mark.parametrize("verb", [[], ["replay"], ["decode"], ["verify"]])
def test_help_goes_to_standard_output_and_has_an_example(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert "example" in out
    assert "netfeed " + (verb[0] if verb else "replay") in out


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["fly"], ["replay"], ["replay", "x", "--depth", "0"], ["replay", "x", "--protocol", "fix"],
        ["replay", "x", "--group", "nowhere"], ["replay", "x", "--group", "233.252.0.1:70000"],
        ["replay", "x", "--channel", "A"], ["replay", "x", "--channel", "A=233.252.0.1"],
        ["replay", "x", "--from", "yesterday"], ["replay", "x", "--speed", "0"], ["replay", "x", "--speed", "nan"],
        ["replay", "x", "--from", "15:00", "--to", "14:00"], ["replay", "x", "--speed", "1", "--topspeed"],
        ["decode", "x", "-c", "-1"], ["decode", "x", "-x", "--json"],
        ["replay", "x", "--events", "-", "--json"], ["replay", "-", "-"],
        ["replay", "x", "--channel", "A=233.252.0.1:1", "--channel", "B=233.252.0.1:1"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "netfeed" in captured.err


@pytest.mark.parametrize("verb", ["replay", "decode", "verify"])
def test_what_cannot_be_opened_is_one_line_and_1(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path, what in ((tmp_path / "absent.pcap", "no such file"), (tmp_path, "directory")):
        assert main([verb, str(path)]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert str(path) in captured.err
        assert what in captured.err


@pytest.mark.parametrize("verb", ["replay", "verify"])
@pytest.mark.parametrize("content", [b"", b"\n", b"neither this nor that, " * 40, bytes(100), b"\xff" * 64])
def test_a_file_of_nothing_known_is_an_error_of_the_data(
    verb: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main([verb, str(path)]) == 3
    out = capsys.readouterr().out
    assert "found" in out.replace("\n", " ")
    assert "ITCH file" in " ".join(out.split())


def test_an_error_inside_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: object) -> None:
        raise RuntimeError("what nobody thought of")

    monkeypatch.setattr("netfeed.app.replay.Replay.run", broken)
    assert main(["replay", "x"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "what nobody thought of" in err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * 1000, A, orders(1 + 30 * k, 30)) for k in range(400)])
    with subprocess.Popen(
        [*COMMAND, "decode", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr is not None
        assert child.stderr.read() == b""
        assert child.wait() == 0


@pytest.mark.parametrize("verb", ["replay", "verify"])
def test_a_reader_of_tables_that_goes_away_is_no_error_either(verb: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * 1000, A, orders(1 + k, 1)) for k in range(20)])
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [*COMMAND, verb, str(path)], stdout=writing, stderr=subprocess.PIPE, env=environment()
    ) as child:
        os.close(writing)
        assert child.stderr is not None
        assert child.stderr.read() == b""
        assert child.wait() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_gives_the_report_so_far(number: int, code: int, tmp_path: Path) -> None:
    data = write(tmp_path / "a.pcap", [Datagram(k * 1000, A, orders(1 + k, 1)) for k in range(50)]).read_bytes()
    with subprocess.Popen(
        [*COMMAND, "replay", "-", "--json", "--events", str(tmp_path / "e.jsonl")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(data)
        child.stdin.flush()
        while not (list(tmp_path.glob("e.jsonl.*.part")) and _waits_for_input(child.pid)):
            assert child.poll() is None  # the part appears before anything is read
        child.send_signal(number)
        out = child.stdout.read()
        err = child.stderr.read()
        assert child.wait() == code, err
        child.stdin.close()
    assert b'"files"' in out
    assert b"not complete" in err
    assert not (tmp_path / "e.jsonl").exists()


def _waits_for_input(pid: int) -> bool:
    """Say whether a process sleeps in a read of its standard input."""
    try:
        where = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return True
    return "pipe" in where
