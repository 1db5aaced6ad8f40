"""The process: what it may lock, open and claim. Of the shell that asks; a service has what its unit says.

Source: getrlimit(2), sched(7), prctl(2), systemd.exec(5), limits.conf(5).
"""

from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import AtLeast, Equal
from netfeed.host.tune.where import probe

_LOCKED: Final = AtLeast((1 << 30,))
_ALLOWED: Final = Equal("allowed")

SETTINGS: Final = (
    Setting(
        name="RLIMIT_MEMLOCK",
        where=probe("memlock"),
        feed=_LOCKED,
        quote=_LOCKED,
        hand="LimitMEMLOCK=infinity in the unit, or `netfeed - memlock unlimited` in /etc/security/limits.d; this is "
        "the limit of the shell that asks",
        why="memory that is locked never waits for a page fault",
        risk="it cannot be taken from the process any more",
        helped="VmLck of /proc/PID/status",
        source="RHEL for Real Time 8, mlockall",
    ),
    Setting(
        name="RLIMIT_RTPRIO",
        where=probe("priority"),
        form=Form.TEXT,
        feed=_ALLOWED,
        quote=_ALLOWED,
        hand="LimitRTPRIO=50 in the unit, or `netfeed - rtprio 50` in /etc/security/limits.d, or CAP_SYS_NICE; this is "
        "of the shell that asks",
        why="SCHED_FIFO of 1 to 50 runs before everything that is not real-time",
        risk="never as high as a thread of the kernel that it depends on; a spinning one is stopped 50 ms a second "
        "(kernel.sched_rt_runtime_us)",
        helped="chrt -p PID; nonvoluntary_ctxt_switches",
        source="RHEL for Real Time 8; Onload UG1586",
    ),
    Setting(
        name="RLIMIT_NOFILE",
        where=probe("files"),
        feed=AtLeast((4096,)),
        quote=AtLeast((4096,)),
        capture=AtLeast((4096,)),
        hand="LimitNOFILE=65536 in the unit, or `netfeed - nofile 65536` in /etc/security/limits.d",
        why="a socket for each line, and each connection",
        helped="/proc/PID/limits",
        source="common",
    ),
    Setting(
        name="timerslack",
        where=probe("timerslack"),
        hand="prctl(PR_SET_TIMERSLACK, 1) in the thread that sleeps",
        why="a sleep of a thread that is not real-time may end 50 us late (ns)",
        risk="more wake-ups",
        helped="cyclictest without priority",
        source="prctl(2); kernel docs",
    ),
)
