"""Random numbers: the published vector of splitmix64, blocks that join, ranges."""

from hypothesis import given
from hypothesis import strategies as st

from netfeed.sim.draws import Draws

MASK = 2**64 - 1


def splitmix64(seed: int, count: int) -> list[int]:
    found = []
    for index in range(1, count + 1):
        z = (seed + index * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        found.append(z ^ z >> 31)
    return found


def test_the_published_vector() -> None:
    assert Draws(1234567).words(5).tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


@given(st.integers(0, 2**70), st.integers(0, 20), st.integers(0, 20))
def test_blocks_join_to_one_sequence(seed: int, first: int, second: int) -> None:
    draws = Draws(seed)
    assert draws.words(first).tolist() + draws.words(second).tolist() == splitmix64(seed, first + second)


def test_parts_are_the_words_cut_in_four() -> None:
    parts = Draws(5).parts(100)
    assert sum(part.astype(object) << 16 * index for index, part in enumerate(parts)).tolist() == splitmix64(5, 100)


@given(st.integers(0, MASK), st.integers(1, 2**32))
def test_below_stays_below(seed: int, bound: int) -> None:
    drawn = Draws(seed).below(50, bound).tolist()
    assert drawn == [(word >> 32) * bound >> 32 for word in splitmix64(seed, 50)]
    assert all(0 <= value < bound for value in drawn)


def test_shuffled_keeps_every_item() -> None:
    items = list(range(100))
    shuffled = Draws(3).shuffled(items)
    assert shuffled != items
    assert sorted(shuffled) == items
