"""The network's core: buffers, what one poll may take, and who polls.

Source: Documentation/admin-guide/sysctl/net, networking/napi, networking/scaling.
"""

from typing import Final

from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import AtLeast, Equal
from netfeed.host.tune.where import sysctl

_BUFFER: Final = AtLeast((64 << 20,))
_SENT: Final = AtLeast((16 << 20,))
_BACKLOG: Final = AtLeast((10_000,))
_BUDGET: Final = AtLeast((600,))
_POLL: Final = AtLeast((50,))

_HOSTS: Final = "not in this kernel, or only in the network namespace of the host"

SETTINGS: Final = (
    Setting(
        name="net.core.rmem_max",
        where=sysctl("net.core.rmem_max"),
        absent=_HOSTS,
        feed=_BUFFER,
        quote=_BUFFER,
        capture=_BUFFER,
        why="the largest receive buffer that a socket may ask for: a small datagram costs 832 bytes of it, so that "
        "64 MiB hold about 80 000 of them (CAP_NET_ADMIN and SO_RCVBUFFORCE do without)",
        risk="a program that asks for it can hold so much memory",
        helped="the drops of netfeed listen; RcvbufErrors of /proc/net/snmp",
        source="common (16 to 128 MiB); measured",
    ),
    Setting(
        name="net.core.wmem_max",
        where=sysctl("net.core.wmem_max"),
        absent=_HOSTS,
        quote=_SENT,
        feed=_SENT,
        why="the largest send buffer that a socket may ask for",
        risk="a program that asks for it can hold so much memory",
        helped="SndbufErrors of /proc/net/snmp",
        source="common",
    ),
    Setting(
        name="net.core.rmem_default",
        where=sysctl("net.core.rmem_default"),
        absent=_HOSTS,
        why="of sockets that ask for nothing: netfeed asks",
        risk="it is all sockets' of the host",
        helped="ss -uamn",
        source="kernel docs sysctl/net",
    ),
    Setting(
        name="net.core.netdev_max_backlog",
        where=sysctl("net.core.netdev_max_backlog"),
        absent=_HOSTS,
        feed=_BACKLOG,
        quote=_BACKLOG,
        capture=_BACKLOG,
        why="packets that wait between processors: with RPS, and on veth and loopback",
        helped="column 2 of /proc/net/softnet_stat stands still",
        source="RHEL performance guide; bpftune",
    ),
    Setting(
        name="net.core.netdev_budget",
        where=sysctl("net.core.netdev_budget"),
        absent=_HOSTS,
        feed=_BUDGET,
        quote=_BUDGET,
        capture=_BUDGET,
        why="packets that one round of the soft interrupt may take",
        risk="others on that processor wait longer",
        helped="column 3 of /proc/net/softnet_stat stands still",
        source="RHEL performance guide; bpftune",
    ),
    Setting(
        name="net.core.netdev_budget_usecs",
        where=sysctl("net.core.netdev_budget_usecs"),
        absent=_HOSTS,
        feed=AtLeast((8000,)),
        quote=AtLeast((8000,)),
        capture=AtLeast((8000,)),
        why="time that one round of the soft interrupt may take",
        risk="others on that processor wait longer",
        helped="column 3 of /proc/net/softnet_stat stands still",
        source="RHEL performance guide; bpftune",
    ),
    Setting(
        name="net.core.busy_read",
        where=sysctl("net.core.busy_read"),
        absent=_HOSTS,
        feed=_POLL,
        quote=_POLL,
        why="a read polls the card's queue for 50 us before it sleeps (a socket can have its own: SO_BUSY_POLL)",
        risk="processor time of every program that reads; no use on veth and loopback",
        helped="the delay from the kernel's stamp to the program; SO_INCOMING_NAPI_ID is not 0",
        source="tuned network-latency; RHEL 7 performance guide 9.3; Cloudflare 2015 low latency",
    ),
    Setting(
        name="net.core.busy_poll",
        where=sysctl("net.core.busy_poll"),
        absent=_HOSTS,
        feed=_POLL,
        quote=_POLL,
        why="poll, select and epoll do so, too",
        risk="processor time of every program that waits; no use on veth and loopback",
        helped="the delay from the kernel's stamp to the program",
        source="tuned network-latency; RHEL 7 performance guide 9.3; Cloudflare 2015 low latency",
    ),
    Setting(
        name="net.core.netdev_tstamp_prequeue",
        where=sysctl("net.core.netdev_tstamp_prequeue"),
        absent=_HOSTS,
        feed=Equal("1"),
        quote=Equal("1"),
        capture=Equal("1"),
        why="the kernel's stamp is taken before a packet waits for another processor",
        helped="stamps of two lines are nearer",
        source="kernel docs sysctl/net",
    ),
    Setting(
        name="net.core.bpf_jit_enable",
        where=sysctl("net.core.bpf_jit_enable"),
        absent=_HOSTS,
        feed=Equal("1", ("2",)),
        quote=Equal("1", ("2",)),
        capture=Equal("1", ("2",)),
        why="filters of sockets run as machine code",
        helped="bpf programs in perf top",
        source="kernel docs sysctl/net",
    ),
    Setting(
        name="net.core.rps_sock_flow_entries",
        where=sysctl("net.core.rps_sock_flow_entries"),
        absent=_HOSTS,
        feed=Equal("0"),
        quote=Equal("0"),
        why="no steering of packets to where their reader ran last: it costs a hop between processors",
        risk="hosts with one queue and many readers may want it",
        helped="RES of /proc/interrupts",
        source="Cloudflare 2015 low latency; kernel docs networking/scaling",
    ),
)
