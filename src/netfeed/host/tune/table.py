"""All rows, by topic, and how to find one by a name that somebody half remembers."""

import difflib
from typing import Final

from netfeed.host.tune.rows import (
    boot,
    clock,
    interface,
    interrupts,
    ipv4,
    memory,
    network,
    power,
    process,
    scheduling,
)
from netfeed.host.tune.setting import Setting

TOPICS: Final[dict[str, tuple[Setting, ...]]] = {
    "boot": boot.SETTINGS,
    "power": power.SETTINGS,
    "scheduling": scheduling.SETTINGS,
    "memory": memory.SETTINGS,
    "network": network.SETTINGS,
    "ipv4": ipv4.SETTINGS,
    "interface": interface.SETTINGS,
    "interrupts": interrupts.SETTINGS,
    "process": process.SETTINGS,
    "clock": clock.SETTINGS,
}
TABLE: Final = tuple(row for rows in TOPICS.values() for row in rows)
BY_NAME: Final = {row.name: row for row in TABLE}


def find(name: str) -> list[Setting]:
    """Find rows: by the whole name, a topic, or the end of a name (`rp_filter`); nothing when there is none."""
    if name in BY_NAME:
        return [BY_NAME[name]]
    if name in TOPICS:
        return list(TOPICS[name])
    plain = name.removeprefix("IF.").replace("/", ".")
    return [row for row in TABLE if row.name == plain or row.name.endswith(f".{plain}")]


def near(name: str) -> list[str]:
    """Give names that may have been meant."""
    ends = {row.name.rpartition(".")[2]: row.name for row in TABLE}
    words = [*BY_NAME, *TOPICS, *ends]
    found = difflib.get_close_matches(name, words, 3, 0.6) + [one for one in BY_NAME if name.lower() in one.lower()]
    return list(dict.fromkeys(ends.get(one, one) for one in found))[:5]
