"""The queue between the loop and a writer: what each policy does when there is no room."""

from threading import Event

import pytest

from netfeed.app.queue import Queue, QueueFull


class Writer:
    """Writes nothing before it is let."""

    def __init__(self) -> None:
        self.go, self.began = Event(), Event()
        self.written: list[tuple[object, int]] = []

    def __call__(self, batch: object, lost: int) -> None:
        self.began.set()
        self.go.wait()
        self.written.append((batch, lost))


def filled(policy: str) -> tuple[Queue, Writer]:
    writer = Writer()
    queue = Queue("test", 10, policy, writer)
    assert queue.put("first", 4)
    writer.began.wait()
    assert queue.put("second", 6)
    return queue, writer


def test_drop_tells_the_writer_what_was_lost_where_it_was_lost() -> None:
    queue, writer = filled("drop")
    assert not queue.put("third", 5)
    assert queue.account() == {"queue": "test", "policy": "drop", "depth": 10, "overflow": 5}
    writer.go.set()
    assert queue.close()
    assert writer.written == [("first", 0), ("second", 0)]


def test_what_was_lost_stands_before_what_came_after() -> None:
    queue, writer = filled("drop")
    queue.put("third", 5)
    assert queue.put("end", 50, last=True)
    writer.go.set()
    assert queue.close()
    assert writer.written[-1] == ("end", 5)


def test_halt_ends_the_run() -> None:
    queue, writer = filled("halt")
    with pytest.raises(QueueFull, match="its policy is halt"):
        queue.put("third", 5)
    writer.go.set()
    queue.close()


def test_block_waits_for_room() -> None:
    queue, writer = filled("block")
    writer.go.set()
    assert queue.put("third", 5)
    assert queue.close()
    assert [batch for batch, _ in writer.written] == ["first", "second", "third"]


def test_a_batch_that_is_larger_than_the_queue_passes_when_nothing_waits() -> None:
    writer = Writer()
    writer.go.set()
    queue = Queue("test", 1, "drop", writer)
    assert queue.put("large", 100)
    assert queue.close()


def test_what_the_writer_failed_with_is_told_to_who_puts() -> None:
    def fail(batch: object, lost: int) -> None:
        raise OSError("no space")

    queue = Queue("test", 10, "drop", fail)
    queue.put("first", 1)
    queue.close()
    with pytest.raises(OSError, match="no space"):
        queue.put("second", 1)
