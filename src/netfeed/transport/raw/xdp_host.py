"""What a reader of AF_XDP asks of an interface: how many queues it has, and how long its frames are.

Source: linux/ethtool.h (ETHTOOL_GCHANNELS), netdevice(7) (SIOCGIFMTU).
"""

import contextlib
import ctypes
import fcntl
import socket
import struct
from typing import Final

_SIOCETHTOOL, _SIOCGIFMTU = 0x8946, 0x8921
_GCHANNELS: Final = 0x3C
_ETHERNET_HEADER: Final = 18
"""Behind one VLAN tag. Units: bytes."""


def receive_queues(interface: str) -> int:
    """Give how many queues frames come in on; 1 where the driver does not tell."""
    channels = ctypes.create_string_buffer(struct.pack("=9I", _GCHANNELS, *[0] * 8), 36)
    request = struct.pack("16sP", interface.encode(), ctypes.addressof(channels)).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        fcntl.ioctl(one, _SIOCETHTOOL, request)
        told = struct.unpack("=9I", channels.raw)
        return int(max(1, told[5] + told[8]))  # receiving ones, and those for both directions
    return 1


def greatest_frame(interface: str) -> int:
    """Give how long a frame of the interface's MTU is; 0 when it does not tell. Units: bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        answer = fcntl.ioctl(one, _SIOCGIFMTU, struct.pack("16s24x", interface.encode()))
        return int(struct.unpack_from("=i", answer, 16)[0]) + _ETHERNET_HEADER
    return 0
