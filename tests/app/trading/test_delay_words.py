"""Delays in words: what can stand there, and what is said where something else does."""

from pathlib import Path

import pytest

from netfeed.app.trading.delay_words import read_delay
from netfeed.errors import ConfigurationError
from netfeed.latency import Histogram, report_json
from netfeed.latency.hlog import hlog
from netfeed.latency.report import Distribution, Report
from netfeed.sim.fill_delay import Chance, Fixed, Lognormal, Uniform


def report() -> Report:
    fast, slow = Histogram(), Histogram()
    fast.record(1_000, 3)
    slow.record(9_000, 1)
    return Report("ping", "round trips", distributions=(Distribution("fast", fast), Distribution("slow", slow)))


def test_delays_are_read() -> None:
    assert read_delay("150us") == Fixed(150_000)
    assert read_delay("100us..1ms") == Uniform(100_000, 1_000_000)
    assert read_delay("lognormal:2ms:0.25") == Lognormal(2_000_000, 0.25)


@pytest.mark.parametrize("kind", ["json", "hlog"])
def test_what_was_measured_is_drawn_from(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"report.{kind}"
    path.write_bytes(report_json.dump(report()) if kind == "json" else hlog(report()).encode())
    assert 8_900 < read_delay(f"{path}#slow").draw(Chance(1)) < 9_100
    with pytest.raises(ConfigurationError, match=r"has fast, slow; name one, as in .*#NAME"):
        read_delay(str(path))
    with pytest.raises(ConfigurationError, match="has fast, slow"):
        read_delay(f"{path}#other")


@pytest.mark.parametrize("text", ["", "fast", "2ms..1ms", "lognormal:1ms:x", "lognormal:0s:1", "10parsecs"])
def test_anything_else_says_what_can_stand_there(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write 150us, 100us\.\.300us"):
        read_delay(text)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_delay(f"{tmp_path}/none.json")
    (tmp_path / "bad.hlog").write_text("Tag=x,0,1,2,notbase64\n")
    with pytest.raises(ConfigurationError, match=r"bad\.hlog: histogram"):
        read_delay(f"{tmp_path}/bad.hlog")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"bad\.json"):
        read_delay(f"{tmp_path}/bad.json")
