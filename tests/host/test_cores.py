"""Lists of processors, and which of them may be used."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import ConfigurationError
from netfeed.host import cores


@given(st.sets(st.integers(0, 300), min_size=1))
def test_a_list_is_read_whatever_is_written_as_a_range(cpus: set[int]) -> None:
    assert cores.cpu_list(",".join(map(str, cpus))) == sorted(cpus)
    assert cores.cpu_list(f"{min(cpus)}-{max(cpus)}") == list(range(min(cpus), max(cpus) + 1))


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "1,,2", "0-99999999999", "9000", "1.5", "\u0661"])
def test_what_is_no_list_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a list"):
        cores.cpu_list(text)
    with pytest.raises(ConfigurationError, match="not a list"):
        cores.chosen(text)


def test_those_that_may_be_used_are_named_when_another_is_asked_for() -> None:
    may = sorted(os.sched_getaffinity(0))
    assert cores.chosen(None) == ([cpu for cpu in cores.isolated() if cpu in may] or may)
    assert cores.chosen(str(may[-1])) == [may[-1]]
    with pytest.raises(ConfigurationError, match=f"8191 cannot be had: this process may run on {may[0]}"):
        cores.chosen(f"{may[0]},8191")


def test_a_host_without_the_files_isolates_none(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(cores, "_SYSTEM", tmp_path)
    assert (cores.isolated(), cores.tickless()) == ([], [])
