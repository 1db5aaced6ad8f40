"""Times as people write and read them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.app.clock import DAY_NS, Moment, parse_moment, time_text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0", Moment(0)),
        ("1478961025968272358", Moment(1_478_961_025_968_272_358)),
        ("2016-11-12T14:30:25Z", Moment(1_478_961_025 * 10**9)),
        ("2016-11-12T14:30:25", Moment(1_478_961_025 * 10**9)),
        ("2016-11-12 14:30:25.968272358", Moment(1_478_961_025_968_272_358)),
        ("2016-11-12T15:30:25.5+01:00", Moment(1_478_961_025_500_000_000)),
        ("2016-11-12", Moment(1_478_908_800 * 10**9)),
        ("14:30", Moment(52_200 * 10**9, of_day=True)),
        ("09:30:00.000000001", Moment(34_200 * 10**9 + 1, of_day=True)),
    ],
)
def test_a_time_is_read_to_the_nanosecond(text: str, moment: Moment) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "now", "25:00", "12:60", "2016-13-01", "-5", "1.5", "14:30:25.1234567890", "٣"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_moment(text)


def test_a_time_of_day_takes_the_day_of_its_reference() -> None:
    reference = 20_000 * DAY_NS + 5
    assert parse_moment("00:00:01").at(reference) == 20_000 * DAY_NS + 10**9
    assert parse_moment("00:00:01").at(0) == 10**9
    assert Moment(7).at(reference) == 7


@given(st.integers(DAY_NS, 4_000_000_000 * 10**9))
def test_what_is_written_is_read_again(ns: int) -> None:
    text = time_text(ns)
    assert parse_moment(text) == Moment(ns)
    assert text.startswith(datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S."))


@given(st.integers(-(2**63), 2**63 - 1) | st.none())
def test_any_time_can_be_written(ns: int | None) -> None:
    assert time_text(ns)
    assert time_text(ns, date=False)
