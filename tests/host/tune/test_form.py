"""The forms of values: what means the same, and what must be written to have it again."""

import pytest

from netfeed.host.tune.form import UNLIMITED, Form, meaning, number, same, writable


@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        (Form.NUMBER, "0x10", "16"), (Form.NUMBER, "-1\n", "-1"), (Form.NUMBERS, "1\t2\t3", "1 2 3"),
        (Form.CHOICE, "always [never]", "never"), (Form.MASK, "3", "00000000,00000003"), (Form.CPUS, "0,1,2", "0-2"),
        (Form.TEXT, "performance\n", "performance"), (Form.NUMBER, "what?", "what?\n"),
    ],
)  # fmt: skip
def test_two_writings_of_one_value_are_the_same(form: Form, one: str, other: str) -> None:
    assert same(form, one, other)


@pytest.mark.parametrize(
    ("form", "one", "other"),
    [
        (Form.NUMBER, "1", "2"), (Form.NUMBERS, "1 2 3", "1 2"), (Form.CHOICE, "[always] never", "never"),
        (Form.MASK, "3", "30"), (Form.CPUS, "0-2", "0-3"), (Form.TEXT, "a", "b"), (Form.NUMBER, "1", "one"),
    ],
)  # fmt: skip
def test_two_values_are_not(form: Form, one: str, other: str) -> None:
    assert not same(form, one, other)


def test_of_a_selection_its_word_is_written_and_of_the_rest_the_text() -> None:
    assert writable(Form.CHOICE, "always [madvise] never\n") == "madvise"
    assert writable(Form.NUMBERS, "1\t2\t3\n") == "1\t2\t3"


def test_unlimited_is_more_than_any_number() -> None:
    assert number("unlimited") == UNLIMITED > number("9223372036854775807")


@pytest.mark.parametrize(
    ("form", "text"),
    [(Form.NUMBER, ""), (Form.NUMBERS, ""), (Form.CHOICE, "[a] [b]"), (Form.MASK, ""), (Form.CPUS, "x")],
)
def test_what_has_not_the_form_is_refused(form: Form, text: str) -> None:
    with pytest.raises(ValueError):
        meaning(form, text)
