"""One run of multicast and of JSON-RPC from one simulated venue: the same books, by thread and by loop."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.config import parse
from netfeed.app.run import Options, Run
from netfeed.app.sim_config import run_config
from netfeed.book.state import BookState
from netfeed.transport.network import NetworkError
from netfeed.transport.ring import Reader
from tests.app.stream_sockets import PATIENCE_S, running

pytestmark = pytest.mark.net


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def turn_until(run: Run, done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, "it did not come"
        run.live.turn(run.live.now + 20_000_000)


def levels(feed: Any, number: int) -> Any:
    """Give the levels of a book in 1e-9, without orders."""
    scales = [10 ** (exponent + 9) for exponent in feed.exponents[number]]
    return [
        [(one.price * scales[0], one.quantity * scales[1]) for one in feed.books[number].depth(side, 1000)]
        for side in (0, 1)
    ]


@pytest.mark.parametrize("how", ["thread", "loop"])
def test_multicast_and_connections_tell_the_same_books(tmp_path: Path, how: str) -> None:
    ports = [free_port(socket.SOCK_DGRAM) for _ in range(3)]
    groups = {
        "lines": [f"233.252.0.{place}:{ports[0]}" for place in (231, 232)],
        "snapshots": [f"233.252.0.{place}:{ports[1]}" for place in (233, 234)],
        "retransmit": [f"127.0.0.1:{ports[2]}"],
    }
    stream = {"listen": f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"}
    try:
        venue = running(tmp_path, protocol="starbase", rate=500, cycle="1s", stream=stream, **groups)
        with venue as one:
            text = run_config(one.sim.config)
            ring = f"netfeed-both-{how}-{free_port(socket.SOCK_STREAM)}"
            config = parse(
                f'{text}\n[endpoints]\nlisten = ""\n[receive]\nhow = "{how}"\n[ring]\nname = "{ring}"\n'.encode(), "x"
            )
            run = Run(config, Options("x", {}, quiet=True), lambda: False)
            run._open()
            reader = Reader(ring)
            try:
                slot, link = run.live.slots[0], run.live.venues.links[0]
                turn_until(run, lambda: len(slot.feed.books) == 22 and link.is_ready)
                turn_until(run, lambda: all(int(book.state) == BookState.LIVE for book in slot.feed.books))
                one.tell("rate 0")  # all comes to rest: then both have told everything
                by_name = {name: number for number, name in enumerate(slot.feed.names)}

                def same() -> bool:
                    with run.live.held():
                        return all(
                            levels(link.feed, number) == levels(slot.feed, by_name[name])
                            for number, name in enumerate(link.feed.names)
                        )

                turn_until(run, same)
                run.live.receiver.collect()
                rows = reader.read()
                assert set(rows["channel"].tolist()) == {0, 1}
                names = {book.name for book in run.live.catalogue.books}
                assert len(run.live.catalogue.books) == 2 * len(names) == 44
            finally:
                run._close()
            assert run.exit_code() == 0
    except NetworkError as error:
        pytest.skip(f"no multicast on the loopback here: {error}")
