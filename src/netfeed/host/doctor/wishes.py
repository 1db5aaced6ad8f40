"""What a feed will ask of this host: the defaults of `netfeed run`, or what a configuration says."""

from dataclasses import dataclass

from netfeed.transport.udp import BUFFER_BYTES


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted. Units: `buffer_bytes` for each socket. `sources` is whether groups are joined by source.

    `cpus` are those of the threads that receive, `other_cpus` of all others.
    """

    interfaces: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    sources: bool = False
    buffer_bytes: int = BUFFER_BYTES
    cpus: tuple[int, ...] = ()
    priority: int | None = None
    spin: bool = False
    hardware_stamps: bool = False
    lock_memory: bool = False
    other_cpus: tuple[int, ...] = ()
