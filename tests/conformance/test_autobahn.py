"""Every case of the Autobahn suite, at our client and at our server, as the suite cuts it and all in one piece."""

import pytest

from netfeed.proto.websocket import Closed, Who
from tests.conformance.cases import CASES, FAIL_FAST, FAIL_FAST_IN_A_FRAME, Case, Frame, limits, text
from tests.conformance.endpoint import Endpoint, chopped
from tests.proto.websocket_peers import Message, unbatched

both = pytest.mark.parametrize("side", ["client", "server"])


def check(case: Case, side: str) -> None:
    end = Endpoint(side, compression=False)
    frames = end.wire(case.sent)
    for piece in chopped(b"".join(frames), case.chop) if case.chop else frames:
        end.take(piece)
    assert end.got == list(case.got)
    assert end.code == case.code
    if case.code is None:
        assert end.side.is_open
        end.take(end.wire([Frame(0x88, b"\x03\xe8")])[0])
        assert end.code == 1000
    else:
        assert end.closed is not None
        assert (end.closed.code, end.closed.by) == (case.code, Who.PEER if case.by_peer else Who.WE)


@both
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_a_case_comes_out_as_the_suite_wants_it(case: Case, side: str) -> None:
    check(case, side)


@pytest.mark.slow
@both
@pytest.mark.parametrize("case", limits(1), ids=lambda case: case.number)
def test_a_limit_holds_at_its_full_size(case: Case, side: str) -> None:
    check(case, side)


@both
@pytest.mark.parametrize("case", [case for case in CASES if len(case.sent) < 100], ids=lambda case: case.number)
def test_a_case_means_the_same_in_one_piece_and_byte_by_byte(case: Case, side: str) -> None:
    """In one piece a failure comes before the echo can; what is told is the same."""
    told = []
    data = b"".join(Endpoint(side, compression=False).wire(case.sent))
    for size in (len(data), 1) if len(data) < 2000 else (len(data), 700):
        end = Endpoint(side, compression=False)
        told.append([event for piece in chopped(data, size) for event in unbatched(end.side.receive(piece, 1))])
    assert told[0] == told[1]
    messages = [bytes(event.payload) for event in told[0] if isinstance(event, Message)]
    assert messages == [got.payload for got in case.got if got.kind != "pong"]
    assert any(isinstance(event, Closed) for event in told[0]) is (case.code is not None)


@both
@pytest.mark.parametrize(("number", "frames", "fails"), FAIL_FAST, ids=[case[0] for case in FAIL_FAST])
def test_a_wrong_fragment_fails_before_the_next_comes(
    number: str, frames: tuple[Frame, ...], fails: int, side: str
) -> None:
    end = Endpoint(side, compression=False)
    for at, piece in enumerate(end.wire(frames)):
        end.take(piece)
        assert end.code == (1007 if at >= fails else None)


@both
@pytest.mark.parametrize(
    ("number", "payload", "cuts", "fails"), FAIL_FAST_IN_A_FRAME, ids=[case[0] for case in FAIL_FAST_IN_A_FRAME]
)
def test_a_wrong_piece_of_a_frame_fails_before_the_next_comes(
    number: str, payload: bytes, cuts: tuple[int, ...], fails: int, side: str
) -> None:
    end = Endpoint(side, compression=False)
    [frame] = end.wire([text(payload)])
    head = len(frame) - len(payload)
    for at, (start, stop) in enumerate(zip((-head, *cuts), (*cuts, len(payload)), strict=True)):
        end.take(frame[head + start : head + stop])
        assert end.code == (1007 if at >= fails else None)


def test_the_table_has_every_case() -> None:
    numbers = [case.number for case in CASES] + [case[0] for case in (*FAIL_FAST, *FAIL_FAST_IN_A_FRAME)]
    assert len(numbers) == len(set(numbers))
    counts = {section: sum(number.startswith(f"{section}.") for number in numbers) for section in (*range(1, 8), 9, 10)}
    assert counts == {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1}
