"""Read a report that was kept."""

import os
import sys

from netfeed.latency import report_json
from netfeed.latency.report import Report
from netfeed.latency.report_json import MAX_BYTES, ReportError


def read_report(path: str) -> Report:
    """Read a report from a file; `-` is standard input.

    Raises: ReportError that names the file; OSError.
    """
    try:
        return report_json.load(_read(path))
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from None


def _read(path: str) -> bytes:
    """Read one byte more than a report may have, at most."""
    if path == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    if os.path.isdir(path):
        raise ReportError("it is a directory")
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)
