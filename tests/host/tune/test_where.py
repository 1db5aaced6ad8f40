"""Places: which files a row is, and which names of a journal are none."""

from pathlib import Path

import pytest

from netfeed.host.tune.where import Place, ethtool, file, interrupts, irqs, sysctl
from tests.host.tune.tree import CARD, CPU, HOST, plant

NOBODY: frozenset[int] = frozenset()


def addresses(where: object, root: Path, interface: str | None = None, feed: frozenset[int] = NOBODY) -> list[str]:
    return [place.address for place in where.places(root, interface, feed)]  # type: ignore[attr-defined]


def test_patterns_are_files_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    plant(tmp_path, HOST)
    found = addresses(file(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor"), tmp_path)
    assert found == [f"{CPU}/cpu{one}/cpufreq/scaling_governor" for one in (0, 1, 2, 10)]


def test_a_pattern_with_a_processor_is_of_the_feeds_alone(tmp_path: Path) -> None:
    plant(tmp_path, HOST)
    where = file(CPU + "/cpu{cpu}/cpuidle/state[2-9]/disable")
    assert addresses(where, tmp_path, None, frozenset({2})) == [f"{CPU}/cpu2/cpuidle/state2/disable"]
    assert addresses(where, tmp_path) == []


def test_an_interface_whose_name_is_a_pattern_is_only_itself(tmp_path: Path) -> None:
    for name in ("eth*", "eth1"):
        plant(tmp_path, {f"sys/class/net/{name}/queues/rx-0/rps_cpus": "0"})
    found = addresses(file("sys/class/net/IF/queues/rx-*/rps_cpus"), tmp_path, "eth*")
    assert found == ["sys/class/net/eth*/queues/rx-0/rps_cpus"]


def test_an_interface_with_dots_keeps_them(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/sys/net/ipv4/conf/eth1.100/rp_filter": "1"})
    where = sysctl("net.ipv4.conf.IF.rp_filter")
    assert addresses(where, tmp_path, "eth1.100") == ["proc/sys/net/ipv4/conf/eth1.100/rp_filter"]
    assert where.sysctl == "net.ipv4.conf.IF.rp_filter"
    assert where.per_interface


def test_interrupts_are_those_that_proc_interrupts_names(tmp_path: Path) -> None:
    lines = " 40: 1 PCI-MSI 1-edge eth1-TxRx-0\n 42: 1 PCI-MSI xeth1\n 43: 1 eth10\nNMI: 1 eth1\n  7: 0 eth1\n"
    plant(tmp_path, {"proc/interrupts": lines})
    assert interrupts(tmp_path, "eth1") == [7, 40]
    assert interrupts(tmp_path, "eth2") == []
    assert interrupts(tmp_path / "nothing", "eth1") == []


@pytest.mark.parametrize("folder", ["device/msi_irqs", "../../../devices/pci/msi_irqs"])
def test_interrupts_of_the_device_and_of_a_virtio_parent_come_first(tmp_path: Path, folder: str) -> None:
    plant(tmp_path, HOST)
    (tmp_path / "sys/devices/pci/virtio2").mkdir(parents=True)
    (tmp_path / CARD / "device").symlink_to("../../../devices/pci/virtio2")
    irqs_folder = tmp_path / "sys/devices/pci" / ("virtio2" if folder.startswith("device") else "") / "msi_irqs"
    irqs_folder.mkdir()
    for name in ("41", "9", "noise"):
        (irqs_folder / name).touch()
    assert interrupts(tmp_path, "eth1") == [9, 41]
    assert addresses(irqs(), tmp_path, "eth1") == ["proc/irq/9/smp_affinity_list", "proc/irq/41/smp_affinity_list"]


def test_a_field_of_a_driver_has_one_place() -> None:
    (place,) = ethtool("rings.rx").places(Path("/"), "eth1", NOBODY)
    assert place.key == "ethtool:eth1:rings.rx"
    assert Place.parse(place.key) == place


@pytest.mark.parametrize(
    "key",
    [
        "file:/etc/passwd", "file:etc/passwd", "file:proc/../etc/passwd", "file:sys/..", "", "file:", "boot:quiet",
        "probe:memlock", "ethtool:eth1", "shell:rm",
    ],
)  # fmt: skip
def test_a_journal_cannot_name_anything_but_settings(key: str) -> None:
    with pytest.raises(ValueError, match="not a setting"):
        Place.parse(key)
