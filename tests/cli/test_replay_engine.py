"""`netfeed replay --engine`: what it prints, what it refuses, and that captures with faults do it no harm."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netfeed.cli.main import main
from netfeed.engine.journal import Began, read
from tests.cli.test_main import environment
from tests.data import PCAPS

ROOT = PCAPS.parent
STOCKS = str(ROOT / "examples" / "replay-stocks.toml")
KEYS = {
    "netfeed", "build", "files", "model", "first_ns", "last_ns", "packets", "asked", "refused", "fills", "unclear",
    "resting", "under_way", "instruments", "money", "open_mark_outs", "fees_unknown", "engine", "journal", "elapsed_ns",
}  # fmt: skip
LATEST = {"itch-ab.pcap": "14:30:03", "starbase.pcap": "08:00:04"}
SHORT = ("--instrument", "AA[IJ]", "--to", "14:30:02")


def told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    assert main(["replay", "--engine", STOCKS, "--json", "--quiet", *map(str, arguments)]) == code
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    assert set(found) == KEYS
    return found


def test_the_assumptions_of_the_model_stand_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(PCAPS / "itch-ab.pcap"), "--engine", STOCKS, "--request-delay", "1ms..2ms", *SHORT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fills are those of a model (seed 1), which assumes:"
    assert lines[1] == "  - a request takes evenly 1000 us to 2000 us; a report takes 150 us always"
    assert any(line.startswith("requests: ") for line in lines)


def test_the_summary_and_the_journal_are_of_one_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = told(capsys, PCAPS / "itch-ab.pcap", *SHORT, "--seed", 3, "--journal", tmp_path / "orders")
    records, tail = read((tmp_path / "orders").read_bytes())
    assert (found["model"]["seed"], found["journal"], tail.why) == (3, str(tmp_path / "orders"), "")
    assert isinstance(records[0], Began)
    assert found["asked"]["new"] > 0


def test_a_file_of_itch_messages_is_replayed_message_by_message(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, PCAPS / "itch.itch.gz", "--from", "09:30:00", "--to", "09:30:20")
    assert (found["packets"], found["asked"]["list"]) == (0, 1)
    assert found["asked"]["new"] > 0


@pytest.mark.parametrize(("name", "code"), [("itch-gap.pcapng", 3), ("truncated.pcap", 3), ("bad-lengths.pcap", 3)])
def test_a_capture_with_faults_is_replayed_as_far_as_it_goes(
    name: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys, PCAPS / name, "--instrument", "AA[A-D]", code=code)
    assert found["engine"]["counters"]["uncertain"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--events", "x.npy"], 2, "--events shows books, not an engine"),
        (["--request-delay", "soon"], 2, "write 150us, 100us..300us"),
        (["--instrument", "ZZZ"], 2, "--instrument must match something"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(PCAPS / "itch-ab.pcap"), "--engine", STOCKS, *arguments]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema_version = 1\n", "it takes a section [engine]"),
        ('schema_version = 1\n[engine]\nstrategie = "quoter"\n', "did you mean 'strategy'?"),
        (
            'schema_version = 1\n[engine]\nstrategy = "avellaneda"\ninstruments = ["*"]\n'
            '[engine.limits]\norder_size = { "*" = "1" }\nposition = { "*" = "1" }\n',
            "give gamma, kappa and sigma",
        ),
    ],
)
def test_a_configuration_that_says_no_engine_is_refused(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "engine.toml").write_text(text)
    assert main(["replay", str(PCAPS / "itch-ab.pcap"), "--engine", str(tmp_path / "engine.toml")]) == 4
    assert said in capsys.readouterr().err


def test_the_configuration_of_a_live_engine_will_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = Path(STOCKS).read_text().replace("[engine]", '[engine]\nkill_file = "never"\njournal = "elsewhere"', 1)
    live += '\n[[channels]]\nname = "itch"\nprotocol = "itch50"\nlines = [{ group = "233.252.0.1:26400" }]\n'
    (tmp_path / "live.toml").write_text(live)
    assert main(["replay", str(PCAPS / "itch-ab.pcap"), "--engine", str(tmp_path / "live.toml"), "--json", *SHORT]) == 0
    assert json.loads(capsys.readouterr().out)["asked"]["new"] > 0
    assert not Path("elsewhere").exists()


def test_a_recording_of_a_connection_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from netfeed.wire import recording

    path = tmp_path / "day.jsonl"
    path.write_bytes(recording.MAGIC + b" 1}\n")
    assert main(["replay", str(path), "--engine", STOCKS]) == 2
    assert "is a recording of a connection" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "config"), [("itch-ab.pcap", "replay-stocks"), ("starbase.pcap", "replay-options")])
def test_another_process_and_another_build_write_the_same_bytes(name: str, config: str, tmp_path: Path) -> None:
    written = set()
    for number, more in enumerate(({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2"}, {"NETFEED_PURE": "1"})):
        path = tmp_path / str(number)
        files = [str(PCAPS / name), "--engine", str(ROOT / "examples" / f"{config}.toml"), "--journal", str(path)]
        program = [sys.executable, "-m", "netfeed", "replay", *files, "--to", LATEST[name], "--json"]
        run = subprocess.run(
            program, env={**environment(), **more}, check=False, capture_output=True, text=True, timeout=300
        )
        assert run.returncode in (0, 3), run.stderr  # 3: the cut leaves a gap open
        written.add(path.read_bytes())
    assert len(written) == 1
    assert min(map(len, written)) > 1_000
