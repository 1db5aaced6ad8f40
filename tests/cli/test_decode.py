"""`netfeed decode`: one line for each message."""

import json
from pathlib import Path
from struct import unpack_from
from typing import Any

import pytest

from netfeed.cli.main import main
from netfeed.wire import binaryfile, starbase
from tests.cli.captures import A, B, Datagram, add, mold, orders, write
from tests.data import PCAPS, recording

MS = 1_000_000


def decode(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    code = main(["decode", "--json", *map(str, arguments)])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_message_is_a_line_with_time_group_sequence_name_and_decimals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(5, A, mold(7, add(9, 1_062_600, 50))), Datagram(6, A, mold(8))])
    assert main(["decode", str(path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("22:13:20.000000005 233.252.0.1:26400 itch50/moldudp64 seq 7 AddOrder ")
    assert "shares=50 stock=AAA price=106.2600" in first
    assert second == "22:13:20.000000006 233.252.0.1:26400 itch50/moldudp64 seq 8 Heartbeat"


def test_both_lines_are_shown_and_a_group_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = [Datagram(k * MS + late, line, orders(1 + 2 * k, 2)) for k in range(3) for line, late in ((A, 0), (B, 9))]
    path = write(tmp_path / "ab.pcap", sent)
    code, lines = decode(capsys, path)
    assert (code, len(lines)) == (0, 12)
    code, lines = decode(capsys, path, "--group", "233.252.0.2")
    assert [line["sequence"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {line["group"] for line in lines} == {"233.252.0.2:26400"}
    assert decode(capsys, path, "--group", "233.252.0.2:1") == (0, [])


def test_a_count_and_times_limit_what_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(10)])
    assert len(decode(capsys, path, "-c", 4)[1]) == 4
    begin, end = "2023-11-14T22:13:20.003Z", "22:13:20.006"
    assert [line["sequence"] for line in decode(capsys, path, "--from", begin, "--to", end)[1]] == [4, 5, 6, 7]
    assert len(decode(capsys, path, "--from", 1_700_000_000_009_000_000)[1]) == 1


def test_bad_bytes_are_an_error_where_they_stand_and_the_rest_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Datagram(0, A, orders(1, 2))
    cut = Datagram(1, A, orders(3, 2)[:-1])
    odd = Datagram(2, A, mold(5, add(5, 1)[:20], add(6, 1), b"\x01unknown"))
    path = write(tmp_path / "a.pcap", [good, cut, odd])
    code, lines = decode(capsys, path)
    assert code == 3
    names = [(line["message"], line["error"] is not None) for line in lines]
    assert names == [
        ("AddOrder", False), ("AddOrder", False), ("error", True), ("error", True), ("AddOrder", False),
        ("Unknown(0x01)", False),
    ]  # fmt: skip
    assert lines[2]["offset"] == 24 + 16 + 42 + len(good.payload)
    main(["decode", str(path)])
    out = capsys.readouterr().out.splitlines()
    assert "ERROR" in out[2]
    assert str(path) in out[2]
    assert "found 35 bytes, wanted 36 bytes" in out[2]


def test_what_is_no_market_data_is_shown_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(0, ("10.1.1.1", 53), b"a question"), Datagram(1, A, orders(1, 1))])
    code, lines = decode(capsys, path)
    assert code == 0
    assert [(line["message"], line["protocol"]) for line in lines] == [("UDP", None), ("AddOrder", "itch50/moldudp64")]


def test_quantities_of_starbase_are_decimals_once_the_definition_was_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put = {"orderId": 1, "instrumentId": 5, "quantity": 1500, "price": 90_117_500_000_000, "sortOrderId": 1}
    definition = starbase.encode(
        10, instrumentId=5, name="BTC-PERPETUAL", indexId=1, underlying="BTC", quantityAsset="BTC", priceAsset="USD",
        minOrderQuantity=1, tickSize=500_000_000, quantityExponent=-3, type=0, flags_=0, status=0,
    )  # fmt: skip
    messages = [starbase.encode(20, flags=3, **put), definition, starbase.encode(20, flags=3, **put)]
    packet = starbase.encode_packet(1, messages, channel_id=3)
    code, lines = decode(capsys, write(tmp_path / "s.pcap", [Datagram(0, A, packet)]))
    assert code == 0
    assert [line["sequence"] for line in lines] == [1, 2, 3]
    assert lines[0]["fields"]["quantity"] == 1500
    assert lines[1]["fields"]["tickSize"] == "0.500000000"
    assert lines[2]["fields"]["quantity"] == "1.500"
    assert lines[2]["fields"]["price"] == "90117.500000000"


def test_the_first_message_of_a_real_packet_is_what_struct_reads(capsys: pytest.CaptureFixture[str]) -> None:
    path = recording("nasdaq_packets/itch50/AddOrderNoMpidAttributionMessage.pcap")
    data = path.read_bytes()
    at = data.index(b"\xe9\x36\x0c\x6f") + 4 + 8  # behind the destination 233.54.12.111 and the UDP header
    code, lines = decode(capsys, path)
    assert code == 0
    (line,) = lines
    sequence, count = unpack_from(">QH", data, at + 10)
    assert (line["sequence"], count, line["group"]) == (sequence, 1, "233.54.12.111:26477")
    reference, side, shares, stock, price = unpack_from(">QcI8sI", data, at + 22 + 11)
    fields = line["fields"]
    assert (fields["order_reference_number"], fields["shares"]) == (reference, shares)
    assert (fields["buy_sell_indicator"], fields["stock"]) == (side.decode(), stock.decode().strip())
    assert fields["price"] == f"{price // 10_000}.{price % 10_000:04}"


def test_real_files_of_messages_are_shown_with_their_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    path = recording("itch/sephorah_sample_1mb.itch")
    data = path.read_bytes()
    code, lines = decode(capsys, path, "-c", 3)
    assert code == 0
    assert lines[0]["ts_ns"] == int.from_bytes(data[7:13])
    assert [(line["sequence"], line["message"]) for line in lines] == [
        (1, "SystemEvent"), (2, "StockDirectory"), (3, "StockDirectory"),
    ]  # fmt: skip
    assert decode(capsys, path)[0] == 3  # it is torn


def test_more_is_said_of_a_packet_and_a_line_has_its_letter_once_there_are_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [Datagram(k * MS + late, line, orders(1 + k, 1)) for k in range(2) for line, late in ((B, 0), (A, 9))]
    path = str(write(tmp_path / "ab.pcap", sent))
    way = "10.0.0.1:5000 > 233.252.0.{}:26400 length 58{} itch50/moldudp64 seq {} AddOrder "
    assert main(["decode", "-v", path]) == 0
    lines = capsys.readouterr().out.splitlines()
    wanted = [(2, "", 1), (1, " line A", 1), (2, " line B", 2), (1, " line A", 2)]
    for line, words in zip(lines, wanted, strict=True):
        assert line.partition(" ")[2].startswith(way.format(*words))
    _, found = decode(capsys, path, "--channel", "X=233.252.0.2:26400,233.252.0.1:26400")
    assert [line["line"] for line in found] == ["A", "B", "A", "B"]
    assert {(line["source"], line["length"]) for line in found} == {("10.0.0.1:5000", 58)}


def test_lines_without_a_session_are_found_by_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = decode(capsys, PCAPS / "starbase.pcap")
    assert {line["line"] for line in found} >= {"A", "B"}
    for line in found:
        assert line["line"] in (None, "A", "B", "SNAPSHOT_A", "SNAPSHOT_B", "RETRANSMIT")


def test_the_bytes_of_a_payload_stand_below_its_last_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payload = orders(1, 2)
    sent = [Datagram(0, A, payload), Datagram(1, ("10.1.1.1", 53), b"a question, no more\x7f\xff")]
    path = str(write(tmp_path / "a.pcap", sent))
    main(["decode", "-x", path])
    first, second, *rows = capsys.readouterr().out.splitlines()
    assert "seq 1 AddOrder" in first
    assert "seq 2 AddOrder" in second
    assert rows[0] == "\t0x0000:  5330 3030 3030 3030 3031 0000 0000 0000  S000000001......"
    dumped = b"".join(bytes.fromhex(row[10:49]) for row in rows[:6])
    assert dumped == payload
    assert rows[6].endswith(" 10.1.1.1:53 UDP length=21")
    assert rows[7:] == [
        "\t0x0000:  6120 7175 6573 7469 6f6e 2c20 6e6f 206d  a question, no m",
        "\t0x0010:  6f72 657f ff                             ore..",
    ]
    main(["decode", "-vv", path])
    again = capsys.readouterr().out
    assert "10.0.0.1:5000 > 10.1.1.1:53 length 21 UDP" in again
    assert [row for row in again.splitlines() if row.startswith("\t")] == [row for row in rows if row.startswith("\t")]


def test_the_bytes_of_a_message_in_a_file_are_shown_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "day.itch"
    path.write_bytes(binaryfile.encode([add(1, 10_000), add(2, 10_000)]))
    assert main(["decode", "-x", str(path)]) == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("\t")]
    assert b"".join(bytes.fromhex(row[10:49]) for row in rows) == add(1, 10_000) + add(2, 10_000)


def test_a_filter_that_nothing_passes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "a.pcap", [Datagram(0, A, orders(1, 1))]))
    for option, said in (
        (["--group", "233.252.0.77:1"], "no packet went to --group 233.252.0.77:1"),
        (["--from", "23:00"], "nothing lies between --from and --to"),
        (["--group", "233.252.0.1", "--to", "10:00"], "nothing lies between --from and --to"),
        (["--group", "233.252.0.77", "--to", "23:00"], "no packet went to --group 233.252.0.77"),
    ):
        assert main(["decode", path, *option]) == 0
        assert capsys.readouterr() == ("", f"netfeed: {said}\n")
    main(["decode", path, "--group", "233.252.0.1", "--to", "23:00"])
    assert capsys.readouterr().err == ""
