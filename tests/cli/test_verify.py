"""`netfeed verify`: what is wrong with a file, and where."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from netfeed.cli.main import main
from netfeed.wire import binaryfile, pcap
from tests.cli.captures import CLIENT, SERVER, A, B, Datagram, add, mold, orders, write
from tests.data import PCAPS, recording

KEYS = {"ok", "packets", "gaps", "duplicates", "truncated", "errors"}
MS = 1_000_000


def verify(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main(["verify", "--json", *map(str, arguments)])
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert set(report) == KEYS
    assert captured.out.count("\n") == 1
    assert report["ok"] == (code == 0)
    for error in report["errors"]:
        assert set(error) == {"file", "offset", "found", "wanted"}
    return code, report


def test_a_sound_capture_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(10)])
    code, report = verify(capsys, path)
    assert (code, report) == (
        0, {"ok": True, "packets": 10, "gaps": [], "duplicates": 0, "truncated": None, "errors": []}
    )  # fmt: skip


def test_a_gap_is_reported_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(10) if k not in (4, 5)]
    path = write(tmp_path / "a.pcap", sent)
    code, report = verify(capsys, path)
    assert code == 3
    (gap,) = report["gaps"]
    assert (gap["first"], gap["last"], gap["closed_by"]) == (13, 18, None)
    record = 24 + 4 * (16 + 42 + 20 + 3 * 38)  # the fifth record: header, frame, MoldUDP64 header, three blocks
    assert (gap["file"], gap["offset"]) == (str(path), record)
    assert path.read_bytes()[record : record + 4] == path.read_bytes()[24:28]  # the same second
    assert report["errors"] == []
    assert main(["verify", str(path)]) == 3
    text = " ".join(capsys.readouterr().out.split())
    assert "sequence 13 to 18, never closed" in text
    assert f"{path} at byte {record}, 2023-11-14T22:13:20.006000000Z" in text


def test_what_the_other_line_brings_is_no_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        Datagram(k * MS + late, line, orders(1 + 3 * k, 3))
        for k in range(20)
        for line, late, lost in ((A, 0, 3), (B, 1000, 5))
        if k % 7 != lost
    ]
    code, report = verify(capsys, write(tmp_path / "ab.pcap", lines))
    assert (code, report["gaps"], report["duplicates"]) == (0, [], 14)


def test_a_retransmission_closes_a_gap_and_its_request_is_no_packet_of_a_channel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(20) if k != 4]
    from netfeed.wire import moldudp64

    sent.append(Datagram(8 * MS, SERVER, moldudp64.encode_request(b"S000000001", 13, 3)))
    sent.append(Datagram(8 * MS + 500, CLIENT, orders(13, 3)))
    path = write(tmp_path / "a.pcap", sorted(sent))
    code, report = verify(capsys, path)
    assert code == 3
    assert [(gap["first"], gap["last"], gap["closed_by"]) for gap in report["gaps"]] == [(13, 15, "retransmit")]
    main(["verify", str(path)])
    assert capsys.readouterr().err == ""


def test_a_torn_capture_is_one_error_and_what_stood_before_it_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(10)])
    size = 16 + 42 + 20 + 3 * 38
    path.write_bytes(path.read_bytes()[: 24 + 9 * size + 50])
    code, report = verify(capsys, path)
    assert (code, report["packets"]) == (3, 9)
    assert report["errors"] == [report["truncated"]]
    assert report["truncated"]["offset"] == 24 + 9 * size


def test_only_the_time_that_is_asked_for_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(20) if k not in (3, 15)]
    path = write(tmp_path / "a.pcap", sent)
    for times, packets, gaps in (
        ([], 18, [4, 16]), (["--from", "22:13:20.005"], 14, [16]), (["--to", "22:13:20.010"], 10, [4]),
        (["--from", "22:13:20.005", "--to", "22:13:20.010"], 6, []),
    ):  # fmt: skip
        code, report = verify(capsys, path, *times)
        assert (code, report["packets"]) == (3 if gaps else 0, packets)
        assert [gap["first"] for gap in report["gaps"]] == gaps


def test_of_a_file_of_messages_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages = [add(number, 10_000) for number in range(1, 101)]
    messages[49] = messages[49][:-3]
    path = tmp_path / "day.itch"
    path.write_bytes(binaryfile.encode(messages))
    for times, packets, code in (
        ([], 100, 3), (["--from", "51000"], 50, 0), (["--to", "49000"], 49, 0), (["--from", "50000"], 51, 3),
        (["--from", "10000", "--to", "20000"], 11, 0),
    ):  # fmt: skip
        found, report = verify(capsys, path, *times)
        assert (found, report["packets"]) == (code, packets)


def test_what_verified_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (("--group", "192.0.2.1"), ("--from", "23:00")):
        main(["verify", str(PCAPS / "itch-line.pcap.zst"), option, value])
        assert option in capsys.readouterr().err


def test_the_last_line_counts_what_was_read_and_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(3)])
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["verify", str(path)]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "NOT OK: 2 packets, 0 gaps, 0 duplicates, 1 error"
    path = tmp_path / "day.itch"
    path.write_bytes(binaryfile.encode([add(1, 10_000), add(2, 10_000)]))
    assert main(["verify", str(path)]) == 0
    assert capsys.readouterr().out == "ok: 2 messages, 0 gaps, 0 duplicates, 0 errors\n"


def test_reading_goes_on_behind_nonsense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(10)])
    data, size = bytearray(path.read_bytes()), 16 + 42 + 20 + 3 * 38
    data[24 + 4 * size + 8 : 24 + 4 * size + 12] = b"\xff\xff\xff\x7f"  # the captured length of the fifth record
    path.write_bytes(data)
    code, report = verify(capsys, path)
    assert (code, report["packets"]) == (3, 9)
    assert [error["offset"] for error in report["errors"]] == [24 + 4 * size]
    assert [(gap["first"], gap["last"]) for gap in report["gaps"]] == [(13, 15)]


def test_times_that_fall_far_are_an_error_and_a_little_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for fall, code in ((900, 0), (60 * MS, 3)):
        at = [0, 100 * MS, 100 * MS - fall, 200 * MS]
        path = write(tmp_path / "a.pcap", [Datagram(at[k], A, orders(1 + 3 * k, 3)) for k in range(4)])
        found, report = verify(capsys, path)
        assert found == code
        assert len(report["errors"]) == (code == 3)


def test_a_malformed_packet_is_reported_where_its_record_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(10)]
    sent[5] = sent[5]._replace(payload=sent[5].payload[:-4])
    path = write(tmp_path / "a.pcap", sent)
    code, report = verify(capsys, path)
    assert code == 3
    assert [error["offset"] for error in report["errors"]] == [24 + 5 * (16 + 42 + 20 + 3 * 38)]
    assert [(gap["first"], gap["last"]) for gap in report["gaps"]] == [(16, 18)]


def test_a_message_of_another_size_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(10)]
    sent[5] = sent[5]._replace(payload=mold(16, add(16, 1), add(17, 1)[:-3], add(18, 1)))
    code, report = verify(capsys, write(tmp_path / "a.pcap", sent))
    assert (code, report["gaps"]) == (3, [])
    assert [error["offset"] for error in report["errors"]] == [24 + 5 * (16 + 42 + 20 + 3 * 38)]
    found = "message 17 on channel 233.252.0.1:26400, ITCH AddOrder has the wrong size: 33 bytes"
    assert (report["errors"][0]["found"], report["errors"][0]["wanted"]) == (found, "36 bytes")
    main(["replay", "--json", str(tmp_path / "a.pcap")])
    (again,) = json.loads(capsys.readouterr().out)["errors"]
    assert again == report["errors"][0]
    path = tmp_path / "day.itch"
    messages = [add(number, 10_000) for number in range(1, 101)]
    messages[49] = messages[49][:-3]
    path.write_bytes(binaryfile.encode(messages))
    for verb in ("verify", "replay"):
        main([verb, "--json", str(path)])
        (error,) = json.loads(capsys.readouterr().out)["errors"]
        assert (error["offset"], error["wanted"]) == (49 * 38, "36 bytes")
        assert error["found"] == "message 50, ITCH AddOrder has the wrong size: 33 bytes"


def test_files_of_messages_are_verified_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages = [add(number, 10_000) for number in range(1, 101)]
    whole = binaryfile.encode(messages, end_marker=True)
    for data, code, offset in (
        (whole, 0, None), (whole[:-2], 0, None), (whole[:-12], 3, 38 * 99), (whole + b"more", 3, 3802),
        (whole[:380] + b"\0\x05A1234" + whole[380:], 3, 380),
    ):  # fmt: skip
        path = tmp_path / "day.itch"
        path.write_bytes(data)
        found, report = verify(capsys, path)
        assert (found, [error["offset"] for error in report["errors"]]) == (code, [] if offset is None else [offset])
        path = tmp_path / "day.itch.gz"
        path.write_bytes(gzip.compress(data))
        assert verify(capsys, path)[0] == code


def test_a_torn_gzip_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "day.itch.gz"
    path.write_bytes(gzip.compress(binaryfile.encode([add(number, number) for number in range(1, 5001)]))[:-2000])
    code, report = verify(capsys, path)
    assert code == 3
    assert 0 < report["packets"] < 5000
    assert report["errors"]


def test_the_real_pair_of_lines_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = verify(capsys, recording("cme/Cme.Mdp3.Sbe.v6.1.pcap"))
    assert (code, report["packets"], report["duplicates"], report["gaps"]) == (0, 10_000, 5_000, [])


def test_the_real_deribit_capture_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = verify(capsys, recording("deribit_multicast/sample_capture_v1_6.pcapng"))
    assert (code, report["packets"], report["duplicates"], report["gaps"]) == (0, 5_066, 0, [])


def test_the_real_itch_file_is_torn_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    path = recording("itch/sephorah_sample_1mb.itch")
    data, at, count = path.read_bytes(), 0, 0
    while at + 2 <= len(data) and at + 2 + int.from_bytes(data[at : at + 2]) <= len(data):
        at, count = at + 2 + int.from_bytes(data[at : at + 2]), count + 1
    code, report = verify(capsys, path)
    assert (code, report["packets"], report["truncated"]["offset"]) == (3, count, at)
    assert count == 1 + 8915 + 8903 + 8903 + 8814


def test_the_file_whose_lengths_are_zero_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = verify(capsys, recording("itch/RITCH_ex20101224.TEST_ITCH_50.gz"))
    assert (code, report["packets"]) == (0, 12_012)


@pytest.mark.slow
def test_the_real_day_of_iex_is_torn_at_its_end_only(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = verify(capsys, recording("iex/go-iex_DEEP10.pcap.gz"))
    assert (code, report["packets"], report["gaps"], report["duplicates"]) == (3, 121_314, [], 0)
    assert report["errors"] == [report["truncated"]]


def test_what_is_not_recognised_is_not_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, ("10.1.1.1", 53), b"a question") for k in range(3)])
    code, report = verify(capsys, path)
    assert (code, report["ok"], report["packets"], report["errors"]) == (1, False, 3, [])
    assert main(["verify", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "NOT OK: 3 packets, 0 gaps, 0 duplicates, 0 errors, nothing was recognised\n"
    assert "10.1.1.1:53 (3 packets)" in captured.err
    frame = bytes(12) + b"\x08\x06" + bytes(28)  # ARP
    path.write_bytes(pcap.file_header() + pcap.record(0, frame))
    for verb in ("verify", "replay"):
        assert main([verb, str(path)]) == 1
        assert "nothing was recognised" in capsys.readouterr().err


def test_errors_stand_in_the_order_of_the_file_and_last_those_without_a_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(10)]
    sent[6] = sent[6]._replace(payload=mold(7, add(7, 1)[:-3]))  # found when the batch is done, after ...
    sent[8] = sent[8]._replace(payload=sent[8].payload[:-4])  # ... what its channel refuses at once
    sent[2] = sent[2]._replace(payload=mold(3, b"\x01" + add(3, 1)[1:]))  # no type of ITCH, told at the end
    path = write(tmp_path / "a.pcap", sent)
    assert main(["replay", "--json", str(path)]) == 3
    errors = json.loads(capsys.readouterr().out)["errors"]
    offsets = [error["offset"] for error in errors]
    assert offsets[-1] is None
    assert offsets[:-1] == sorted(offsets[:-1])
    assert len(offsets) > 2
    main(["replay", str(path)])
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"  {path}")]
    assert [" at byte " in line for line in said] == [True] * (len(offsets) - 1) + [False]
