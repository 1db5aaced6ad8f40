"""Whether the clock can be believed, from what kernels and chrony say."""

from pathlib import Path

import pytest

from netfeed.host.doctor import clock
from netfeed.host.finding import Level
from netfeed.host.tree import Tree

SOURCES = "sys/devices/system/clocksource/clocksource0"


def tree(tmp_path: Path, current: str, available: str = "tsc hpet acpi_pm") -> Tree:
    folder = tmp_path / SOURCES
    folder.mkdir(parents=True)
    (folder / "current_clocksource").write_text(current + "\n")
    (folder / "available_clocksource").write_text(available + "\n")
    return Tree(str(tmp_path))


def timex(**values: int) -> clock.Timex:
    found = clock.Timex()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def test_a_clock_source_that_costs_a_system_call_is_told_with_a_better_one(tmp_path: Path) -> None:
    found = clock.source(tree(tmp_path, "hpet"))
    assert (found.level, "echo tsc" in found.remedy) == (Level.WARN, True)


def test_a_kernel_that_gave_up_the_tsc_is_told_where_to_look(tmp_path: Path) -> None:
    found = clock.source(tree(tmp_path, "hpet", "hpet acpi_pm"))
    assert found.level is Level.WARN
    assert "unstable" in found.remedy


def test_the_tsc_is_fine_and_an_unknown_one_is_not_called_so(tmp_path: Path) -> None:
    assert clock.source(tree(tmp_path, "tsc")).level is Level.OK
    assert clock.source(Tree(str(tmp_path / "nothing"))).level is Level.UNKNOWN


def test_a_clock_that_nobody_sets_is_a_warning_with_its_bound() -> None:
    found = clock.discipline(timex(status=0x40, maxerror=16_000_000))
    assert found.level is Level.WARN
    assert "16 s" in found.found
    assert "chronyd" in found.remedy


@pytest.mark.parametrize(("maxerror", "level"), [(500, Level.OK), (500_000, Level.WARN)])
def test_a_clock_that_is_set_is_as_good_as_its_bound(maxerror: int, level: Level) -> None:
    found = clock.discipline(timex(status=0x2001, offset=-1500, maxerror=maxerror))
    assert found.level is level
    assert "-1.5 us" in found.found


def test_a_kernel_that_refuses_is_not_known() -> None:
    assert clock.discipline(None).level is Level.UNKNOWN


TRACKING = "C0A80001,192.168.0.1,2,1764422400.1,{now},{last},{rms},-1.2,0.001,0.01,0.000002,0.00001,64.2,Normal\n"


@pytest.mark.parametrize(
    ("now", "last", "rms", "level"),
    [
        ("0.000000004", "-0.000000004", "0.000000046", Level.OK),
        ("0.000000004", "0.002", "0.0000001", Level.WARN),
        ("-0.5", "0.000000004", "0.0000001", Level.WARN),
    ],
)
def test_what_chrony_says_is_judged(now: str, last: str, rms: str, level: Level) -> None:
    assert clock.tracking(TRACKING.format(now=now, last=last, rms=rms)).level is level


@pytest.mark.parametrize(("identifier", "leap"), [("C0A80001", "Not synchronised"), ("7F7F0101", "Normal")])
def test_a_chrony_that_follows_nobody_is_not_called_exact(identifier: str, leap: str) -> None:
    line = TRACKING.format(now="0.0", last="0.0", rms="0.0").replace("C0A80001", identifier).replace("Normal", leap)
    found = clock.tracking(line)
    assert (found.level, "follows nobody" in found.found) == (Level.WARN, True)


@pytest.mark.parametrize(
    "text", ["", "506 Cannot talk to daemon", "a,b,c,d,e,f,g", "1,2,3,4,5,nan,6", "1,2,3,4,5,inf,6"]
)
def test_what_nobody_can_read_is_not_known(text: str) -> None:
    assert clock.tracking(text).level is Level.UNKNOWN


def test_no_chrony_is_not_known_and_said() -> None:
    found = clock.tracking(None)
    assert (found.level, "not known" in found.found) == (Level.UNKNOWN, True)


def test_this_kernel_can_be_asked() -> None:
    found = clock.read_timex()
    assert found is None or found.maxerror >= 0
