"""How much memory is left: the host's, and that of each cgroup above the process."""

from pathlib import Path

import pytest

from netfeed.host.memory import available_bytes, kilobytes
from netfeed.host.tree import Tree
from tests.host.tune.tree import Values, plant

HOST = {
    "proc/meminfo": "MemTotal:  90 kB\nMemAvailable:   40 kB",
    "proc/self/cgroup": "0::/system.slice/netfeed.service",
}
UNIT, SLICE, TOP = (f"sys/fs/cgroup{group}/memory" for group in ("/system.slice/netfeed.service", "/system.slice", ""))


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ({}, 40_960),
        ({f"{UNIT}.max": "max", f"{UNIT}.current": "5"}, 40_960),
        ({f"{UNIT}.max": "8192", f"{UNIT}.current": "192"}, 8000),
        ({f"{UNIT}.max": "8192", f"{UNIT}.current": "8192", f"{UNIT}.stat": "anon 1\ninactive_file 92\nfile 9"}, 92),
        ({f"{UNIT}.max": "8192", f"{SLICE}.max": "700", f"{SLICE}.current": "100"}, 600),
        ({f"{SLICE}.max": "700", f"{SLICE}.current": "900"}, 0),
        ({"proc/self/cgroup": "0::/", f"{TOP}.max": "1000", f"{TOP}.current": "1"}, 999),
        ({"proc/self/cgroup": "0::/../other", f"{TOP}.max": "1000"}, 1000),
        ({"proc/self/cgroup": "4:memory:/old", "proc/meminfo": "odd"}, None),
    ],
)
def test_the_narrowest_of_all_holds(tmp_path: Path, more: Values, left: int | None) -> None:
    assert available_bytes(Tree(str(plant(tmp_path, HOST | more)))) == left


def test_this_host_has_some() -> None:
    assert (available_bytes() or 0) > 1 << 20


def test_a_line_is_found_by_its_whole_name(tmp_path: Path) -> None:
    tree = Tree(str(plant(tmp_path, {"proc/self/status": "VmLckX: 3 kB\nVmLck:\t7 kB\nVmPin:"})))
    assert [kilobytes("/proc/self/status", name, tree) for name in ("VmLck:", "VmPin:", "VmHWM:")] == [7, None, None]
