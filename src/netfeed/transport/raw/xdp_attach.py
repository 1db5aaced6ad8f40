"""Attach a program to an interface in the mode that is asked for, and say which one it became.

A native program is run by the card's driver, a generic one by the kernel for every interface. The link that is given
keeps it there: close it, and the interface is as before.

Source: linux/if_link.h (XDP_FLAGS_*), linux/bpf.h (BPF_XDP).
"""

import errno
from typing import Final, Literal

from netfeed.errors import ConfigurationError
from netfeed.transport.network import Interface
from netfeed.transport.raw import ebpf
from netfeed.transport.raw.xdp_refusals import Step, refused

Mode = Literal["auto", "native", "generic"]
MODES: Final = ("auto", "native", "generic")
_BPF_XDP: Final = 37
_FLAGS: Final = {"generic": 1 << 1, "native": 1 << 2}
_FINAL: Final = frozenset({errno.EPERM, errno.EACCES, errno.EBUSY, errno.ENODEV})
"""What is no better in another mode."""


def attach(program: int, interface: Interface, mode: str) -> tuple[int, str, list[str]]:
    """Attach a program; give the descriptor of the link, the mode that it runs in, and warnings.

    Raises: NetworkError with the remedy.
    """
    if mode != "auto":
        return _linked(program, interface, mode), mode, []
    try:
        return ebpf.link_program(program, interface.index, _BPF_XDP, _FLAGS["native"]), "native", []
    except OSError as error:
        if error.errno in _FINAL:
            raise refused(Step.ATTACH, interface.name, error) from None
        warning = (
            f"the driver of {interface.name} runs no XDP program ({error.strerror}): generic mode, which is slower"
        )
        return _linked(program, interface, "generic"), "generic", [warning]


def check_mode(mode: str, *, zero_copy: bool) -> None:
    """Refuse a mode that there is not.

    Raises: ConfigurationError.
    """
    if mode not in MODES:
        raise ConfigurationError(f"a mode of AF_XDP is {', '.join(MODES)}; not {mode!r}")
    if zero_copy and mode == "generic":
        raise ConfigurationError("zero copy is the driver's: take the mode native, or leave zero copy out")


def _linked(program: int, interface: Interface, mode: str) -> int:
    try:
        return ebpf.link_program(program, interface.index, _BPF_XDP, _FLAGS[mode])
    except OSError as error:
        raise refused(Step.ATTACH, interface.name, error) from None
