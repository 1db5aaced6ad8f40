"""The little machine: each operation, beside libpcap's own; what is no program; and how one is written."""

import ctypes
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.errors import ConfigurationError
from netfeed.transport.raw import libpcap
from netfeed.transport.raw.bpf import (
    ANCILLARY,
    KEEP,
    MAX_INSTRUCTIONS,
    OPERATIONS,
    WORDS,
    Instruction,
    Program,
    check,
    matches,
    snapped,
    text,
)

RET_A = Instruction(0x16)
needs_libpcap = pytest.mark.skipif(libpcap.library() is None, reason="libpcap is not installed")


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Draw a program that the kernel would take."""
    size = draw(st.integers(1, 20))
    made: list[Instruction] = []
    for left in range(size - 1, 0, -1):
        code = draw(st.sampled_from(sorted(OPERATIONS)))
        name, operand = OPERATIONS[code]
        k = draw(st.one_of(st.integers(0, 30), st.integers(0, 2**32 - 1)))
        if "M[" in operand:
            k %= WORDS
        elif name in ("lsh", "rsh"):
            k %= 32
        elif name in ("div", "mod"):
            k = max(k, 1)
        elif operand == "[{0}]":
            k %= ANCILLARY
        jumps = [draw(st.integers(0, min(left - 1, 255))) if name.startswith("j") else 0 for _ in range(2)]
        made.append(Instruction(code, *jumps, draw(st.integers(0, left - 1)) if name == "ja" else k))
    written = tuple(Instruction(0x02, k=k) for k in range(WORDS))
    return (*written, *made, draw(st.sampled_from([RET_A, Instruction(0x06, k=7)])))


def theirs(program: Program, frame: bytes, length: int) -> int:
    pcap = libpcap.library()
    assert pcap is not None
    code = b"".join(struct.pack("=HBBI", *one) for one in program)
    pcap.bpf_filter.restype = ctypes.c_uint
    return int(pcap.bpf_filter(code, frame, length, len(frame)))


@needs_libpcap
@settings(max_examples=60)
@given(programs(), st.binary(max_size=60), st.integers(0, 100))
def test_it_computes_what_libpcaps_machine_computes(program: Program, frame: bytes, more: int) -> None:
    shifted_by_x = any(OPERATIONS[one.code][0] in ("lsh", "rsh") and OPERATIONS[one.code][1] == "x" for one in program)
    check(program)
    found = matches(program, frame, len(frame) + more)
    assert 0 <= found < 2**32
    if not shifted_by_x:  # libpcap gives 0 for more than 31, the kernel counts modulo 32
        assert found == theirs(program, frame, len(frame) + more)


@needs_libpcap
@settings(max_examples=30)
@given(programs())
def test_it_is_written_as_tcpdump_writes_it(program: Program) -> None:
    class One(ctypes.Structure):
        _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))

    pcap = libpcap.library()
    assert pcap is not None
    pcap.bpf_image.restype = ctypes.c_char_p
    images = [pcap.bpf_image(ctypes.byref(One(*one)), at).decode() for at, one in enumerate(program)]
    for line, image in zip(text(program).splitlines(), images, strict=True):
        assert line.rstrip() == image.rstrip() or "unimp" in image  # it does not know ldx #pktlen


def test_shifts_count_modulo_32_as_the_kernel_does() -> None:
    load, shift = Instruction(0x00, k=1), Instruction(0x6C)
    assert matches((load, Instruction(0x01, k=33), shift, RET_A), b"") == 2


def test_a_division_by_nothing_drops_the_frame() -> None:
    for code in (0x3C, 0x9C):
        assert matches((Instruction(0x00, k=9), Instruction(code), RET_A), b"") == 0


def test_what_the_kernel_knows_is_nothing_where_nobody_said() -> None:
    program = (Instruction(0x20, k=ANCILLARY + 44), RET_A)
    assert matches(program, b"", known={44: 5}) == 5
    assert matches(program, b"") == 0


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ((), "1 to 4096 instructions, not 0"), ((RET_A,) * (MAX_INSTRUCTIONS + 1), "not 4097"),
        ((Instruction(0xFF), RET_A), "instruction 0 of the filter is none: 0xff"),
        ((Instruction(0x00),), "ends with a return"),
        ((Instruction(0x05, k=1), RET_A), "jumps out of it"), ((Instruction(0x15, 0, 1), RET_A), "jumps out of it"),
        ((Instruction(0x05, k=2**32 - 1), RET_A), "jumps out"),
        ((Instruction(0x15, 256, 0), *(RET_A,) * 300), "does not fit"), ((Instruction(0x06, k=2**32),), "does not fit"),
        ((Instruction(0x06, k=-1),), "does not fit"),
        ((Instruction(0x60, k=3), RET_A), r"reads M\[3\], which nobody wrote"),
        ((Instruction(0x15, 0, 1), Instruction(0x02, k=3), Instruction(0x60, k=3), RET_A), r"2 of the .* nobody wrote"),
        ((Instruction(0x02, k=16), RET_A), r"beyond M\[15\]"), ((Instruction(0x34), RET_A), "div by 0"),
        ((Instruction(0x94), RET_A), "mod by 0"), ((Instruction(0x64, k=32), RET_A), "lsh by 32"),
    ],
)  # fmt: skip
def test_what_the_kernel_would_not_take_is_said(program: Program, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        check(program)


def test_a_snap_length_cuts_what_is_kept_and_nothing_else() -> None:
    program = (Instruction(0x15, 0, 1, 60), Instruction(0x06, k=KEEP), Instruction(0x06, k=0))
    assert snapped(program, 96) == (program[0], Instruction(0x06, k=96), program[2])
    assert snapped(None, 96) == (Instruction(0x06, k=96),)
    assert snapped(program, KEEP) == program
    assert snapped(None, KEEP) is None
