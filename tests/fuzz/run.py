"""Fuzz every decoder for a bounded time: `python tests/fuzz/run.py --seconds 60`.

Each target runs in a process of its own, so that a crash of compiled code ends one process and is reported: guided
by coverage where atheris is installed (of Python code; compiled modules are driven, not instrumented), else by
the seeded mutations of `mutation.py`. A crash, a hang of 10 seconds or memory beyond the limit leaves the input in
build/fuzz/crashes, prints the command that reproduces it, and ends with 1. When it is mended, move the input to
tests/fuzz/regressions/<target>/: the tests run it from then on.

Inputs that atheris found interesting stay in build/fuzz/corpus and are where the next run begins.
"""

import argparse
import faulthandler
import hashlib
import os
import re
import resource
import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.fuzz.collection import Target, load_targets  # noqa: E402
from tests.fuzz.mutation import MAX_BYTES, mutations  # noqa: E402

CRASHES = ROOT / "build" / "fuzz" / "crashes"
CORPUS = ROOT / "build" / "fuzz" / "corpus"

HANG_S = 10  # a decoder takes microseconds
MEMORY_MIB = 2048  # the interpreter with numpy takes 100; a decoder must not allocate by an untrusted length
START_S = 120  # for a worker to import everything, on a busy machine
EXECUTED = re.compile(r"number_of_executed_units: *(\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run of one target ended."""

    target: str
    executed: int
    failed: bool
    output: str
    inputs: list[Path]


# -- one target, in this process -----------------------------------------------------------------------------------


def fuzz_guided(name: str, seconds: int, seed: int) -> None:
    """Run one target under atheris; does not return."""
    import atheris

    with atheris.instrument_imports(include=["netfeed", "tests.fuzz"]):
        target = load_one(name)
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for data in target.corpus:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
    longest = max([MAX_BYTES, *(2 * len(data) for data in target.corpus)])
    options = [
        f"-max_total_time={seconds}", f"-max_len={longest}", f"-seed={seed % 2**32}", f"-timeout={HANG_S}",
        f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={CRASHES / name}-", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(folder)], target.run)
    atheris.Fuzz()


def fuzz_blind(target: Target, seconds: float, seed: int) -> None:
    """Run one target over its corpus and seeded mutations of it.

    The input is on disk before it is run, under a name that is removed only at the end: whatever kills the process,
    the input is left.
    """
    if "ASAN_OPTIONS" not in os.environ:  # the sanitizer maps terabytes of shadow
        resource.setrlimit(resource.RLIMIT_AS, (2 * MEMORY_MIB << 20,) * 2)
    current = CRASHES / f"{target.name}-current"
    record = os.open(current, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    end = time.monotonic() + seconds
    executed = 0
    for source in (target.corpus, mutations(target.corpus, seed)):
        for data in source:
            if executed % 256 == 0:
                faulthandler.dump_traceback_later(HANG_S, exit=True, file=2)
                if time.monotonic() > end:
                    break
            os.pwrite(record, data, 0)
            os.ftruncate(record, len(data))
            target.run(data)
            executed += 1
    faulthandler.cancel_dump_traceback_later()
    current.unlink()
    print(f"number_of_executed_units: {executed}")


def load_one(name: str) -> Target:
    targets = load_targets(name.split(".")[0])
    if name not in targets:
        sys.exit(f"no target {name!r}; there are: {', '.join(sorted(load_targets()))}")
    return targets[name]


# -- all targets, a process each -------------------------------------------------------------------------------------


def fuzz_in_a_process(name: str, engine: str, seconds: int, seed: int) -> Outcome:
    """Run one target in a child, and collect what it left."""
    command = [sys.executable, __file__, "--target", name, "--engine", engine, "--seconds", str(seconds)]
    try:
        done = subprocess.run(
            [*command, "--seed", str(seed)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds + START_S, check=False,
        )  # fmt: skip
        code, printed = done.returncode, done.stdout
    except subprocess.TimeoutExpired as expired:
        code, printed = -1, (expired.stdout or b"") + b"\nthe process did not end in time"
    output = printed.decode(errors="replace")
    executed = EXECUTED.search(output)
    inputs = kept_inputs(name) if code else []
    return Outcome(name, int(executed[1]) if executed else 0, code != 0 or not executed, output, inputs)


def kept_inputs(name: str) -> list[Path]:
    """Give the inputs that a failed run left, under names that a later run does not overwrite."""
    current = CRASHES / f"{name}-current"
    if current.exists():
        digest = hashlib.sha1(current.read_bytes()).hexdigest()
        current.rename(CRASHES / f"{name}-crash-{digest}")
    return sorted(CRASHES.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime_ns)[-1:]


def fuzz_all(names: list[str], engine: str, seconds: int, seed: int) -> int:
    """Run all targets in about `seconds`, two processors or more at a time; give how many failed."""
    workers = os.cpu_count() or 1
    share = max(1, seconds * workers // len(names))
    print(f"fuzz: {len(names)} targets, {share} s each, {workers} at a time, {engine}, seed {seed}", flush=True)
    failed: list[Outcome] = []
    with ThreadPoolExecutor(workers) as pool:
        for outcome in pool.map(lambda name: fuzz_in_a_process(name, engine, share, seed), names):
            print(f"fuzz: {'FAILED' if outcome.failed else 'ok':7}{outcome.target:40}{outcome.executed:>12,} runs")
            failed += [outcome] * outcome.failed
    for outcome in failed:  # at the end, where whoever sees only the end of a long log looks
        print(f"fuzz: {outcome.target} failed:")
        show(outcome)
    print(f"fuzz: {len(names) - len(failed)} targets passed, {len(failed)} failed", flush=True)
    return len(failed)


def show(outcome: Outcome) -> None:
    """Print what a person needs to go on: the end of the output, the input, the command."""
    print("\n".join(f"    {line}" for line in outcome.output.splitlines()[-40:]))
    for path in outcome.inputs:
        data = path.read_bytes()
        print(f"    input ({len(data)} bytes): {data[:64].hex()}{'...' if len(data) > 64 else ''}")
        print(f"    reproduce: {os.path.relpath(sys.executable)} {os.path.relpath(__file__)} "
              f"--target {outcome.target} --reproduce {os.path.relpath(path)}", flush=True)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="fuzz netfeed's decoders for a bounded time")
    parser.add_argument("--seconds", type=int, default=60, help="over all targets together (default 60)")
    parser.add_argument("--target", metavar="NAME", help="only this one, in this process")
    parser.add_argument("--engine", choices=("atheris", "mutator"),
                        default="atheris" if find_spec("atheris") else "mutator")  # fmt: skip
    parser.add_argument("--seed", type=int, default=secrets.randbits(31), help="to repeat a run")
    parser.add_argument("--reproduce", metavar="FILE", type=Path, help="run --target once on these bytes")
    options = parser.parse_args()

    CRASHES.mkdir(parents=True, exist_ok=True)
    if options.target is None:
        names = sorted(load_targets())
        return 1 if not names or fuzz_all(names, options.engine, options.seconds, options.seed) else 0
    if options.reproduce:
        load_one(options.target).run(options.reproduce.read_bytes())
        print("nothing was raised")
    elif options.engine == "atheris":
        fuzz_guided(options.target, options.seconds, options.seed)
    else:
        fuzz_blind(load_one(options.target), options.seconds, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
