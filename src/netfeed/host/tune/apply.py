"""Writing what differs, and putting it back.

Each write stands alone: one that the kernel refuses is told with the kernel's word, and the rest goes on, since a host
with nine right settings of ten is better than one with none, and the journal knows exactly which were changed. After a
write the value is read again: some drivers and files keep another one than they were given, and say nothing. It is
read before, too: what another write has brought about already (a governor chooses the preference) is left alone.

Order: rows of the table, first to last; a revert goes the other way.
"""

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from netfeed.host.tune.check import Finding, Reading
from netfeed.host.tune.form import same, writable
from netfeed.host.tune.journal import Entry, Journal, JournalError
from netfeed.host.tune.kernel import Absent, Kernel, Unreadable
from netfeed.host.tune.setting import NO_RISK
from netfeed.host.tune.where import Place

_REMEDIES: Final = {
    errno.EROFS: "read-only here, as in a container: run it on the host",
    errno.EACCES: "not permitted: run as root, on the host",
    errno.EPERM: "not permitted: run as root, on the host",
    errno.EBUSY: "in use: something else decides it",
    errno.EIO: "managed by the driver",
}


class Step(StrEnum):
    """What happened to a place."""

    WROTE = "wrote"
    KEPT = "kept"
    REFUSED = "refused"
    STOPPED = "stopped before"
    WOULD = "would write"
    RESTORED = "restored"
    ALREADY = "already there"
    GONE = "gone"
    FOREIGN = "changed since"
    BOOTED = "gone with the boot"


TROUBLE: Final = frozenset({Step.REFUSED, Step.STOPPED, Step.KEPT, Step.FOREIGN})
"""What did not end as it should."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one place: `old` stood there, `new` was to be written."""

    step: Step
    name: str
    place: Place
    old: str
    new: str
    remark: str = ""


def apply(kernel: Kernel, findings: Iterable[Finding], journal: Journal) -> Iterator[Outcome]:
    """Write what differs, one place after the other, until the journal cannot be written. It must be held.

    Raises: JournalError.
    """
    boot = kernel.boot_id()
    for finding, reading in [(one, reading) for one in findings for reading in one.to_write]:
        made = _write(kernel, finding, reading, journal, boot)
        yield made
        if made.step is Step.STOPPED:
            break
    journal.end()
    journal.close_empty()


def intended(findings: Iterable[Finding]) -> Iterator[Outcome]:
    """Say what an apply would write, with the risk of each."""
    for finding in findings:
        risk = "" if finding.setting.risk == NO_RISK else f"risk: {finding.setting.risk}"
        for one in finding.to_write:
            yield Outcome(Step.WOULD, finding.name, one.place, _old(finding, one), one.target, risk)


def untried(findings: Iterable[Finding], tried: frozenset[Place]) -> Iterator[Finding]:
    """Take those places out of findings that were written, or refused, already."""
    for one in findings:
        yield replace(one, readings=tuple(reading for reading in one.readings if reading.place not in tried))


def revert(kernel: Kernel, journal: Journal, *, force: bool = False) -> Iterator[Outcome]:
    """Put back what was changed, the last first; what somebody has changed since is left, but for `force`.

    Raises: JournalError.
    """
    boot = kernel.boot_id()
    for entry in reversed(list(journal.entries.values())):
        yield _restore(kernel, entry, journal, boot, force=force)
    journal.close_empty()


def restorable(kernel: Kernel, journal: Journal, *, force: bool = False) -> Iterator[Outcome]:
    """Say what a revert would do."""
    boot = kernel.boot_id()
    for entry in reversed(list(journal.entries.values())):
        yield _judged(kernel, entry, boot, force=force)


def _write(kernel: Kernel, finding: Finding, reading: Reading, journal: Journal, boot: str) -> Outcome:
    place, form, old = reading.place, finding.setting.form, _old(finding, reading)
    now = _now(kernel, place)
    if now is not None:
        old = writable_or_plain(finding, now)
        if same(form, now, reading.target):
            return Outcome(Step.ALREADY, finding.name, place, old, reading.target)
    first = place.key not in journal.entries or journal.entries[place.key].boot != boot
    made = Outcome(Step.WROTE, finding.name, place, old, reading.target)
    try:
        journal.set(place, form, old, reading.target, boot)
    except JournalError as error:
        return _changed(made, Step.STOPPED, str(error) + _standing(journal))
    try:
        kernel.write(place, reading.target)
    except OSError as error:
        made = _changed(made, Step.REFUSED, _refusal(error))
    kept = _now(kernel, place)
    if kept is None or same(form, kept, reading.target):
        return made
    if first and same(form, kept, old):
        journal.done(place)
        return made if made.step is Step.REFUSED else _changed(made, Step.REFUSED, "taken, and changed nothing")
    if made.step is Step.WROTE:
        journal.kept(place, writable_or_plain(finding, kept))
        return _changed(made, Step.KEPT, f"the kernel made {kept.strip()} of it")
    return made


def _standing(journal: Journal) -> str:
    count = len(journal.entries)
    return f"; {count} stand changed, and `netfeed tune revert` puts them back" if count else ""


def writable_or_plain(finding: Finding, text: str) -> str:
    """Give what must be written to have a value again, as it stands when it does not have the row's form."""
    try:
        return writable(finding.setting.form, text)
    except ValueError:
        return text.strip()


def _restore(kernel: Kernel, entry: Entry, journal: Journal, boot: str, *, force: bool) -> Outcome:
    made = _judged(kernel, entry, boot, force=force)
    if made.step is Step.WOULD:
        try:
            kernel.write(entry.place, entry.old)
        except OSError as error:
            return _changed(made, Step.REFUSED, _refusal(error))
        now = _now(kernel, entry.place)
        if now is not None and not same(entry.form, now, entry.old):
            journal.kept(entry.place, now.strip())
            return _changed(made, Step.REFUSED, f"the kernel made {now.strip()} of it")
        made = _changed(made, Step.RESTORED, "")
    if made.step not in (Step.FOREIGN, Step.REFUSED):
        journal.done(entry.place)
    return made


def _judged(kernel: Kernel, entry: Entry, boot: str, *, force: bool) -> Outcome:
    """Say what a revert has to do with a place."""
    name = entry.place.address
    if entry.boot != boot:
        return Outcome(Step.BOOTED, name, entry.place, "", entry.old, "this host has booted since")
    try:
        now = kernel.read(entry.place)
    except Absent as error:
        return Outcome(Step.GONE, name, entry.place, "", entry.old, str(error))
    except Unreadable as error:
        return Outcome(Step.REFUSED, name, entry.place, "", entry.old, str(error))
    made = Outcome(Step.WOULD, name, entry.place, now.strip(), entry.old)
    if same(entry.form, now, entry.old):
        return _changed(made, Step.ALREADY, "")
    if entry.is_ours(now) or force:
        return made
    remark = f"somebody has made {now.strip()} of {entry.ours[-1]}: left alone (--force restores {entry.old})"
    return _changed(made, Step.FOREIGN, remark)


def _now(kernel: Kernel, place: Place) -> str | None:
    try:
        return kernel.read(place)
    except (Absent, Unreadable):
        return None


def _old(finding: Finding, reading: Reading) -> str:
    return writable_or_plain(finding, reading.current)


def _refusal(error: OSError) -> str:
    word = errno.errorcode.get(error.errno or 0, "?")
    remedy = _REMEDIES.get(error.errno or 0, "")
    return f"{word} ({error.strerror})" + (f": {remedy}" if remedy else "")


def _changed(made: Outcome, step: Step, remark: str) -> Outcome:
    return replace(made, step=step, remark=remark)
