"""Captures that are sent again: what is sent when, how often, where to - with a clock that only the test moves."""

from pathlib import Path

import pytest

from netfeed.errors import MisuseError
from netfeed.transport.resend import Pace, Resend, Resent, read_capture
from netfeed.transport.send import Pacer, Sender
from netfeed.transport.udp import open_unicast
from netfeed.wire.headers import udp_frame
from netfeed.wire.pcap import file_header, record
from tests.transport.waiting import come

A, B, HOST = ("233.252.0.1", 26400), ("233.252.0.2", 26400), ("10.0.0.9", 9000)
MS = 1_000_000


class Clock:
    """A wrist watch that sleeping moves."""

    def __init__(self) -> None:
        self.now = 5_000

    def read(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(1, round(seconds * 1e9))


class Out:
    """A sender that writes down what was sent when."""

    def __init__(self, host: str, port: int, clock: Clock, log: list[tuple[int, str, bytes]]) -> None:
        self.host, self.port, self._clock, self._log = host, port, clock, log

    def send(self, data: memoryview) -> bool:
        self._log.append((self._clock.now - 5_000, self.host, bytes(data)))
        return True

    def close(self) -> None:
        pass


def capture(path: Path, packets: list[tuple[int, tuple[str, int], bytes]]) -> str:
    """Write a capture of (ms, destination, payload)."""
    records = [
        record(1_700_000_000 * 10**9 + ms * MS, udp_frame(payload, ("10.0.0.1", 5000), destination))
        for ms, destination, payload in packets
    ]
    path.write_bytes(file_header() + b"".join(records))
    return str(path)


@pytest.fixture
def recorded(tmp_path: Path) -> str:
    packets = [(0, A, b"one"), (10, B, b"two"), (10, HOST, b"unicast"), (30, A, b"three")]
    return capture(tmp_path / "x.pcap", packets)


def send(paths: list[str], **options: object) -> tuple[list[tuple[int, str, bytes]], Resent]:
    clock, log = Clock(), []  # type: ignore[var-annotated]
    pacer = Pacer(clock=clock.read, sleep=clock.sleep, spin_ns=0)
    resend = Resend(paths, lambda host, port: Out(host, port, clock, log), pacer=pacer, **options)  # type: ignore
    return log, resend.run()


def test_packets_leave_when_they_were_recorded_and_only_to_groups(recorded: str) -> None:
    log, result = send([recorded])
    assert log == [(0, A[0], b"one"), (10 * MS, B[0], b"two"), (30 * MS, A[0], b"three")]
    assert (result.read, result.sent, result.left_out, result.rounds) == (4, 3, 1, 1)
    assert result.destinations == {A: 2, B: 1}
    assert result.punctuality is not None
    assert result.punctuality.max_ns == 0


def test_a_speed_divides_the_times(recorded: str) -> None:
    log, _ = send([recorded], pace=Pace(speed=10))
    assert [at for at, _, _ in log] == [0, 1 * MS, 3 * MS]


def test_a_rate_spaces_them_evenly(recorded: str) -> None:
    log, _ = send([recorded], pace=Pace(speed=None, pps=1000), rounds=2)
    assert [at for at, _, _ in log] == [0, 1 * MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS]


def test_top_speed_waits_for_nothing(recorded: str) -> None:
    log, result = send([recorded], pace=Pace(speed=None))
    assert [at for at, _, _ in log] == [0, 0, 0]
    assert result.punctuality is not None
    assert result.punctuality.count == 0


def test_rounds_follow_each_other_at_the_last_interval(recorded: str) -> None:
    log, result = send([recorded], rounds=2)
    assert [at // MS for at, _, _ in log] == [0, 10, 30, 50, 60, 80]
    assert result.rounds == 2


def test_it_ends_after_a_count_or_a_duration(recorded: str) -> None:
    log, result = send([recorded], rounds=0, count=5)
    assert len(log) == 5
    assert not result.stopped
    log, _ = send([recorded], rounds=0, duration_ns=55 * MS)
    assert [at // MS for at, _, _ in log] == [0, 10, 30, 50]


def test_destinations_are_moved_filtered_or_all_sent_to_one(recorded: str) -> None:
    log, _ = send([recorded], moved={A: ("239.9.9.9", 7)})
    assert [host for _, host, _ in log] == ["239.9.9.9", B[0], "239.9.9.9"]
    log, _ = send([recorded], everything_to=("239.9.9.9", 7))
    assert [data for _, _, data in log] == [b"one", b"two", b"unicast", b"three"]
    log, _ = send([recorded], wanted=lambda host, port: (host, port) == B)
    assert [data for _, _, data in log] == [b"two"]


def test_captures_of_two_lines_are_merged_by_time(tmp_path: Path) -> None:
    one = capture(tmp_path / "a.pcap", [(0, A, b"a0"), (20, A, b"a20")])
    two = capture(tmp_path / "b.pcap", [(5, B, b"b5"), (25, B, b"b25")])
    log, _ = send([one, two])
    assert [(at // MS, data) for at, _, data in log] == [(0, b"a0"), (5, b"b5"), (20, b"a20"), (25, b"b25")]


def test_a_torn_capture_is_sent_up_to_its_end_and_the_fault_is_counted(recorded: str, tmp_path: Path) -> None:
    torn = tmp_path / "torn.pcap"
    torn.write_bytes(Path(recorded).read_bytes()[:-5])
    log, result = send([str(torn)])
    assert [data for _, _, data in log] == [b"one", b"two"]
    assert result.faults == 1


def test_nothing_to_send_ends_even_without_an_end(tmp_path: Path) -> None:
    log, result = send([capture(tmp_path / "x.pcap", [(0, HOST, b"x")])], rounds=0)
    assert log == []
    assert result.left_out == 1


def test_a_speed_and_a_rate_contradict_each_other() -> None:
    with pytest.raises(MisuseError):
        Pace(speed=2, pps=100)


def test_a_shipped_capture_is_read_whole() -> None:
    result = Resent()
    packets = list(read_capture("pcaps/itch-ab.pcap", result))
    assert len(packets) > 100
    assert {host.split(".")[0] for (host, _) in {packet.destination for packet in packets}} == {"233"}
    assert result.faults == 0


@pytest.mark.net
def test_a_capture_reaches_a_socket(recorded: str) -> None:
    with open_unicast("127.0.0.1") as there:
        here = ("127.0.0.1", there.port)
        result = Resend([recorded], Sender, pace=Pace(speed=None), everything_to=here).run()
        assert [one.data for one in come(there.receive)] == [b"one", b"two", b"unicast", b"three"]
        assert result.destinations == {here: 4}
