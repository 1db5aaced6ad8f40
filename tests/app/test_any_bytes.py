"""Any damage to a file: a report and an exit code, never a traceback, and nothing that grows without bound."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfeed.cli.main import main
from netfeed.wire import binaryfile, pcapng
from netfeed.wire.headers import udp_frame
from netfeed.wire.pcapng import Interface
from tests.cli.captures import CLIENT, A, B, Datagram, add, mold, orders, write
from tests.data import PCAPS

MS = 1_000_000
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def _pcap(folder: Path) -> bytes:
    sent = [
        datagram
        for k in range(12)
        for datagram in (Datagram(k * MS, A, orders(1 + 2 * k, 2)), Datagram(k * MS + 9, B, orders(1 + 2 * k, 2)))
        if k != 5
    ]
    return write(folder / "whole.pcap", [*sent, Datagram(13 * MS, CLIENT, orders(11, 2))]).read_bytes()


def _pcapng(folder: Path) -> bytes:
    writer = pcapng.Writer([Interface(1), Interface(1)])
    frames = [udp_frame(orders(1 + k, 1), ("10.0.0.1", 1), A) for k in range(8)]
    return (
        writer.start()
        + b"".join(writer.packet(k * MS, frame, k % 2) for k, frame in enumerate(frames))
        + writer.close()
    )


def _itch(folder: Path) -> bytes:
    return binaryfile.encode([add(number, 10_000 + number) for number in range(1, 30)], end_marker=True)


def _starbase(folder: Path) -> bytes:
    return (PCAPS / "starbase.pcap").read_bytes()[:60_000]


def run(verb: str, path: Path, capsys: pytest.CaptureFixture[str]) -> int:
    code = main([verb, "--json", str(path)])
    captured = capsys.readouterr()
    assert code in (0, 1, 3), captured.err
    assert "internal error" not in captured.err
    for line in captured.out.splitlines():
        json.loads(line)
    return code


@pytest.mark.parametrize("verb", ["replay", "verify", "decode"])
@pytest.mark.parametrize("make", [_pcap, _pcapng, _itch, _starbase])
@FEW
@given(data=st.data())
def test_any_damage_is_reported_and_survived(
    make: object, verb: str, data: st.DataObject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = bytearray(make(tmp_path))  # type: ignore[operator]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + 4] = data.draw(st.binary(min_size=1, max_size=6) | st.just(b"\xff" * 4) | st.just(bytes(4)))
    end = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    path = tmp_path / "damaged"
    path.write_bytes(whole[:end])
    run(verb, path, capsys)


@pytest.mark.parametrize("verb", ["replay", "verify", "decode"])
@FEW
@given(content=st.binary(max_size=400))
def test_any_bytes_behind_a_magic_are_survived(
    verb: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for head in (b"", _pcap(tmp_path)[:24], _pcapng(tmp_path)[:28], b"\0\x24A"):
        path = tmp_path / "odd"
        path.write_bytes(head + content)
        run(verb, path, capsys)


@pytest.mark.parametrize("verb", ["replay", "verify", "decode"])
@FEW
@given(payloads=st.lists(st.binary(max_size=80) | st.sampled_from([mold(1), orders(1, 2), orders(3, 1)]), max_size=12))
def test_any_payloads_are_survived(
    verb: str, payloads: list[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, (A, B, CLIENT)[k % 3], one) for k, one in enumerate(payloads)])
    run(verb, path, capsys)
    for protocol in ("itch50", "starbase", "deribit", "cme", "iex"):
        code = main([verb, "--json", "--protocol", protocol, "--group", A[0], str(path)])
        assert code in (0, 1, 3)
        assert "internal error" not in capsys.readouterr().err


def test_every_truncation_of_a_capture_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write(tmp_path / "whole.pcap", [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(3)]).read_bytes()
    path = tmp_path / "cut.pcap"
    borders = {24 + k * (16 + 42 + 20 + 38) for k in range(4)}
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        assert run("verify", path, capsys) == (0 if end in borders else 3)
