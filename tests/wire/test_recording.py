"""Lines of recordings of venues: written, read, and refused when they are none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.wire import recording
from netfeed.wire.recording import Record

TS = 1_795_944_590_264_489_210


def test_a_line_is_an_array_that_any_tool_reads() -> None:
    line = recording.encode(TS, 0, 3, recording.IN, '{"a":1}')
    assert json.loads(line) == [TS, 0, 3, "<", '{"a":1}']
    assert line.endswith(b"\n")
    assert recording.decode(line) == Record(TS, 0, 3, "<", '{"a":1}')


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(sorted(recording.KINDS - {"<b"})), st.text())
def test_what_is_written_is_read(ts_ns: int, kind: str, text: str) -> None:
    record = recording.decode(recording.encode(ts_ns, 1, 2, kind, text))
    assert record == Record(ts_ns, 1, 2, kind, text)
    assert record.payload == text.encode()


@given(st.binary())
def test_a_message_of_any_bytes_comes_back(message: bytes) -> None:
    record = recording.decode(recording.encode_message(TS, 0, 0, message))
    assert record.payload == message
    assert (record.kind == recording.IN_BYTES) is (not _is_text(message))


def test_the_first_line_names_the_venues() -> None:
    line = recording.encode_header(TS, [{"name": "x", "venue": "deribit"}])
    assert line.startswith(recording.MAGIC)
    header = recording.decode_header(line)
    assert (header.began_ns, header.venues) == (TS, [{"name": "x", "venue": "deribit"}])


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"5", b"[]", b'[1,2,3,"<"]', b'[1.5,0,0,"<","x"]', b'["1",0,0,"<","x"]', b'[1,0,0,"?","x"]',
        b'[1,0,0,"<",5]',
        b'[9223372036854775808,0,0,"<","x"]', b'[1,0,99999999999999999999,"<","x"]', b'[1,-1,0,"<","x"]',
        b"\xff\xfe", b'[1,0,0,"<","\xff"]', b"[" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_line_is_refused_with_its_place(line: bytes) -> None:
    with pytest.raises(WireError) as refused:
        recording.decode(line, 77)
    assert refused.value.offset == 77


@pytest.mark.parametrize("line", [b"{}", b"[]", b"", b'{"netfeed_recording":2,"began_ns":1,"venues":[]}', b"\xff"])
def test_what_is_no_first_line_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        recording.decode_header(line)


def test_base64_that_is_none_is_refused() -> None:
    with pytest.raises(WireError, match="base64"):
        _ = recording.decode(b'[1,0,0,"<b","%%%"]').payload


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
