"""`netfeed latency pcap`: what it prints and writes, how it ends, and what it says of wrong options."""

import json
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.latency.pcap import SECTIONS
from netfeed.cli import latency_pcap
from netfeed.cli.main import main
from netfeed.wire.order_frames import REFERENCES
from tests.cli.captures import A, B, Datagram, orders, write
from tests.data import PCAPS, recording

MS = 1_000_000
ORDERS = PCAPS / "tick-to-trade.pcap"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        code = main(["latency", "pcap", *map(str, arguments)])
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, *arguments, "--json")
    return code, json.loads(out)


def test_every_section_is_told_and_only_those_that_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, ORDERS, "--order-port", ":8001", "--link", "10G")
    assert code == 0
    for name in ("inter-arrival by line", "fullest windows", "lines against each other", "sequences by line",
                 "exchange to wire by line", "TCP connections", "slowest orders"):  # fmt: skip
        assert name in out
    code, out, _ = run(capsys, ORDERS, "--only", "lead,sequences")
    assert "lines against each other" in out
    assert "sequences by line" in out
    assert "TCP connections\n" not in out
    assert "fullest windows" not in out


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = as_json(capsys, ORDERS, "--only", "tcp")
    assert code == 0
    assert report["kind"] == "pcap"


def test_the_report_is_written_to_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, data = tmp_path / "report.html", tmp_path / "report.json"
    code, _, _ = run(capsys, PCAPS / "starbase.pcap", "-o", page, "-o", data, "-q")
    assert code == 3
    assert page.read_text().lstrip().lower().startswith("<!doctype html")
    assert json.loads(data.read_text())["kind"] == "pcap"


@pytest.mark.parametrize(
    ("name", "code"), [("starbase.pcap", 3), ("itch-ab.pcap", 0), ("truncated.pcap", 3), ("itch-line.pcap.zst", 0)]
)
def test_it_ends_as_verify_does(name: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, PCAPS / name, "--only", "sequences")[0] == code
    assert main(["verify", "-q", str(PCAPS / name)]) == code
    capsys.readouterr()


def test_nothing_that_is_known_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "noise.pcap", [Datagram(k, A, b"nothing that anybody knows") for k in range(5)])
    code, _, err = run(capsys, path)
    assert code == 1
    assert "not recognised" in err
    assert run(capsys, tmp_path / "absent.pcap")[0] == 1
    (tmp_path / "text").write_text("no capture at all")
    assert run(capsys, tmp_path / "text")[0] == 3


def test_tcp_alone_is_something(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, recording("nasdaq_packets/ouch50/EnterOrderMessage.pcap"))
    assert code == 0
    assert "soupbintcp" in out
    assert err == ""


def test_several_captures_and_channels_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(5)])
    b = write(tmp_path / "b.pcap", [Datagram(k * MS + 50, B, orders(1 + 3 * k, 3)) for k in range(5)])
    code, out, _ = run(capsys, a, b, "--channel", f"opt={A[0]}:{A[1]},{B[0]}:{B[1]}", "--only", "lead")
    assert code == 0
    assert "opt: A before B" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "nonsense"], "no section"), (["--link", "fast"], "not a speed"),
        (["--correlate", "clOrdId"], "starbase.clientOrderId"), (["--correlate", "3:9"], "OFFSET:LENGTH"),
        (["--order-port", "192.0.2.1"], "needs its port"), (["--order-port", "0"], "not a port"),
        (["--orders", "absent.pcap"], "no such file"),
        (["--offset", "3us"], "--orders FILE"), (["--date", "04:00"], "needs a day"), (["--offset", "x"], "duration"),
        (["-o", "report.xyz"], ".html"),
    ],
)  # fmt: skip
def test_wrong_options_are_usage_and_say_what_is_right(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, ORDERS, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_standard_input_has_no_second_reading(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "-", "--orders", ORDERS)
    assert (code, out) == (2, "")
    assert "--offset" in err


def test_a_torn_capture_of_orders_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn = tmp_path / "orders.pcap"
    torn.write_bytes(ORDERS.read_bytes()[:-5])
    code, out, _ = run(capsys, ORDERS, "--orders", torn, "--only", "orders")
    assert code == 3
    assert "is cut short" in out


def test_an_address_in_orders_is_a_gateway_and_a_file_has_its_own_clock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, ORDERS, "--orders", "192.0.2.30:8001", "--only", "orders")
    assert code == 0
    assert "tick to trade" in out
    copy = tmp_path / "orders.pcap"
    copy.write_bytes(ORDERS.read_bytes())
    code, report = as_json(capsys, ORDERS, "--orders", copy, "--only", "orders", "--correlate", "40:8:little")
    assert code == 0
    assert report["facts"]["offset of clocks ns"] == 0
    (told,) = [one for one in report["distributions"] if one["name"] == "tick to trade"]
    assert told["count"] == 16


def test_the_words_of_the_command_are_those_of_what_it_starts() -> None:
    assert latency_pcap.SECTIONS == SECTIONS
    assert tuple(REFERENCES) == latency_pcap.FIELDS
