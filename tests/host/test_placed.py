"""A thread is put somewhere for a while and afterwards is where it was; what it cannot have is said."""

import os

import pytest

from netfeed.errors import ConfigurationError
from netfeed.host.placed import placed


def slack() -> str:
    with open(f"/proc/{os.getpid()}/timerslack_ns") as file:
        return file.read()


def test_it_is_put_on_a_processor_and_back() -> None:
    before, cpu = os.sched_getaffinity(0), max(os.sched_getaffinity(0))
    exact = slack()
    with placed(cpu) as notes:
        assert os.sched_getaffinity(0) == {cpu}
        assert slack() == "1\n"
    assert (os.sched_getaffinity(0), slack(), notes) == (before, exact, [])


def test_a_processor_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="this process may run on"), placed(1023):
        pass


@pytest.mark.root
def test_a_priority_is_given_and_taken_back() -> None:
    with placed(None, 1, spins=True) as notes:
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert policy == os.SCHED_FIFO or "no SCHED_FIFO" in notes[0]
