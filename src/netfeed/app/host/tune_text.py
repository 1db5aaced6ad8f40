"""`netfeed tune` for people: the table of a check, what was done, and a setting explained."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from netfeed.app.host.tune import topic_of
from netfeed.app.tables import printable, say
from netfeed.host.tune.apply import TROUBLE, Outcome, Step
from netfeed.host.tune.check import Finding, Machine, State, filled_boot, read, summary
from netfeed.host.tune.kernel import Absent, Unreadable
from netfeed.host.tune.setting import Profile, Setting
from netfeed.host.tune.table import TOPICS
from netfeed.host.words import sysctl_name

_STYLES: Final = {State.OK: "green", State.DIFFERS: "red", State.REBOOT: "yellow", State.ARGUMENT: "yellow"}
_TOOLS: Final = {
    "coalesce": "ethtool -C IF {name} {value}",
    "rings": "ethtool -G IF {name} {value}",
    "features": "ethtool -K IF {name} {value}",
    "channels": "ethtool -L IF {name} {value}",
}
_SHORT: Final = {
    "use_adaptive_rx_coalesce": "adaptive-rx", "rx_coalesce_usecs": "rx-usecs", "rx_max_coalesced_frames": "rx-frames",
    "combined_count": "combined",
}  # fmt: skip
"""What ethtool(8) calls fields that the kernel calls otherwise."""


def print_check(findings: list[Finding], out: Console, *, everything: bool) -> None:
    """Print the table, without what is right unless everything is asked for, and the count of each state."""
    shown = [one for one in findings if everything or one.state is not State.OK]
    table = Table(box=None, pad_edge=False)
    for title in ("topic", "setting", "state", "now", "recommended", "remark"):
        table.add_column(title, overflow="fold", no_wrap=title in ("topic", "setting", "state"))
    for one in shown:
        state = Text(one.state, style=_STYLES.get(one.state, "dim"))
        now = "-" if one.current is None else one.current or "(empty)"
        table.add_row(topic_of(one), one.name, state, printable(now), one.recommended, printable(one.remark))
    if shown:
        out.print(table)
    counts = Counter(one.state for one in findings)
    say(out, ", ".join(f"{counts[state]} {state}" for state in State if counts[state]))


def print_outcomes(outcomes: list[Outcome], out: Console) -> None:
    """Print what was done, a line each."""
    many = {name for name, count in Counter(one.name for one in outcomes).items() if count > 1}
    for one in outcomes:
        name = f"{one.name} ({one.place.address})" if one.name in many else one.name
        change = f"{one.old or '(empty)'} -> {one.new or '(empty)'}" if one.step is not Step.ALREADY else one.new
        remark = f"  {one.remark}" if one.remark else ""
        say(out, f"{one.step}: {name}  {change}{remark}", "red" if one.step in TROUBLE else "")


def left_out(findings: list[Finding]) -> list[str]:
    """Say what an apply does not do, and what is to be done instead: nothing is passed over in silence."""
    left = [one for one in findings if one.state in (State.REBOOT, State.DIFFERS) and not one.setting.written]
    boot = " ".join(_words(one) for one in left if one.setting.boot)
    lines = [f"{one.name}: {one.setting.hand}" for one in left if one.setting.hand]
    if boot:
        lines.append(f"needs a reboot, with this on the kernel command line: {boot}")
    lines += _grouped("passed over", (one for one in findings if one.state is State.ARGUMENT))
    lines += _grouped("unknown", (one for one in findings if one.state is State.UNKNOWN))
    absent = [one.name for one in findings if one.state is State.ABSENT]
    return lines + ([f"not here (netfeed tune check says why): {', '.join(absent)}"] if absent else [])


def _grouped(word: str, findings: Iterable[Finding]) -> list[str]:
    """Name all that have one remark in one line."""
    names: dict[str, list[str]] = {}
    for one in findings:
        names.setdefault(one.remark, []).append(one.name)
    return [f"{word}, {remark}: {', '.join(those)}" for remark, those in names.items()]


def _words(found: Finding) -> str:
    return found.remark.removeprefix("add ").removesuffix(" to the kernel command line")


def print_topics(out: Console) -> None:
    """Print all settings by topic."""
    for topic, rows in TOPICS.items():
        say(out, f"{topic}: {', '.join(row.name for row in rows)}")
    say(out, "netfeed tune explain NAME, or a topic")


def print_setting(row: Setting, machine: Machine, out: Console) -> None:
    """Teach one setting."""
    interface = machine.interfaces[0] if machine.interfaces else None
    say(out, row.named(interface), "bold")
    for label, text in _facts(row, machine, interface):
        full = re.sub(r"\bIF\b", lambda _: interface or "IF", text)
        say(out, f"  {label:<10} {printable(full)}")


def _facts(row: Setting, machine: Machine, interface: str | None) -> Iterable[tuple[str, str]]:
    yield "why", row.why
    for profile in Profile:
        want = row.wanted(profile)
        yield profile, want.text if want else "leave it"
    yield "here", _here(row, machine, interface)
    yield "risk", row.risk
    now, ever = by_hand(row, machine, interface)
    if now == ever:
        yield "by hand", now
    else:
        yield "for now", now
        yield "for ever", ever
    yield "helped?", row.helped
    yield "source", row.source


def _here(row: Setting, machine: Machine, interface: str | None) -> str:
    if row.where.per_interface and interface is None:
        return "needs -i IF"
    if "{cpu}" in row.where.pattern and not machine.feed:
        return "needs --cpus LIST"
    try:
        return summary(text.strip() for _, text in read(machine, row, interface)) or "(empty)"
    except Absent as error:
        return f"not here: {error}"
    except Unreadable as error:
        return f"unknown: {error}"


def by_hand(row: Setting, machine: Machine, interface: str | None) -> tuple[str, str]:
    """Say how to set a row without netfeed: until the next boot, and for all of them."""
    if row.boot:
        return "not possible: only at boot", grub(filled_boot(row, machine.here()))
    if row.hand:
        return row.hand, row.hand
    value, where = _value(row), row.where
    if where.sysctl:
        full = sysctl_name(where.sysctl, interface)
        return (
            f"sysctl -w '{full}={value}'",
            f"'{full} = {value}' in /etc/sysctl.d/90-netfeed.conf, then sysctl --system",
        )
    if where.kind == "ethtool":
        line = tool_line(where.pattern, value).replace("IF", interface or "IF")
        return line, f"a unit or udev rule (ACTION==add, SUBSYSTEM==net) that runs: {line}"
    path = re.sub(r"\[\S+?\]\*?|\*|\{cpu\}", "N", where.pattern).replace("IF", interface or "IF")
    return f"echo {value} > /{path}", f"'w /{path} - - - - {value}' in /etc/tmpfiles.d/netfeed.conf, or sysctl/apply.sh"


def grub(words: str) -> str:
    """Say how to put words on the kernel command line."""
    return (
        f"add {words} to GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub (Debian) or grub2-mkconfig -o "
        "/boot/grub2/grub.cfg (RHEL: grubby --update-kernel=ALL --args=...), then reboot"
    )


def tool_line(field: str, value: str) -> str:
    """Give the line of ethtool(8) that sets a field."""
    group, _, name = field.partition(".")
    if name == "use_adaptive_rx_coalesce":
        value = "on" if value == "1" else "off"
    return _TOOLS[group].format(name=_SHORT.get(name, name), value=value)


def _value(row: Setting) -> str:
    want = next((one for one in (row.feed, row.quote, row.capture) if one), None)
    return want.sample if want else "VALUE"
