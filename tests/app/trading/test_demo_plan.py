"""What a demo breaks: in its middle, in words that the simulated venue knows."""

from itertools import pairwise

import pytest

from netfeed.app.trading.demo_plan import LEAD_NS, ROUND_NS, plan

S = 10**9


@pytest.mark.parametrize("duration_ns", [S, 3 * S, 20 * S, 3_600 * S])
def test_a_demo_breaks_a_line_and_a_gateway_in_its_middle_and_mends_both(duration_ns: int) -> None:
    steps = plan(duration_ns)
    assert [step.at_ns for step in steps] == sorted(step.at_ns for step in steps)
    assert all(duration_ns // 5 < step.at_ns - LEAD_NS < duration_ns * 4 // 5 for step in steps)
    assert [step.command.split()[0:2] for step in steps] == [
        ["line", "A"], ["line", "B"], ["orders", "A"], ["orders", "A"],
    ]  # fmt: skip
    assert steps[-1].command == "orders A revive"


def test_without_an_end_lines_fail_in_every_round_and_the_gateway_once() -> None:
    steps = plan(None)
    failures = [step.at_ns for step in steps if step.command.startswith("line A")]
    assert {later - earlier for earlier, later in pairwise(failures)} == {ROUND_NS}
    assert sum(step.command == "orders A kill" for step in steps) == 1
