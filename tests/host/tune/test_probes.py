"""What no file says: limits, what runs, what is held."""

import os
import resource
from pathlib import Path

import pytest

from netfeed.host.tune.kernel import MISSING, PRESENT, Kernel, Unreadable
from netfeed.host.tune.probes import PROBES, running
from netfeed.host.tune.table import TABLE
from netfeed.host.tune.where import Place
from tests.host.tune.tree import plant


def said(place: Place) -> str:
    try:
        return Kernel().read(place)
    except Unreadable as error:
        return str(error)


def test_every_probe_of_the_table_is_there_and_answers_or_says_why_not() -> None:
    places = [row.where.pattern.partition(":")[0] for row in TABLE if row.where.kind == "probe"]
    assert set(places) == set(PROBES)
    for name in places:
        assert said(Place("probe", f"{name}:lo"))


def test_a_program_is_found_by_its_name(tmp_path: Path) -> None:
    own = Path("/proc/self/comm").read_text().strip()
    assert running(own)
    assert not running("no such program")
    plant(tmp_path, {"1/comm": "irqbalance", "self/comm": "sshd", "2/status": "gone"})
    assert running("irqbalance", tmp_path)
    assert not running("sshd", tmp_path)


def test_limits_are_those_of_the_process() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert PROBES["files"]("") == ("unlimited" if soft == resource.RLIM_INFINITY else str(soft))
    assert PROBES["priority"]("") in ("allowed", "refused")


@pytest.mark.skipif(not os.path.exists("/dev/cpu_dma_latency"), reason="this kernel has no /dev/cpu_dma_latency")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may open it")
def test_the_latency_that_somebody_holds_is_read_as_a_number() -> None:
    assert int(PROBES["cpu_dma_latency"]("")) >= 0


def test_the_command_line_tells_a_word_from_a_value_and_from_nothing(tmp_path: Path) -> None:
    kernel = Kernel(plant(tmp_path, {"proc/cmdline": "quiet rcu_nocbs=2-3 a="}))
    assert kernel.read(Place("boot", "rcu-nocbs")) == "2-3"
    assert kernel.read(Place("boot", "quiet")) == PRESENT
    assert kernel.read(Place("boot", "nohz_full")) == MISSING
