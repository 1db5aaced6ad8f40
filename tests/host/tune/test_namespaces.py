"""Apply and revert on the real kernel, in a network namespace of its own, the machine untouched. Needs root.

Only rows that belong to the namespace are taken: what a guard would catch, should one reach farther.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra tune)")

from netfeed.app.host.tune import Options, reverted
from netfeed.host.namespace import Namespace, permitted
from netfeed.host.tune.apply import Step
from netfeed.host.tune.form import Form
from netfeed.host.tune.journal import Journal, JournalError
from netfeed.host.tune.kernel import Kernel
from netfeed.host.tune.where import Place

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here"),
]

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import ctypes, json, sys
from pathlib import Path
from netfeed.host.tune import kernel as kernels
from netfeed.host.tune.apply import apply, revert
from netfeed.host.tune.check import Machine, check
from netfeed.host.tune.journal import Journal
from netfeed.host.tune.kernel import Kernel
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import TOPICS

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
def mounted(*arguments):
    if libc.mount(*arguments):
        sys.exit(f"mount: errno {ctypes.get_errno()}")
if libc.unshare(CLONE_NEWNS):
    sys.exit("unshare")
mounted(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
mounted(b"sysfs", b"/sys", b"sysfs", 0, None)

OWN = ("/proc/sys/net/ipv4/", "/sys/class/net/va/")
def put(path, text):
    assert str(path).startswith(OWN) and path.name != "udp_mem", path
    kernels.put(path, text)

kernel, journal = Kernel(put=put), Journal(Path(sys.argv[1]))
rows = [row for row in TOPICS["ipv4"] + TOPICS["interface"] if row.name != "net.ipv4.udp_mem"]
machine = Machine(kernel, ("va",), frozenset({0}))
NAMES = ("igmp_max_memberships", "igmp_max_msf", "conf/all/rp_filter", "conf/va/rp_filter", "udp_rmem_min",
         "tcp_fastopen", "tcp_slow_start_after_idle")
FILES = ["/proc/sys/net/ipv4/" + name for name in NAMES] + ["/sys/class/net/va/queues/rx-0/rps_cpus"]
def look():
    return {path: Path(path).read_text().strip() for path in FILES if Path(path).exists()}
def found():
    return {one.name: str(one.state) for one in check(machine, rows, Profile.QUOTE)}
def told(outcomes):
    return {one.place.key: f"{one.step} {one.remark}".strip() for one in outcomes}

Path("/proc/sys/net/ipv4/conf/all/rp_filter").write_text("1")
Path("/sys/class/net/va/queues/rx-0/rps_cpus").write_text("1")
kernel.write(kernels.Place("ethtool", "va:features.rx-gro"), "on")
said = {"before": look(), "gro": kernel.read(kernels.Place("ethtool", "va:features.rx-gro"))}
with journal.held():
    said["applied"] = told(apply(kernel, check(machine, rows, Profile.QUOTE), journal))
said["after"], said["states"] = look(), found()
with journal.held():
    said["again"] = told(apply(kernel, check(machine, rows, Profile.QUOTE), journal))
with journal.held():
    said["reverted"] = told(revert(kernel, journal))
said["end"], said["gro_end"] = look(), kernel.read(kernels.Place("ethtool", "va:features.rx-gro"))
print(json.dumps(said))
"""


def inside(program: str, *arguments: str) -> dict[str, Any]:
    """Run a program in a namespace that has the veth `va`."""
    with Namespace("one") as one, Namespace("two") as two:
        one.connect("va", two, "vb")
        with one.entered():
            done = subprocess.run(
                [sys.executable, "-c", program, *arguments], env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


GLOBAL = (
    "proc/sys/net/core/rmem_max", "proc/sys/net/ipv4/igmp_max_memberships", "proc/sys/net/ipv4/conf/all/rp_filter",
    "proc/sys/vm/swappiness", "proc/sys/net/ipv4/udp_mem", "sys/kernel/mm/transparent_hugepage/enabled",
)  # fmt: skip


def machine_wide() -> list[str]:
    return [Path("/", path).read_text() for path in GLOBAL]


def test_settings_of_a_namespace_are_applied_read_back_and_put_back_and_the_machine_is_untouched(
    tmp_path: Path,
) -> None:
    before = machine_wide()
    said = inside(PROGRAM, str(tmp_path / "journal.json"))
    assert machine_wide() == before
    assert said["before"]["/proc/sys/net/ipv4/conf/all/rp_filter"] == "1"
    assert said["after"]["/proc/sys/net/ipv4/conf/all/rp_filter"] == "0"
    assert int(said["after"]["/proc/sys/net/ipv4/igmp_max_memberships"]) >= 512
    assert said["after"]["/sys/class/net/va/queues/rx-0/rps_cpus"].strip("0,") == ""
    assert said["after"]["/proc/sys/net/ipv4/tcp_fastopen"] == "3"
    assert said["applied"]["ethtool:va:features.rx-gro"] == "wrote"
    assert set(said["applied"].values()) == {"wrote"}
    assert said["states"]["va.features.rx-gro"] == "ok"
    assert said["states"]["va.rings.rx"] == "not here"
    assert "differs" not in said["states"].values()
    assert said["again"] == {}
    assert set(said["reverted"].values()) == {"restored"}
    assert said["end"] == said["before"]
    assert (said["gro"], said["gro_end"]) == ("on", "on")
    assert not (tmp_path / "journal.json").exists()


READ_ONLY = (
    PROGRAM.partition("OWN =")[0]
    + """
MS_BIND, MS_REMOUNT, MS_RDONLY = 4096, 32, 1
mounted(b"/proc/sys", b"/proc/sys", None, MS_BIND, None)
mounted(None, b"/proc/sys", None, MS_BIND | MS_REMOUNT | MS_RDONLY, None)
rows = [row for row in TOPICS["ipv4"] if row.name.startswith("net.ipv4.igmp_max")]
kernel, journal = Kernel(), Journal(Path(sys.argv[1]))
with journal.held():
    outcomes = list(apply(kernel, check(Machine(kernel), rows, Profile.FEED), journal))
print(json.dumps({one.name: [one.step, one.remark] for one in outcomes}))
"""
)


def test_a_proc_that_is_read_only_as_in_a_container_is_told(tmp_path: Path) -> None:
    said = inside(READ_ONLY, str(tmp_path / "journal.json"))
    assert set(said) == {"net.ipv4.igmp_max_memberships", "net.ipv4.igmp_max_msf"}
    for step, remark in said.values():
        assert step == "refused"
        assert remark.startswith("EROFS (Read-only file system): read-only here, as in a container")
    assert not (tmp_path / "journal.json").exists()


FOREIGN_SYS = """
import json
from netfeed.app.host.tune import Options, checked
from netfeed.errors import ConfigurationError
from netfeed.host.tune.kernel import Kernel
try:
    found = {one.name: [one.state, one.remark] for one in checked(Options(interfaces=("va",)))}
except ConfigurationError as error:
    found = {"error": str(error)}
print(json.dumps(found))
"""


def test_an_interface_that_sys_does_not_show_is_told() -> None:
    state, remark = inside(FOREIGN_SYS)["va.rps_cpus"]
    assert state == "not here"
    assert "another network namespace" in remark


def test_a_namesake_that_sys_shows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interface of the namespace is called as one of the machine is, and has another index."""
    names = [path.name for path in Path("/sys/class/net").iterdir() if path.name != "lo"]
    if not names:
        pytest.skip("this machine has no interface but lo")
    index = Path("/sys/class/net", names[0], "ifindex").read_text().strip()
    with Namespace("one") as one, Namespace("two") as two:
        spare = [f"w{at}" for at in range(int(index))]
        for at, name in enumerate(spare):
            one.connect(name, two, f"x{at}")
        one.connect(names[0], two, "vb")
        with one.entered():
            done = subprocess.run(
                [sys.executable, "-m", "netfeed", "tune", "check", "-i", names[0]],
                env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
            )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "/sys shows another network namespace's" in done.stderr


def test_a_journal_of_another_namespace_is_refused(tmp_path: Path) -> None:
    options = Options(journal=tmp_path / "j.json")
    with Namespace("one") as one:
        with one.entered():
            kernel = Kernel()
            journal = Journal(tmp_path / "j.json", "/", kernel.boot_id(), kernel.net())
            with journal.held():
                place = Place("file", "proc/sys/net/ipv4/igmp_max_memberships")
                journal.set(place, Form.NUMBER, kernel.read(place), "512", kernel.boot_id())
        with pytest.raises(JournalError, match="of the network namespace"):
            reverted(options, dry_run=True)
        with one.entered():
            (outcome,) = reverted(options)
    assert outcome.step is Step.ALREADY
