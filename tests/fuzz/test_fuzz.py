"""Every fuzz target over its corpus and 200 seeded mutations, in the default run; `make fuzz` goes on from there.

NETFEED_FUZZ_RUNS asks for more than 200: under sanitizers it does.
"""

import faulthandler
import os
import resource
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from netfeed.errors import WireError
from tests.fuzz import run
from tests.fuzz.collection import HERE, Target, load_targets
from tests.fuzz.mutation import MAX_BYTES, mutations

TARGETS = load_targets()
SEED = 20_250_601
MUTATIONS = int(os.environ.get("NETFEED_FUZZ_RUNS", "200"))


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_takes_its_valid_bytes_and_broken_ones(name: str) -> None:
    target = TARGETS[name]
    for data in (b"", *target.corpus, *islice(mutations(target.corpus, SEED), MUTATIONS)):
        try:
            target.run(data)
        except Exception as error:
            error.add_note(f"target {name}, seed {SEED}, input {data.hex()}")
            raise


def test_every_file_of_targets_brings_some() -> None:
    files = {path.stem.removeprefix("targets_") for path in HERE.glob("targets_*.py")}
    assert files
    assert files == {name.split(".")[0] for name in TARGETS}


def test_the_same_seed_breaks_bytes_in_the_same_way() -> None:
    corpus = [bytes(range(64)), b"\x00\x10" * 20]
    first = list(islice(mutations(corpus, 7), 300))
    assert first == list(islice(mutations(corpus, 7), 300))
    assert first != list(islice(mutations(corpus, 8), 300))
    assert len(set(first)) > 250
    assert max(map(len, first)) <= MAX_BYTES


def unchecked_length(data: bytes) -> None:
    """A decoder with the classic bug: it believes the length that it reads."""
    if len(data) < 2:
        raise WireError("length", offset=0, found=len(data), wanted=2)
    if data[1]:
        data[2:][data[1] - 1]


def test_a_blind_run_finds_an_unchecked_length_and_leaves_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CRASHES", tmp_path)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)  # it would bind the whole test process

    def swallowing(data: bytes) -> None:
        with suppress(WireError):
            unchecked_length(data)

    with pytest.raises(IndexError):
        run.fuzz_blind(Target("toy.length", swallowing, (b"\x00\x03abc",)), 60, SEED)
    faulthandler.cancel_dump_traceback_later()
    (left,) = run.kept_inputs("toy.length")
    with pytest.raises(IndexError):
        swallowing(left.read_bytes())
