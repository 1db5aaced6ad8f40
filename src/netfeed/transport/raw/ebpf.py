"""The kernel's bpf() without a library: programs assembled by hand, loaded, and attached to an interface by a link.

Whatever is made here is a descriptor: when the last one is closed, the kernel takes the thing away. A program that is
attached by a link goes with the link, even when this process is killed.

Source: bpf(2), linux/bpf.h (union bpf_attr), Documentation/bpf/standardization/instruction-set.rst. Links need Linux
5.9. Leaves out: BTF, relocation, pinning, everything that a loader of compiled objects does.
"""

import ctypes
import errno
import os
import platform
import struct
from typing import Final

from netfeed.transport.network import NetworkError

_NUMBERS: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
"""The number of the system call bpf, by machine."""
_MAP_CREATE, _MAP_UPDATE, _PROG_LOAD, _LINK_CREATE = 0, 2, 5, 28
_LOG_BYTES: Final = 65_536
_NAME_BYTES: Final = 16

Word = tuple[int, int, int, int, int]
"""An instruction of 8 bytes: operation, destination, source, offset, immediate."""
Jump = int | str
"""How far a jump goes: a number of instructions, or the label that it goes to."""


class Program:
    """Instructions in the order in which they run, with labels in the place of distances.

    Operations carry the names of the instruction set; loads read what lies behind a pointer in a register.
    """

    LOAD8, LOAD16, LOAD32 = 0x71, 0x69, 0x61
    MOVE, COPY, ADD, ADD_REGISTER, AND, SHIFT_LEFT = 0xB7, 0xBF, 0x07, 0x0F, 0x57, 0x67
    JUMP, JUMP_ABOVE, JUMP_SET, JUMP_EQUAL, JUMP_OTHER = 0x05, 0x2D, 0x45, 0x16, 0x56
    CALL, EXIT = 0x85, 0x95
    _MAP: Final = 0x18

    def __init__(self) -> None:
        self._words: list[tuple[int, int, int, Jump, int]] = []
        self._labels: dict[str, int] = {}

    def put(self, operation: int, to: int = 0, of: int = 0, offset: Jump = 0, value: int = 0) -> None:
        """Add an instruction: registers `to` and `of`, an offset or a label to jump to, an immediate value."""
        self._words.append((operation, to, of, offset, value))

    def put_map(self, to: int, descriptor: int) -> None:
        """Add the two words that load a map, named by its descriptor."""
        self._words += [(self._MAP, to, 1, 0, descriptor), (0, 0, 0, 0, 0)]

    def label(self, name: str) -> None:
        """Let jumps to `name` go to what is put next."""
        self._labels[name] = len(self._words)

    def code(self) -> bytes:
        """Assemble. Raises: KeyError for a label that stands nowhere."""
        return b"".join(_word(self._resolved(at)) for at in range(len(self._words)))

    def _resolved(self, at: int) -> Word:
        operation, to, of, offset, value = self._words[at]
        distance = offset if isinstance(offset, int) else self._labels[offset] - at - 1
        return operation, to, of, distance, value


def _word(word: Word) -> bytes:
    operation, to, of, offset, value = word
    return struct.pack("=BBhi", operation, to | of << 4, offset, (value + 2**31) % 2**32 - 2**31)


def create_map(kind: int, entries: int, name: str) -> int:
    """Make a map from u32 to u32 and give its descriptor.

    Raises: OSError.
    """
    return _call(_MAP_CREATE, struct.pack("=7I16s", kind, 4, 4, entries, 0, 0, 0, _named(name)))


def update_map(descriptor: int, key: int, value: int) -> None:
    """Put a value into a map.

    Raises: OSError.
    """
    room = ctypes.create_string_buffer(struct.pack("=II", key, value), 8)
    at = ctypes.addressof(room)
    _call(_MAP_UPDATE, struct.pack("=IIQQQ", descriptor, 0, at, at + 4, 0))


def load_program(kind: int, code: bytes, name: str) -> int:
    """Have the kernel verify a program, and give its descriptor.

    Raises: NetworkError with the verifier's last words when it refuses; OSError when nothing was verified.
    """
    try:
        return _load(kind, code, name, None)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EINVAL):
            raise
        log = ctypes.create_string_buffer(_LOG_BYTES)
        try:
            return _load(kind, code, name, log)  # for its log: a program that is refused is refused twice
        except OSError as again:
            said = [line for line in log.value.decode("latin-1").splitlines() if not line.startswith("processed ")]
            if not said:
                raise
            number = again.errno if again.errno != errno.EACCES else errno.EINVAL  # of the program, not of our rights
            raise NetworkError(f"the kernel's verifier refuses the program: {said[-1].strip()}", number or 0) from None


def link_program(program: int, interface: int, attach: int, flags: int) -> int:
    """Attach a program to an interface, and give the descriptor that keeps it there.

    Raises: OSError.
    """
    return _call(_LINK_CREATE, struct.pack("=4I", program, interface, attach, flags))


def _load(kind: int, code: bytes, name: str, log: "ctypes.Array[ctypes.c_char] | None") -> int:
    instructions, license_ = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    room, size = (ctypes.addressof(log), len(log)) if log is not None else (0, 0)
    return _call(_PROG_LOAD, struct.pack(
        "=2I2Q2IQ2I16s", kind, len(code) // 8, ctypes.addressof(instructions), ctypes.addressof(license_),
        1 if log is not None else 0, size, room, 0, 0, _named(name),
    ))  # fmt: skip


def _named(name: str) -> bytes:
    return name.encode("ascii")[: _NAME_BYTES - 1]


def _call(command: int, attributes: bytes) -> int:
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    room = ctypes.create_string_buffer(attributes, len(attributes))
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = libc.syscall(
        ctypes.c_long(number), ctypes.c_int(command), ctypes.byref(room), ctypes.c_uint(len(attributes))
    )
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found
