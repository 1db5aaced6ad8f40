"""What a running handler says of its losses, and whoever else may listen at its address."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netfeed.app.host import handler

HEAD = b"HTTP/1.1 200 OK\r\n"
LOST = b'netfeed_messages_lost_total{channel="a"} 7.0\nnetfeed_messages_lost_total{channel="b"} 2.0\n'


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait long where an answer comes: machines of tests are slow."""
    monkeypatch.setattr(handler, "PATIENCE_NS", 30_000_000_000)


@contextmanager
def peer(*parts: bytes, again: bytes = b"", close: bool = True) -> Iterator[str]:
    """Answer one connection with parts, then with `again` until it is closed."""
    ended = threading.Event()

    def answer() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as one:
            one.recv(4096)
            for part in parts:
                one.sendall(part)
            while again and not ended.is_set():
                one.sendall(again)
                ended.wait(0.005 if len(again) < 100 else 0)
            if not close:
                ended.wait()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()


@pytest.mark.net
@pytest.mark.parametrize(
    "parts",
    [
        (HEAD + b"\r\n" + LOST,),
        (HEAD + b"Content-Length: %d\r\n\r\n" % len(LOST), LOST[:9], LOST[9:]),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(LOST), LOST)),
    ],
    ids=["until the end", "with a length", "chunked"],
)
def test_what_a_handler_has_lost_is_added_up(parts: tuple[bytes, ...]) -> None:
    with peer(*parts) as at:
        assert handler.ask(at) == {"sequence": 9}


@pytest.mark.net
@pytest.mark.parametrize(
    "parts",
    [
        (), (b"\xff\0" * 500,), (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nab",),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n" + LOST,), (HEAD + b"Content-Length: -1\r\n\r\n",),
        (b"HTTP/1.1 404 no\r\n\r\n" + LOST,), (HEAD + b"\r\nnetfeed_messages_lost_total{} nan",), (b"x" * 100_000,),
    ],
)  # fmt: skip
def test_who_answers_otherwise_is_no_handler(parts: tuple[bytes, ...]) -> None:
    with peer(*parts) as at:
        assert handler.ask(at) is None


@pytest.mark.net
@pytest.mark.parametrize(
    ("part", "again"),
    [(b"", b""), (HEAD, b"x: y\r\n"), (HEAD + b"\r\n", b"x"), (HEAD + b"\r\n", bytes(1 << 20))],
    ids=["mute", "slow head", "slow body", "endless"],
)
def test_who_is_slow_or_endless_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, part: bytes, again: bytes) -> None:
    monkeypatch.setattr(handler, "PATIENCE_NS", 100_000_000)
    began = time.monotonic()
    with peer(part, again=again, close=False) as at:
        assert handler.ask(at) is None
    assert time.monotonic() - began < 30  # it would never end


def test_nobody_there_is_not_known() -> None:
    assert handler.ask("127.0.0.1:1") is None
    assert handler.layers(None, {"queue": 1}) == {"queue": None, "sequence": None}


def test_a_handler_that_began_anew_has_lost_nothing_meanwhile() -> None:
    assert handler.layers({"queue": 9}, {"queue": 2}) == {"queue": (2, 0), "sequence": (0, 0)}
