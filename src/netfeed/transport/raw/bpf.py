"""Classic BPF: the little machine by which the kernel asks a filter whether to keep a frame, and how much of it.

A program is a tuple of instructions. It returns a number of bytes: 0 is to drop the frame. `matches` runs one as the
kernel does, so that a filter can be tried on bytes; `text` writes one as `tcpdump -d` does.

    A, X        registers of 32 bits      M[0..15]    memory of the program
    k           the number in an instruction; jumps go forward only, at most 255 when they are conditional

At offsets from ANCILLARY on stands what the kernel knows about a frame beside its bytes: a VLAN tag is one of these,
because the kernel has taken it off before any filter runs.

Source: linux/filter.h, Documentation/networking/filter.rst; McCanne and Jacobson, USENIX winter 1993.
Leaves out: offsets from SKF_NET_OFF and SKF_LL_OFF, which nobody writes.
"""

import operator
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from netfeed.errors import ConfigurationError
from netfeed.machine import Buffer

MAX_INSTRUCTIONS: Final = 4096
KEEP: Final = 262_144
"""What a filter returns for a frame that it wants whole."""
ANCILLARY: Final = 2**32 - 0x1000
WORDS: Final = 16
RETURN: Final = 0x06
RETURN_A: Final = 0x16
JUMP: Final = 0x05
_WORD: Final = 2**32 - 1


class Instruction(NamedTuple):
    """One step: an operation, how many instructions to skip when it holds and when not, and a number."""

    code: int
    if_true: int = 0
    if_false: int = 0
    k: int = 0


Program = tuple[Instruction, ...]


class Known(IntEnum):
    """What the kernel knows about a frame, as offsets from ANCILLARY."""

    PROTOCOL = 0
    KIND = 4
    INTERFACE = 8
    VLAN_TAG = 44
    VLAN_PRESENT = 48
    VLAN_PROTOCOL = 60


_ABSOLUTE, _INDEXED, _LENGTH, _HEADER = "[{0}]", "[x + {0}]", "#pktlen", "4*([{0}]&0xf)"
_NUMBER, _HEX, _MEMORY, _X, _NOTHING = "#{0}", "#{0:#x}", "M[{0}]", "x", ""

OPERATIONS: Final[dict[int, tuple[str, str]]] = {
    0x00: ("ld", _HEX), 0x20: ("ld", _ABSOLUTE), 0x40: ("ld", _INDEXED), 0x60: ("ld", _MEMORY), 0x80: ("ld", _LENGTH),
    0x28: ("ldh", _ABSOLUTE), 0x48: ("ldh", _INDEXED), 0x30: ("ldb", _ABSOLUTE), 0x50: ("ldb", _INDEXED),
    0x01: ("ldx", _HEX), 0x61: ("ldx", _MEMORY), 0x81: ("ldx", _LENGTH), 0xB1: ("ldxb", _HEADER),
    0x02: ("st", _MEMORY), 0x03: ("stx", _MEMORY), 0x07: ("tax", _NOTHING), 0x87: ("txa", _NOTHING),
    0x04: ("add", _NUMBER), 0x14: ("sub", _NUMBER), 0x24: ("mul", _NUMBER), 0x34: ("div", _NUMBER),
    0x94: ("mod", _NUMBER), 0x44: ("or", _HEX), 0x54: ("and", _HEX), 0xA4: ("xor", _HEX), 0x64: ("lsh", _NUMBER),
    0x74: ("rsh", _NUMBER), 0x0C: ("add", _X), 0x1C: ("sub", _X), 0x2C: ("mul", _X), 0x3C: ("div", _X),
    0x9C: ("mod", _X), 0x4C: ("or", _X), 0x5C: ("and", _X), 0xAC: ("xor", _X), 0x6C: ("lsh", _X), 0x7C: ("rsh", _X),
    0x84: ("neg", _NOTHING), JUMP: ("ja", "{0}"),
    0x15: ("jeq", _HEX), 0x25: ("jgt", _HEX), 0x35: ("jge", _HEX), 0x45: ("jset", _HEX),
    0x1D: ("jeq", _X), 0x2D: ("jgt", _X), 0x3D: ("jge", _X), 0x4D: ("jset", _X),
    RETURN: ("ret", _NUMBER), RETURN_A: ("ret", ""),
}  # fmt: skip
"""Every operation that a socket's filter may hold: its name, and how its operand is written."""

_CALCULATE: Final[dict[str, Callable[[int, int], int]]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.floordiv, "mod": operator.mod,
    "or": operator.or_, "and": operator.and_, "xor": operator.xor,
    "lsh": lambda a, b: a << (b & 31), "rsh": lambda a, b: a >> (b & 31), "neg": lambda a, _: -a,
}  # fmt: skip
_COMPARE: Final[dict[str, Callable[[int, int], int]]] = {
    "jeq": operator.eq, "jgt": operator.gt, "jge": operator.ge, "jset": operator.and_,
}  # fmt: skip
_SIZES: Final = {"ld": 4, "ldh": 2, "ldb": 1}


def check(program: Program) -> None:
    """Say whether the kernel would take a program: known operations, jumps inside, memory written before it is read.

    Raises: ConfigurationError.
    """
    if not 0 < len(program) <= MAX_INSTRUCTIONS:
        raise ConfigurationError(
            f"a filter has 1 to {MAX_INSTRUCTIONS} instructions, not {len(program)}: ask for less in one"
        )
    for at, one in enumerate(program):
        why = _fault(one, len(program) - at - 1)
        if why:
            raise ConfigurationError(f"instruction {at} of the filter {why}")
    if program[-1].code not in (RETURN, RETURN_A):
        raise ConfigurationError("a filter ends with a return")
    _check_memory(program)


def _fault(one: Instruction, left: int) -> str:
    if one.code not in OPERATIONS:
        return f"is none: {one.code:#x}"
    name, operand = OPERATIONS[one.code]
    if max(one.if_true, one.if_false) > 255 or min(one) < 0 or one.k > _WORD:
        return "has a number that does not fit"
    if name == "ja" or name in _COMPARE:
        skipped = one.k if name == "ja" else max(one.if_true, one.if_false)
        return "jumps out of it" if skipped >= left else ""
    if operand == _MEMORY and one.k >= WORDS:
        return f"uses memory beyond M[{WORDS - 1}]"
    if operand == _NUMBER and ((name in ("div", "mod") and one.k == 0) or (name in ("lsh", "rsh") and one.k > 31)):
        return f"is a {name} by {one.k}"
    return ""


def _check_memory(program: Program) -> None:
    """Follow every way through a program at once; `written` are bits, a word of memory each."""
    everything = 2**WORDS - 1
    arriving, written = [everything] * (len(program) + 1), 0
    for at, one in enumerate(program):
        name, operand = OPERATIONS[one.code]
        written &= arriving[at]
        if name in ("st", "stx"):
            written |= 1 << one.k
        elif operand is _MEMORY and not written >> one.k & 1:
            raise ConfigurationError(f"instruction {at} of the filter reads M[{one.k}], which nobody wrote")
        elif name == "ja" or name in _COMPARE:
            for skipped in (one.k,) if name == "ja" else (one.if_true, one.if_false):
                arriving[at + 1 + skipped] &= written
            written = everything


def matches(program: Program, frame: Buffer, length: int | None = None, known: Mapping[int, int] | None = None) -> int:
    """Run a program that `check` let pass over a frame, and give how many bytes it keeps; 0: none.

    `length` is the frame's length on the wire, and `known` holds what the kernel knows beside its bytes.
    """
    data, known = memoryview(frame), known or {}
    accumulator = index = at = 0
    memory = [0] * WORDS
    length = len(data) if length is None else length
    while True:
        one = program[at]
        name, operand = OPERATIONS[one.code]
        value = index if operand is _X else one.k
        at += 1
        if name == "ret":
            return accumulator if one.code == RETURN_A else one.k
        if name == "ja":
            at += one.k
        elif name in _COMPARE:
            at += one.if_true if _COMPARE[name](accumulator, value) else one.if_false
        elif name in _CALCULATE:
            if name in ("div", "mod") and value == 0:
                return 0
            accumulator = _CALCULATE[name](accumulator, value) & _WORD
        elif name in ("st", "stx"):
            memory[one.k] = accumulator if name == "st" else index
        elif name == "tax":
            index = accumulator
        elif name == "txa":
            accumulator = index
        else:
            loaded = _load(one, index, data, memory, length, known)
            if loaded is None:
                return 0
            accumulator, index = (accumulator, loaded) if name in ("ldx", "ldxb") else (loaded, index)


def _load(
    one: Instruction, index: int, data: memoryview, memory: list[int], length: int, known: Mapping[int, int]
) -> int | None:
    """Give what an instruction loads; None when it stands outside of the frame, which ends the program."""
    name, operand = OPERATIONS[one.code]
    if operand is _MEMORY:
        return memory[one.k]
    if operand is _LENGTH or operand is _HEX:
        return length & _WORD if operand is _LENGTH else one.k
    if operand is _ABSOLUTE and one.k >= ANCILLARY:
        return known.get(one.k - ANCILLARY, 0) & _WORD
    at = (one.k + (index if operand is _INDEXED else 0)) & _WORD
    size = _SIZES.get(name, 1)
    if at + size > len(data):
        return None
    loaded = int.from_bytes(data[at : at + size], "big")
    return 4 * (loaded & 0xF) if operand is _HEADER else loaded


def text(program: Program) -> str:
    """Write a program as `tcpdump -d` does, a line for each instruction."""
    return "\n".join(_line(at, one) for at, one in enumerate(program))


def _line(at: int, one: Instruction) -> str:
    name, operand = OPERATIONS[one.code]
    signed = one.k - 2**32 if one.k >= 2**31 and operand in (_ABSOLUTE, _INDEXED, _HEADER, _NUMBER) else one.k
    written = operand.format(at + 1 + one.k if one.code == JUMP else signed)
    if name not in _COMPARE:
        return f"({at:03}) {name:8} {written}"
    return f"({at:03}) {name:8} {written:16} jt {at + 1 + one.if_true}\tjf {at + 1 + one.if_false}"


def snapped(program: Program | None, snap: int) -> Program | None:
    """Give a program that keeps at most `snap` bytes, so that the kernel copies no more; None when it keeps all."""
    if snap >= KEEP:
        return program
    if program is None:
        return (Instruction(RETURN, k=snap),)
    return tuple(one._replace(k=min(one.k, snap)) if one.code == RETURN else one for one in program)
