"""Build the sdist, the wheel from it, and import every module of the wheel in a clean environment.

What it proves: the sdist holds all that a build needs; the wheel holds every module, stub and marker of `src`; each
module imports on its own with no extra installed, or says which extra it wants; with all extras each imports; the
command starts; the plain Python twins need no compiled module.

What it leaves out: behaviour. The tests run on the source tree.
"""

import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
NAMES_AN_EXTRA = re.compile(r"netfeed\[(\w+)\]")

# Runs inside the clean environment: import each module in a process of its own, forked before netfeed is loaded. What
# netfeed depends on in any case is loaded before: else most of the time would go into loading it anew for each module.
# One line on standard output for each that fails: the module, a tab, the error.
IMPORT_EACH = """
import os, sys
import asyncio, ssl
import h11, msgspec, numpy, prometheus_client, rich.console, rich.live, rich.table, wsproto, zstandard
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            __import__(name)
        except BaseException as error:
            print(name, f"{type(error).__name__}: {error}".replace("\\n", " "), sep="\\t", flush=True)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        print(name, f"the import ended with status {status}", sep="\\t", flush=True)
"""


class Unfit(Exception):
    """The wheel is not what a person who installs it needs."""


def run(*command: str | Path, **environment: str) -> str:
    """Run a command, give what it printed. Raises: Unfit with its errors when it fails."""
    done = subprocess.run(
        list(map(str, command)), cwd=tempfile.gettempdir(), env=clean_environment() | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Unfit(f"{' '.join(map(str, command))[:200]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def clean_environment() -> dict[str, str]:
    """Give our environment without what would let an import see the source tree or change the build."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "NETFEED_PURE")}


def build(folder: Path) -> Path:
    """Build the sdist and from it the wheel, unoptimised, which proves as much here; give the wheel."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, NETFEED_BUILD="unoptimised")
    (wheel,) = folder.glob("*.whl")
    return wheel


def module_of(entry: str) -> str | None:
    """Give the dotted name of the module that a file of the wheel holds, or None."""
    path = PurePosixPath(entry)
    if path.suffix not in (".py", ".so") or path.parts[0] != "netfeed":
        return None
    parts = [*path.parts[:-1], path.name.split(".")[0]]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def missing_files(entries: list[str]) -> Iterator[str]:
    """Name what `src` has and the wheel lacks, or has and should not."""
    present = set(entries)
    for source in sorted((ROOT / "src").rglob("*")):
        entry = source.relative_to(ROOT / "src").as_posix()
        if source.suffix in (".py", ".pyi", ".pxd", ".h") or source.name == "py.typed":
            if entry not in present and ".egg-info" not in entry:
                yield f"the wheel lacks {entry}"
        elif source.suffix == ".pyx":
            stem = entry.removesuffix("pyx")
            if not any(name.startswith(stem) and name.endswith(".so") for name in present):
                yield f"the wheel lacks the compiled {entry}"
            if not source.with_suffix(".pyi").exists():
                yield f"{entry} has no stub"
    for name in entries:
        if name.endswith((".pyx", ".c")) or name.split("/")[0] not in ("netfeed", *dist_info(entries)):
            yield f"the wheel should not hold {name}"


def dist_info(entries: list[str]) -> set[str]:
    return {name.split("/")[0] for name in entries if ".dist-info/" in name}


def failures(python: Path, modules: list[str], **environment: str) -> dict[str, str]:
    """Import each module with the interpreter of the clean environment; give the error of each that fails."""
    printed = run(python, "-c", IMPORT_EACH, *modules, **environment)
    return dict(line.split("\t", 1) for line in printed.splitlines() if "\t" in line)


def report(title: str, failed: dict[str, str]) -> None:
    if failed:
        raise Unfit(f"{title}:\n" + "\n".join(f"  {name}: {error}" for name, error in failed.items()))


def check(folder: Path) -> None:
    wheel = build(folder)
    with zipfile.ZipFile(wheel) as archive:
        entries = archive.namelist()
    if problems := list(missing_files(entries)):
        raise Unfit("\n".join(problems))
    modules = sorted({name for entry in entries if (name := module_of(entry))})
    print(f"wheel: {wheel.name}, {wheel.stat().st_size:,} bytes, {len(modules)} modules, built from the sdist")

    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")

    run(*pip, wheel)
    failed = failures(python, modules)
    wanting = {name: found[1] for name, error in failed.items() if (found := NAMES_AN_EXTRA.search(error))}
    report("these do not import, and do not say which extra they want",
           {name: error for name, error in failed.items() if name not in wanting})  # fmt: skip
    print(f"wheel: {len(modules) - len(wanting)} modules import with no extra")
    for name, extra in wanting.items():
        print(f"wheel: {name} says that it wants netfeed[{extra}]")
    print(f"wheel: {run(environment / 'bin' / 'netfeed', '--version').strip()}")

    run(*pip, f"netfeed[all] @ {wheel.as_uri()}")
    report("these do not import with all extras", failures(python, modules))
    print(f"wheel: {len(modules)} modules import with all extras")

    compiled = {name for entry in entries if entry.endswith(".so") and (name := module_of(entry))}
    for library in environment.glob("lib/python*/site-packages/netfeed/**/*.so"):
        library.unlink()
    plain = [name for name in modules if name not in compiled]
    report("these twins need a compiled module", failures(python, plain, NETFEED_PURE="1"))
    print(f"wheel: {len(plain)} modules import under NETFEED_PURE=1 with no compiled module there")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="netfeed-wheel-") as folder:
        try:
            check(Path(folder))
        except Unfit as problem:
            print(f"check_wheel: {problem}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
