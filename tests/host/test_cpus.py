"""Sets of processors: lists and masks."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.host.cpus import cpu_list_text, mask_text, parse_cpu_list, parse_mask

CPUS = st.frozensets(st.integers(0, 300), max_size=40)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-3,8", {0, 1, 2, 3, 8}), ("", set()), ("\n", set()), ("5\n", {5}), ("0-6:2", {0, 2, 4, 6}),
        ("7,1", {1, 7}), ("2-2", {2}), ("1, 3", {1, 3}), ("(null)\n", set()),
    ],
)  # fmt: skip
def test_a_list_is_read(text: str, cpus: set[int]) -> None:
    assert parse_cpu_list(text) == cpus


@pytest.mark.parametrize("text", ["a", "3-1", "1,,2", "-1", "1-", "0-4:0", "99999", "0x3", "1 2", "²"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a list of processors"):
        parse_cpu_list(text)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("3", {0, 1}), ("00000003\n", {0, 1}), ("1,00000000", {32}), ("1,0", {32}), ("80000000,00000001", {0, 63}),
        ("0", set()), ("0xff", set(range(8))), ("F", {0, 1, 2, 3}), ("100000000", {32}),
    ],
)  # fmt: skip
def test_a_mask_is_read(text: str, cpus: set[int]) -> None:
    assert parse_mask(text) == cpus


@pytest.mark.parametrize("text", ["", "g", "1,,2", "123456789,1", "0-3", "-1", ",1", "f" * 3000])
def test_what_is_no_mask_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_mask(text)


@given(CPUS)
def test_both_come_back_as_they_were_written(cpus: frozenset[int]) -> None:
    assert parse_cpu_list(cpu_list_text(cpus)) == cpus
    assert parse_mask(mask_text(cpus)) == cpus


def test_runs_are_written_as_ranges_and_masks_in_words() -> None:
    assert cpu_list_text({0, 1, 2, 5, 7, 8}) == "0-2,5,7-8"
    assert mask_text({0, 33}) == "2,00000001"
    assert mask_text(()) == "0"


@given(st.text(max_size=30))
def test_no_text_gives_anything_but_a_set_or_a_refusal(text: str) -> None:
    for parse in (parse_cpu_list, parse_mask):
        with contextlib.suppress(ValueError):
            assert isinstance(parse(text), frozenset)
