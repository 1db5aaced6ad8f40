"""What the kernel does not grant a thread is said with its remedy; asking changes nothing."""

import os
import threading

import pytest

from netfeed.host import processor


def refuse(number: int):
    def call(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def test_a_processor_that_is_there_can_be_had_and_asking_moves_nobody() -> None:
    before = os.sched_getaffinity(0)
    assert all(processor.affinity_refusal(cpu) is None for cpu in before)
    assert os.sched_getaffinity(0) == before


def test_a_processor_that_is_not_there_is_refused_with_those_that_are() -> None:
    refusal = processor.affinity_refusal(1023)
    assert refusal is not None
    assert refusal.startswith("processor 1023 cannot be had")
    assert all(str(cpu) in refusal for cpu in os.sched_getaffinity(0))
    assert "cpuset" in refusal


def test_a_priority_without_the_privilege_names_capability_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", refuse(1))
    refusal = processor.priority_refusal(7)
    assert refusal is not None
    assert "CAP_SYS_NICE" in refusal
    assert "LimitRTPRIO=7" in refusal


def test_a_priority_is_asked_for_in_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(
        os, "sched_setscheduler",
        lambda pid, policy, param: asked.append((policy, param.sched_priority, threading.get_ident())),
    )  # fmt: skip
    assert processor.priority_refusal(7) is None
    ((policy, priority, thread),) = asked
    assert (policy, priority) == (os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 7)
    assert thread != threading.get_ident()


@pytest.mark.parametrize(
    ("runtime", "said"), [("950000", "for 50 ms in every 1 s"), ("-1", None), ("1000000", None), ("", None)]
)
def test_what_the_kernel_does_to_a_spinner_is_told(
    tmp_path, monkeypatch: pytest.MonkeyPatch, runtime: str, said: str | None
) -> None:
    for name, value in (("_RUNTIME", runtime), ("_PERIOD", "1000000")):
        path = tmp_path / name
        path.write_text(value)
        monkeypatch.setattr(processor, name, path)
    told = processor.throttling()
    assert told is None if said is None else said in str(told)
    assert told is None or "kernel.sched_rt_runtime_us=-1" in told
