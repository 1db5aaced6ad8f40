"""`netfeed tune` on copied trees: the reports, the exit codes, and the host itself untouched."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netfeed.cli.main import main
from netfeed.host.tune.journal import Journal
from tests.cli.test_main import environment
from tests.host.tune.tree import HOST, picked, plant

KEYS = {"name", "current", "recommended", "ok", "why", "source", "reboot", "state", "remark", "topic"}
HERE = ("-i", "eth1", "--cpus", "2-3")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant(tmp_path / "tree", HOST)


def tune(action: str, tree: Path, *arguments: str) -> int:
    return main(["tune", action, "--root", str(tree), *arguments])


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_check_as_json_has_the_agreed_form(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("check", tree, *HERE, "--json", "--profile", "quote") == 3
    said = report(capsys)
    assert (said["profile"], set(said)) == ("quote", {"profile", "settings"})
    for one in said["settings"]:
        assert set(one) == KEYS
        assert one["ok"] in (True, False, None)
        assert one["ok"] is not None or one["remark"]
    rows = {one["name"]: one for one in said["settings"]}
    assert (rows["net.core.rmem_max"]["current"], rows["net.core.rmem_max"]["ok"]) == ("212992", False)
    assert (rows["isolcpus"]["ok"], rows["isolcpus"]["reboot"]) == (True, True)
    assert rows["rcu_nocbs"]["remark"] == "add rcu_nocbs=2-3 to the kernel command line"


def test_a_check_for_people_shows_what_is_not_right_and_counts_the_rest(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune("check", tree, *HERE) == 3
    text = capsys.readouterr().out
    assert "net.core.rmem_max" in text
    assert "net.core.wmem_max" not in text
    assert " ok, " in text.splitlines()[-1]
    tune("check", tree, *HERE, "-v")
    assert "net.core.wmem_max" in capsys.readouterr().out
    assert tune("check", tree, *HERE, "-q") == 3
    assert capsys.readouterr().out == ""


def test_a_check_where_nothing_differs_is_ok(tmp_path: Path) -> None:
    tree = plant(tmp_path, {"proc/cmdline": "", "proc/sys/vm/swappiness": "1"})
    assert tune("check", tree, "--profile", "capture") == 0


def test_apply_and_revert_write_and_put_back(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("apply", tree, *HERE) == 0
    said = capsys.readouterr()
    assert "wrote: net.core.rmem_max  212992 -> 67108864" in said.out
    assert "on the kernel command line: rcu_nocbs=2-3" in said.err
    assert (tree / "var/lib/netfeed/tune.json").exists()
    assert tune("apply", tree, *HERE) == 0
    assert "nothing written" in capsys.readouterr().err
    assert tune("revert", tree, "--dry-run") == 0
    assert "would write: proc/sys/net/core/rmem_max  67108864 -> 212992" in capsys.readouterr().out
    assert tune("revert", tree, "--json") == 0
    said_json = report(capsys)
    assert (said_json["action"], said_json["ok"]) == ("revert", True)
    for path, value in picked(tree).items():
        assert value == HOST[path] or "[" in HOST[path]
    assert tune("revert", tree) == 0
    assert f"nothing to revert: no entry in {tree}/var/lib/netfeed/tune.json" in capsys.readouterr().err


def test_a_dry_run_changes_nothing_and_leaves_no_journal(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("apply", tree, *HERE, "--dry-run", "--json") == 0
    said = report(capsys)
    assert {one["step"] for one in said["settings"]} == {"would write"}
    assert picked(tree) == HOST
    assert not (tree / "var").exists()


def test_without_processors_what_was_passed_over_is_told(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("apply", tree, "-i", "eth1", "--dry-run") == 0
    said = capsys.readouterr().err
    assert "passed over, needs --cpus LIST" in said
    assert "workqueue.cpumask" in said


def test_what_is_not_here_or_cannot_be_read_is_told_by_an_apply_too(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "proc/sys/vm/swappiness").write_text("no number\n")
    assert tune("apply", tree, "--dry-run", "--json") == 0
    said = capsys.readouterr()
    assert "unknown, the value is not understood" in said.err
    assert "not here (netfeed tune check says why): nohz_full" in said.err
    left = json.loads(said.out)["left"]
    assert [f"netfeed: {line}" for line in left] == said.err.splitlines()


def test_what_somebody_changed_since_gives_3_and_stays(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune("apply", tree)
    (tree / "proc/sys/vm/swappiness").write_text("33\n")
    assert tune("revert", tree) == 3
    assert "somebody has made 33 of 10: left alone" in capsys.readouterr().out
    assert tune("revert", tree, "--force") == 0
    assert (tree / "proc/sys/vm/swappiness").read_text() == "60\n"


def test_a_damaged_journal_gives_1_and_says_what_to_do(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tree / "journal"
    journal.write_text("not a journal\n")
    journal.chmod(0o600)
    for action in ("apply", "revert"):
        assert tune(action, tree, "--journal", str(journal)) == 1
        assert "move the file away" in capsys.readouterr().err
    assert picked(tree) == HOST


def test_two_at_once_are_one_and_the_other_is_told_who(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(tree / "var/lib/netfeed/tune.json", str(tree)).held():
        assert tune("apply", tree) == 1
        assert f"another netfeed tune (pid {os.getpid()}) is at work" in capsys.readouterr().err
    assert picked(tree) == HOST
    assert tune("apply", tree) == 0


def test_the_journal_of_one_tree_is_not_that_of_another(tree: Path, tmp_path: Path) -> None:
    other = plant(tmp_path / "other", HOST)
    assert tune("apply", tree, "--journal", str(tmp_path / "j")) == 0
    assert tune("revert", other, "--journal", str(tmp_path / "j")) == 1
    assert picked(other) == HOST


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cpus", "9"], "9 is not there; there are 0-3"),
        (["--cpus", "0-3"], "leave a processor"),
        (["--cpus", "three"], "not a list of processors"),
        (["--cpus", ""], "name at least one"),
        (["-i", "eth7"], "there is no interface 'eth7'"),
        (["-i", "../eth1"], "there is no interface"),
        (["--profile", "fast"], "invalid choice"),
    ],
)
def test_bad_usage_gives_2(tree: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert tune("check", tree, *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_tree_without_proc_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("check", tmp_path) == 2
    assert "has no proc in it" in capsys.readouterr().err


def test_an_interface_that_the_host_does_not_have_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "check", "-i", "no-such-card"]) == 2
    assert "there is no interface 'no-such-card'; there are" in capsys.readouterr().err


def test_the_real_host_can_be_checked_by_anybody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "check", "--json"]) in (0, 3)
    rows = {one["name"]: one for one in report(capsys)["settings"]}
    current = Path("/proc/sys/vm/swappiness").read_text().strip()
    assert rows["vm.swappiness"]["current"] == current


NOBODY = """
import contextlib, io, os, sys
from netfeed.cli.main import main
verbs = [["tune", action, "--journal", sys.argv[1]] for action in ("apply", "revert")]
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    for verb in verbs:
        main([*verb, "--dry-run"])  # imports all of it: nobody may not even read the library
os.setgid(65534)
os.setuid(65534)
codes = {main(verb) for verb in verbs}
sys.exit(codes.pop() if len(codes) == 1 else f"differ: {codes}")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_who_is_not_root_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_text("")
    done = subprocess.run(
        [sys.executable, "-c", NOBODY, str(journal)], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr.count("needs root: run it with sudo") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]


def test_a_setting_is_explained(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("explain", tree, "net.core.rmem_max") == 0
    text = capsys.readouterr().out
    for words in (
        "why",
        "feed",
        "here       212992",
        "sysctl -w 'net.core.rmem_max=67108864'",
        "90-netfeed.conf",
        "source",
    ):
        assert words in text
    assert tune("explain", tree, "isolcpus", *HERE) == 0
    text = capsys.readouterr().out
    assert "isolcpus=managed_irq,domain,2-3" in text
    assert "update-grub" in text


def test_what_is_done_by_hand_alone_is_said_once(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("explain", tree, "irqbalance") == 0
    text = capsys.readouterr().out
    assert text.count("systemctl disable --now irqbalance") == 1
    assert "for ever" not in text


def test_explaining_a_topic_explains_all_of_it_and_nothing_lists_them(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune("explain", tree, "power") == 0
    text = capsys.readouterr().out
    assert "cpufreq.governor" in text
    assert "platform_profile" in text
    assert "not here" in text
    assert tune("explain", tree) == 0
    assert "interface: IF.channels.combined" in capsys.readouterr().out


def test_a_name_that_is_none_is_answered_with_what_was_meant(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("explain", tree, "rmem_mx") == 2
    assert "did you mean net.core.rmem_max" in capsys.readouterr().err
    assert tune("explain", tree, "qqqqqqqq") == 2
    assert "lists all" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("rings.rx", "ethtool -G eth1.5 rx MAX"),
        ("coalesce.adaptive_rx", "ethtool -C eth1.5 adaptive-rx off"),
        ("IF.rps_cpus", "echo 0 > /sys/class/net/eth1.5/queues/rx-N/rps_cpus"),
        ("net.ipv4.conf.IF.rp_filter", "sysctl -w 'net/ipv4/conf/eth1.5/rp_filter=0'"),
    ],
)
def test_what_to_do_by_hand_names_the_interface(
    tree: Path, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    plant(tree, {"sys/class/net/eth1.5/ifindex": "7", "proc/sys/net/ipv4/conf/eth1.5/rp_filter": "1"})
    assert tune("explain", tree, name, "-i", "eth1.5") == 0
    assert line in capsys.readouterr().out
