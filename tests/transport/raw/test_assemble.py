"""Programs by name: jumps are counted, those that do not reach are made long, and none goes backwards."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.transport.raw.assemble import REACH, Listing
from netfeed.transport.raw.bpf import MAX_INSTRUCTIONS, check, matches


def returns(listing: Listing, yes: str, no: str) -> None:
    listing.put(no)
    listing.add("ret", 1)
    listing.put(yes)
    listing.add("ret", 2)


@pytest.mark.parametrize("between", [0, 1, REACH - 1, REACH, REACH + 1, 3000])
def test_a_jump_reaches_over_any_distance(between: int) -> None:
    listing = Listing()
    yes, no = listing.label(), listing.label()
    listing.add("ld #", 5)
    listing.branch("jeq", 5, yes, no)
    for _ in range(between):
        listing.add("ret", 9)
    returns(listing, yes, no)
    program = listing.assemble()
    check(program)
    assert matches(program, b"") == 2
    assert matches((program[0]._replace(k=6), *program[1:]), b"") == 1
    assert len(program) == between + 4 + 2 * (between >= REACH)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 200)), min_size=1, max_size=12))
def test_a_chain_of_tests_goes_where_its_labels_say(chain: list[tuple[int, int, int]]) -> None:
    """Each link goes on to the next one, or further; whoever lands between two of them is not at the end."""
    for value in range(10):
        listing = Listing()
        labels = [listing.label() for _ in range(len(chain) + 1)]
        listing.add("ld #", value)
        for at, (number, skip, filling) in enumerate(chain):
            listing.put(labels[at])
            listing.branch("jeq", number, labels[min(at + 1 + skip, len(chain))], labels[at + 1])
            for _ in range(filling):
                listing.add("ret", 0)
        listing.put(labels[-1])
        listing.add("ret", 7)
        program = listing.assemble()
        check(program)
        assert matches(program, b"") == 7


def test_a_program_that_is_too_long_is_refused() -> None:
    listing = Listing()
    for _ in range(MAX_INSTRUCTIONS + 1):
        listing.add("ret", 0)
    with pytest.raises(ConfigurationError, match="4097 instructions"):
        listing.assemble()


def test_a_jump_backwards_is_refused() -> None:
    listing = Listing()
    back = listing.label()
    listing.put(back)
    listing.jump(back)
    with pytest.raises(MisuseError, match="forward"):
        listing.assemble()
