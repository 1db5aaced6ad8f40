"""Texts of /proc and /sys: absent, empty and unreadable are three things."""

from pathlib import Path

from netfeed.host.tree import Tree, paired


def test_what_is_absent_is_not_what_is_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    tree = Tree(str(tmp_path))
    assert tree.text("/empty") == ""
    assert tree.text("/absent") is None
    assert tree.text("/") is None  # a folder is no text


def test_a_number_is_read_only_where_one_stands(tmp_path: Path) -> None:
    for name, text in (("one", "7\n"), ("minus", "-1\n"), ("words", "1 2 3"), ("none", ""), ("odd", "--5")):
        (tmp_path / name).write_text(text)
    tree = Tree(str(tmp_path))
    assert [tree.number(f"/{name}") for name in ("one", "minus", "words", "none", "odd", "absent")] == [
        7, -1, None, None, None, None,
    ]  # fmt: skip


def test_settings_are_found_by_their_dotted_name(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/net/core").mkdir(parents=True)
    (tmp_path / "proc/sys/net/core/rmem_max").write_text("4194304\n")
    assert Tree(str(tmp_path)).sysctl("net.core.rmem_max") == 4_194_304


def test_the_network_of_the_calling_thread_is_read() -> None:
    assert "lo" in (Tree().net("dev") or "")


def test_pairs_of_lines_become_named_numbers() -> None:
    assert paired("Udp: InErrors Odd\nUdp: 5 x\nTail:") == {"Udp.InErrors": 5, "Udp.Odd": 0}
    assert paired(None) == {}
