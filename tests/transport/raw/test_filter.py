"""Filters: what they keep of frames of every kind, beside what libpcap's keep; long ones; and those nobody can read."""

import pytest

from netfeed.errors import ConfigurationError
from netfeed.transport.raw import libpcap
from netfeed.transport.raw.bpf import KEEP, MAX_INSTRUCTIONS, Instruction, Known
from netfeed.transport.raw.expression import program_of
from netfeed.transport.raw.filter import check, compile_filter, compile_pairs, matches
from netfeed.transport.raw.grammar import MAX_DEPTH, parse
from tests.transport.raw.frame_samples import FRAMES, tagged

EXPRESSIONS = [
    "", "ip", "ip6", "arp", "udp", "tcp", "icmp", "igmp", "icmp6",
    "host 10.0.0.1", "src host 233.252.0.1", "dst host 10.0.0.2", "ip host 10.0.0.1", "arp host 10.0.0.2",
    "ip6 host ff3e::1:2", "host ff3e::1:2", "dst host fd00::1", "src host fd00:0:0:1::1",
    "net 10.0.0.0/8", "dst net 233.252.0.0/24", "src net fd00::/64", "net fd00::/33", "ip net 192.168.4.0/22",
    "port 53", "src port 5", "dst port 26400", "udp port 5", "tcp dst port 53", "port 5 or 53",
    "udp and dst host 233.252.0.1 and dst port 26400", "udp dst port 5 or udp dst port 53", "not udp", "! tcp && ! arp",
    "(udp port 5 or tcp port 53) and not host 10.0.0.1", "udp or tcp and host 10.0.0.2", "not (ip or ip6)",
    "src 10.0.0.1 and dst 10.0.0.2", "host 10.0.0.1 or 10.0.0.2 or 192.168.7.9", "udp || icmp",
]  # fmt: skip


@pytest.mark.skipif(libpcap.library() is None, reason="libpcap is not installed")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_our_own_reading_keeps_what_libpcap_keeps(expression: str) -> None:
    own, theirs = program_of(parse(expression)), libpcap.compile_with(libpcap.library(), expression)
    for program in (own, theirs):
        check(program)
    kept = [bool(matches(own, frame)) for frame in FRAMES]
    assert kept == [bool(matches(theirs, frame)) for frame in FRAMES]
    assert any(kept)
    assert all(kept) == (expression == "")


@pytest.mark.parametrize("expression", [one for one in EXPRESSIONS if one])
def test_tags_in_the_frame_change_nothing(expression: str) -> None:
    program = program_of(parse(expression))
    for frame in FRAMES[::3]:
        kept = matches(program, frame)
        assert matches(program, tagged(frame, b"\x81\x00\x00\x05")) == kept
        assert matches(program, tagged(frame, b"\x88\xa8\x00\x05", b"\x81\x00\x20\x06")) == kept


@pytest.mark.parametrize("expression", [one for one in EXPRESSIONS if one])
def test_a_socket_without_link_headers_keeps_the_same(expression: str) -> None:
    program, cooked = program_of(parse(expression)), compile_filter(expression, cooked=True)
    for frame in FRAMES:
        known = {Known.PROTOCOL: int.from_bytes(frame[12:14], "big")}
        assert matches(cooked, frame[14:], known=known) == matches(program, frame)


def test_a_vlan_is_found_in_the_frame_and_beside_it() -> None:
    frame = next(one for one in FRAMES if matches(program_of(parse("udp")), one))
    inside = tagged(frame, b"\x81\x00\x20\x05")  # priority 1, VLAN 5
    beside = {Known.VLAN_PRESENT: 1, Known.VLAN_TAG: 0x2005}
    twice = tagged(frame, b"\x88\xa8\x00\x05", b"\x81\x00\x00\x06")
    for expression, of_five in (("vlan", 1), ("vlan 5", 1), ("vlan 6", 0), ("vlan 5 and udp", 1), ("not vlan", 0)):
        program = compile_filter(expression)
        found = [matches(program, inside), matches(program, frame, known=beside), matches(program, twice)]
        assert [bool(one) for one in found] == [bool(of_five)] * 3, expression
        assert matches(program, inside, known={Known.VLAN_PRESENT: 1, Known.VLAN_TAG: 5}) == found[0]  # the outer one
        assert bool(matches(program, frame)) == (expression == "not vlan")


def test_pairs_of_groups_and_ports() -> None:
    groups = [f"239.1.{k // 200}.{k % 200}" for k in range(600)]
    program = compile_pairs([(group, 5000 + k) for k, group in enumerate(groups)])
    check(program)
    udp = next(one for one in FRAMES if one[23] == 17 and one[14] == 0x45 and one[20:22] == b"\0\0")

    def frame(group: str, port: int) -> bytes:
        packed = bytes(int(part) for part in group.split("."))
        return udp[:30] + packed + udp[34:36] + port.to_bytes(2, "big") + udp[38:]

    for k in (0, 1, 99, 300, 598, 599):
        assert matches(program, frame(groups[k], 5000 + k))
        assert not matches(program, frame(groups[k], 5001 + k))
        assert not matches(program, frame(groups[k - 1], 5000 + k))


def test_pairs_of_both_ips_with_and_without_a_port() -> None:
    pairs = [("233.252.0.1", 26400), ("10.0.0.2", None), ("ff3e::1:2", 53), ("fd00::1", None), ("10.0.0.0/31", 5)]
    program = compile_pairs(pairs)
    wanted = program_of(parse(
        "udp and (dst host 233.252.0.1 and dst port 26400 or dst host 10.0.0.2 or (dst host ff3e::1:2 and dst port 53)"
        " or dst host fd00::1 or (dst net 10.0.0.0/31 and dst port 5))"
    ))  # fmt: skip
    assert [matches(program, one) for one in FRAMES] == [matches(wanted, one) for one in FRAMES]
    assert not any(matches(compile_pairs([]), one) for one in FRAMES)


def test_many_tests_in_a_row_are_one_filter() -> None:
    program = program_of(parse(" or ".join(f"udp dst port {port}" for port in range(26000, 26401))))
    check(program)
    wanted = program_of(parse("udp dst port 26400"))
    assert [matches(program, one) for one in FRAMES] == [matches(wanted, one) for one in FRAMES]
    with pytest.raises(ConfigurationError, match="cannot be read at 'udp'"):
        parse("udp or udp and " * MAX_DEPTH + "udp")
    check(program_of(parse(" or ".join("(udp and dst port 5)" for _ in range(2 * MAX_DEPTH)))))


def test_what_is_too_long_for_the_kernel_is_said() -> None:
    with pytest.raises(ConfigurationError, match=f"instructions, the kernel takes {MAX_INSTRUCTIONS}"):
        compile_pairs([(f"239.1.{k // 200}.{k % 200}", k) for k in range(1500)])


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("udp host 10.0.0.1", "'10.0.0.1'"), ("port", "the end"), ("port 65536", "'65536'"), ("host 10.0.0.1/8", "/8"),
        ("udp and", "the end"), ("(udp", "the end"), ("udp)", r"'\)'"), ("greater 100", "'greater'"),
        ("vlan 5000", "'5000'"), ("5", "'5'"), ("ether host x", "'ether'"), ("host example.com", "example.com"),
        ("not " * (MAX_DEPTH + 1), "not"), ("(" * 5000, r"'\('"), ("port -1", "'-1'"), ("ip port 5", "'5'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_what_can(
    expression: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libpcap, "library", lambda: None)
    with pytest.raises(ConfigurationError, match=found) as raised:
        compile_filter(expression)
    assert "libpcap0.8" in str(raised.value)


@pytest.mark.skipif(libpcap.library() is None, reason="libpcap is not installed")
def test_libpcap_reads_the_whole_language_and_says_what_it_cannot() -> None:
    program = compile_filter("udp[8:4] = 7 or greater 1000")
    check(program)
    with pytest.raises(ConfigurationError, match=r"cannot be read: .*syntax error"):
        compile_filter("udp porter")


@pytest.mark.skipif(libpcap.library() is None, reason="libpcap is not installed")
def test_where_libpcap_is_of_no_use_it_is_said_why() -> None:
    with pytest.raises(ConfigurationError, match=r"at .greater.; .* is read for one interface"):
        compile_filter("greater 100", cooked=True)
    with pytest.raises(ConfigurationError, match=r"at .greater.; .* where there is no vlan"):
        compile_filter("vlan and greater 100")


def test_an_empty_expression_keeps_all() -> None:
    assert compile_filter("  ") == (Instruction(0x06, k=KEEP),)


def test_a_frame_that_ends_before_what_is_looked_at_is_dropped() -> None:
    for expression in EXPRESSIONS[1:]:
        program = program_of(parse(expression))
        assert not any(matches(program, bytes(size)) for size in range(14)), expression
    program = program_of(parse("udp dst port 5"))
    for frame in (one for one in FRAMES if matches(program, one)):
        kept = [size for size in range(len(frame)) if matches(program, frame[:size])]
        header = 54 if frame[12] == 0x86 else 34
        assert kept == list(range(header + 4, len(frame)))


@pytest.mark.skipif(libpcap.library() is None, reason="libpcap is not installed")
def test_an_expression_that_libpcap_would_never_be_ready_with_is_read_here_or_refused() -> None:
    for words, said in (("port", "instructions"), ("greater", "up to 36,000 characters")):
        with pytest.raises(ConfigurationError, match=said):
            compile_filter(" or ".join(f"(udp and {words} {at})" for at in range(1, 2000)))
