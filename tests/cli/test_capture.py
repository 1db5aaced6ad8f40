"""`netfeed capture`: real frames into files that others read, and every way in which it can end."""

import argparse
import errno
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netfeed.app.capture.account import Counted
from netfeed.app.capture.opening import wanted
from netfeed.cli.capture import _View
from netfeed.cli.main import main
from netfeed.host.namespace import Namespace, permitted
from netfeed.transport.file import open_source
from netfeed.transport.send import Sender
from netfeed.transport.udp import open_multicast
from netfeed.wire import moldudp64, pcap, pcapng
from tests.transport.waiting import until

GROUP, PORT = "233.252.0.91", 26491


# --- what is refused before anything is opened


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-w", "x.pcap"], "which interface"),
        (["-i", "lo", "-w", "x.txt"], "called .pcap or .pcapng"),
        (["-i", "lo", "-i", "any", "-w", "x.pcap"], "does not tell interfaces apart"),
        (["-i", "lo", "-i", "lo", "-w", "x.pcapng"], "stands twice"),
        (["-i", "lo", "-w", "-", "-C", "1M"], "one stream"),
        (["-i", "any", "-w", "x.pcap", "233.252.0.1:1", "--join"], "joined, and AF_XDP reads, on one interface"),
        (["-i", "any", "-w", "x.pcap", "--reader", "xdp"], "joined, and AF_XDP reads, on one interface"),
        (["-i", "lo", "-w", "x.pcap", "-B", "5GiB"], "less than 4 GiB in all"),
        (["-i", "lo", "-w", "-", "--json"], "one stream"),
        (["-i", "lo", "-w", "x.pcap", "-W", "3"], "-W needs -C or -G"),
        (["-i", "lo", "-w", "x.pcap", "-G", "1ms"], "at least a second"),
        (["-i", "lo", "-w", "x.pcap", "--join", "udp"], "--join needs"),
        (["-i", "lo", "-w", "x.pcap", "--fanout", "a:hash"], "--fanout a:hash"),
        (["-i", "lo", "-w", "x.pcap", "--reader", "xdp", "udp"], "takes no filter but GROUP:PORT"),
        (["--feed", "feed.toml", "-i", "lo", "-w", "x.pcap"], "--feed says where and what"),
        (["-i", "nowhere0", "-w", "x.pcap"], "no interface 'nowhere0'"),
        (["-i", "lo", "-w", "x.pcap", "udp prot 5"], "cannot be read"),
    ],
)
def test_what_does_not_go_together_is_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", *argv]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1


def test_words_of_groups_are_short_for_udp_to_them() -> None:
    pair = "(udp and dst host 233.252.0.1 and dst port 5)"
    assert wanted("lo", ["233.252.0.1:5"]).expression == pair
    assert wanted("lo", ["233.252.0.1:5", "233.252.0.1:5"]).expression == f"({pair} or {pair})"
    assert wanted("lo", ["vlan", "and", "233.252.0.1:5"]).expression == f"vlan and {pair}"
    assert wanted("lo", ["233.252.0.1:5"]).pairs == (("233.252.0.1", 5),)
    assert wanted("lo", ["vlan", "and", "233.252.0.1:5"]).pairs == ()
    assert wanted("lo", []).expression == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
@pytest.mark.root
def test_who_may_not_is_told_which_capability_is_missing(tmp_path: Path) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed")
    program = [sys.executable, "-m", "netfeed", "capture", "-i", "lo", "-w", str(tmp_path / "x.pcap")]
    command = [setpriv, "--bounding-set=-net_raw", *program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 77
    assert "CAP_NET_RAW" in done.stderr


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_line_that_is_written_over_and_others_have_lines_with_v(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Counted(2 * 10**9, 3000, 400_000, 7, "x.pcap").since(Counted(10**9, 1000, 150_000, 5, "x.pcap"))
    line = "3,000 frames  2,000/s  2.0 Mbit/s  7 lost (+2)  x.pcap"
    for verbose, said in ((0, ""), (1, line + "\n")):
        _View(argparse.Namespace(quiet=False, verbose=verbose)).tell(report)
        assert capsys.readouterr().err == said
    monkeypatch.setattr(sys, "stderr", Terminal())
    view = _View(argparse.Namespace(quiet=False, verbose=0))
    view.tell(report)
    view.tell(report)
    view.note("eth0 is down")
    assert sys.stderr.getvalue() == f"\r\x1b[K{line}\r\x1b[K{line}\nnetfeed: eth0 is down\n"


# --- on a wire


class Link:
    """A venue and a host with a wire between, and whoever captures on the host."""

    def __init__(self, venue: Namespace, host: Namespace) -> None:
        self.venue, self.host = venue, host

    def send(self, payloads: list[bytes], group: str = GROUP, port: int = PORT) -> None:
        with self.venue.entered(), Sender(group, port, interface="v0") as sender:
            for payload in payloads:
                assert sender.send(payload)

    def deliver(self, payloads: list[bytes]) -> None:
        """Send, and wait until the host has it: on a busy machine the kernel lets frames wait before all others."""
        with self.host.entered():
            here = open_multicast(GROUP, PORT, interface="h0")
        with here:
            self.send(payloads)
            until(lambda: any(one.data == payloads[-1] for one in here.receive()))

    @contextmanager
    def capture(self, *argv: str, ready: str = "capturing on") -> Iterator["Running"]:
        command = [sys.executable, "-m", "netfeed", "capture", *argv]
        with self.host.entered():
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
            )
        running = Running(process)
        try:
            running.until(ready)
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


class Running:
    """A capture that runs. `said` is what it said on standard error so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said = ""
        self.out = ""

    def until(self, text: str) -> None:
        assert self.process.stderr is not None
        while text not in self.said:
            line = self.process.stderr.readline()
            assert line, f"it ended: {self.said}"
            self.said += line

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        self.out, rest = self.process.communicate(timeout=60)
        self.said += rest
        return self.process.returncode

    @property
    def summary(self):
        return json.loads(self.out)


@pytest.fixture
def link() -> Iterator[Link]:
    pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")
    if not permitted():
        pytest.skip("may not make network namespaces")
    with Namespace("venue") as venue, Namespace("host") as host:
        venue.connect("v0", host, "h0")
        venue.address("v0", "10.9.1.1/24")
        host.address("h0", "10.9.1.2/24")
        yield Link(venue, host)


def environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": paths}


def rows(path: Path) -> list[tuple[int, bytes]]:
    with open_source(path) as source:
        while source.more(0):
            pass
        data = bytes(source.buffer)
    decode = pcapng.records if data[:4] == b"\n\r\r\n" else pcap.records
    return [(record.ts_ns, bytes(record.data)) for record in decode(data)]


SYSTEM_EVENT = b"S" + bytes(10) + b"O"
PAYLOADS = [f"payload {k}".encode() + bytes(k % 50) for k in range(300)]


@pytest.mark.root
@pytest.mark.parametrize("ending", ["pcap", "pcapng", "pcapng.zst"])
def test_frames_are_read_by_others_byte_for_byte_and_to_the_nanosecond(link: Link, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    before = time.time_ns()
    with link.capture("-i", "h0", "-w", str(path), f"{GROUP}:{PORT}", "--json", "-c", "300") as running:
        link.send(PAYLOADS)
        assert running.wait() == 0
    ours = rows(path)
    assert [frame[42:] for _, frame in ours] == PAYLOADS
    assert before < ours[0][0] <= ours[-1][0] < time.time_ns()
    assert running.summary["captured"] == running.summary["received"] == 300
    assert running.summary["interfaces"][0]["interface"] == "h0"
    for name, read in READERS.items():
        found = read(path) if ending != "pcapng.zst" else None
        assert found in (None, ours), name


def _dpkt(path: Path):
    dpkt = pytest.importorskip("dpkt", reason="dpkt is not installed (extra dev)")
    with path.open("rb") as file:
        if path.suffix == ".pcap":
            return [(int(seconds * 10**9), bytes(data)) for seconds, data in dpkt.pcap.Reader(file)]
        found = []  # of pcapng it gives the times as floats
        for (seconds, data), (ts_ns, _) in zip(dpkt.pcapng.Reader(file), rows(path), strict=True):
            assert abs(seconds * 10**9 - ts_ns) < 1000
            found.append((ts_ns, bytes(data)))
        return found


def _scapy(path: Path):
    utils = pytest.importorskip("scapy.utils", reason="scapy is not installed (extra dev)")
    if path.suffix == ".pcapng":
        found = []
        with utils.RawPcapNgReader(str(path)) as reader:
            for data, told in reader:
                assert told.tsresol == 10**9
                found.append(((told.tshigh << 32) + told.tslow, data))
        return found
    with utils.RawPcapReader(str(path)) as reader:
        return [(told.sec * 10**9 + told.usec, data) for data, told in reader]


def _tshark(path: Path):
    program = shutil.which("tshark")
    if program is None:
        return None
    fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "udp.payload", "-e", "frame.len"]
    done = subprocess.run([program, "-r", str(path), *fields], capture_output=True, text=True, check=True)
    found = []
    for line, (_, frame) in zip(done.stdout.splitlines(), rows(path), strict=True):
        seconds, payload, length = line.split("\t")
        whole, _, fraction = seconds.partition(".")
        assert (bytes.fromhex(payload), int(length)) == (frame[42:], len(frame))
        found.append((int(whole) * 10**9 + int(fraction), frame))
    return found


READERS = {"dpkt": _dpkt, "scapy": _scapy, "tshark": _tshark}


@pytest.mark.root
def test_our_own_verbs_read_what_was_captured(link: Link, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packets = [moldudp64.encode(b"CAPTURE001", k + 1, [SYSTEM_EVENT]) for k in range(50)]
    path = tmp_path / "x.pcapng"
    with link.capture("-i", "h0", "-w", str(path), f"{GROUP}:{PORT}", "-c", "50") as running:
        link.send(packets)
        assert running.wait() == 0
    assert main(["verify", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["packets"] == 50
    assert main(["replay", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["by_type"] == {"S": 50}
    assert main(["decode", str(path)]) == 0
    assert capsys.readouterr().out.count("SystemEvent") == 50


@pytest.mark.root
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_everything_that_came_before(link: Link, tmp_path: Path, number: int, code: int) -> None:
    path = tmp_path / "x.pcapng"
    with link.capture("-i", "h0", "-w", str(path), "udp") as running:
        until(lambda: any(tmp_path.iterdir()))
        link.send(PAYLOADS)
        assert running.end(number) == code
    assert len(rows(path)) == 300
    assert "300 frames captured" in running.said
    assert "0 frames dropped by kernel" in running.said


@pytest.mark.root
def test_what_the_kernel_dropped_is_in_the_file_the_summary_and_the_exit_code(link: Link, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with link.capture("-i", "h0", "-w", str(path), "udp", "-B", "512KiB", "--json") as running:
        until(lambda: any(tmp_path.iterdir()))
        running.process.send_signal(signal.SIGSTOP)
        link.send([bytes(1000)] * 2000)
        running.process.send_signal(signal.SIGCONT)
        assert running.end() == 3
    found, dropped = len(rows(path)), running.summary["dropped_by_kernel"]
    assert dropped > 0
    assert found + dropped == 2000
    with open_source(path) as source:
        decoder, at = pcapng.Decoder(), 0
        while at < len(source.buffer):
            _, at = decoder.step(source.buffer, at)
    assert (decoder.dropped, decoder.interfaces[0].filter) == (dropped, "udp")


@pytest.mark.root
def test_an_interface_that_is_removed_leaves_a_whole_file_and_the_reason(link: Link, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with link.capture("-i", "h0", "-w", str(path), "udp") as running:
        until(lambda: any(tmp_path.iterdir()))
        link.deliver(PAYLOADS)
        remove(link.host, "h0")
        assert running.wait() == 1
    assert running.said.count("the interface h0 was removed") == 1
    assert len(rows(path)) == 300


@pytest.mark.root
def test_an_interface_that_goes_down_and_up_is_told_and_captured_again(link: Link, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with link.capture("-i", "h0", "-w", str(path), "udp") as running:
        until(lambda: any(tmp_path.iterdir()))
        link.host.down("h0")
        running.until("h0 is down")
        link.host.up("h0")
        running.until("h0 is up")
        link.send(PAYLOADS[:5])
        assert running.end() == 130
    assert len(rows(path)) == 5


@pytest.mark.root
def test_an_interface_that_is_renamed_is_told_by_its_new_name_and_is_not_down(link: Link, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with link.capture("-i", "h0", "-w", str(path), "udp") as running:
        until(lambda: any(tmp_path.iterdir()))
        change(link.host, "h0", ifname="h9")
        running.until("h0 is called h9 now")
        link.send(PAYLOADS[:5])
        assert running.end() == 130
    assert "is down" not in running.said
    assert len(rows(path)) == 5


@pytest.mark.root
def test_as_many_groups_as_a_feed_may_have_are_captured_by_one_filter(link: Link, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    pairs = [f"233.252.{at // 250}.{at % 250 + 1}:{26400 + at}" for at in range(600)]
    with link.capture("-i", "h0", "-w", str(path), *pairs, "-c", "2") as running:
        link.send([b"the last one"], "233.252.2.100", 26999)
        link.send([b"none of them"], "233.252.2.100", 26998)
        link.send([b"the first one"], "233.252.0.1", 26400)
        assert running.wait() == 0
    assert [frame[42:] for _, frame in rows(path)] == [b"the last one", b"the first one"]
    assert len(running.said) < 1000


@pytest.mark.root
def test_captures_of_a_fanout_share_the_frames_and_lose_none(link: Link, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.pcapng", "b.pcapng")]
    argv = ["-i", "h0", "--fanout", "7:lb", "udp", "--json", "-w"]
    with link.capture(*argv, str(paths[0])) as one, link.capture(*argv, str(paths[1])) as other:
        until(lambda: len(list(tmp_path.iterdir())) == 2)
        link.send(PAYLOADS)
        assert [one.end(), other.end()] == [130, 130]
    found = [[frame[42:] for _, frame in rows(path)] for path in paths]
    assert sorted(found[0] + found[1]) == sorted(PAYLOADS)
    assert [len(share) for share in found] == [150, 150]


@pytest.mark.root
def test_sigusr1_tells_the_counters_so_far(link: Link, tmp_path: Path) -> None:
    with link.capture("-i", "h0", "-w", str(tmp_path / "x.pcap"), "udp") as running:
        until(lambda: any(tmp_path.iterdir()))
        running.process.send_signal(signal.SIGUSR1)
        running.until('"type": "summary"')
        assert running.end() == 130
    assert json.loads(next(line for line in running.said.splitlines() if line.startswith("{")))["ended"] == ""


@pytest.mark.root
def test_standard_output_gets_a_whole_file_too(link: Link) -> None:
    command = [sys.executable, "-m", "netfeed", "capture", "-i", "h0", "-w", "-", "-c", "20", "udp"]
    with link.host.entered():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stderr is not None
    process.stderr.readline()
    link.send(PAYLOADS[:20])
    data, _ = process.communicate(timeout=60)
    assert [bytes(record.data)[42:] for record in pcapng.records(data)] == PAYLOADS[:20]


@pytest.mark.root
def test_whoever_reads_standard_output_may_go(link: Link) -> None:
    command = [sys.executable, "-m", "netfeed", "capture", "-i", "h0", "-w", "-", "udp"]
    with link.host.entered():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    assert process.stderr is not None
    assert process.stdout is not None
    process.stderr.readline()
    process.stdout.read(28)
    process.stdout.close()
    link.send(PAYLOADS)
    said = process.stderr.read()
    assert process.wait(60) == 0
    assert b"whoever read it has gone" in said
    assert b"0 frames dropped by kernel" in said
    process.stderr.close()


@pytest.mark.root
@pytest.mark.parametrize("ending", ["pcap", "pcapng"])
def test_af_xdp_reads_the_same_frames(link: Link, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x.{ending}"
    argv = ["-i", "h0", "-w", str(path), "--reader", "xdp", f"{GROUP}:{PORT}", "-c", "300", "--json"]
    with link.capture(*argv) as running:
        link.send([b"elsewhere"], port=PORT + 1)
        link.send(PAYLOADS)
        assert running.wait() == 0
    assert [frame[42:] for _, frame in rows(path)] == PAYLOADS
    assert running.summary["interfaces"][0]["stamps"] == "user"


@pytest.mark.root
def test_a_feed_is_captured_exactly_and_joined_on_its_interfaces(link: Link, tmp_path: Path) -> None:
    link.venue.connect("v1", link.host, "h1")
    link.host.address("h1", "10.9.2.2/24")
    config = tmp_path / "feed.toml"
    config.write_text(
        f"""schema_version = 1
[[channels]]
name = "equities"
protocol = "itch50"
lines = [{{ group = "{GROUP}:{PORT}", interface = "h0" }}, {{ group = "233.252.0.92:{PORT}", interface = "h1" }}]
retransmit = [{{ address = "10.9.1.1:7003" }}]
glimpse = {{ address = "10.9.1.1:7004" }}
[[venues]]
name = "options"
venue = "deribit"
instruments = ["BTC-*"]
"""
    )
    path = tmp_path / "x.pcapng"
    with link.capture("--feed", str(config), "-w", str(path), "-c", "5", "--json", ready="on h1") as running:
        memberships = Path(f"/proc/{running.process.pid}/net/igmp")
        until(lambda: memberships.read_text().count("FC") >= 2 and any(tmp_path.glob("*.part")))
        link.send([b"other port"], port=PORT + 1)
        link.send([b"other group"], group="233.252.0.99")
        link.send([b"line A"])
        link.send([b"line A"])
        with link.host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"request", ("10.9.1.1", 7003))
            one.sendto(b"elsewhere", ("10.9.1.1", 7005))
        with link.venue.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("10.9.1.1", 7003))
            one.sendto(b"answer", ("10.9.1.2", 9999))
        send_on(link.venue, "v1", b"line B", "233.252.0.92")
        assert running.wait() == 0
    assert "www.deribit.com" in running.said
    assert sorted(frame[42:] for _, frame in rows(path)) == [b"answer", b"line A", b"line A", b"line B", b"request"]
    assert [one["frames"] for one in running.summary["interfaces"]] == [4, 1]


def send_on(namespace: Namespace, interface: str, payload: bytes, group: str) -> None:
    namespace.address(interface, "10.9.2.1/24")
    with namespace.entered(), Sender(group, PORT, interface=interface) as sender:
        assert sender.send(payload)


def remove(namespace: Namespace, interface: str) -> None:
    change(namespace, interface, "del")


def change(namespace: Namespace, interface: str, how: str = "set", **wanted: str) -> None:
    from pyroute2 import IPRoute

    with namespace.entered(), IPRoute() as ip:
        ip.link(how, index=ip.link_lookup(ifname=interface)[0], **wanted)


@pytest.mark.root
@pytest.mark.parametrize("ending", ["pcap", "pcapng"])
def test_a_disk_that_is_full_ends_it_with_a_whole_file(link: Link, tmp_path: Path, ending: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(disk)], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"may not mount: {os.strerror(errno.EPERM)}")
    try:
        path = disk / f"x.{ending}"
        with link.capture("-i", "h0", "-w", str(path), "udp", "--json") as running:
            until(lambda: any(disk.iterdir()))
            link.send([bytes(1000)] * 300)
            assert running.wait() == 1
        assert "No space left" in running.said
        assert running.summary["captured"] == len(rows(path)) > 100
        assert running.summary["unwritten"] > 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
