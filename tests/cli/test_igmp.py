"""`netfeed igmp`, as it is typed: on captures of ours, and on a real bridge that snoops. The latter needs root."""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from netfeed.cli.main import main
from netfeed.host.namespace import Namespace, permitted
from netfeed.transport.raw import ebpf
from netfeed.transport.raw.source import Form
from netfeed.wire import pcap, pcapng
from netfeed.wire.headers import udp_frame
from netfeed.wire.membership_words import RecordType
from tests.transport.waiting import until
from tests.wire import capture_samples as sample
from tests.wire.membership_samples import A, B, G, S, frame, general, old_report, report

SECOND = 10**9
START = 1_700_000_000 * SECOND
Json = dict[str, Any]
TICK = udp_frame(b"tick", ("10.0.0.7", 1), ("239.1.1.1", 5000))


def written(path: Path, frames: list[tuple[float, bytes]], form: Form = Form.PCAP) -> str:
    """Write a capture of frames at seconds from its start."""
    if form is Form.PCAP:
        data = pcap.file_header() + b"".join(pcap.record(START + round(at * SECOND), one) for at, one in frames)
    else:
        writer = pcapng.Writer([pcapng.Interface(linktype=1, snaplen=0)])
        data = writer.start() + b"".join(writer.packet(START + round(at * SECOND), one) for at, one in frames)
    path.write_bytes(data)
    return str(path)


def healthy() -> list[tuple[float, bytes]]:
    found: list[tuple[float, bytes]] = []
    for at in range(0, 500, 125):
        found += [(at, frame(general(), B)), (at + 1, frame(report(RecordType.MODE_IS_EXCLUDE), A)), (at + 2, TICK)]
    return found


@pytest.mark.parametrize("form", list(Form))
def test_a_capture_of_a_healthy_network_has_nothing_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: Form
) -> None:
    path = written(tmp_path / "one", healthy(), form)
    assert main(["igmp", "239.1.1.1", "-r", path]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == [
        "22:13:20.000000 IGMP: 10.9.0.2 asks, version 3, every 125 s",
        "22:13:21.000000 IGMP: 10.9.0.1 wants 239.1.1.1 from all sources",
    ]
    assert out[2:4] == [
        "IGMP: 4 queries, 4 reports, 0 leaves, 1 membership",
        "  querier 10.9.0.2, elected: version 3, every 125 s, 4 heard",
    ]
    assert out[-1] == "nothing is wrong with memberships, as far as they were heard"


def test_blocks_of_every_kind_and_both_byte_orders_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = frame(general(), B)
    path = tmp_path / "one.pcapng"
    for order in "<>":
        head = sample.section(order) + sample.interface(1, 0, order=order)
        blocks = (sample.enhanced(0, 7, query, order=order), sample.simple(query, order=order),
                  sample.obsolete(0, 8, query, order=order))  # fmt: skip
        path.write_bytes(head + b"".join(blocks))
        assert main(["igmp", "-r", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["messages"] == 3


def test_json_has_an_object_for_each_event_and_the_summary_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [*healthy(), (400, frame(old_report(), B)), (401, frame(general(2), B))]
    path = written(tmp_path / "one", sorted(frames))
    assert main(["igmp", "10.0.0.7,239.1.1.1", "239.9.9.9", "-r", path, "--json", "-v"]) == 3
    *events, summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["type"] for one in events if one["type"] != "message"] == [
        "querier", "joined", "joined", "version",
    ]  # fmt: skip
    messages = [one for one in events if one["type"] == "message"]
    assert len(messages) == summary["messages"] == 10
    assert messages[0] == {
        "type": "message", "ts_ns": START, "vlan": None, "source": "10.9.0.2",
        "text": "IGMPv3 query, all groups, answers within 10 s",
    }  # fmt: skip
    (network,) = summary["networks"]
    assert (network["elected"], network["version"], network["hosts"]) == ("10.9.0.2", 2, {"10.9.0.1": 3, "10.9.0.2": 2})
    assert [one["host"] for one in network["memberships"]] == ["10.9.0.1", "10.9.0.2"]
    assert [one["kind"] for one in summary["findings"] if one["wrong"]] == ["old_version", "unreported"]
    assert all(one["remedy"] for one in summary["findings"])
    assert (summary["begun_ns"], summary["elapsed_ns"]) == (START, 401 * SECOND)


def test_verbose_writes_every_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = list(RecordType)
    frames = [(at, frame(report(kind, S) if at % 2 else report(kind), A)) for at, kind in enumerate(kinds)]
    path = written(tmp_path / "one", [(0, frame(general(), B)), *frames])
    main(["igmp", "-r", path, "-v"])
    said = [line for line in capsys.readouterr().out.splitlines() if " report, " in line]
    assert [line.partition(" report, ")[2] for line in said] == [
        "239.1.1.1 wanted from nobody", "239.1.1.1 wanted from all but 10.0.0.7", "239.1.1.1 left",
        "239.1.1.1 from now on from all but 10.0.0.7", "239.1.1.1 allows nothing more",
        "239.1.1.1 no more from 10.0.0.7",
    ]  # fmt: skip


def test_a_count_and_a_duration_end_a_capture_early(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "one", healthy())
    for arguments, messages in ((["-c", "3"], 3), (["--duration", "130s"], 4)):
        main(["igmp", "-r", path, "--json", *arguments])
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["messages"] == messages


def test_a_capture_without_a_query_shows_that_there_is_no_querier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asks = frame(report(RecordType.CHANGE_TO_EXCLUDE), A)
    path = written(tmp_path / "one", [(0, asks), (30, TICK), (136, TICK)])
    assert main(["igmp", "-r", path]) == 3
    out = capsys.readouterr().out
    assert "IGMP: no query for 136 s: there is no querier" in out
    assert "WRONG: no querier on this network" in out
    assert main(["igmp", "-r", path, "--patience", "10m", "-q"]) == 0
    out = capsys.readouterr().out
    assert "note: no query was heard on this network for 136 s" in out


def test_captures_that_tell_nothing_are_exit_code_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["igmp", "-r", written(tmp_path / "one", [(0, TICK), (500, TICK)])]) == 5
    assert "note: the capture holds no message of IGMP or MLD" in capsys.readouterr().out


def test_damage_is_counted_and_a_torn_capture_is_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = bytearray(frame(general(), B))
    bad[-1] ^= 1
    path = written(tmp_path / "one", [*healthy(), (380, bytes(bad))])
    assert main(["igmp", "-r", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["damaged"] == 1
    Path(path).write_bytes(Path(path).read_bytes()[:-1])
    assert main(["igmp", "-r", path]) == 3
    assert "cut short" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "name one interface"),
        (["-i", "lo", "-r", "x"], "name one interface"),
        (["10.0.0.1", "-i", "lo"], "10.0.0.1 is no group"),
        (["::1,239.1.1.1", "-i", "lo"], "of another IP version"),
        (["eth0", "-i", "lo"], "no IP address"),
        (["-i", "nowhere0"], "there is no interface 'nowhere0'"),
        (["-i", "any"], "there is no interface 'any'"),
    ],
)
def test_what_cannot_be_meant_is_exit_code_2(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["igmp", *arguments]) == 2
    assert why in capsys.readouterr().err


# --- live


on_bridge = pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here")


class Switch:
    """A bridge that snoops and asks every second in version 3, with two hosts.

    It speaks version 3 before anybody hears it: hosts remember an older question for minutes.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.switch = stack.enter_context(Namespace("switch"))
        self.hosts = [stack.enter_context(Namespace(f"host{number}")) for number in (1, 2)]
        self.switch.bridge("br0", [])
        self.switch.address("br0", "10.9.0.254/24")
        self.set(br_mcast_igmp_version=3, br_mcast_query_use_ifaddr=1)
        for number, host in enumerate(self.hosts, 1):
            self.switch.connect(f"port{number}", host, "eth0")
            host.address("eth0", f"10.9.0.{number}/24")
            self._plug(f"port{number}")

    def set(self, **options: int) -> None:
        """Set options of the bridge, named as `ip link` names them with br_ before."""
        from pyroute2 import IPRoute

        with self.switch.entered(), IPRoute() as ip:
            ip.link("set", index=ip.link_lookup(ifname="br0")[0], kind="bridge", **options)

    def _plug(self, port: str) -> None:
        from pyroute2 import IPRoute

        with self.switch.entered(), IPRoute() as ip:
            bridge, index = (ip.link_lookup(ifname=name)[0] for name in ("br0", port))
            ip.link("set", index=index, master=bridge)

    def join(self, host: int, group: str, source: str | None = None) -> socket.socket:
        with self.hosts[host - 1].entered():
            one = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            request = socket.inet_aton(group) + socket.inet_aton(f"10.9.0.{host}")
            option = 39 if source else socket.IP_ADD_MEMBERSHIP
            one.setsockopt(socket.IPPROTO_IP, option, request + (socket.inet_aton(source) if source else b""))
        return one

    def listen(self, where: Namespace, *arguments: str, end: Callable[[Json], bool]) -> list[Json]:
        """Watch as the verb does until an event comes, and give all events and the summary."""
        from netfeed.app.host import membership
        from netfeed.app.host.membership_report import event_json
        from netfeed.cli import igmp

        found: list[Json] = []
        ended = threading.Event()
        arguments_ = igmp_arguments(*arguments)
        watch = membership.Watch(igmp._options(arguments_), stop=ended.is_set)

        def tell(event: Any) -> None:
            found.append(event_json(event))
            if end(found[-1]):
                ended.set()

        watch.tell = tell
        with where.entered():
            timer = threading.Timer(60, ended.set)
            timer.start()
            summary = watch.run()
            timer.cancel()
        return [*found, summary]


def igmp_arguments(*arguments: str) -> Any:
    from netfeed.cli.main import parser

    return parser().parse_args(["igmp", *arguments])


@pytest.fixture
def switch() -> Iterator[Switch]:
    pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")
    with ExitStack() as stack:
        yield Switch(stack)


def seen(kind: str, **details: Any) -> Callable[[Json], bool]:
    """Give the question whether an event is of a kind, and has these details."""
    return lambda event: event["type"] == kind and all(event.get(name) == value for name, value in details.items())


@pytest.mark.root
@on_bridge
def test_a_version_3_exchange_with_sources_is_followed_at_the_port_of_a_switch(switch: Switch) -> None:
    joined: list[socket.socket] = []

    def step(event: Json) -> bool:
        if seen("querier", network="IGMP")(event) and not joined:
            joined.append(switch.join(1, "232.1.1.1", "10.0.0.7"))
            joined.append(switch.join(1, "239.1.1.1"))
        if seen("joined", group="239.1.1.1")(event):
            joined[1].close()
        return seen("after_leave", group="239.1.1.1")(event)

    *events, summary = switch.listen(switch.switch, "10.0.0.7,232.1.1.1", "-i", "port1", end=step)
    told = [(one["type"], one.get("host"), one.get("mode"), one.get("sources")) for one in events if "host" in one]
    assert ("joined", "10.9.0.1", "include", ["10.0.0.7"]) in told
    assert ("joined", "10.9.0.1", "exclude", []) in told
    assert ("left", "10.9.0.1", "include", []) in told
    (last,) = [one for one in events if one["type"] == "after_leave" and one["group"] == "239.1.1.1"]
    assert (last["asked"], last["answers"]) == (True, [])
    network = next(one for one in summary["networks"] if one["network"] == "IGMP")
    assert (network["elected"], network["version"]) == ("10.9.0.254", 3)
    assert [one["kind"] for one in summary["findings"] if one["wrong"] and one["network"] == "IGMP"] == []


@pytest.mark.root
@on_bridge
def test_an_old_querier_of_a_bridge_takes_source_filters_away(switch: Switch) -> None:
    awaited = {
        "network": seen("version", version=2, before=3),
        "host": seen("host_version", host="10.9.0.1", version=2, before=3),
    }
    fallen: set[str] = set()
    joined: list[socket.socket] = []

    def step(event: Json) -> bool:
        if seen("querier", network="IGMP")(event) and not joined:
            joined.append(switch.join(1, "232.1.1.1", "10.0.0.7"))
        if seen("joined", group="232.1.1.1")(event):
            switch.set(br_mcast_igmp_version=2)
        fallen.update(one for one, fell in awaited.items() if fell(event))
        return len(fallen) == 2  # each port is asked in its own time, and the bridge itself, too

    *_, summary = switch.listen(switch.switch, "-i", "br0", end=step)
    assert fallen == set(awaited)
    assert "old_version" in [one["kind"] for one in summary["findings"] if one["wrong"]]


@pytest.mark.root
@on_bridge
def test_queries_that_do_not_reach_a_host_are_seen_from_both_sides(switch: Switch) -> None:
    """Dropped at the host's port, as by a filter: the bridge hears a host fall silent, the host no query."""
    switch.join(1, "239.1.1.1")
    holed: list[int] = []

    def step(event: Json) -> bool:
        if seen("joined", host="10.9.0.1", group="239.1.1.1")(event):
            with switch.hosts[0].entered():
                holed.append(black_hole("eth0"))
        return seen("expired", host="10.9.0.1", group="239.1.1.1")(event)

    *_, summary = switch.listen(switch.switch, "-i", "br0", end=step)
    (finding,) = [one for one in summary["findings"] if one["kind"] == "expired"]
    assert finding["text"].startswith("10.9.0.1 stopped answering for 239.1.1.1")
    *_, summary = switch.listen(
        switch.hosts[0], "239.1.1.1", "-i", "eth0", "--patience", "1500ms", end=seen("no_querier", network="IGMP")
    )
    assert [one["kind"] for one in summary["findings"] if one["network"] == "IGMP" and one["wrong"]] == ["no_querier"]
    os.close(holed[0])


@pytest.mark.root
@on_bridge
def test_the_kernel_hands_over_nothing_else_and_the_account_is_offered_to_others(switch: Switch) -> None:
    from netfeed.host.membership import Wanted
    from netfeed.host.membership_listener import MembershipListener, listen

    with switch.hosts[0].entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.9.0.1"))
    with sender, switch.switch.entered(), MembershipListener("br0") as listener:
        for _ in range(20):
            sender.sendto(b"tick", ("239.1.1.1", 5000))
        kept: list[object] = []
        until(lambda: bool(kept.extend(listener.read())) or len(kept) > 3)
        assert all(heard is not None for _, heard in kept)
        assert listener._ring.statistics().frames == len(kept)
        assert listener.drops == 0
    with switch.switch.entered():
        found = listen("br0", [Wanted(G)], duration_ns=int(1.5 * SECOND))
    assert "unreported" in [one.kind for one in found if one.wrong]


@pytest.mark.root
@on_bridge
def test_a_signal_ends_it_with_the_table_and_its_exit_code(switch: Switch, capsys: pytest.CaptureFixture[str]) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with switch.switch.entered():
        code = main(["igmp", "-i", "br0"])
    timer.cancel()
    assert code == 130
    assert "IGMP: " in capsys.readouterr().out


@pytest.mark.root
@on_bridge
def test_an_interface_that_goes_is_a_failure(switch: Switch, capsys: pytest.CaptureFixture[str]) -> None:
    from pyroute2 import IPRoute

    def remove() -> None:
        with switch.hosts[0].entered(), IPRoute() as ip:
            ip.link("del", index=ip.link_lookup(ifname="eth0")[0])

    timer = threading.Timer(0.3, remove)
    timer.start()
    with switch.hosts[0].entered():
        assert main(["igmp", "-i", "eth0", "--duration", "60s"]) == 1
    timer.join()
    assert "the interface eth0 was removed" in capsys.readouterr().err


def black_hole(interface: str) -> int:
    """Drop all IGMP that comes to an interface, with a program of the kernel; give what keeps it there."""
    program = ebpf.Program()
    for to, at in ((2, 0), (3, 4)):
        program.put(program.LOAD32, to, 1, at)
    program.put(program.COPY, 4, 2)
    program.put(program.ADD, 4, value=34)
    program.put(program.JUMP_ABOVE, 4, 3, "pass")
    program.put(program.LOAD16, 5, 2, 12)
    program.put(program.JUMP_OTHER, 5, offset="pass", value=int.from_bytes(b"\x08\x00", sys.byteorder))
    program.put(program.LOAD8, 5, 2, 23)
    program.put(program.JUMP_OTHER, 5, offset="pass", value=2)
    program.put(program.MOVE, 0, value=1)
    program.put(program.EXIT)
    program.label("pass")
    program.put(program.MOVE, 0, value=2)
    program.put(program.EXIT)
    loaded = ebpf.load_program(6, program.code(), "hole")
    link = ebpf.link_program(loaded, socket.if_nametoindex(interface), 37, 1 << 1)
    os.close(loaded)
    return link
