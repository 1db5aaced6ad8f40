"""Whether the processors belong to the feed: isolated ones, the tick, real-time throttling, frequency, time stolen.

Sources: Documentation/admin-guide/kernel-parameters.txt (isolcpus, nohz_full), sched(7), proc(5) (/proc/stat: steal),
cpufreq in Documentation/admin-guide/pm. Absent and empty are told apart: a kernel that was built without a thing
cannot be asked for it.
"""

import re
from typing import Final

from netfeed.host.cpus import parse_cpu_list
from netfeed.host.doctor.wishes import Wishes
from netfeed.host.finding import Finding, Level
from netfeed.host.processor import affinity_refusal, throttling
from netfeed.host.tree import Tree

TOPIC: Final = "processors"
_CPU: Final = "/sys/devices/system/cpu/"
STEAL: Final = 0.01
"""More of a processor's time than this stolen by the hypervisor is worth a word."""


def checks(wishes: Wishes, tree: Tree | None = None) -> list[Finding]:
    """Look at the processors."""
    tree = tree or Tree()
    wanted = dict.fromkeys((*wishes.cpus, *wishes.other_cpus))
    stopped = realtime(wishes.spin and wishes.priority is not None)
    found = [isolation(wishes.cpus, tree), tick(wishes.cpus, tree), stopped, frequency(tree)]
    return [*(_permitted(cpu) for cpu in wanted), *found]


def _permitted(cpu: int) -> Finding:
    refusal = affinity_refusal(cpu)
    if refusal is None:
        return Finding(TOPIC, f"processor {cpu}", Level.OK, "can be had")
    said, _, remedy = refusal.partition("; ")
    return Finding(TOPIC, f"processor {cpu}", Level.FAIL, said, remedy)


def isolation(cpus: tuple[int, ...], tree: Tree) -> Finding:
    """Say whether the processors of the feed are kept free of others."""
    text = tree.text(_CPU + "isolated")
    name = "isolated"
    if text is None:
        return Finding(TOPIC, name, Level.UNKNOWN, "this kernel does not say which processors are isolated")
    try:
        isolated = parse_cpu_list(text)
    except ValueError:
        return Finding(TOPIC, name, Level.UNKNOWN, f"the kernel says {text[:40]!r} of it")
    shared = sorted(set(cpus) - isolated)
    there = f"isolated: {text}" if text else "no processor is isolated"
    if cpus and not shared:
        return Finding(TOPIC, name, Level.OK, f"{there}; the feed's are among them")
    if isolated and not cpus:
        return Finding(TOPIC, name, Level.OK, f"{there}; give the feed one of them (receive.cpu)")
    wanted = ",".join(map(str, shared)) or "LIST"
    remedy = (
        f"boot with isolcpus={wanted} (`netfeed tune explain isolcpus`); where the host is shared, expect tens of "
        "microseconds now and then"
    )
    return Finding(TOPIC, name, Level.WARN, f"{there}: others run where the feed runs", remedy)


def tick(cpus: tuple[int, ...], tree: Tree) -> Finding:
    """Say whether a busy processor is left alone by the timer tick."""
    text = tree.text(_CPU + "nohz_full")
    if text is None:
        return Finding(TOPIC, "timer tick", Level.UNKNOWN, "this kernel was built without nohz_full")
    try:
        free = parse_cpu_list(text)
    except ValueError:
        return Finding(TOPIC, "timer tick", Level.UNKNOWN, f"the kernel says {text[:40]!r} of it")
    if free and set(cpus) <= free:
        return Finding(TOPIC, "timer tick", Level.OK, f"off on {text} while one task runs there")
    return Finding(
        TOPIC, "timer tick", Level.WARN, "the tick interrupts every busy processor",
        f"boot with nohz_full={','.join(map(str, cpus)) or 'LIST'}",
    )  # fmt: skip


def realtime(spin: bool) -> Finding:
    """Say whether the kernel stops a real-time thread that never sleeps; `spin`: there will be one."""
    stopped = throttling()
    if stopped is None:
        return Finding(TOPIC, "real-time throttling", Level.OK, "off (but see `netfeed tune explain fair_server`)")
    said, _, remedy = stopped.partition(": ")
    return Finding(TOPIC, "real-time throttling", Level.FAIL if spin else Level.WARN, said, remedy)


def frequency(tree: Tree) -> Finding:
    """Say whether the clock rate is left to rise and fall."""
    policies = tree.names(_CPU + "cpufreq")
    governors = {
        tree.text(f"{_CPU}cpufreq/{one}/scaling_governor") or "?" for one in policies if one.startswith("policy")
    }
    if not governors:
        return Finding(
            TOPIC, "frequency", Level.UNKNOWN, "no cpufreq here (a virtual machine, or left to the firmware)"
        )
    if governors == {"performance"}:
        return Finding(TOPIC, "frequency", Level.OK, "governor performance")
    return Finding(
        TOPIC, "frequency", Level.WARN, f"governor {', '.join(sorted(governors))}: a burst begins slowly",
        "`netfeed tune apply`, or `cpupower frequency-set -g performance`",
    )  # fmt: skip


def stolen(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> Finding:
    """Compare two readings of `steal`."""
    shares = {}
    for name, (steal, total) in after.items():
        then = before.get(name, (steal, total))
        if total > then[1]:
            shares[name] = (steal - then[0]) / (total - then[1])
    if not shares:
        return Finding(TOPIC, "stolen time", Level.UNKNOWN, "/proc/stat says nothing of it")
    name, most = max(shares.items(), key=lambda one: one[1])
    if most <= STEAL:
        return Finding(TOPIC, "stolen time", Level.OK, f"{most:.1%} at most, on {name}")
    return Finding(
        TOPIC, "stolen time", Level.WARN, f"{most:.1%} of {name} went to other guests of this machine",
        "a host of your own, or processors pinned by the hypervisor",
    )  # fmt: skip


def steal(tree: Tree | None = None) -> dict[str, tuple[int, int]]:
    """Read for each processor what was stolen of it, and its time in all. Units: ticks of the kernel."""
    found = {}
    for line in ((tree or Tree()).text("/proc/stat") or "").splitlines():
        words = line.split()
        if re.match(r"cpu\d+ (\d+ ){7}\d+", line, re.ASCII):
            numbers = [int(word) for word in words[1:9]]
            found[words[0]] = numbers[7], sum(numbers)
    return found
