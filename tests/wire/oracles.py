"""Independent readers of captures, for the tests: tshark where it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest


def tshark(path: Path, *fields: str) -> list[list[str]]:
    """Give these fields of every packet as tshark prints them, or skip the test that asked."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    wanted = [part for field in fields for part in ("-e", field)]
    command = [program, "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def nanoseconds(text: str) -> int:
    """Read tshark's decimal seconds as integer nanoseconds."""
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
