"""POST /kill and /arm: only from this host, only with the token of this run, never from a page of the web."""

from pathlib import Path

import pytest

from netfeed.app.endpoints import MAX_BODY, Exchange
from netfeed.app.trading.control import Control
from netfeed.app.trading.kill_watch import KillWatch
from netfeed.engine.kill_switch import KillSwitch

BODY = b'{"by": "anna", "why": "the feed looks wrong"}'


class Engine:
    def __init__(self) -> None:
        self.switch = KillSwitch()

    def kill(self, by: str, why: str, now: int) -> None:
        self.switch.kill(by, why, now)

    def arm(self, by: str, now: int) -> None:
        self.switch.rearm(by)


class Desk:
    """A run's control, and a client of it."""

    def __init__(self, folder: Path, peer: str = "127.0.0.1") -> None:
        self.engine, self.path = Engine(), str(folder / "kill")
        watch = KillWatch(self.path, self.engine, self.engine.switch, wall=lambda: 1)
        self.control = Control(watch, lambda: 7)
        self.token = Path(self.path + ".token").read_text().strip()
        self.exchange = Exchange(
            lambda path: (200, "text/plain", path.encode()),
            lambda path, headers, body: self.control.answer(path, headers, body, peer),
        )

    def post(self, path: str, body: bytes = BODY, token: str | None = None, more: str = "") -> bytes:
        bearer = self.token if token is None else token
        head = f"POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {bearer}\r\n{more}"
        return self.exchange.receive(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    @property
    def killed(self) -> bool:
        return self.engine.switch.is_killed


def test_a_request_kills_and_another_arms_on_the_same_connection(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert b" 200 " in desk.post("/kill")
    assert desk.engine.switch.thrown is not None
    assert (desk.engine.switch.thrown.by, desk.engine.switch.thrown.at) == ("anna", 7)
    assert b"/metrics" in desk.exchange.receive(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
    assert b" 200 " in desk.post("/arm", b'{"by": "bert"}')
    assert desk.engine.switch.rearmed_by == "bert"


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_a_wrong_token_does_nothing_and_is_counted(tmp_path: Path, token: str) -> None:
    desk = Desk(tmp_path)
    assert b" 403 " in desk.post("/kill", token=token)
    assert not desk.killed
    assert list(desk.control.refused.values()) == [1]


def test_a_page_of_the_web_does_nothing_though_it_had_the_token(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert b" 403 " in desk.post("/kill", more="origin: https://example.org\r\n")
    assert not desk.killed


@pytest.mark.parametrize("peer", ["192.0.2.7", "::ffff:192.0.2.7", "fe80::1%eth0", "nowhere"])
def test_another_host_does_nothing_though_it_had_the_token(tmp_path: Path, peer: str) -> None:
    desk = Desk(tmp_path, peer)
    assert b"not from this host" in desk.post("/kill")
    assert not desk.killed


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_host_is_this_host(tmp_path: Path, peer: str) -> None:
    desk = Desk(tmp_path, peer)
    desk.post("/kill")
    assert desk.killed


@pytest.mark.parametrize("body", [b"", b"{}", b'{"by": 7}', b'{"by": "anna", "wy": "typo"}', b"\xff"])
def test_a_body_that_says_nothing_is_refused_with_an_example(tmp_path: Path, body: bytes) -> None:
    desk = Desk(tmp_path)
    answer = desk.post("/kill", body)
    assert b" 400 " in answer
    assert b'{"by": "anna"' in answer
    assert not desk.killed


def test_what_cannot_be_armed_says_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert b" 409 " in desk.post("/arm")
    desk.post("/kill")
    Path(desk.path).touch()
    assert b"remove it, then arm again" in desk.post("/arm")
    assert desk.killed


def test_other_paths_and_long_bodies_are_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert b" 404 " in desk.post("/metrics")
    assert b" 413 " in desk.post("/kill", b"x" * (MAX_BODY + 1))
    assert desk.exchange.closed
    assert not desk.killed


@pytest.mark.parametrize("cut", [1, 40, 80, 120, 150])
def test_a_request_may_come_in_pieces(tmp_path: Path, cut: int) -> None:
    desk = Desk(tmp_path)
    head = (
        f"POST /kill HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {desk.token}\r\ncontent-length: {len(BODY)}\r\n\r\n"
    )
    data = head.encode() + BODY
    assert desk.exchange.receive(data[:cut]) == b""
    assert b" 200 " in desk.exchange.receive(data[cut:])
    assert desk.killed


def test_the_token_is_ours_alone_new_with_each_run_and_gone_at_its_end(tmp_path: Path) -> None:
    desk, again = Desk(tmp_path), Desk(tmp_path)
    assert desk.token != again.token
    assert Path(again.path + ".token").stat().st_mode & 0o777 == 0o600
    again.control.close()
    assert not Path(again.path + ".token").exists()
    again.control.close()
