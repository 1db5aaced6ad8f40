"""What the kernel counts of interruptions, by source and processor, and what changed in between."""

import pytest

from netfeed.host import interruptions
from netfeed.host.interruptions import Switches, between, read_switches, read_table, read_times, snapshot

INTERRUPTS = """           CPU0       CPU2
 24:          1          0  IO-APIC   5-edge      ACPI:Ged
LOC:      12000         34   Local timer interrupts
ERR:          7
MIS:          0
"""
SOFTIRQS = """                    CPU0       CPU2
          HI:          0          5
     HRTIMER:         10         20
"""
STAT = """cpu  3 0 0 0 0 0 0 630 0 0
cpu0 1 2 3 4 5 6 7 330 0 0
cpu2 2 0 0 0 0 0 0 300
intr 5 0 0
ctxt 99
"""
STATUS = "Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n"


def test_interrupts_and_softirqs_are_read_by_source_and_processor() -> None:
    assert read_table(INTERRUPTS) == {
        "24 IO-APIC 5-edge ACPI:Ged": {0: 1, 2: 0}, "LOC Local timer interrupts": {0: 12_000, 2: 34},
    }  # fmt: skip
    assert read_table(SOFTIRQS) == {"HI": {0: 0, 2: 5}, "HRTIMER": {0: 10, 2: 20}}


def test_times_are_read_in_nanoseconds() -> None:
    found = read_times(STAT, 100)
    assert found["steal"] == {0: 3_300_000_000, 2: 3_000_000_000}
    assert found["irq"] == {0: 60_000_000, 2: 0}


def test_switches_are_read() -> None:
    assert read_switches(STATUS) == Switches(12, 3)


@pytest.mark.parametrize("text", ["", "\n", "nonsense", "CPU0 CPU1\n a: 1", "cpu0", "a: b: c\n"])
def test_a_kernel_that_says_it_otherwise_says_nothing(text: str) -> None:
    assert read_table(text) == {}
    assert all(not row for row in read_times(text, 100).values())
    assert read_switches(text) == Switches(0, 0)


def test_only_what_changed_is_told() -> None:
    before = {"a": {0: 5, 1: 5}, "b": {0: 1, 1: 1}, "gone": {0: 9}}
    after = {"a": {0: 5, 1: 8}, "b": {0: 1, 1: 1}, "new": {0: 2}}
    assert between(before, after) == {"a": {0: 0, 1: 3}, "new": {0: 2}}


def test_this_host_counts_and_one_without_proc_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = snapshot(), snapshot()
    assert one.times["user"]
    assert all(count >= 0 for row in between(one.softirqs, two.softirqs).values() for count in row.values())
    assert interruptions.switches().voluntary >= 0
    monkeypatch.setattr(interruptions, "_PROC", "/nowhere")
    assert (snapshot().interrupts, interruptions.switches()) == ({}, Switches(0, 0))
