"""The house keeps its own rules: who may import whom, what is pure, what is named and said, and how long files are.

Each rule is applied to every file, and to a snippet that breaks it: a rule that cannot fail says nothing.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from tests import house

SOURCE = Path(__file__).resolve().parents[1] / "src" / "netfeed"
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
CORE = sorted(path.relative_to(SOURCE).as_posix() for pattern in ("*.pyx", "*.pxd") for path in SOURCE.rglob(pattern))
"""Stubs are left out: they say types to a checker and import nothing."""

TABLES = {
    "wire/cme.py": "the messages of CME's schema, one row a field",
}
"""Files that may be long, and why: they are read row by row beside a specification."""


def text(path: str) -> str:
    return (SOURCE / path).read_text(encoding="utf-8")


def complaints(check: Callable[[str, str], list[str]], paths: Iterable[str]) -> list[str]:
    """Hold every file to a rule; what comes out names the file."""
    return [said for path in paths for said in check(path, text(path))]


def test_there_is_a_house() -> None:
    assert {"machine.py", "feed/channel.py", "wire/layout.py"} <= set(FILES)
    assert {"_core/market.pxd", "_core/l3.pyx"} <= set(CORE)


def test_a_room_imports_only_what_it_may_see() -> None:
    assert complaints(house.check_imports, FILES) == []


def test_the_compiled_core_imports_nothing_of_netfeed() -> None:
    assert complaints(house.check_core_source, [path for path in CORE if path.startswith("_core/")]) == []


def test_a_pure_room_reads_no_clock_entropy_socket_thread_environment_or_log() -> None:
    assert complaints(house.check_pure, FILES) == []


def test_names_say_something() -> None:
    assert complaints(house.check_names, FILES) == []


def test_modules_classes_and_functions_say_what_they_are() -> None:
    assert complaints(house.check_docstrings, FILES) == []


def test_files_are_short() -> None:
    assert complaints(partial(house.check_length, tables=TABLES), [*FILES, *CORE]) == []


def test_every_exception_is_still_needed() -> None:
    assert [path for path in TABLES if house.check_length(path, text(path), {}) == []] == []
    assert [path for path in house.IMPURE_FILES if not (SOURCE / path).exists()] == []


# --- and the rules can fail


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("wire/x.py", "from netfeed.book.level import Side"),
        ("wire/x.py", "from netfeed import book"),
        ("wire/x.py", "import netfeed.feed.channel"),
        ("wire/x.py", "from ..feed import channel"),
        ("wire/x.py", "def late():\n    from netfeed.feed import channel"),
        ("wire/x.py", "select('itch', 'netfeed.venues.itch', 'Feed')"),
        ("proto/x.py", "from netfeed.feed.gap import Gap"),
        ("engine/x.py", "from netfeed.venues import iex"),
        ("engine/x.py", "from netfeed.wire import iex"),
        ("transport/x.py", "from netfeed.feed import channel"),
        ("transport/x.py", "from netfeed.sim import draws"),
        ("sim/x.py", "from netfeed.transport import file"),
        ("_core/x.py", "from netfeed.errors import WireError"),
        ("machine.py", "from netfeed.wire import itch"),
        ("attic/x.py", ""),
    ],
)
def test_a_forbidden_import_is_found(path: str, source: str) -> None:
    assert house.check_imports(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("feed/x.py", "from netfeed.wire import itch\nfrom netfeed.errors import WireError\nfrom . import gap"),
        ("feed/x.py", "from netfeed import machine"),
        ("cli/x.py", "from netfeed.app import replay\nfrom netfeed.transport import file"),
        ("transport/x.py", "from netfeed.wire import pcap\nfrom netfeed.latency import report"),
        ("engine/x.py", "from netfeed.book import level\nimport numpy"),
        ("__init__.py", "from netfeed.build import BUILD"),
    ],
)
def test_an_allowed_import_is_not(path: str, source: str) -> None:
    assert house.check_imports(path, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "from netfeed.errors import WireError", "cimport netfeed.wire", "    from netfeed.book cimport level",
        "from ..wire import itch", "from netfeed import errors", "import netfeed._corelike",
    ],
)  # fmt: skip
def test_a_core_that_looks_outside_is_found(source: str) -> None:
    assert house.check_core_source("_core/x.pyx", source)
    assert not house.check_core_source("_core/x.pyx", "from netfeed._core.market cimport Market\nfrom libc cimport x")


@pytest.mark.parametrize(
    "source",
    [
        "import time", "from time import monotonic_ns", "import random", "import secrets", "import socket",
        "import threading", "import logging", "def f():\n    import time", "import os\nos.environ['X']",
        "import os\nos.urandom(4)", "from os import environ", "from os import urandom", "import os\nos.getenv('X')",
        "from datetime import datetime\ndatetime.now()", "import datetime\ndatetime.datetime.now()",
        "import numpy as np\nnp.random.default_rng()", "open('x')", "print('x')", "import concurrent.futures",
    ],
)  # fmt: skip
def test_what_is_not_pure_is_found(source: str) -> None:
    assert house.check_pure("feed/x.py", source)
    assert not house.check_pure("transport/x.py", source)


def test_what_is_pure_is_left_alone() -> None:
    source = "import os.path\nfrom datetime import date\nself.time = now\nself.open(now)\nmachine.random(3)\n"
    assert house.check_pure("feed/x.py", source) == []


@pytest.mark.parametrize("path", ["feed/utils.py", "common/x.py", "wire/itch_helpers.py", "feed/base.py"])
def test_a_name_that_says_nothing_is_found(path: str) -> None:
    assert house.check_names(path, "")
    assert house.check_names("feed/x.py", "class GapManager: ...")
    assert house.check_names("wire/starbase.py", "class Starbase: ...") == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "'''A module.'''\nclass Thing:\n    x = 1",
        "'''A module.'''\ndef thing(): ...",
        "'''A module.'''\nasync def thing(): ...",
    ],
)
def test_what_does_not_say_what_it_is_is_found(source: str) -> None:
    assert len(house.check_docstrings("feed/x.py", source)) == 1


def test_what_is_private_or_speaks_for_itself_needs_no_docstring() -> None:
    source = (
        "'''A module.'''\nclass Kind(IntEnum):\n    A = 1\nclass _Own:\n    def f(self): ...\ndef _g(): ...\n"
        "class Thing:\n    '''A thing.'''\n    def __len__(self): ...\n"
    )
    assert house.check_docstrings("feed/x.py", source) == []
    assert house.check_docstrings("feed/__init__.py", "") == []


def test_a_long_file_is_found() -> None:
    assert house.check_length("feed/x.py", "x = 1\n" * 451, {})
    assert house.check_length("feed/x.py", "x = 1\n" * 450, {}) == []
    assert house.check_length("feed/x.py", "x = 1\n" * 451, {"feed/x.py": "a table"}) == []
    assert house.check_length("_core/x.pyx", "x = 1\n" * 901, {})
