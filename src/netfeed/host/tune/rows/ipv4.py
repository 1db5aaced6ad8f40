"""IPv4: memberships, filters that drop in silence, and TCP for orders and recovery.

Source: Documentation/networking/ip-sysctl. All but udp_mem, tcp_low_latency belong to the network namespace.
"""

from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import AtLeast, Equal
from netfeed.host.tune.where import sysctl

_ZERO: Final = Equal("0")
_UDP: Final = AtLeast((65_536, 131_072, 262_144))
_GROUPS: Final = AtLeast((512,))
_SOURCES: Final = AtLeast((64,))
_AUTO: Final = Equal("0", ("3",))
_FILTER: Final = "spoofed sources are not dropped any more: let a firewall do it on interfaces that face strangers"

SETTINGS: Final = (
    Setting(
        name="net.ipv4.igmp_max_memberships",
        where=sysctl("net.ipv4.igmp_max_memberships"),
        feed=_GROUPS,
        quote=_GROUPS,
        capture=_GROUPS,
        why="groups that one socket can join: the 21st fails with ENOBUFS",
        helped="the lines of /proc/net/igmp",
        source="kernel docs ip-sysctl; measured",
    ),
    Setting(
        name="net.ipv4.igmp_max_msf",
        where=sysctl("net.ipv4.igmp_max_msf"),
        feed=_SOURCES,
        quote=_SOURCES,
        capture=_SOURCES,
        why="sources that one socket can name for a group: 10 by default",
        helped="the lines of /proc/net/mcfilter",
        source="kernel docs ip-sysctl; measured",
    ),
    Setting(
        name="net.ipv4.conf.all.rp_filter",
        where=sysctl("net.ipv4.conf.all.rp_filter"),
        feed=_ZERO,
        quote=_ZERO,
        capture=_ZERO,
        why="packets of senders to whom there is no route back through the interface are dropped in silence; the "
        "larger of this one and the interface's holds",
        risk=_FILTER,
        helped="IPReversePathFilter of /proc/net/netstat stands still",
        source="kernel docs ip-sysctl; measured",
    ),
    Setting(
        name="net.ipv4.conf.IF.rp_filter",
        where=sysctl("net.ipv4.conf.IF.rp_filter"),
        feed=_ZERO,
        quote=_ZERO,
        capture=_ZERO,
        why="packets of senders to whom there is no route back through it are dropped in silence; the larger of "
        "this one and that of all holds",
        risk=_FILTER,
        helped="IPReversePathFilter of /proc/net/netstat stands still",
        source="kernel docs ip-sysctl; measured",
    ),
    Setting(
        name="net.ipv4.conf.IF.force_igmp_version",
        where=sysctl("net.ipv4.conf.IF.force_igmp_version"),
        feed=_AUTO,
        quote=_AUTO,
        capture=_AUTO,
        why="version 2 knows no sources, and switches then forward every sender's",
        risk="3 does not answer the queries of an old router",
        helped="/proc/net/igmp says V3",
        source="kernel docs ip-sysctl; measured",
    ),
    Setting(
        name="net.ipv4.udp_mem",
        where=sysctl("net.ipv4.udp_mem"),
        absent="not in this kernel, or only in the network namespace of the host",
        form=Form.NUMBERS,
        feed=_UDP,
        quote=_UDP,
        capture=_UDP,
        why="pages that all UDP sockets together may hold: many large buffers need many",
        risk="so much memory can be taken by packets that nobody reads",
        helped="mem of UDP in /proc/net/sockstat; MemErrors of /proc/net/snmp",
        source="kernel docs ip-sysctl; Cesbo",
    ),
    Setting(
        name="net.ipv4.udp_rmem_min",
        where=sysctl("net.ipv4.udp_rmem_min"),
        feed=AtLeast((16_384,)),
        quote=AtLeast((16_384,)),
        capture=AtLeast((16_384,)),
        why="what each UDP socket has even when udp_mem is used up",
        helped="MemErrors of /proc/net/snmp",
        source="common; kernel docs ip-sysctl",
    ),
    Setting(
        name="net.ipv4.tcp_fastopen",
        where=sysctl("net.ipv4.tcp_fastopen"),
        quote=Equal("3"),
        why="a connection that is made again sends with its first packet: one round trip less",
        risk="some middle boxes drop such packets",
        helped="TCPFastOpenActive of nstat; 4.6 ms for 8.9 ms at 2 ms each way, measured",
        source="tuned network-latency; measured",
    ),
    Setting(
        name="net.ipv4.tcp_slow_start_after_idle",
        where=sysctl("net.ipv4.tcp_slow_start_after_idle"),
        feed=_ZERO,
        quote=_ZERO,
        why="a connection that was silent does not begin slowly again (retransmissions, orders)",
        risk="a burst after a pause may be too much for the path",
        helped="cwnd of ss -ti after a pause",
        source="kernel docs ip-sysctl",
    ),
    Setting(
        name="net.ipv4.tcp_autocorking",
        where=sysctl("net.ipv4.tcp_autocorking"),
        quote=_ZERO,
        why="a small segment does not wait for the one before it to leave the card",
        risk="more and smaller packets",
        helped="TCPAutoCorking of nstat",
        source="kernel docs ip-sysctl",
    ),
    Setting(
        name="net.ipv4.tcp_low_latency",
        where=sysctl("net.ipv4.tcp_low_latency"),
        why="nothing: it has had no effect since Linux 4.14, though old guides name it",
        helped="nothing does",
        source="kernel docs ip-sysctl",
    ),
)
