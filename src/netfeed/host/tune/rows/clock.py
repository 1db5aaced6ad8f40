"""The clock that stamps are taken from.

Source: Documentation/timers/timekeeping, virt/kvm/x86/timekeeping.
"""

from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import Equal
from netfeed.host.tune.where import file

FAST: Final = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")
"""Clock sources that a process reads without a system call."""
_FAST: Final = Equal(FAST[0], FAST[1:])

SETTINGS: Final = (
    Setting(
        name="clocksource",
        where=file("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        form=Form.TEXT,
        feed=_FAST,
        quote=_FAST,
        capture=_FAST,
        hand="see dmesg for why the kernel gave tsc up before `echo tsc` into the file: it may be right",
        why="reading the clock costs some 20 ns and no system call; hpet and acpi_pm cost a microsecond",
        risk="a counter that differs between processors gives stamps that run backwards",
        helped="the time of a clock_gettime(); dmesg | grep -i clocksource",
        source="kernel docs timekeeping; RHEL for Real Time 8",
    ),
)
