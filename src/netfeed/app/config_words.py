"""What is wrong with a value of a configuration, in words that say what may stand there: choices, or an example.

msgspec names the path of the mistake; the types at that path know the rest (`configuration`, `extra` of a type).
"""

import re
from typing import Any, Final

from msgspec import inspect

_STEP: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\.\.\.|\d*)\]")


def plain(error: str, root: Any) -> str:
    """Give a message of msgspec as PATH: WHAT, with choices for a wrong choice and an example for a wrong text."""
    what, _, path = error.partition(" - at `$")
    where = path.rstrip("`")
    kind, example = _at(inspect.type_info(root), where)
    if what.startswith("Invalid enum value") and isinstance(kind, inspect.LiteralType):
        given = what.removeprefix("Invalid enum value ")
        what = f"{given} is none of {', '.join(str(value) for value in kind.values)}"
    elif what.startswith("Object missing required field") and isinstance(kind, inspect.StructType):
        needed = ", ".join(field.encode_name for field in kind.fields if field.required)
        what = f"{what.split('`')[1]} is missing; it takes {needed} at least"
    elif "matching regex" in what and example is not None:
        what = f"it is not of the form of {example}"
    where = where.strip(".")
    return f"{where}: {what}" if where else what


def _at(kind: inspect.Type, where: str) -> tuple[inspect.Type | None, str | None]:
    """Find the type at a path, and the example that it gives."""
    found: inspect.Type | None = kind
    for name, _ in _STEP.findall(where):
        found, _ = _bare(found)
        if isinstance(found, inspect.StructType) and name:
            found = next((field.type for field in found.fields if field.encode_name == name), None)
        elif isinstance(found, inspect.ListType) and not name:
            found = found.item_type
        else:
            return None, None
    return _bare(found)


def _bare(kind: inspect.Type | None) -> tuple[inspect.Type | None, str | None]:
    """Take off what surrounds a type: constraints, and that it may be absent."""
    example = None
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.Metadata):
            example, kind = (kind.extra or {}).get("example", example), kind.type
        else:
            kind = next((one for one in kind.types if not isinstance(one, inspect.NoneType)), None)
    return kind, example
