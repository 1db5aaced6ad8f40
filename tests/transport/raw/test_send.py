"""Frames sent as they are: equal byte for byte at the other end, and what is refused is counted and named."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")

from netfeed.cli import main
from netfeed.errors import ConfigurationError
from netfeed.host.namespace import Namespace, _index, _netlink, permitted
from netfeed.transport.raw.packet import PacketRing
from netfeed.transport.raw.resend import ResendFrames
from netfeed.transport.raw.send import HOW, FrameSender
from netfeed.transport.raw.source import FrameKind
from netfeed.transport.resend import Pace
from netfeed.wire import pcap, pcapng
from netfeed.wire.headers import udp_frame
from tests.transport.waiting import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here"),
]

A, B = ("233.252.0.1", 26400), ("233.252.0.2", 26400)
UDP = [udp_frame(bytes([k]) * (k % 1400), ("10.0.0.1", 5000), (A, B)[k % 2]) for k in range(200)]
TAGGED = [one[:12] + b"\x81\x00\x20\x05" + one[12:] for one in UDP[:20]]
OTHERS = [
    bytes.fromhex("ffffffffffff 020000000001 88cc") + bytes(50),
    b"\xff" * 14,
    b"\1" * 1514,
    TAGGED[0][:18].ljust(1518),
]
FRAMES = [*UDP, *TAGGED, *OTHERS]


@pytest.fixture
def hosts() -> Iterator[tuple[Namespace, Namespace]]:
    with Namespace("left") as left, Namespace("right") as right:
        left.connect("va", right, "vb")
        for host, interface in ((left, "va"), (right, "vb")):
            host.write(f"net.ipv6.conf.{interface}.disable_ipv6", "1")
        yield left, right


@pytest.fixture
def captured(hosts: tuple[Namespace, Namespace]) -> Iterator[Callable[[int], list[bytes]]]:
    """Give what arrives at the other end, as soon as it is so many frames."""
    with hosts[1].entered():
        ring = PacketRing("vb", block_bytes=65536, blocks=64, timeout_ns=5_000_000)
    with ring:

        def take(count: int) -> list[bytes]:
            found: list[bytes] = []

            def there() -> bool:
                found.extend(one.data for one in ring.take() if one.kind != FrameKind.OUTGOING)
                return len(found) >= count

            until(there)
            return found

        yield take


def opened(host: Namespace, how: str = "sendto", **more: Any) -> FrameSender:
    with host.entered():
        return FrameSender("va", how, **more)


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("how", HOW)
def test_frames_arrive_as_they_were_sent(hosts: Any, captured: Any, how: str, bypass: bool) -> None:
    with opened(hosts[0], how, bypass=bypass) as sender:
        assert sender.send(FRAMES) == len(FRAMES)
        assert sender.send([]) == 0
        assert (sender.sent, sender.bytes, sender.errors) == (len(FRAMES), sum(map(len, FRAMES)), {})
    assert captured(len(FRAMES)) == FRAMES


@pytest.mark.parametrize("how", HOW)
def test_what_does_not_fit_is_counted_and_the_others_go(hosts: Any, captured: Any, how: str) -> None:
    with opened(hosts[0], how) as sender:
        assert sender.send([UDP[0], b"\1" * 1519, UDP[1], b"\1" * 1515, b"\1" * 13, UDP[2]]) == 3
        assert sender.errors == {"EMSGSIZE": 2, "EINVAL": 1}
        assert sender.bytes == sum(map(len, UDP[:3]))
        assert sender.why() == [
            "va did not send 2: longer than it carries (MTU 1500)",
            "va did not send 1: shorter than an Ethernet header",
        ]
    assert captured(3) == UDP[:3]


@pytest.mark.parametrize("how", HOW)
def test_an_interface_that_is_down_or_gone_is_named_and_sending_goes_on_later(
    hosts: Any, captured: Any, how: str
) -> None:
    with opened(hosts[0], how) as sender:
        hosts[0].down("va")
        assert sender.send(UDP[:3]) == 0
        assert sender.errors == {"ENETDOWN": 3}
        assert sender.why() == ["va did not send 3: it is down"]
        hosts[0].up("va")
        assert sender.send(UDP[:70]) == 70
        assert captured(70) == UDP[:70]
        with hosts[0].entered(), _netlink() as ip:
            ip.link("del", index=_index(ip, "va"))
        assert sender.send(UDP[:1]) == 0
        assert sender.errors["ENXIO"] == 1


def test_what_cannot_send_is_said(hosts: Any) -> None:
    with hosts[0].entered():
        with pytest.raises(ConfigurationError, match="there is no interface 'vx'"):
            FrameSender("vx")
        with pytest.raises(ConfigurationError, match="sendto or ring, not by 'pigeon'"):
            FrameSender("va", "pigeon")
    sender = opened(hosts[0])
    sender.close()
    sender.close()


@pytest.fixture
def recorded(tmp_path: Path) -> list[str]:
    """Two captures: a pcap with a frame that was cut and a torn tail, and a pcapng with another interface."""
    ns = 1_700_000_000 * 10**9
    one = [pcap.record(ns + 2 * k, frame) for k, frame in enumerate(UDP)]
    cut = pcap.record(ns + 1, UDP[0][:20], len(UDP[0]))
    (tmp_path / "a.pcap").write_bytes(pcap.file_header() + one[0] + cut + b"".join(one[1:]) + one[0][:20])
    writer = pcapng.Writer([pcapng.Interface(1), pcapng.Interface(101)])
    other = [writer.packet(ns + 2 * k + 1, frame) for k, frame in enumerate([*TAGGED, *OTHERS])]
    (tmp_path / "b.pcapng").write_bytes(writer.start() + writer.packet(ns, b"\x45" * 20, 1) + b"".join(other))
    return [str(tmp_path / "a.pcap"), str(tmp_path / "b.pcapng")]


def test_captures_are_sent_again_as_they_are_merged_by_time(hosts: Any, captured: Any, recorded: list[str]) -> None:
    with opened(hosts[0]) as sender:
        resent = ResendFrames(recorded, sender, pace=Pace(speed=None), rounds=2).run()
    assert (resent.sent, resent.not_taken, resent.left_out, resent.faults, resent.rounds) == (448, 0, 4, 2, 2)
    assert resent.destinations == {("va", 0): 448}
    arrived = captured(448)
    merged = [frame for pair in zip(UDP, [*TAGGED, *OTHERS], strict=False) for frame in pair]
    assert arrived[: len(merged)] == merged
    assert sorted(arrived) == sorted(FRAMES * 2)


def test_only_the_groups_that_are_wanted_are_sent(hosts: Any, captured: Any, recorded: list[str]) -> None:
    with opened(hosts[0]) as sender:
        ResendFrames(recorded, sender, pace=Pace(speed=None), wanted=lambda *to: to == A).run()
    assert sorted(captured(110)) == sorted([*UDP[::2], *TAGGED[::2]])


def test_netfeed_send_layer2(
    hosts: Any, captured: Any, recorded: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with hosts[0].entered():
        code = main.main(["send", "-r", recorded[1], "-i", "va", "--layer2", "--topspeed"])
    assert code == 0
    assert captured(24) == [*TAGGED, *OTHERS]
    out = capsys.readouterr().out
    assert "24 packets sent" in out
    assert "  va: 24 datagrams" in out
    assert "1 left out (not Ethernet, cut by a snap length, or not asked for)" in out


def test_netfeed_send_layer2_says_what_was_refused(
    hosts: Any, recorded: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    hosts[0].down("va")
    with hosts[0].entered():
        assert main.main(["send", "-r", recorded[1], "-i", "va", "--layer2", "--topspeed"]) == 1
    assert "va did not send 24: it is down" in capsys.readouterr().err
