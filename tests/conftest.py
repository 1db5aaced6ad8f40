"""Make `tests.data` importable from every test file, and choose how hard hypothesis works.

HYPOTHESIS_PROFILE names a profile: `default`; `ci` (chosen by CI=true: the same examples every time, so that a red
run can be run again); `quick` (under sanitizers); `deep` (by hand, for an evening). A test that sets its own
max_examples keeps it.
"""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# No deadlines: a shared machine may be slow at any moment, and no test asserts time.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
settings.register_profile(
    "quick", settings.get_profile("ci"), max_examples=20, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", settings.get_profile("default"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs root when run without it, with the reason."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root (namespaces or raw sockets)"))
