"""Run benches: `python tools/bench.py NAME... [--json] [--file F] [--runs N] [--quick]`, `--list` names them.

Rows run interleaved (A B C, A B C, ...) after one round that is not counted, because a shared machine is faster at one
moment than at the next: each ratio to the netfeed row is taken within a round, and the median of the ratios is shown.
The cyclic garbage collector is off while a row runs, for every row alike. The result goes to stdout, progress and
what is left out to stderr. With `--json` each bench is one line.
"""

import argparse
import gc
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from statistics import median
from typing import Any

import benches
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import netfeed

RUNS, QUICK_RUNS = 7, 3


@dataclass(frozen=True)
class Result:
    """The values of a bench: for each row one a round."""

    bench: str
    unit: str
    values: dict[str, list[float]]

    def ratio(self, row: str) -> float | None:
        """Give the median of this row's multiple of the netfeed row, round by round."""
        floor = self.values.get("netfeed")
        return median(a / b for a, b in zip(self.values[row], floor, strict=True)) if floor and all(floor) else None

    def report(self) -> dict[str, Any]:
        rows = [
            {"row": row, "median": median(found), "min": min(found), "max": max(found), "runs": len(found)}
            for row, found in self.values.items()
        ]
        return {"bench": self.bench, "unit": self.unit, "machine": machine(), "rows": rows}


def machine() -> dict[str, Any]:
    """Say what the values were measured on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    return {
        "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "netfeed": netfeed.__version__, "build": netfeed.BUILD,
    }  # fmt: skip


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(benches.__path__) if not module.name.startswith("_"))


def measure(name: str, file: Path | None, runs: int, quick: bool) -> Result:
    bench = import_module(f"benches.{name}")
    rows: list[benches.Row] = bench.rows(file, quick)
    values: dict[str, list[float]] = {row: [] for row, _ in rows}
    with progress(name, (runs + 1) * len(rows)) as advance:
        for counted in range(-1, runs):
            for row, run in rows:
                value = quietly(run)
                advance()
                if counted >= 0:
                    values[row].append(round(value, 4))
    return Result(bench.NAME, bench.UNIT, values)


def quietly(run: Callable[[], float]) -> float:
    gc.collect()
    gc.disable()
    try:
        return run()
    finally:
        gc.enable()


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=total)
        yield lambda: bar.advance(task)


def table(result: Result) -> Table:
    table = Table(title=f"{result.bench} ({result.unit})", title_justify="left")
    table.add_column("row")
    for column in ("median", "min", "max", "runs", "x netfeed"):
        table.add_column(column, justify="right")
    for row in result.report()["rows"]:
        ratio = result.ratio(row["row"])
        numbers = [f"{row[key]:,.4g}" if row[key] < 1000 else f"{row[key]:,.0f}" for key in ("median", "min", "max")]
        table.add_row(row["row"], *numbers, str(row["runs"]), "" if ratio is None else f"{ratio:.3g}")
    return table


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure netfeed, its twins and its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="benches to run")
    parser.add_argument("--list", action="store_true", help="name the benches and stop")
    parser.add_argument("--json", action="store_true", help="one object a bench, one a line")
    parser.add_argument("--file", type=Path, metavar="F", help="measure on this input")
    parser.add_argument(
        "--runs", type=int, metavar="N", help=f"rounds that count (default {RUNS}, {QUICK_RUNS} with --quick)"
    )
    parser.add_argument("--quick", action="store_true", help="small inputs: does it run, not how fast")
    given = parser.parse_args(argv)
    unknown = [name for name in given.names if name not in names()]
    if unknown:
        parser.error(f"there is no bench {', '.join(unknown)}; there are: {', '.join(names())}")
    if not given.names and not given.list:
        parser.error(f"name a bench: {', '.join(names())}")
    if given.file is not None and not given.file.is_file():
        parser.error(f"there is no file {given.file}")
    if given.runs is not None and given.runs < 1:
        parser.error("--runs must be 1 or more")
    return given


def main(argv: list[str] | None = None) -> int:
    given = arguments(argv)
    if given.list:
        print("\n".join(names()))
        return 0
    for name in given.names:
        result = measure(name, given.file, given.runs or (QUICK_RUNS if given.quick else RUNS), given.quick)
        if given.json:
            print(json.dumps(result.report()), flush=True)
        else:
            out = Console()
            out.width = max(out.width, 100)  # a pipe says 80, and would cut the names of the rows
            out.print(table(result))
            out.print(json.dumps(machine()), soft_wrap=True, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
