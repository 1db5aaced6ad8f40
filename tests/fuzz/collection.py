"""Find the fuzz targets: every `targets_*.py` beside this file.

Such a file holds `TARGETS: dict[str, Callable[[bytes], None]]`, whose functions run one decoder and let nothing but
WireError pass in silence. It may hold `CORPUS: dict[str, list[bytes]]`, valid encodings by the same keys, where
mutation starts. A target's full name is `<file>.<key>`: `wire.itch` is TARGETS["itch"] of targets_wire.py.

Bytes that once crashed a target lie in `regressions/<full name>/`, and are part of its corpus for ever.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
REGRESSIONS = HERE / "regressions"


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder to be fed bytes, and valid encodings to begin from."""

    name: str
    run: Callable[[bytes], None]
    corpus: tuple[bytes, ...]


def load_targets(files: str = "*") -> dict[str, Target]:
    """Import every targets file whose name after `targets_` matches, and give its targets by full name.

    Raises: KeyError for a corpus that belongs to no target (a misspelt key would silently fuzz from nothing).
    """
    root = str(HERE.parents[1])
    if root not in sys.path:
        sys.path.insert(0, root)
    found: dict[str, Target] = {}
    for path in sorted(HERE.glob(f"targets_{files}.py")):
        module = import_module(f"tests.fuzz.{path.stem}")
        corpus: dict[str, list[bytes]] = getattr(module, "CORPUS", {})
        if strays := set(corpus) - set(module.TARGETS):
            raise KeyError(f"{path.name}: CORPUS for {sorted(strays)}, which are no TARGETS")
        for key, function in module.TARGETS.items():
            name = f"{path.stem.removeprefix('targets_')}.{key}"
            found[name] = Target(name, function, (*corpus.get(key, ()), *regressions(name)))
    return found


def regressions(name: str) -> list[bytes]:
    """Give the inputs that once crashed this target."""
    return [path.read_bytes() for path in sorted((REGRESSIONS / name).glob("*"))]
