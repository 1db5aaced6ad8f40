"""The benches: one module each, and what they share.

A bench is a module of this folder with

    NAME   as on the command line, the module's own name
    UNIT   of all its values, such as `ns/update`
    rows(file, quick) -> list of (row, run)

`run()` does the work once, from the start, and returns the value. What has to be made ready is made in `rows`, so that
`run` times nothing else. The row of netfeed is called `netfeed`, its plain twin `pure`, a floor `floor:...` and a peer
`peer:...` with its version. `quick` asks for a small input. `tools/bench.py` decides how often and in which order rows
run. A run that did not do the work that it claims raises.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter_ns
from zlib import crc32

Row = tuple[str, Callable[[], float]]


def peer(distribution: str) -> str | None:
    """Give the row name of a peer, or None when it is not on this machine, which is told on stderr."""
    try:
        return f"peer:{distribution}-{version(distribution)}"
    except PackageNotFoundError:
        print(f"left out: {distribution} is not installed", file=sys.stderr)
        return None


def timed(work: Callable[[], object]) -> int:
    """Do `work` once. Units: ns."""
    start = perf_counter_ns()
    work()
    return perf_counter_ns() - start


def cached(name: str, parameters: dict[str, object], write: Callable[[Path], None]) -> Path:
    """Give the file that `write` makes from `parameters`, made only once per machine.

    The file lies in $XDG_CACHE_HOME/netfeed/bench. Change a parameter (a version will do) when `write` changes.
    """
    key = crc32(json.dumps(parameters, sort_keys=True).encode())
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netfeed" / "bench"
    path = folder / f"{Path(name).stem}-{key:08x}{Path(name).suffix}"
    if not path.exists():
        print(f"making {path} from {parameters}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.stem}.{os.getpid()}{path.suffix}")
        write(part)
        part.rename(path)
    return path
