"""Drivers' fields, of a real interface: a veth pair in namespaces of our own. Needs root."""

import errno
import shutil
import subprocess
from collections.abc import Iterator

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra tune)")

from netfeed.host.namespace import Namespace, permitted
from netfeed.host.tune import card
from netfeed.host.tune.check import Machine, State, check
from netfeed.host.tune.kernel import Absent, Kernel, Unreadable
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import TOPICS
from netfeed.host.tune.where import Place

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here"),
]


@pytest.fixture
def inside() -> Iterator[None]:
    """Stand in a namespace that has the veth `va`."""
    with Namespace("one") as one, Namespace("two") as two:
        one.connect("va", two, "vb")
        with one.entered():
            yield


@pytest.mark.usefixtures("inside")
def test_an_offload_is_set_read_back_and_seen_by_ethtool() -> None:
    assert card.read("va", "features.rx-gro") == "off"
    card.write("va", "features.rx-gro", "on")
    assert card.read("va", "features.rx-gro") == "on"
    if shutil.which("ethtool"):
        said = subprocess.run(["ethtool", "-k", "va"], capture_output=True, text=True, check=True).stdout
        assert "generic-receive-offload: on" in said
    card.write("va", "features.rx-gro", "off")
    assert card.read("va", "features.rx-gro") == "off"


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("field", ["rings.rx", "coalesce.rx_coalesce_usecs", "coalesce.use_adaptive_rx_coalesce"])
def test_what_a_veth_has_not_is_absent_and_cannot_be_written(field: str) -> None:
    with pytest.raises(card.NotSupported, match="the driver of va has no such setting"):
        card.read("va", field)
    with pytest.raises(OSError) as raised:
        card.write("va", field, "1")
    assert raised.value.errno == errno.EOPNOTSUPP
    with pytest.raises(Absent):
        Kernel().read(Place("ethtool", f"va:{field}"))
    assert Kernel().limit(Place("ethtool", f"va:{field}")) is None


@pytest.mark.usefixtures("inside")
def test_an_offload_that_nobody_knows_and_one_that_is_fixed_are_told() -> None:
    with pytest.raises(card.NotSupported, match="knows no offload warp"):
        card.read("va", "features.warp")
    with pytest.raises(OSError):
        card.write("va", "features.warp", "on")
    with pytest.raises(OSError):
        card.write("va", "features.rx-lro", "on")


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("field", ["rings.rx", "features.rx-gro", "channels.combined_count"])
def test_an_interface_that_has_gone_is_absent(field: str) -> None:
    with pytest.raises(card.NotSupported, match="there is no interface gone"):
        card.read("gone", field)


@pytest.mark.usefixtures("inside")
def test_channels_are_set_within_what_the_driver_can() -> None:
    assert card.read("va", "channels.rx_count") == "1"
    card.write("va", "channels.rx_count", "1")
    with pytest.raises(OSError):
        card.write("va", "channels.rx_count", "4096")


@pytest.mark.usefixtures("inside")
def test_a_check_of_a_veth_says_what_it_has_not() -> None:
    findings = {one.name: one for one in check(Machine(Kernel(), ("va",)), TOPICS["interface"], Profile.FEED)}
    assert findings["va.features.rx-gro"].state is State.OK
    for name, why in (("rings.rx", "no such setting"), ("coalesce.rx_usecs", "no such setting")):
        assert findings[f"va.{name}"].state is State.ABSENT
        assert why in findings[f"va.{name}"].remark
    with pytest.raises(card.NotSupported, match="has none of these"):
        card.read("va", "channels.combined_count")


def test_a_kernel_that_is_a_copy_is_not_asked() -> None:
    with pytest.raises(Unreadable):
        Kernel(Kernel().root / "proc").read(Place("ethtool", "lo:features.rx-gro"))
