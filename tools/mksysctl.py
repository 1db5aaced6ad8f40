"""Build every file of sysctl/, and the table in docs/tuning.md, from the table of `netfeed tune`.

    python tools/mksysctl.py            write them
    python tools/mksysctl.py --check    say whether the files on disk are those; 3 when not

What is fixed stands in tools/sysctl_templates, what depends on the table is filled in here.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from netfeed.app.host.tune_text import tool_line
from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Profile, Setting
from netfeed.host.tune.table import BY_NAME, TABLE, TOPICS
from netfeed.host.tune.want import Equal, Here, Housekeeping, Want, WhereIsolated

ROOT: Final = Path(__file__).resolve().parents[1]
_PAGE: Final = ROOT / "docs" / "tuning.md"
_ROWS: Final = ("<!-- rows -->\n", "<!-- end of rows -->\n")
_TEMPLATES: Final = ROOT / "tools" / "sysctl_templates"
_WIDTH: Final = 118
_MASKS: Final = {"mask": '"$MASK"', "cpus": '"$LISTED"'}
_NOBODY: Final = Here()
_UNITS: Final = {
    "RLIMIT_MEMLOCK": "LimitMEMLOCK=infinity",
    "RLIMIT_RTPRIO": "LimitRTPRIO=50",
    "RLIMIT_NOFILE": "LimitNOFILE=65536",
}
_LOGINS: Final = {
    "RLIMIT_MEMLOCK": "netfeed - memlock unlimited",
    "RLIMIT_RTPRIO": "netfeed - rtprio 50",
    "RLIMIT_NOFILE": "netfeed - nofile 65536",
}


def built() -> dict[str, str]:
    """Build all files by their path."""
    feed, quote, capture = (_sysctls(profile) for profile in Profile)
    added = [row for row in quote if row not in feed]
    files = {
        "90-netfeed.conf": _conf("Kernel settings of a host that receives market data.", feed, Profile.FEED),
        "91-netfeed-quote.conf": _conf("What quoting adds to 90-netfeed.conf: orders over TCP.", added, Profile.QUOTE),
        "90-netfeed-capture.conf": _conf("Kernel settings of a host that only captures.", capture, Profile.CAPTURE),
        "saved.sh": _filled("saved.sh"),
        "apply.sh": _filled("apply.sh", GLOBAL=_global(), INTERFACE=_interface()),
        "irq.sh": _filled("irq.sh", WHY=_sentence(BY_NAME["IF.irq_affinity"].risk)),
        "isolate.sh": _filled("isolate.sh", ROWS=_isolation(), BOOT=_boot("$LIST", "$LISTED")),
        "tuned/netfeed/tuned.conf": _tuned(feed),
        "systemd/netfeed.service": _filled("netfeed.service", LIMITS="\n".join(_limits(_UNITS))),
        "systemd/netfeed-tune.service": _filled("netfeed-tune.service"),
        "limits.d/netfeed.conf": _filled("limits.conf", LIMITS="\n".join(_limits(_LOGINS))),
        "README.md": _filled("README.md"),
    }  # fmt: skip
    return {f"sysctl/{name}": text for name, text in files.items()} | {"docs/tuning.md": page(_PAGE.read_text())}


def page(text: str) -> str:
    """Put the table into the page about it."""
    before, mark, rest = text.partition(_ROWS[0])
    _, end, after = rest.partition(_ROWS[1])
    assert mark, f"{_PAGE} has no place for the table"
    assert end, f"the place for the table in {_PAGE} has no end"
    tables = [f"### {topic.capitalize()}\n\n{_table(rows)}\n" for topic, rows in TOPICS.items()]
    return f"{before}{mark}\n" + "\n".join(tables) + f"\n{end}{after}"


def _table(rows: tuple[Setting, ...]) -> str:
    head = "| setting | feed | quote | capture | why | risk | shows whether it helped | source |\n" + "|---" * 8 + "|"
    return "\n".join([head, *(_cells(row) for row in rows)])


def _cells(row: Setting) -> str:
    wants = [want.text if (want := row.wanted(profile)) else "-" for profile in Profile]
    boot = row.boot.replace("{cpus}", "LIST").replace("{others}", "OTHERS")
    why = row.why + (f" (`{boot}`)" if boot else "") + (f"; {row.hand}" if row.hand else "")
    cells = [f"`{row.name}`", *wants, why, row.risk, row.helped, row.source]
    return f"| {' | '.join(one.replace('|', chr(92) + '|') for one in cells)} |"


def main(arguments: list[str]) -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="where sysctl/ and docs/ are")
    parser.add_argument("--check", action="store_true", help="write nothing; 3 when a file is stale")
    options = parser.parse_args(arguments)
    files = built()
    if options.check:
        stale = [name for name, text in files.items() if _read(options.folder / name) != text]
        print(f"stale: {', '.join(stale)}; run python tools/mksysctl.py" if stale else "all are as the table says")
        return 3 if stale else 0
    for name, text in files.items():
        path = options.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    print(f"{len(files)} files below {options.folder}")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _filled(template: str, **parts: str) -> str:
    text = (_TEMPLATES / f"{template}.in").read_text()
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    assert not re.search(r"@[A-Z]+@", text), template
    return text


def _sysctls(profile: Profile) -> list[Setting]:
    return [row for row in TABLE if row.where.sysctl and row.wanted(profile) and row.written]


def _conf(title: str, rows: list[Setting], profile: Profile) -> str:
    return _filled("conf", TITLE=title, ROWS="\n\n".join(_line(row, profile) for row in rows))


def _line(row: Setting, profile: Profile) -> str:
    want, name = row.wanted(profile), row.where.sysctl
    assert want is not None
    notes = [row.why, f"Risk: {row.risk}.", f"Helped? {row.helped}.", f"Source: {row.source}."]
    only = _only(row, want)
    lines = [line for note in notes for line in _comment(note)] + (_comment(f"Only {only}:") if only else [])
    return "\n".join([*lines, f"{'#' if only else ''}{name} = {want.sample}"])


def _only(row: Setting, want: Want) -> str:
    """Say for whom a line is that stands there with a # before it; "" when it is for all."""
    if isinstance(want, WhereIsolated):
        return "where the feed's processors are isolated"
    if row.where.per_interface:
        return "with the name of the interface in the place of IF"
    if row.form is Form.NUMBERS:
        return "where it is less now: the kernel has chosen it by the memory of the host"
    return "with the processors that are not the feed's" if want.sample == "OTHERS" else ""


def _comment(text: str) -> list[str]:
    return textwrap.wrap(_sentence(text), _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _files(*, interface: bool) -> dict[str, Setting]:
    """Give the rows that are files but no sysctls, and need no processors, by the glob of their files."""
    return {
        "/" + row.where.pattern.replace("/IF/", '/"$IF"/'): row
        for row in TABLE
        if row.feed and row.written and row.where.kind == "file" and not row.where.sysctl
        and row.where.per_interface == interface and not row.feed.asks(_NOBODY) and "{cpu}" not in row.where.pattern
    }  # fmt: skip


def _value(want: Want | None) -> str:
    """Write a value for set_to of saved.sh."""
    assert want is not None
    return f"'{'|'.join((want.value, *want.also))}'" if isinstance(want, Equal) and want.also else want.sample


def _global() -> str:
    return "\n".join(f"set_to {_value(row.feed)} {path}" for path, row in _files(interface=False).items())


def _interface() -> str:
    lines = [f"set_to {_value(row.feed)} {path}" for path, row in _files(interface=True).items()]
    for row in TOPICS["interface"]:
        if row.where.kind == "ethtool" and isinstance(row.feed, Equal):
            _, option, _, name, value = tool_line(row.where.pattern, row.feed.sample).split()
            lines.append(f'card {option} "$IF" {name} {value}')
    lines.append('say "by hand: ethtool -g $IF shows the largest ring, ethtool -G $IF rx N sets it"')
    return textwrap.indent("\n".join(lines), "    ")


def _isolation() -> str:
    rows = [row for row in TABLE if isinstance(row.feed, Housekeeping) and row.where.kind == "file"]
    return "\n".join(f"set_to {_MASKS[row.form]} /{row.where.pattern}" for row in rows)


def _boot(cpus: str, others: str) -> str:
    words = [row.boot for row in TABLE if row.boot and row.feed and (others or "others" not in row.boot)]
    return " ".join(words).replace("{cpus}", cpus).replace("{others}", others)


def _tuned(feed: list[Setting]) -> str:
    lines = [f"{row.where.sysctl}={row.feed.sample}" for row in feed if row.feed and not _only(row, row.feed)]
    own = ("transparent_hugepage", "cpufreq.governor")
    files = {path: row.feed for path, row in _files(interface=False).items() if row.name not in own}
    pages = BY_NAME[own[0]].feed
    assert pages is not None
    return _filled(
        "tuned.conf", SYSCTL="\n".join(lines), BOOT=_boot("${isolated_cores}", ""),
        SYSFS="\n".join(f"{path}={want.sample}" for path, want in files.items() if want),
        THP=pages.sample,
    )  # fmt: skip


def _limits(words: dict[str, str]) -> Iterable[str]:
    return (words[row.name] for row in TOPICS["process"] if row.name in words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
