"""Selections and the kernel command line."""

import pytest

from netfeed.host.words import choices, parameters, selected, sysctl_name


def test_a_selection_is_the_word_in_brackets() -> None:
    assert selected("always [madvise] never\n") == "madvise"
    assert selected("[always] madvise never") == "always"
    assert choices("always [defer+madvise] never") == ["always", "defer+madvise", "never"]


@pytest.mark.parametrize(
    ("interface", "name"),
    [
        ("eth1", "net.ipv4.conf.eth1.rp_filter"),
        ("eth1.5", "net/ipv4/conf/eth1.5/rp_filter"),
        (None, "net.ipv4.conf.IF.rp_filter"),
    ],
)
def test_a_sysctl_of_an_interface_is_one_that_the_tool_understands(interface: str | None, name: str) -> None:
    assert sysctl_name("net.ipv4.conf.IF.rp_filter", interface) == name


@pytest.mark.parametrize("text", ["always never", "[a] [b]", "", "[]", "[a b]"])
def test_what_selects_nothing_or_two_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a selection"):
        selected(text)


def test_a_command_line_is_read_as_the_kernel_does() -> None:
    line = 'quiet isolcpus=domain,2-3 rcu-nocbs=2 a=1 a=2 dyndbg="file x +p" empty= module.key=1 -- isolcpus=9'
    assert parameters(line) == {
        "quiet": None, "isolcpus": "domain,2-3", "rcu_nocbs": "2", "a": "2", "dyndbg": "file x +p", "empty": "",
        "module.key": "1",
    }  # fmt: skip


def test_a_quote_that_never_ends_and_an_empty_line_are_no_errors() -> None:
    assert parameters('a="b c') == {"a": "b c"}
    assert parameters("") == {}
