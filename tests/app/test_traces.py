"""Traces of a live run: each packet that moved a book has one, in stages that follow each other, the exceptions too."""

import os
from pathlib import Path

import numpy as np
import pytest

from netfeed.latency.stage import ABSENT, Flag, Stage
from netfeed.transport.ring import Reader
from tests.app.live_venue import both, configured, day, free_port, opened, send, sender, settle

pytestmark = pytest.mark.net
NOTHING = lambda index: False  # noqa: E731


@pytest.fixture(params=["loop", "thread"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def name() -> str:
    return f"netfeed-test-{os.getpid()}-trace"


def test_a_live_run_is_traced_packet_by_packet(how: str) -> None:
    made, port = day(2_000), free_port()
    run = opened(configured(port, more=f'[trace]\nring = "{name()}"', how=how))
    readers = [Reader(f"{name()}{end}") for end in ("", ".plain")]
    packets = list(both(made, (lambda k: k % 50 == 7, NOTHING)))
    with sender() as out:
        for part in (packets[:40], packets[40:]):
            send(run.live, out, port, part)
            settle(run.live)  # and then the thread has the channel
    rows = np.concatenate([reader.read() for reader in readers])
    told = run.live.receiver.account()
    names = readers[0].names
    run._close()
    assert (told["traced"], told["traces_given_up"]) == (len(rows), 0)
    assert all(reader.closed for reader in readers)
    assert not Path("/dev/shm", name()).exists()
    rows.sort(order="sequence")
    covered = np.concatenate([[0], np.cumsum(rows["messages"])])
    assert (rows["sequence"] == 1 + covered[:-1]).all()  # each message once
    assert covered[-1] == len(made.stream)
    at = rows["at_ns"]
    assert (at[:, Stage.KERNEL] <= at[:, Stage.USER]).all()
    assert (at[:, Stage.USER] <= at[:, Stage.BOOK]).all()
    assert (at[:, Stage.DECODED] <= at[:, Stage.BOOK]).all()
    assert {names[0, line].text for line in (0, 1)} == {"equities/A", "equities/B"}
    assert (rows["flags"][0] & Flag.PLAIN) == Flag.PLAIN  # nobody expects the first packet
    if how == "thread":
        assert (rows["flags"] & Flag.PLAIN == 0).any()
        assert (at[:, Stage.DECODED] != ABSENT).all()


def test_a_packet_that_is_held_over_a_gap_bears_the_whole_of_its_wait(how: str) -> None:
    made, port = day(600), free_port()
    channel = 'recovery = { window = "80ms", reorder_window = "1ms" }'
    run = opened(configured(port, more=f'[trace]\nring = "{name()}"', channel=channel, how=how))
    with Reader(f"{name()}.plain") as reader, sender() as out:
        send(run.live, out, port, both(made, (lambda k: k == 20, lambda k: k == 20)))
        settle(run.live)
        rows = reader.read()
    run._close()
    behind = rows[rows["sequence"] > 1]
    waited = behind["at_ns"][:, Stage.BOOK] - behind["at_ns"][:, Stage.KERNEL]
    assert waited.max() > 50_000_000


def test_without_a_name_nothing_is_traced(how: str) -> None:
    before = set(os.listdir("/dev/shm"))
    run = opened(configured(free_port(), how=how))
    assert run.live.receiver.traces is None
    assert {one for one in set(os.listdir("/dev/shm")) - before if "trace" in one} == set()
    run._close()
