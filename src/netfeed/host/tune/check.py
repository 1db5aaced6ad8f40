"""What stands here against what a profile wants: a finding for each row, and for each interface where it has its own.

Nothing is passed over in silence: what is not here, cannot be read, or cannot be judged yet is a finding, with why.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from netfeed.errors import ConfigurationError
from netfeed.host.cpus import cpu_list_text, parse_cpu_list
from netfeed.host.tune.form import writable
from netfeed.host.tune.kernel import MISSING, Absent, Kernel, Unreadable
from netfeed.host.tune.setting import Profile, Setting
from netfeed.host.tune.want import NEEDS_CPUS, Here, Want
from netfeed.host.tune.where import Place

NEEDS_INTERFACE = "needs -i IF"


class State(StrEnum):
    """How a setting stands."""

    OK = "ok"
    DIFFERS = "differs"
    REBOOT = "needs reboot"
    ARGUMENT = "needs argument"
    UNKNOWN = "unknown"
    ABSENT = "not here"


@dataclass(frozen=True, slots=True)
class Reading:
    """One place: what it has, what it should have, and whether that is met."""

    place: Place
    current: str
    target: str
    met: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """How one row stands, on one interface where it has its own. `current` is None where there is nothing to read."""

    setting: Setting
    name: str
    state: State
    current: str | None
    recommended: str
    remark: str = ""
    readings: tuple[Reading, ...] = ()

    @property
    def ok(self) -> bool | None:
        """Say whether it is right; None where that is not known."""
        return {State.OK: True, State.DIFFERS: False, State.REBOOT: False}.get(self.state)

    @property
    def to_write(self) -> tuple[Reading, ...]:
        """Give what an apply has to write."""
        return tuple(one for one in self.readings if not one.met) if self.setting.written else ()


@dataclass(frozen=True, slots=True)
class Machine:
    """A host that is looked at: its kernel, the interfaces that count, and the feed's processors (none: not said)."""

    kernel: Kernel
    interfaces: tuple[str, ...] = ()
    feed: frozenset[int] = frozenset()

    def here(self) -> Here:
        """Find out which processors there are.

        Raises: ConfigurationError when the feed's are not there, or are all of them.
        """
        online = self._cpus("sys/devices/system/cpu/online")
        if self.feed and online and not self.feed <= online:
            raise ConfigurationError(f"--cpus: {cpu_list_text(self.feed - online)} is not there; {_online(online)}")
        if self.feed and self.feed >= online:
            raise ConfigurationError(f"--cpus: leave a processor for the rest of the host; {_online(online)}")
        others = online - self.feed
        packages = {self._topology(cpu, "physical_package_id") for cpu in self.feed}
        near = frozenset(cpu for cpu in others if self.feed and self._topology(cpu, "physical_package_id") in packages)
        apart = near - self._siblings()
        return Here(self.feed, others, apart or near or others, self._cpus("sys/devices/system/cpu/isolated"))

    def _cpus(self, path: str) -> frozenset[int]:
        try:
            return parse_cpu_list(self.kernel.text(path))
        except (Absent, Unreadable, ValueError):
            return frozenset()

    def _siblings(self) -> frozenset[int]:
        """Find the hyper-threads of the feed's processors: what runs there takes half of them."""
        folders = [f"sys/devices/system/cpu/cpu{cpu}/topology" for cpu in self.feed]
        return frozenset().union(*(self._cpus(f"{folder}/thread_siblings_list") for folder in folders))

    def _topology(self, cpu: int, name: str) -> str:
        try:
            return self.kernel.text(f"sys/devices/system/cpu/cpu{cpu}/topology/{name}")
        except (Absent, Unreadable):
            return ""


def check(machine: Machine, table: Iterable[Setting], profile: Profile) -> list[Finding]:
    """Compare every row that a profile wants something of.

    Raises: ConfigurationError when processors or interfaces are not there.
    """
    here, found = machine.here(), []
    for setting in table:
        want = setting.wanted(profile)
        if want is None:
            continue
        for interface in machine.interfaces if setting.where.per_interface else (None,):
            found.append(_finding(machine, setting, want, here, interface))
        if setting.where.per_interface and not machine.interfaces:
            found.append(Finding(setting, setting.name, State.ARGUMENT, None, want.text, NEEDS_INTERFACE))
    return found


def read(machine: Machine, setting: Setting, interface: str | None) -> list[tuple[Place, str]]:
    """Read all places of a row.

    Raises: Absent, Unreadable.
    """
    places = setting.where.places(machine.kernel.root, interface, machine.feed)
    if not places:
        raise Absent(_nowhere(machine.kernel.root, setting, interface))
    return [(place, machine.kernel.read(place)) for place in places]


def summary(texts: Iterable[str]) -> str:
    """Say what several places have: one value, or how many have which."""
    counts = Counter(texts)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{text or 'empty'} ({count})" for text, count in counts.most_common())


def _finding(machine: Machine, setting: Setting, want: Want, here: Here, interface: str | None) -> Finding:
    blank = Finding(setting, setting.named(interface), State.UNKNOWN, None, want.text)
    if "{cpu}" in setting.where.pattern and (asks := want.asks(here) or _needs(here)):
        return replace(blank, state=State.ARGUMENT, remark=asks)
    try:
        found = read(machine, setting, interface)
    except Absent as error:
        return replace(blank, state=State.ABSENT, remark=str(error))
    except Unreadable as error:
        return replace(blank, remark=str(error))
    current = summary(_shown(setting, text) for _, text in found)
    return _judged(replace(blank, current=current), want, here, machine.kernel, found)


def _judged(blank: Finding, want: Want, here: Here, kernel: Kernel, found: list[tuple[Place, str]]) -> Finding:
    setting, readings = blank.setting, []
    for place, current in found:
        one = replace(here, index=place.index, limit=kernel.limit(place))
        asks = want.asks(one)
        if asks:
            return replace(blank, state=State.ARGUMENT, remark=asks)
        try:
            if place.kind == "boot" and current == MISSING:
                readings.append(Reading(place, current, want.text, met=False))
                continue
            met = want.met(setting.form, current, one)
            target = writable(setting.form, current) if met else want.target(setting.form, current, one)
        except ValueError as error:
            return replace(blank, remark=f"the value is not understood: {error}")
        readings.append(Reading(place, current, target, met))
    return _told(replace(blank, readings=tuple(readings), recommended=_recommended(want, here, readings)), here)


def _told(found: Finding, here: Here) -> Finding:
    setting = found.setting
    if all(one.met for one in found.readings):
        return replace(found, state=State.OK)
    if setting.boot:
        line = filled_boot(setting, here)
        return replace(found, state=State.REBOOT, remark=f"add {line} to the kernel command line")
    return replace(found, state=State.DIFFERS, remark=setting.hand)


def filled_boot(setting: Setting, here: Here) -> str:
    """Give the words for the kernel command line."""
    others = cpu_list_text(here.housekeeping) if here.feed else "OTHERS"
    return setting.boot.replace("{cpus}", cpu_list_text(here.feed) or "LIST").replace("{others}", others)


def _recommended(want: Want, here: Here, readings: list[Reading]) -> str:
    """Say the value where it is one value, and the wish where it depends on what stands there."""
    targets = {one.target for one in readings if not one.met}
    return want.text if len(targets) != 1 or want.text.startswith("at ") else targets.pop()


def _shown(setting: Setting, text: str) -> str:
    try:
        return " ".join(writable(setting.form, text).split())
    except ValueError:
        return " ".join(text.split())


def _needs(here: Here) -> str | None:
    return None if here.feed else NEEDS_CPUS


def _nowhere(root: Path, setting: Setting, interface: str | None) -> str:
    if interface and not (root / "sys/class/net" / interface).exists():
        return f"no /sys/class/net/{interface}: /sys is of another network namespace, or it has gone"
    pattern = re.sub(r"\[\S+?\]\*?|\*|\{cpu\}", "N", setting.where.pattern)
    return f"{setting.absent}: no /{pattern.replace('/IF/', f'/{interface}/')}"


def _online(online: frozenset[int]) -> str:
    return f"there are {cpu_list_text(online)}" if online else "the processors of this host are not told"
