"""Lists of processors, and which of them may be used."""

import os

import pytest

from netfeed.errors import ConfigurationError
from netfeed.host import cores


@pytest.mark.parametrize("text", ["", " ", "a", "1-", "-1", "3-1", "1,,2", "0-99999999999", "9000", "1.5"])
def test_what_is_no_list_is_an_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="list of processors"):
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
