"""Any damage to a capture: a report and an exit code, never a trace - stamps, headers and streams included."""

import json
from itertools import islice
from pathlib import Path

import pytest

from netfeed.cli.main import main
from netfeed.sim.capture_orders import tick_to_trade
from netfeed.wire import pcapng
from netfeed.wire.pcap import records
from netfeed.wire.pcapng import Interface
from tests.cli.captures import B, Datagram, orders, write
from tests.fuzz.mutation import mutations

SEED = 20_261_129
RUNS = 12


def _pcap(folder: Path) -> bytes:
    return tick_to_trade().data[:20_000]


def _pcapng(folder: Path) -> bytes:
    writer = pcapng.Writer([Interface(1)])
    some = list(records(tick_to_trade().data))[:60]
    return writer.start() + b"".join(writer.packet(one.ts_ns, bytes(one.data), 0) for one in some) + writer.close()


def _itch(folder: Path) -> bytes:
    return write(folder / "whole.pcap", [Datagram(k, B, orders(1 + 2 * k, 2)) for k in range(12)]).read_bytes()


def check(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    code = main(
        ["latency", "pcap", "--json", str(path), "--order-port", ":8001", "--correlate", "starbase.correlationId"]
    )
    captured = capsys.readouterr()
    assert code in (0, 1, 3), captured.err
    assert "internal error" not in captured.err
    report: dict[str, object] = json.loads(captured.out)
    return report


@pytest.mark.parametrize("make", [_pcap, _pcapng, _itch])
def test_damage_anywhere_gives_a_report(make: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(make)
    path, data = tmp_path / "broken", make(tmp_path)
    for number, broken in enumerate((data, *islice(mutations([data], SEED), RUNS))):
        path.write_bytes(data[:24] + broken[24:] if number % 2 else broken)
        check(path, capsys)


@pytest.mark.parametrize("ts_ns", [0, 1, 2**62, 2**63 - 1, 2**64 - 1])
def test_stamps_from_any_time_give_a_report(ts_ns: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = pcapng.Writer([Interface(1)])
    some = list(records(tick_to_trade().data))[:60]
    stamps = [ts_ns if k % 7 == 3 else one.ts_ns for k, one in enumerate(some)]
    blocks = [writer.packet(at % 2**63, bytes(one.data), 0) for at, one in zip(stamps, some, strict=True)]
    path = tmp_path / "times.pcapng"
    path.write_bytes(writer.start() + b"".join(blocks) + writer.close())
    assert check(path, capsys)["kind"] == "pcap"


def test_pcapng_tells_what_pcap_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both forms of the same frames: the same connections, orders and bursts."""
    some = list(records(tick_to_trade().data))
    writer = pcapng.Writer([Interface(1)])
    blocks = b"".join(writer.packet(one.ts_ns, bytes(one.data), 0) for one in some)
    reports = []
    for name, data in (("a", tick_to_trade().data), ("a", writer.start() + blocks + writer.close())):
        (tmp_path / name).write_bytes(data)
        report = check(tmp_path / name, capsys)
        reports.append({key: report[key] for key in ("distributions", "tables", "notes")})
    assert reports[0] == reports[1]
