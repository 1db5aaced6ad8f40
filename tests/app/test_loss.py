"""Losses by layer in the account of a run, and one line that says where they were."""

from netfeed.app.configuration import Channel, Configuration, Line
from netfeed.app.live import Live
from netfeed.app.loss import LAYERS, HostLoss, loss_account, loss_text
from netfeed.app.metrics import Metrics
from netfeed.host.card import Counted
from netfeed.host.loss import Loss

HOST = Loss({"eth0": Counted(10, 5, 2, 1, 0), "eth1": Counted(0, 0, 4, 0, 0)}, {"backlog": 8, "filtered": 1}, 0, ())
CHANNELS = [
    {"messages_lost": 16, "lines": [{"kernel_drops": 32, "queue_drops": 64}, {"kernel_drops": 1, "queue_drops": 0}]},
    {"messages_lost": 1, "lines": []},
]


def test_each_layer_counts_for_itself() -> None:
    assert loss_account(HOST, CHANNELS) == {
        "nic": {"eth0": 3, "eth1": 4}, "kernel": {"backlog": 8, "filtered": 1}, "socket": 33, "queue": 64,
        "sequence": 17,
    }  # fmt: skip


def test_one_line_says_where() -> None:
    said = loss_text(loss_account(HOST, CHANNELS))
    assert said == "lost by layer: nic 7, kernel 9, socket 33, queue 64, sequence 17"
    assert all(name in said for name in LAYERS)


def configuration(interface: str) -> Configuration:
    line = Line(group="233.252.0.1:26400", interface=interface)
    return Configuration(schema_version=1, channels=[Channel(name="one", protocol="itch50", lines=[line])])


def test_the_interfaces_of_the_lines_are_watched_by_name_or_address() -> None:
    for interface in ("lo", "127.0.0.1"):
        assert list(HostLoss(configuration(interface)).read().nic) == ["lo"]
    assert HostLoss(configuration("nowhere0")).read().nic == {}


def test_metrics_tell_every_layer_once() -> None:
    live = Live(configuration("lo"))
    try:
        text = Metrics(live).text().decode()
    finally:
        live.close()
    assert 'netfeed_packets_dropped_total{channel="",layer="nic",line=""} 0.0' in text
    assert 'netfeed_packets_dropped_total{channel="one",layer="queue",line="A"} 0.0' in text
    assert 'netfeed_nic_dropped_total{interface="lo"} 0.0' in text
    assert 'netfeed_kernel_dropped_total{reason="backlog"}' in text
