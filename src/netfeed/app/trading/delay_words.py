"""Delays in words, as they stand in an argument or a configuration.

150us                    always as long
100us..300us             evenly between two
lognormal:150us:0.4      median, and sigma of the logarithm
report.json#NAME         as a report of netfeed measured it: a distribution of `netfeed latency`
day.hlog#TAG             as a log of HdrHistogram holds it; without a name there must be one alone
"""

import re
from pathlib import Path
from typing import Final

from netfeed.app.latency.read import read_report
from netfeed.errors import ConfigurationError, MisuseError, WireError
from netfeed.latency import Histogram, hdr
from netfeed.latency.report import merged
from netfeed.latency.report_json import MAX_BYTES, ReportError
from netfeed.sim.fill_delay import Delay, Fixed, Lognormal, Recorded, Uniform
from netfeed.units import parse_duration

_LOGNORMAL: Final = re.compile(r"lognormal:([^:]+):([0-9.]+)")
_TAG: Final = re.compile(r"Tag=([^,]*),")
_FORMS: Final = "150us, 100us..300us, lognormal:150us:0.4, a report of netfeed latency (.json) or a log (.hlog)"


def read_delay(text: str) -> Delay:
    """Read a delay. Raises: ConfigurationError that says what can stand there."""
    try:
        return _file(text) if Path(text.partition("#")[0]).suffix in (".json", ".hlog") else _words(text)
    except (ValueError, MisuseError) as error:
        raise ConfigurationError(f"not a delay: {text!r}: {error}; write {_FORMS}") from None
    except OSError as error:
        raise ConfigurationError(f"{text.partition('#')[0]}: {error.strerror or error}") from None


def _words(text: str) -> Delay:
    lognormal = _LOGNORMAL.fullmatch(text)
    if lognormal is not None:
        return Lognormal(parse_duration(lognormal[1]), float(lognormal[2]))
    low, two, high = text.partition("..")
    return Uniform(parse_duration(low), parse_duration(high)) if two else Fixed(parse_duration(low))


def _file(text: str) -> Delay:
    path, _, wanted = text.partition("#")
    found = _logged(path) if path.endswith(".hlog") else _reported(path)
    names = sorted(found)
    if wanted not in found and (wanted or len(names) != 1):
        there = ", ".join(names[:20]) or "nothing"
        raise ValueError(f"{path} has {there}; name one, as in {path}#NAME")
    name = wanted or names[0]
    return Recorded(found[name].buckets(), f"{path}#{name}")


def _reported(path: str) -> dict[str, Histogram]:
    try:
        return {one.name: one.histogram for one in read_report(path).distributions}
    except ReportError as error:
        raise ValueError(str(error)) from None


def _logged(path: str) -> dict[str, Histogram]:
    """Read a log; the intervals of a tag are one distribution."""
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES} bytes")
    found: dict[str, list[Histogram]] = {}
    for line in data.decode(errors="replace").splitlines():
        tag = _TAG.match(line)
        if line.startswith(("#", '"')) or not line.strip():
            continue
        try:
            found.setdefault(tag[1] if tag else "", []).append(hdr.decode(line.rpartition(",")[2]))
        except WireError as error:
            raise ValueError(f"{path}: {error}") from None
    return {name: merged(parts) for name, parts in found.items()}
