"""Power: how fast a processor runs and how deep it sleeps.

Source: Documentation/admin-guide/pm (cpufreq, cpuidle, intel_epb), tuned's profiles.
"""

from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import AtLeast, Equal
from netfeed.host.tune.where import file, probe

_VIRTUAL: Final = "a virtual machine, or a driver without it: the host decides"
_CPU: Final = "sys/devices/system/cpu/"

SETTINGS: Final = (
    Setting(
        name="cpufreq.energy_preference",
        where=file(_CPU + "cpu[0-9]*/cpufreq/energy_performance_preference"),
        form=Form.TEXT,
        feed=Equal("performance"),
        quote=Equal("performance"),
        absent=_VIRTUAL,
        why="drivers that choose the frequency themselves lean to speed",
        risk="heat and power; refused (EBUSY) once the governor is performance, which has the same effect: so this one "
        "stands before it",
        helped="turbostat Bzy_MHz",
        source="kernel docs amd-pstate, intel_pstate",
    ),
    Setting(
        name="cpufreq.governor",
        where=file(_CPU + "cpu[0-9]*/cpufreq/scaling_governor"),
        form=Form.TEXT,
        feed=Equal("performance"),
        quote=Equal("performance"),
        capture=Equal("performance"),
        absent=_VIRTUAL,
        why="a processor that was idle does not first have to speed up",
        risk="heat and power",
        helped="turbostat Bzy_MHz while idle; scaling_cur_freq",
        source="tuned latency-performance",
    ),
    Setting(
        name="energy_perf_bias",
        where=file(_CPU + "cpu[0-9]*/power/energy_perf_bias"),
        feed=Equal("0"),
        quote=Equal("0"),
        capture=Equal("0"),
        absent=_VIRTUAL,
        why="0 is performance, 15 is saving",
        risk="heat and power",
        helped="turbostat Bzy_MHz, EPB",
        source="tuned latency-performance; kernel docs intel_epb",
    ),
    Setting(
        name="intel_pstate.min_perf_pct",
        where=file(_CPU + "intel_pstate/min_perf_pct"),
        feed=AtLeast((100,)),
        quote=AtLeast((100,)),
        absent="only Intel's driver has it",
        why="the slowest that a processor may run is as fast as it can",
        risk="heat and power",
        helped="turbostat Bzy_MHz",
        source="tuned latency-performance",
    ),
    Setting(
        name="platform_profile",
        where=file("sys/firmware/acpi/platform_profile"),
        form=Form.TEXT,
        feed=Equal("performance"),
        quote=Equal("performance"),
        absent="this firmware offers none",
        why="the firmware's own choice between quiet and fast",
        risk="heat, power, noise",
        helped="turbostat PkgWatt",
        source="tuned latency-performance; kernel docs platform_profile",
    ),
    Setting(
        name="cpuidle.disable",
        where=file(_CPU + "cpu{cpu}/cpuidle/state[2-9]/disable"),
        feed=Equal("1"),
        quote=Equal("1"),
        absent="no deep states: a virtual machine, or idle=poll",
        why="the feed's processors do not sleep deeper than C1, from which they wake in 1 or 2 us",
        risk="power; the neighbours may lose turbo",
        helped="cpuidle/state*/usage of those processors stands still",
        source="Onload UG1586; Cloudflare 2015 low latency; kernel docs cpuidle",
    ),
    Setting(
        name="cpu_dma_latency",
        where=probe("cpu_dma_latency"),
        hand="it holds while a program keeps the file open: a service of its own must do so (tuned force_latency)",
        why="the longest that waking may take, for all processors: whoever holds /dev/cpu_dma_latency open with an "
        "int32 of microseconds in it bounds the sleep of all",
        risk="power, of all processors; nothing is left when the file is closed",
        helped="cpuidle/state*/usage; no effect in virtual machines",
        source="tuned latency-performance force_latency",
    ),
)
