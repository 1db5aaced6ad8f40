"""Why AF_XDP cannot be had: what the kernel says at each step, and what can be done about it."""

import errno
from enum import Enum
from typing import Final

from netfeed.transport.network import NetworkError, told


class Step(Enum):
    """What is done one after the other, as it is told."""

    OPEN = "open a socket of AF_XDP"
    PROGRAM = "load a program of BPF"
    BIND = "bind AF_XDP to the queue"
    ATTACH = "attach the program"


_PACKET: Final = "read with `packet` instead"
_RIGHTS: Final = "needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF (before Linux 5.8 CAP_SYS_ADMIN): run as root"
REMEDIES: Final = {
    (Step.OPEN, errno.EAFNOSUPPORT): f"this kernel is built without AF_XDP (CONFIG_XDP_SOCKETS): {_PACKET}",
    (Step.OPEN, errno.ENOBUFS): "its memory is pinned: allow more (ulimit -l), run with CAP_IPC_LOCK, or ask for fewer "
    "frames",
    (Step.OPEN, errno.ENOMEM): "ask for fewer frames",
    (Step.OPEN, errno.ENOPROTOOPT): f"this kernel's AF_XDP is too old: {_PACKET}",
    (Step.PROGRAM, errno.ENOSYS): f"this kernel has no bpf(), or this machine is none that we know: {_PACKET}",
    (Step.PROGRAM, errno.EINVAL): f"this kernel does not know maps of AF_XDP sockets: {_PACKET}",
    (Step.PROGRAM, errno.ENOMEM): "before Linux 5.11 programs count as locked memory: allow more (ulimit -l)",
    (Step.BIND, errno.EBUSY): "another program reads this queue: end it, or take another queue",
    (Step.BIND, errno.EINVAL): "there is no such queue, or its driver has no use for this one (ethtool -l IF)",
    (Step.BIND, errno.EOPNOTSUPP): "the driver has no zero copy: leave it out, frames are then copied",
    (Step.BIND, errno.ENODEV): "the interface has gone",
    (Step.ATTACH, errno.EBUSY): "another XDP program is there: end who brought it (ip link show, bpftool net)",
    (Step.ATTACH, errno.EINVAL): f"this kernel or driver takes no such program (links need Linux 5.9): {_PACKET}",
    (Step.ATTACH, errno.EOPNOTSUPP): "the driver cannot run it: take the mode generic",
    (Step.ATTACH, errno.ENODEV): "the interface has gone",
}


def refused(step: Step, interface: str, error: OSError) -> NetworkError:
    """Make an error of ours from the kernel's at a step."""
    remedy = REMEDIES.get((step, error.errno or 0), "")
    if error.errno in (errno.EPERM, errno.EACCES):
        remedy = _RIGHTS
    return told(f"cannot {step.value} on {interface}", error, remedy)
