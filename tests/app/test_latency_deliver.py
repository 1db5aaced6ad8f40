"""Delivering a report: data to standard output, files in the form of their suffix, all else to standard error."""

import argparse
import io
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from netfeed.app.latency.deliver import FORMS, deliver, write
from netfeed.app.latency.picture import png
from netfeed.app.latency.read import read_report
from netfeed.cli.latency_output import SUFFIXES, add_output
from netfeed.latency.plot.sheet import headline, plots
from netfeed.latency.report_json import ReportError, dump
from netfeed.transport.sink import SinkError
from tests.latency.samples import odd, rich


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_output(parser)
    return parser.parse_args(given)


def test_text_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    deliver(rich(), arguments())
    told = capsys.readouterr()
    assert told.out.startswith("Latency of a handler\n")
    assert "█" in told.out
    assert told.err == ""


def test_json_is_one_object_and_nothing_else(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    deliver(rich(), arguments("--json", "-o", str(tmp_path / "x.hlog")))
    told = capsys.readouterr()
    assert json.loads(told.out)["kind"] == "stages"
    assert told.out.count("\n") == 1
    assert told.err == f"netfeed: wrote {tmp_path / 'x.hlog'}\n"


def test_a_terminal_without_blocks_has_plain_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    deliver(odd(), arguments())
    out.seek(0)
    assert "|@" in out.read()


def test_quiet_writes_files_and_says_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    deliver(rich(), arguments("-q", "-o", str(tmp_path / "x.json")))
    assert capsys.readouterr() == ("", "")
    assert dump(read_report(str(tmp_path / "x.json"))) == dump(rich())
    deliver(rich(), arguments("-q"))
    assert capsys.readouterr().out.startswith("Latency")


def test_every_suffix_that_is_offered_has_a_form() -> None:
    assert set(FORMS) == set(SUFFIXES)


@pytest.mark.parametrize(
    ("suffix", "beginning"),
    [("JSON", b'{"schema":1'), ("html", b"<!DOCTYPE html>"), ("hlog", b"#[Logged"), ("svg", b"<?xml")],
)
def test_a_file_has_the_form_of_its_suffix(suffix: str, beginning: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x.{suffix}"
    write(odd(), str(path))
    assert path.read_bytes().startswith(beginning)
    assert list(tmp_path.iterdir()) == [path]


def test_an_svg_has_the_headline_and_the_plots(tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    write(rich(), str(path))
    texts = [element.text for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Latency of a handler"
    assert {"Percentiles", "Distribution", "wire to book over time", "packets over time"} <= set(texts)


@pytest.mark.slow
def test_a_png_is_the_same_drawing_at_twice_the_size(tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    path = tmp_path / "x.png"
    write(odd(), str(path))
    drawings = [headline(odd()), *plots(odd())]
    pixels = image.imread(path)
    assert pixels.shape[1] == 2 * (960 + 48)
    assert pixels.shape[0] > 2 * sum(one.height for one in drawings)
    assert pixels[:, :, :3].std() > 0.03


def test_without_matplotlib_a_png_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"netfeed\[plots\]"):
        png(plots(rich()))


@pytest.mark.parametrize("given", ["x.txt", "x", "/nowhere/x.json"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments("-o", given)
    assert given in capsys.readouterr().err


def test_a_folder_that_went_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError):
        write(rich(), str(tmp_path / "gone" / "x.json"))


def test_what_is_read_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"{}")
    for wrong in (path, tmp_path):
        with pytest.raises(ReportError, match=str(wrong)):
            read_report(str(wrong))
