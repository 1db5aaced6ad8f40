"""Real recordings that lie beside a checkout, where they do: tests that need one skip with a reason elsewhere."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("NETFEED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
PCAPS = Path(__file__).resolve().parents[1] / "pcaps"


def recording(name: str) -> Path:
    """Give the path of a real recording, or skip the test that asked for it."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"real recording {name} is not on this machine (set NETFEED_DATA to the folder that holds it)")
    return path
