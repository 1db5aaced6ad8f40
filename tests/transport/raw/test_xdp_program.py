"""The program of AF_XDP, verified and run by the kernel on frames of ours. Needs root."""

import ctypes
import os
import platform
import struct

import pytest

from netfeed.errors import ConfigurationError
from netfeed.transport.network import NetworkError
from netfeed.transport.raw import ebpf
from netfeed.transport.raw.xdp_program import MAX_TARGETS, PASS, keep, read_targets, redirecting
from netfeed.wire.frame import ETHERNET, IPV4
from netfeed.wire.headers import udp_frame

_XDP, _XSKMAP, _TEST_RUN = 6, 17, 10
FOUND = 1
"""XDP_DROP stands for what goes to the socket: nothing else gives it."""
HOST = ("10.0.0.1", 4000)
FOUR, SIX = ("233.252.0.1", 5000), ("ff3e::8000:1", 5001)


def permitted() -> bool:
    """Say whether this process may load programs."""
    try:
        os.close(ebpf.create_map(_XSKMAP, 1, "probe"))
    except OSError:
        return False
    return True


def load(targets: list[tuple[str, int]]) -> int:
    program = ebpf.Program()
    program.put(program.COPY, 6, 1)
    keep(program, read_targets(targets))
    program.put(program.MOVE, 0, value=FOUND)
    program.put(program.EXIT)
    return ebpf.load_program(_XDP, program.code(), "test")


def verdict(program: int, frame: bytes) -> int:
    """Have the kernel run the program on a frame."""
    data = ctypes.create_string_buffer(frame, len(frame))
    room = ctypes.create_string_buffer(
        struct.pack("=4I2Q2I", program, 0, len(frame), 0, ctypes.addressof(data), 0, 1, 0), 80
    )
    libc = ctypes.CDLL(None, use_errno=True)
    number = ebpf._NUMBERS[platform.machine()]
    assert libc.syscall(ctypes.c_long(number), ctypes.c_int(_TEST_RUN), ctypes.byref(room), ctypes.c_uint(80)) == 0
    return int(struct.unpack_from("=I", room, 4)[0])


def with_options(frame: bytes) -> bytes:
    """Put eight bytes of options behind the IPv4 header."""
    head = bytearray(frame[14:34])
    head[0] = 0x47
    head[2:4] = (int.from_bytes(head[2:4]) + 8).to_bytes(2)
    return frame[:14] + bytes(head) + bytes([1] * 8) + frame[34:]


def fragment(frame: bytes, bits: int) -> bytes:
    return frame[:20] + bits.to_bytes(2) + frame[22:]


PLAIN4 = udp_frame(b"tick", HOST, FOUR)
PLAIN6 = udp_frame(b"tick", ("fe80::1", 4000), SIX)
TARGETS = [("233.252.0.9", 1), FOUR, ("ff3e::9", 1), SIX, ("239.255.255.255", 65535)]
FRAMES = {
    "IPv4": (PLAIN4, FOUND),
    "IPv6": (PLAIN6, FOUND),
    "high bits": (udp_frame(b"", HOST, ("239.255.255.255", 65535)), FOUND),
    "behind a tag": (udp_frame(b"tick", HOST, FOUR, vlan=7), FOUND),
    "IPv6 behind a tag": (udp_frame(b"tick", ("fe80::1", 4000), SIX, vlan=7), FOUND),
    "a tag of a provider": (udp_frame(b"tick", HOST, FOUR, vlan=7).replace(b"\x81\x00", b"\x88\xa8", 1), FOUND),
    "options": (with_options(PLAIN4), FOUND),
    "not to be fragmented": (fragment(PLAIN4, 0x4000), FOUND),
    "a fragment": (fragment(PLAIN4, 0x2000), PASS),
    "a later fragment": (fragment(PLAIN4, 0x0001), PASS),
    "another port": (udp_frame(b"tick", HOST, ("233.252.0.1", 5001)), PASS),
    "another group": (udp_frame(b"tick", HOST, ("233.252.0.2", 5000)), PASS),
    "another IPv6 group": (udp_frame(b"tick", ("fe80::1", 4000), ("ff3e::8000:2", 5001)), PASS),
    "another IPv6 port": (udp_frame(b"tick", ("fe80::1", 4000), ("ff3e::8000:1", 5000)), PASS),
    "TCP": (PLAIN4[:23] + b"\x06" + PLAIN4[24:], PASS),
    "TCP over IPv6": (PLAIN6[:20] + b"\x06" + PLAIN6[21:], PASS),
    "ARP": (ETHERNET.encode(bytes(6), bytes(6), 0x0806) + bytes(28), PASS),
    "cut behind Ethernet": (PLAIN4[:14], PASS),
    "cut inside IPv4": (PLAIN4[:33], PASS),
    "cut inside UDP": (PLAIN4[:41], PASS),
    "cut inside IPv6": (PLAIN6[:61], PASS),
    "a header that leads beyond the end": (PLAIN4[:14] + b"\x4f" + PLAIN4[15:], PASS),
    "two tags": (PLAIN4[:12] + b"\x88\xa8\x00\x01\x81\x00\x00\x02" + PLAIN4[12:], PASS),
}


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets us load no programs here")
def test_what_is_asked_for_is_found_and_all_else_passes() -> None:
    program = load(TARGETS)
    four, six, everything = load([FOUR]), load([SIX]), load([])
    try:
        assert {name: verdict(program, frame) for name, (frame, _) in FRAMES.items()} == {
            name: wanted for name, (_, wanted) in FRAMES.items()
        }
        assert [verdict(four, PLAIN4), verdict(four, PLAIN6)] == [FOUND, PASS]
        assert [verdict(six, PLAIN4), verdict(six, PLAIN6)] == [PASS, FOUND]
        assert {verdict(everything, frame) for frame, _ in FRAMES.values()} == {FOUND}
    finally:
        for one in (program, four, six, everything):
            os.close(one)


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets us load no programs here")
def test_as_many_targets_as_may_be_are_verified_and_the_last_one_is_found() -> None:
    many = [(f"ff3e::{number:x}", 5000) for number in range(MAX_TARGETS)]
    program = load(many)
    try:
        assert verdict(program, udp_frame(b"", ("fe80::1", 1), many[-1])) == FOUND
    finally:
        os.close(program)


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets us load no programs here")
def test_a_queue_that_no_socket_reads_goes_to_the_host() -> None:
    sockets = ebpf.create_map(_XSKMAP, 1, "test")
    program = ebpf.load_program(_XDP, redirecting([], sockets), "test")
    try:
        assert verdict(program, PLAIN4) == PASS
    finally:
        os.close(program)
        os.close(sockets)


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets us load no programs here")
def test_the_verifier_says_what_is_wrong() -> None:
    program = ebpf.Program()
    program.put(program.LOAD32, 2, 1, 0)
    program.put(program.LOAD8, 0, 2, 0)  # reads the frame without looking where it ends
    program.put(program.EXIT)
    with pytest.raises(NetworkError, match=r"verifier refuses the program: R2 .*packet") as refusal:
        ebpf.load_program(_XDP, program.code(), "test")
    assert not refusal.value.denied


def test_targets_are_read_and_refused() -> None:
    assert [(str(one), port) for one, port in read_targets([FOUR, SIX])] == [FOUR, SIX]
    for targets, why in (
        ([("233.252.0.1", 0)], "port of 1 to 65535"),
        ([("eth0", 5000)], "no IP address"),
        ([FOUR] * (MAX_TARGETS + 1), "name none, and take every frame"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            read_targets(targets)


def test_a_program_is_assembled_as_the_instruction_set_says() -> None:
    """Two jumps by hand: forward over two instructions, and back to the first one."""
    program = ebpf.Program()
    program.label("first")
    program.put(program.JUMP_OTHER, 5, offset="last", value=0xFFFFFFFF)
    program.put_map(1, 9)
    program.label("last")
    program.put(program.JUMP, offset="first")
    assert program.code().hex(" ", 8) == (
        "56050200ffffffff 1811000009000000 0000000000000000 0500fcff00000000"
        if struct.pack("=H", 1) == b"\1\0"
        else "56500002ffffffff 1811000000000009 0000000000000000 0500fffc00000000"
    )


def test_an_unknown_label_is_a_mistake() -> None:
    program = ebpf.Program()
    program.put(program.JUMP, offset="nowhere")
    with pytest.raises(KeyError):
        program.code()


def test_the_layout_of_ipv4_is_the_one_that_the_program_reads() -> None:
    assert [IPV4.offsets[name] for name in ("fragment", "protocol", "destination")] == [6, 9, 16]
