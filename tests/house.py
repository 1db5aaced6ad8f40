"""The rules of the house, as functions from source text to complaints. `test_house.py` applies them.

A room imports only what stands to its left in ROOMS; some have walls of their own. What is pure reads no clock,
entropy, socket, thread, environment or log: time and seeds are arguments there.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

TOP: Final = frozenset({"netfeed", "machine", "units", "errors", "build"})
"""What lies above all rooms; it imports nothing but itself."""
ROOMS: Final = (
    "_core", "wire", "book", "proto", "feed", "venues", "engine", "latency", "sim", "transport", "host", "app", "cli",
)  # fmt: skip
WALLS: Final = {
    "_core": frozenset({"_core"}),
    "engine": frozenset({"book", "engine"}),
    "transport": frozenset({"_core", "wire", "latency", "transport"}),
}
"""Rooms that see less than what stands to their left; the top files besides, but for `_core`."""
IMPURE_ROOMS: Final = frozenset({"transport", "host", "app", "cli"})
IMPURE_FILES: Final = {"build.py": "which build runs is chosen by NETFEED_PURE"}
IMPURE_MODULES: Final = frozenset({
    "asyncio", "fcntl", "logging", "multiprocessing", "random", "resource", "secrets", "select", "selectors", "signal",
    "socket", "subprocess", "threading", "time", "uuid", "concurrent", "_thread",
})  # fmt: skip
IMPURE_NAMES: Final = frozenset({
    "os.environ", "os.environb", "os.getenv", "os.urandom", "os.getrandom", "os.getpid", "os.open", "os.read",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "np.random", "numpy.random",
})  # fmt: skip
IMPURE_CALLS: Final = frozenset({"open", "print", "input", "breakpoint"})
FORBIDDEN_WORDS: Final = frozenset({"utils", "util", "common", "helpers", "helper", "manager", "managers", "base"})
MAX_LINES: Final = 450
MAX_CORE_LINES: Final = 900
"""A compiled module is one concern whose parts are inlined into each other."""

Complaint = str


def room_of(path: str) -> str:
    """Give the room of a file, by its path below `netfeed`: its first folder, `cli` for `__main__`, or `top`."""
    if path == "__main__.py":
        return "cli"
    return path.split("/")[0] if "/" in path else "top"


def may_see(room: str) -> frozenset[str]:
    """Give what a room may import of netfeed: rooms, and top files by their names."""
    if room == "top":
        return TOP
    seen = WALLS.get(room, frozenset(ROOMS[: ROOMS.index(room) + 1]))
    return seen if room == "_core" else seen | TOP


def imported(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """Give every module that a file imports, in functions and by name too, with its line."""
    package = ("netfeed/" + path).split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Call) and _name(node.func).split(".")[-1] in (
            "select",
            "import_module",
            "__import__",
        ):
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            yield from ((node.lineno, text) for text in texts if text.startswith("netfeed"))


def check_imports(path: str, source: str) -> list[Complaint]:
    """Complain of imports from rooms that this one may not see."""
    room, complaints = room_of(path), []
    if room != "top" and room not in ROOMS:
        return [f"{path}: {room} is no room of the house"]
    for line, module in imported(ast.parse(source), path):
        parts = module.split(".")
        target = parts[1] if len(parts) > 1 else parts[0]
        inside = target in ROOMS or target in TOP
        if parts[0] == "netfeed" and inside and target not in may_see(room):
            complaints.append(f"{path}:{line}: {room} may not see {module}")
    return complaints


def check_core_source(path: str, source: str) -> list[Complaint]:
    """Complain of what a .pyx, .pxd or .pyi of the core imports from the rest of netfeed."""
    statement = re.compile(r"^\s*(?:cimport|import|from)\s+(netfeed[\w.]*|\.\.+\w*)")
    return [
        f"{path}:{number}: the core imports {match[1]}"
        for number, line in enumerate(source.splitlines(), 1)
        if (match := statement.match(line)) and not re.match(r"netfeed\._core\b", match[1])
    ]


def check_pure(path: str, source: str) -> list[Complaint]:
    """Complain of a clock, entropy, a socket, a thread, the environment or a log in a pure room."""
    if room_of(path) in IMPURE_ROOMS or path in IMPURE_FILES:
        return []
    tree, complaints = ast.parse(source), []
    for line, module in imported(tree, path):
        if module.split(".")[0] in IMPURE_MODULES or module in IMPURE_NAMES:
            complaints.append(f"{path}:{line}: a pure room imports {module}")
    for node in ast.walk(tree):
        name = _name(node) if isinstance(node, ast.Attribute) else ""
        if any(name == impure or name.endswith(f".{impure}") for impure in IMPURE_NAMES):
            complaints.append(f"{path}:{node.lineno}: a pure room uses {name}")  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            complaints.append(f"{path}:{node.lineno}: a pure room calls {node.func.id}")
    return complaints


def check_names(path: str, source: str) -> list[Complaint]:
    """Complain of files, folders and classes whose name says nothing."""
    words = {word for part in path.rsplit(".", 1)[0].split("/") for word in part.lower().split("_")}
    complaints = [f"{path}: {word} is no name for a module" for word in sorted(words & FORBIDDEN_WORDS)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            ends = [word.lower() for word in re.findall(r"[A-Z][a-z]+", node.name)]
            if set(ends) & FORBIDDEN_WORDS:
                complaints.append(f"{path}:{node.lineno}: {node.name} is no name for a class")
    return complaints


def check_docstrings(path: str, source: str) -> list[Complaint]:
    """Complain of modules, public classes and public functions that do not say what they are.

    An enumeration's members and a named tuple's fields may speak for it; a method may be said by what it implements.
    """
    tree = ast.parse(source)
    if not tree.body:
        return []
    complaints = [] if ast.get_docstring(tree) else [f"{path}:1: the module has no docstring"]
    return complaints + [
        f"{path}:{node.lineno}: {node.name} has no docstring" for node in _public(tree) if not ast.get_docstring(node)
    ]


def check_length(path: str, source: str, tables: dict[str, str]) -> list[Complaint]:
    """Complain of a long file that is not one of the `tables`."""
    lines, limit = source.count("\n"), MAX_LINES if path.endswith(".py") else MAX_CORE_LINES
    if lines <= limit or path in tables:
        return []
    return [f"{path}: {lines} lines, more than {limit}; split it, or say in `tables` why it is one long table"]


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _public(tree: ast.Module) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not _is_enumeration(node):
            yield node


def _is_enumeration(node: Definition) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        re.search(r"Enum$|Flag$|NamedTuple$|TypedDict$", _name(base)) for base in node.bases
    )


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
