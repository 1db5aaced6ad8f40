"""How settings are written that are not plain numbers or names: selections, the kernel's command line, sysctls.

Source: Documentation/admin-guide/mm/transhuge (selections), Documentation/admin-guide/kernel-parameters (quoting),
sysctl(8) (slashes between words).
"""

import re
from typing import Final

_SELECTED: Final = re.compile(r"\[([^\[\]\s]+)\]")
_PARAMETER: Final = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


def selected(text: str) -> str:
    """Give what stands in brackets: `always [madvise] never` is `madvise`.

    Raises: ValueError when not exactly one word does.
    """
    found: list[str] = _SELECTED.findall(text)
    if len(found) != 1:
        raise ValueError(f"not a selection such as 'always [madvise] never': {text.strip()!r}")
    return found[0]


def choices(text: str) -> list[str]:
    """Give the words of a selection, brackets taken off."""
    return text.replace("[", " ").replace("]", " ").split()


def sysctl_name(name: str, interface: str | None) -> str:
    """Fill an interface in for IF; where its own name has dots (VLANs), sysctl(8) wants slashes between the words."""
    if interface and "." in interface:
        name = name.replace(".", "/")
    return name.replace("IF", interface or "IF")


def parameters(line: str) -> dict[str, str | None]:
    """Read a kernel command line: the last of a name wins, None is a word without a value.

    `-` and `_` in names are the same to the kernel; the keys have `_`. What follows ` -- ` is for init.
    """
    found: dict[str, str | None] = {}
    for word in _PARAMETER.findall(line):
        if word == "--":
            break
        name, equals, value = word.replace('"', "").partition("=")
        found[name.replace("-", "_")] = value if equals else None
    return found
