"""Pacing: deadlines are absolute, lateness is counted; and a sender that reaches a socket on loopback."""

import pytest

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.transport.network import NetworkError
from netfeed.transport.send import Pacer, Sender
from netfeed.transport.udp import open_unicast
from tests.transport.waiting import come


class Wrist:
    """A clock that moves by what is slept, and a little more."""

    def __init__(self, oversleep_ns: int = 0) -> None:
        self.now = 0
        self.oversleep_ns = oversleep_ns

    def read(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e9) + self.oversleep_ns


def test_a_sleep_that_is_too_long_does_not_move_the_later_deadlines() -> None:
    wrist = Wrist(oversleep_ns=30)
    pacer = Pacer(clock=wrist.read, sleep=wrist.sleep, spin_ns=0)
    times = []
    for deadline in range(1000, 11_000, 1000):
        assert pacer.wait(deadline)
        times.append(wrist.now)
    assert times == list(range(1030, 11_030, 1000))
    assert pacer.statistics().max_ns == 30


def test_a_pacer_that_is_behind_catches_up_without_sleeping() -> None:
    wrist = Wrist()
    pacer = Pacer(clock=wrist.read, sleep=wrist.sleep)
    wrist.now = 5000
    assert all(pacer.wait(deadline) for deadline in (1000, 2000, 5000))
    assert wrist.now == 5000


def test_a_wait_is_broken_off_when_it_is_stopped() -> None:
    wrist = Wrist()
    pacer = Pacer(clock=wrist.read, sleep=wrist.sleep, stop=lambda: wrist.now > 0)
    assert not pacer.wait(10**12)
    assert pacer.statistics().count == 0


def test_a_sender_needs_a_port_and_an_address() -> None:
    with pytest.raises(MisuseError):
        Sender("233.252.0.1", 0)
    with pytest.raises(ConfigurationError, match="no IP address"):
        Sender("venue.example", 1)


@pytest.mark.net
def test_datagrams_arrive_alone_and_in_bursts() -> None:
    with open_unicast("127.0.0.1") as there, Sender("127.0.0.1", there.port) as here:
        assert here.send_all([b"one", b"two"]) == 2
        assert here.burst(b"aaabbbc", 3)
        assert [one.data for one in come(there.receive)] == [b"one", b"two", b"aaa", b"bbb", b"c"]
        assert (here.sent, here.bytes, here.blocked) == (5, 13, 0)
        with pytest.raises(MisuseError):
            here.burst(b"x" * 65, 1)
        with pytest.raises(NetworkError, match="too long"):
            here.send(bytes(70_000))
