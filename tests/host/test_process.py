"""Settings of the process itself, each tried in a process of its own: nothing stays changed here."""

import subprocess
import sys
from pathlib import Path

import pytest

from netfeed.host import process
from netfeed.host.tree import Tree


def told(code: str) -> list[str]:
    """Run code that has `process` and prints what it finds."""
    script = f"import ctypes, os, resource, signal\nfrom netfeed.host import process\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_a_process_is_pinned_and_so_is_what_it_starts() -> None:
    code = """
cpu = max(os.sched_getaffinity(0))
print(process.pin([cpu]), os.sched_getaffinity(0) == {cpu})
"""
    assert told(code) == ["[] True"]


def test_a_processor_that_is_not_there_pins_nobody() -> None:
    code = """
before = os.sched_getaffinity(0)
(refusal,) = process.pin([*before, 4095])
print(refusal.startswith("processor 4095 cannot be had"), os.sched_getaffinity(0) == before)
"""
    assert told(code) == ["True True"]


def test_memory_is_locked_where_no_limit_stands() -> None:
    code = """
refusal = process.lock_memory()
print(refusal is not None or process.locked_bytes() > 1 << 20)
"""
    assert told(code) == ["True"]


def test_memory_is_not_locked_below_a_limit_that_would_end_the_run_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "lockable_bytes", lambda: 64 << 20)
    refusal = process.lock_memory()
    assert refusal is not None
    assert "LimitMEMLOCK=infinity" in refusal


def test_more_memory_than_there_is_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   4 kB\n")
    refusal = process.prefault(4097, Tree(str(tmp_path)))
    assert refusal == "4,097 bytes are not touched in advance, 4,096 are left here: a smaller process.prefault"


def test_memory_that_was_touched_is_there_at_once_and_stays() -> None:
    code = """
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
print(process.prefault(32 << 20))
before = faults()
block = libc.malloc(24 << 20)
ctypes.memset(block, 1, 24 << 20)
print(faults() - before < 100)
"""
    assert told(code) == ["None", "True"]


def test_more_memory_than_there_is_is_refused() -> None:
    code = """
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print("smaller process.prefault" in process.prefault(1 << 34))
"""
    assert told(code) == ["True"]


def test_sleeps_are_as_exact_as_asked_for_and_huge_pages_go() -> None:
    code = """
print(process.timer_slack(1), open("/proc/self/timerslack_ns").read().strip())
print(process.no_huge_pages(), [line.split()[1] for line in open("/proc/self/status") if "THP_enabled" in line])
"""
    slack, huge = told(code)
    assert slack == "None 1"
    assert huge in ("None ['0']", "None []")
