"""The bench tool: the shape of what it says, and that it runs. No time is asserted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import netfeed

ROOT = Path(__file__).resolve().parents[2]
ROW_KEYS = {"row", "median", "min", "max", "runs"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def bench(cache: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, str(ROOT / "tools" / "bench.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_one_bench_is_one_object_of_the_promised_shape(cache: Path) -> None:
    done = bench(cache, "l2_update", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    report = json.loads(line)
    assert report.keys() == {"bench", "unit", "machine", "rows"}
    assert (report["bench"], report["unit"]) == ("l2_update", "ns/update")
    assert {"cpu", "cores", "kernel", "python", "load_average", "netfeed", "build"} <= report["machine"].keys()
    assert report["machine"]["build"] == netfeed.BUILD
    rows = {row["row"]: row for row in report["rows"]}
    assert {"netfeed", "netfeed_one", "pure", "floor:loop"} <= rows.keys()
    assert all(row.startswith(("netfeed", "pure", "floor:", "peer:")) for row in rows)
    for row in rows.values():
        assert row.keys() == ROW_KEYS
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert row["runs"] == 3


def test_several_benches_are_a_line_each(cache: Path) -> None:
    done = bench(cache, "events", "l2_update", "--quick", "--json", "--runs", "1")
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [report["bench"] for report in reports] == ["events", "l2_update"]
    assert {row["runs"] for report in reports for row in report["rows"]} == {1}


def test_the_bench_of_depth_messages_runs_and_every_row_reads_the_same_levels(cache: Path) -> None:
    done = bench(cache, "json_depth", "--quick", "--json", "--runs", "1")
    assert done.returncode == 0, done.stderr
    rows = {row["row"] for row in json.loads(done.stdout)["rows"]}
    assert {"netfeed", "pure", "floor:c"} <= rows
    assert netfeed.BUILD == "pure" or "netfeed_books" in rows


@pytest.mark.skipif(netfeed.BUILD == "pure", reason="measures the compiled histogram")
def test_the_bench_of_histograms_and_traces_counts_all_that_it_times(cache: Path) -> None:
    done = bench(cache, "histogram", "--quick", "--json", "--runs", "1")
    assert done.returncode == 0, done.stderr
    rows = {row["row"]: row for row in json.loads(done.stdout)["rows"]}
    assert {"netfeed", "netfeed:one", "pure", "netfeed:trace_system", "floor:buckets"} <= rows.keys()
    assert all(row["median"] > 0 for row in rows.values())


@pytest.mark.parametrize("name", ["greeks", "implied_volatility"])
def test_the_benches_of_option_maths_run_and_every_row_finds_the_same(cache: Path, name: str) -> None:
    done = bench(cache, name, "--quick", "--json", "--runs", "1")
    assert done.returncode == 0, done.stderr
    rows = {row["row"] for row in json.loads(done.stdout)["rows"]}
    assert {"netfeed", "netfeed_one", "pure"} <= rows


def test_a_person_gets_a_table_with_a_line_for_each_row(cache: Path) -> None:
    done = bench(cache, "events", "--quick", "--runs", "2")
    assert done.returncode == 0, done.stderr
    for word in ("million changes/s", "netfeed_list", "pure", "floor:views", "x netfeed"):
        assert word in done.stdout


def test_the_list_names_the_benches_and_nothing_else(cache: Path) -> None:
    done = bench(cache, "--list")
    assert done.returncode == 0
    assert {"events", "l2_update"} <= set(done.stdout.split())
    assert set(done.stdout.split()) == {path.stem for path in (ROOT / "tools" / "benches").glob("[!_]*.py")}


@pytest.mark.parametrize(
    "arguments", [[], ["nothing_of_the_kind"], ["events", "--runs", "0"], ["events", "--file", "/no"]]
)
def test_a_wrong_use_exits_with_2_and_says_why(cache: Path, arguments: list[str]) -> None:
    done = bench(cache, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error:" in done.stderr


@pytest.mark.net
@pytest.mark.skipif(netfeed.BUILD == "pure", reason="measures the compiled receiver")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("udp_drain", {"netfeed", "netfeed:traced", "netfeed:books", "netfeed:batch", "pure", "floor:recvmmsg"}),
        ("wire_to_book", {"netfeed", "netfeed:p99", "netfeed:sleep", "netfeed:event", "pure", "floor:recvmmsg"}),
        ("tcp_read", {"netfeed", "netfeed:tcp", "netfeed:quick_ack", "floor:recv"}),
        ("ws_receive", {"netfeed", "netfeed:each", "netfeed:50", "netfeed:1024", "netfeed:tls", "pure", "floor:c"}),
        ("ws_rtt", {"netfeed", "netfeed:spin", "netfeed:direct", "netfeed:tls", "pure", "floor:c"}),
        ("tls_receive", {"netfeed", "netfeed:batch", "floor:ssl", "floor:ssl_batch"}),
        ("tick_to_order", {"netfeed", "netfeed:p99", "netfeed:feed", "netfeed:plain", "pure", "floor:echo:send"}),
    ],
)
def test_the_benches_of_sockets_run(cache: Path, name: str, wanted: set[str]) -> None:
    done = bench(cache, name, "--quick", "--json", "--runs", "1")
    assert done.returncode == 0, done.stderr
    rows = {row["row"]: row for row in json.loads(done.stdout)["rows"]}
    assert wanted <= rows.keys()
    assert all(row["median"] > 0 for row in rows.values())


@pytest.mark.root
@pytest.mark.skipif(netfeed.BUILD == "pure", reason="measures the compiled ring")
def test_the_bench_of_captures_runs(cache: Path) -> None:
    done = bench(cache, "capture", "--quick", "--json", "--runs", "1")
    assert done.returncode == 0, done.stderr
    rows = {row["row"]: row["median"] for row in json.loads(done.stdout)["rows"]}
    assert {"netfeed", "netfeed:flat_out", "netfeed:pcapng", "pure"} <= rows.keys()
    assert all(value > 0 for value in rows.values())


@pytest.mark.root
@pytest.mark.skipif(netfeed.BUILD == "pure", reason="measures the compiled receiver")
def test_the_bench_of_a_wire_between_namespaces_runs(cache: Path) -> None:
    done = bench(cache, "live_rate", "--quick", "--json", "--runs", "1")
    assert done.returncode == 0, done.stderr
    rows = {row["row"]: row for row in json.loads(done.stdout)["rows"]}
    assert {"netfeed", "netfeed:at_80%", "netfeed:lost_80%", "floor:recvmmsg", "netfeed:steered"} <= rows.keys()
    assert rows["floor:recvmmsg"]["median"] > 0
