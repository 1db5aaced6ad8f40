"""Fields of an interface's driver: rings, moderation, offloads, channels; through pyroute2 (netlink and ioctl).

A field is `group.name`: `rings.rx`, `coalesce.rx_coalesce_usecs`, `features.rx-gro`, `channels.combined_count`.

Leaves out: RSS tables, flow steering rules and pause frames, which pyroute2 does not speak; ethtool(8) does.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from netfeed.errors import NetfeedError

_LIMITS: Final = {"rings.rx": "rx_max", "rings.tx": "tx_max", "channels.combined_count": "max_combined"}


class CardError(NetfeedError):
    """A driver cannot be asked; the message says why."""


class NotSupported(CardError):
    """This driver, or this kernel, has no such field."""


def read(interface: str, field: str) -> str:
    """Read a field.

    Raises: CardError, NotSupported.
    """
    group, _, name = field.partition(".")
    with _asking(interface) as tool:
        whole = _got(tool, group, interface)
        if field in _LIMITS and not getattr(whole, _LIMITS[field]):
            raise NotSupported(f"the driver of {interface} has none of these")
        return _text(whole, group, name, interface)


def limit(interface: str, field: str) -> str | None:
    """Give the most that a field can have, None where the driver does not say.

    Raises: CardError.
    """
    if field not in _LIMITS:
        return None
    group = field.partition(".")[0]
    with _asking(interface) as tool:
        most = getattr(_got(tool, group, interface), _LIMITS[field])
    return str(most) if most else None


def write(interface: str, field: str, text: str) -> None:
    """Write a field.

    Raises: OSError with what the driver said.
    """
    group, _, name = field.partition(".")
    try:
        with _asking(interface) as tool:
            if group == "rings":
                tool.set_rings(interface, **{name: int(text)})
                return
            whole = _changed(_got(tool, group, interface), group, name, text)
            getattr(tool, f"set_{group}")(interface, whole)
    except NotSupported as error:
        raise OSError(errno.EOPNOTSUPP, str(error)) from None
    except CardError as error:
        raise OSError(errno.EIO, str(error)) from None


@contextmanager
def _asking(interface: str) -> Iterator[Any]:
    """Open netlink where the calling thread is, and turn what goes wrong into words."""
    try:
        from pyroute2 import Ethtool
        from pyroute2.ethtool.ioctl import EthtoolError, NoSuchDevice, NotSupportedError
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError:
        raise CardError("settings of drivers need the package pyroute2: pip install 'netfeed[tune]'") from None
    tool = Ethtool()
    try:
        yield tool
    except NotSupportedError:
        raise NotSupported(f"the driver of {interface} has no such setting") from None
    except NoSuchDevice:
        raise NotSupported(f"there is no interface {interface}") from None
    except EthtoolError as error:
        raise CardError(f"{interface}: {error or type(error).__name__}") from None
    except NetlinkError as error:
        raise CardError(f"{interface}: {error}") from None
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            raise NotSupported(f"the driver of {interface} has no such setting") from None
        if error.errno == errno.ENODEV:
            raise NotSupported(f"there is no interface {interface}") from None
        raise
    finally:
        tool.close()


def _got(tool: Any, group: str, interface: str) -> Any:
    return getattr(tool, f"get_{group}")(interface)


def _text(whole: Any, group: str, name: str, interface: str) -> str:
    if group == "features":
        feature = whole.features.get(name)
        if feature is None:
            raise NotSupported(f"this kernel knows no offload {name}")
        return "on" if feature.enable else "off"
    value = whole.get(name) if isinstance(whole, dict) else getattr(whole, name)
    if value is None:
        raise NotSupported(f"the driver of {interface} does not say {name}")
    return str(value)


def _changed(whole: Any, group: str, name: str, text: str) -> Any:
    """Give what pyroute2 wants to be given: all features with one changed, else the fields that change."""
    if group != "features":
        return {name: int(text)}
    if name not in whole.features:
        raise NotSupported(f"this kernel knows no offload {name}")
    whole.features[name].enable = text == "on"
    return whole
