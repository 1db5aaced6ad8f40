"""Give a run's process what its configuration asks for, and say what was refused."""

from collections.abc import Callable, Iterator

from netfeed.app.configuration import Process
from netfeed.host import process


def settled(wanted: Process) -> list[str]:
    """Apply the settings; give what was refused, each with its key and its remedy."""
    return list(_refusals(wanted))


def _refusals(wanted: Process) -> Iterator[str]:
    if wanted.cpus:
        yield from (f"process.cpus: {refusal}" for refusal in process.pin(wanted.cpus))
    asked: list[tuple[str, bool, Callable[[], str | None]]] = [
        ("timer_slack", wanted.timer_slack is not None, lambda: process.timer_slack(wanted.timer_slack or 0)),
        ("huge_pages", not wanted.huge_pages, process.no_huge_pages),
        ("prefault", wanted.prefault > 0, lambda: process.prefault(wanted.prefault)),
        ("lock_memory", wanted.lock_memory, process.lock_memory),
    ]
    for key, is_asked, apply in asked:
        refusal = apply() if is_asked else None
        if refusal is not None:
            yield f"process.{key}: {refusal}"
