"""`netfeed tune`: what a host's settings should be, written, put back and explained.

An apply or a revert holds the journal all the while, so that two never mix; a check and a dry run hold nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netfeed.errors import ConfigurationError
from netfeed.host.tune.apply import TROUBLE, Outcome, Step, apply, intended, restorable, revert, untried
from netfeed.host.tune.check import Finding, Machine, check
from netfeed.host.tune.journal import DEFAULT, Journal, JournalError
from netfeed.host.tune.kernel import Absent, Kernel, Unreadable
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import TABLE, TOPICS
from netfeed.transport.network import find_interface

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    profile: Profile = Profile.FEED
    interfaces: tuple[str, ...] = ()
    cpus: frozenset[int] = frozenset()
    root: Path = Path("/")
    journal: Path | None = None

    @property
    def journal_path(self) -> Path:
        """Give the journal's file: each tree has its own."""
        return self.journal or self.root / DEFAULT.relative_to("/")


def machine(options: Options) -> Machine:
    """Look at the host, or at a copied tree.

    Raises: ConfigurationError when an interface or the tree is not there.
    """
    root = options.root.resolve()
    if not (root / "proc").is_dir():
        raise ConfigurationError(f"--root: {options.root} has no proc in it: a tree has proc/ and sys/, as / does")
    kernel = Kernel(root)
    names = tuple(dict.fromkeys(_interface(kernel, one) for one in options.interfaces))
    return Machine(kernel, names, options.cpus)


def checked(options: Options) -> list[Finding]:
    """Compare the host with its profile. Raises: ConfigurationError."""
    return check(machine(options), TABLE, options.profile)


def applied(options: Options, *, dry_run: bool = False) -> tuple[list[Finding], list[Outcome]]:
    """Write what differs, or say what would be written; give what was found before, and what was done.

    There is a second round for what the first has brought about: more channels have more queues and interrupts.

    Raises: ConfigurationError, JournalError.
    """
    if dry_run:
        findings = checked(options)
        return findings, list(intended(findings))
    with _held(options) as (kernel, journal):
        findings = checked(options)
        outcomes = list(apply(kernel, findings, journal))
        if Step.STOPPED in trouble(outcomes):
            return findings, outcomes
        tried = frozenset(one.place for one in outcomes)
        return findings, outcomes + list(apply(kernel, untried(checked(options), tried), journal))


def reverted(options: Options, *, force: bool = False, dry_run: bool = False) -> list[Outcome]:
    """Put back what was changed, or say what would be.

    Raises: ConfigurationError, JournalError.
    """
    if dry_run:
        journal = _journal(options)
        journal.load()
        return list(restorable(machine(options).kernel, journal, force=force))
    _permitted(options)
    if not os.path.lexists(options.journal_path):
        return []
    with _held(options) as (kernel, journal):
        return list(revert(kernel, journal, force=force))


def check_json(profile: Profile, findings: list[Finding]) -> Json:
    """Give the report of a check. `ok` is null where that is not known: `state` and `remark` say why."""
    return {"profile": str(profile), "settings": [_setting(one) for one in findings]}


def outcomes_json(action: str, outcomes: list[Outcome], left: list[str]) -> Json:
    """Give the report of an apply or a revert; `left` is what an apply does not do, in words."""
    rows = [
        {
            "step": one.step,
            "name": one.name,
            "place": one.place.key,
            "old": one.old,
            "new": one.new,
            "remark": one.remark,
        }
        for one in outcomes
    ]
    return {"action": action, "ok": not trouble(outcomes), "settings": rows, "left": left}


def trouble(outcomes: list[Outcome]) -> set[Step]:
    """Give the steps that did not end as they should."""
    return {one.step for one in outcomes} & TROUBLE


def topic_of(finding: Finding) -> str:
    """Give the topic of a finding's row."""
    return next(topic for topic, rows in TOPICS.items() if finding.setting in rows)


@contextmanager
def _held(options: Options) -> Iterator[tuple[Kernel, Journal]]:
    _permitted(options)
    journal = _journal(options)
    with journal.held():
        yield Kernel(options.root.resolve()), journal


def _permitted(options: Options) -> None:
    """Refuse to try what only root can do. Raises: JournalError."""
    if Kernel(options.root.resolve()).live and os.geteuid() != 0:
        what = "changing settings needs root: run it with sudo; --dry-run shows what it would do"
        raise JournalError(what, denied=True)


def _journal(options: Options) -> Journal:
    kernel = Kernel(options.root.resolve())
    return Journal(options.journal_path, str(kernel.root), kernel.boot_id(), kernel.net())


def _interface(kernel: Kernel, text: str) -> str:
    if kernel.live:
        found = find_interface(text)
        _same_namespace(kernel, found.name, found.index)
        return found.name
    if "/" in text or text in ("", ".", "..") or not (kernel.root / "sys/class/net" / text).exists():
        raise ConfigurationError(f"there is no interface {text!r} below {kernel.root}/sys/class/net")
    return text


def _same_namespace(kernel: Kernel, name: str, index: int) -> None:
    """Refuse an interface whose namesake /sys shows: its queues would be written in another network namespace."""
    try:
        shown = kernel.text(f"sys/class/net/{name}/ifindex").strip()
    except (Absent, Unreadable):
        return
    if shown != str(index):
        raise ConfigurationError(
            f"/sys shows another network namespace's {name}: enter with `ip netns exec`, which mounts the right one"
        )


def _setting(one: Finding) -> Json:
    return {
        "name": one.name, "current": one.current, "recommended": one.recommended, "ok": one.ok, "why": one.setting.why,
        "source": one.setting.source, "reboot": bool(one.setting.boot), "state": str(one.state), "remark": one.remark,
        "topic": topic_of(one),
    }  # fmt: skip
