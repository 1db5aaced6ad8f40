"""The files of sysctl/ are what the table says, and what they do is right."""

import configparser
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from netfeed.host.cpus import parse_cpu_list
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import BY_NAME, TABLE
from tests.host.tune.tree import plant

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "sysctl"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
UNITS = sorted(FOLDER.glob("systemd/*.service"))


@pytest.fixture(scope="module")
def mksysctl() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mksysctl", ROOT / "tools" / "mksysctl.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_file_is_stale(mksysctl: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert mksysctl.main(["--check"]) == 0, capsys.readouterr().out


def test_no_file_is_there_that_nobody_writes(mksysctl: ModuleType) -> None:
    there = {path.relative_to(ROOT).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert there == {name for name in mksysctl.built() if name.startswith("sysctl/")}


def test_a_stale_file_and_one_that_is_missing_are_found(
    mksysctl: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mksysctl.main([str(tmp_path)]) == 0
    assert mksysctl.main([str(tmp_path), "--check"]) == 0
    assert os.access(tmp_path / "sysctl" / "apply.sh", os.X_OK)
    (tmp_path / "sysctl" / "90-netfeed.conf").write_text("vm.swappiness = 60\n")
    (tmp_path / "sysctl" / "irq.sh").unlink()
    capsys.readouterr()
    assert mksysctl.main([str(tmp_path), "--check"]) == 3
    assert "sysctl/90-netfeed.conf, sysctl/irq.sh" in capsys.readouterr().out


def values(name: str) -> dict[str, str]:
    lines = [line for line in (FOLDER / name).read_text().splitlines() if line and not line.startswith("#")]
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}


def test_a_file_of_sysctls_sets_what_the_profile_wants_and_no_more() -> None:
    feed, capture = values("90-netfeed.conf"), values("90-netfeed-capture.conf")
    assert feed["net.core.rmem_max"] == "67108864"
    assert "kernel.sched_rt_runtime_us" not in feed
    assert "net.ipv4.udp_mem" not in feed
    assert not any("IF" in name or "OTHERS" in value for name, value in feed.items())
    assert set(values("91-netfeed-quote.conf")) == {"net.ipv4.tcp_fastopen", "net.ipv4.tcp_autocorking"}
    for name, profile in ((feed, Profile.FEED), (capture, Profile.CAPTURE)):
        assert all(BY_NAME[key].wanted(profile) for key in name)
    assert "#kernel.sched_rt_runtime_us = -1" in (FOLDER / "90-netfeed.conf").read_text()


def test_every_setting_that_is_written_is_in_some_file() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*") if path.is_file())
    by_hand = {
        "fair_server",
        "cpuidle.disable",
        "IF.irq_affinity",
        "IF.rings.rx",
        "IF.channels.combined",
        "IF.xps_cpus",
    }
    for row in TABLE:
        if row.written and row.wanted(Profile.FEED) and row.name not in by_hand and row.where.kind == "file":
            name = row.where.sysctl or "/" + row.where.pattern.replace("/IF/", '/"$IF"/')
            assert name in text, row.name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(path: Path) -> None:
    program = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("shellcheck is not installed (extra dev)")
    done = subprocess.run([program, "-x", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_units(path: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/netfeed/bin/netfeed", "/bin/true"))
    program = ["systemd-analyze", "verify", "--man=no", str(tmp_path / path.name)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert path.name not in done.stderr
    assert done.returncode == 0, done.stderr


def test_the_unit_has_processors_limits_and_walls() -> None:
    text = (FOLDER / "systemd" / "netfeed.service").read_text()
    for word in (
        "CPUAffinity=",
        "LimitMEMLOCK=infinity",
        "LimitRTPRIO=50",
        "AmbientCapabilities=",
        "ProtectSystem=strict",
    ):
        assert f"\n{word}" in text
    assert "\nRestrictRealtime" not in text
    cpus = re.search(r"^CPUAffinity=(.*)$", text, re.MULTILINE)
    assert cpus is not None
    assert not parse_cpu_list(cpus[1]) & parse_cpu_list("2-3")  # the feed's, where threads would not be spread


def test_a_value_that_is_refused_does_not_take_the_revert_from_the_unit() -> None:
    text = (FOLDER / "systemd" / "netfeed-tune.service").read_text()
    assert "\nSuccessExitStatus=1\n" in text
    assert "\nExecStop=/opt/netfeed/bin/netfeed tune revert\n" in text


def test_the_profile_of_tuned_can_be_read_and_holds_the_sysctls() -> None:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FOLDER / "tuned" / "netfeed" / "tuned.conf")
    assert parser["main"]["include"] == "network-latency"
    assert dict(parser["sysctl"]) == values("90-netfeed.conf")
    assert "cmdline_netfeed" not in parser["bootloader"]


def script(name: str, *arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    program = ["sh", str(FOLDER / name), *arguments]
    environment = {**os.environ, "STATE": str(state)}
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_dry_run_of_the_scripts_says_what_they_would_do(tmp_path: Path) -> None:
    state = tmp_path / "old"
    done = script("apply.sh", "--dry-run", "lo", state=state)
    assert (done.returncode, done.stderr) == (0, "")
    assert "transparent_hugepage/enabled" in done.stdout
    assert "would run: ethtool -C lo adaptive-rx off" in done.stdout
    assert script("apply.sh", "--dry-run", "no-such-card", state=state).returncode == 1
    for name, arguments in (("irq.sh", ["no-such-card", "0"]), ("irq.sh", ["lo", "zero"])):
        assert script(name, "--dry-run", *arguments, state=state).returncode == 2
    assert "has no interrupts of its own" in script("irq.sh", "--dry-run", "lo", "0", state=state).stdout
    for name, arguments in (("irq.sh", ["lo"]), ("isolate.sh", []), ("isolate.sh", ["x"])):
        assert script(name, "--dry-run", *arguments, state=state).returncode == 2
    assert script("apply.sh", "--what", state=state).returncode == 2
    assert "nothing to revert" in script("apply.sh", "--revert", state=state).stdout
    assert not state.exists()


@pytest.mark.parametrize(
    ("online", "feed", "mask", "boot"),
    [
        ("0-3", "2-3", "3", "irqaffinity=0-1 "),
        ("0-1", "1", "1", "irqaffinity=0 "),
        ("0-35", "2-33", "c,00000003", "irqaffinity=0-1,34-35 "),
        ("0,4-5,64", "4", "1,00000000,00000021", "irqaffinity=0,5,64 "),
    ],
)
def test_isolation_computes_the_others_and_their_mask(
    tmp_path: Path, online: str, feed: str, mask: str, boot: str
) -> None:
    tree = plant(tmp_path, {"sys/devices/system/cpu/online": online, "sys/devices/virtual/workqueue/cpumask": "ff"})
    shutil.copy(FOLDER / "saved.sh", tmp_path)
    text = re.sub(r"(?<![\w.])/(sys|proc)/", rf"{tree}/\1/", (FOLDER / "isolate.sh").read_text())
    (tmp_path / "isolate.sh").write_text(text)
    program = ["sh", str(tmp_path / "isolate.sh"), "--dry-run", feed]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"workqueue/cpumask ff -> {mask}\n" in done.stdout
    assert boot in done.stdout


@pytest.mark.parametrize("feed", ["-h", "--help", "", "x", "2,", "3-2", "2-7", "0-3"])
def test_isolation_writes_nothing_for_what_is_no_list_of_processors_that_are_there(tmp_path: Path, feed: str) -> None:
    tree = plant(tmp_path, {"sys/devices/system/cpu/online": "0-3", "proc/sys/kernel/watchdog_cpumask": "0-3"})
    shutil.copy(FOLDER / "saved.sh", tmp_path)
    text = re.sub(r"(?<![\w.])/(sys|proc)/", rf"{tree}/\1/", (FOLDER / "isolate.sh").read_text())
    (tmp_path / "isolate.sh").write_text(text)
    program = ["sh", str(tmp_path / "isolate.sh"), feed]
    environment = {**os.environ, "STATE": str(tmp_path / "old")}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert (tree / "proc/sys/kernel/watchdog_cpumask").read_text() == "0-3\n"


SAVED = """
set -u
. "$1/saved.sh"
set_to 'never|madvise' "$2/pages" "$2/nothing"
set_to 7 "$2/number" "$2/number"
set_to 8 "$2/number"
put_back
finish
"""


def test_what_the_scripts_save_they_put_back(tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("always [madvise] never\n")
    (tmp_path / "number").write_text("5\n")
    environment = {**os.environ, "STATE": str(tmp_path / "run" / "old")}
    done = subprocess.run(
        ["sh", "-c", SAVED, "sh", str(FOLDER), str(tmp_path)],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    lines = [line.replace(f"{tmp_path}/", "") for line in done.stdout.splitlines()]
    assert lines == [
        "ok: pages madvise", "not here: nothing", "wrote: number 5 -> 7", "ok: number 7", "wrote: number 7 -> 8",
        "restored: number 5",
    ]  # fmt: skip
    assert (tmp_path / "number").read_text() == "5\n"
    assert (done.returncode, done.stderr) == (0, "")


def lines_of(program: str, folder: Path, state: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        ["sh", "-c", f'set -u\n. "$1/saved.sh"\n{program}\nfinish', "sh", str(FOLDER), str(folder)],
        env={**os.environ, "STATE": str(state)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).replace(f"{folder}/", "").splitlines()


def test_a_setting_whose_old_value_cannot_be_kept_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("5\n")
    (tmp_path / "file").write_text("")
    code, lines = lines_of('set_to 7 "$2/number"', tmp_path, tmp_path / "file" / "old")
    assert (code, lines) == (1, ["not written, since file/old cannot keep its old value: number"])
    assert (tmp_path / "number").read_text() == "5\n"


def test_what_cannot_be_put_back_stays_kept_and_fails(tmp_path: Path) -> None:
    state, folder = tmp_path / "old", tmp_path / "folder"
    folder.mkdir()  # nobody can write it, root neither
    (tmp_path / "number").write_text("7\n")
    state.write_text(f"{tmp_path}/number 5\n{folder} 1\n{tmp_path}/nothing 2\n{folder}/. 3\n")
    code, lines = lines_of("put_back", tmp_path, state)
    assert (code, lines) == (1, ["gone: nothing", "restored: number 5", "refused: folder/. 3", "refused: folder 1"])
    assert state.read_text() == f"{folder} 1\n{folder}/. 3\n"
