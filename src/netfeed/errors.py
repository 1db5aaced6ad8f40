"""What can go wrong, and whose fault it is.

Two families. `MisuseError` is the caller's fault and is raised before any state changes. Everything else is the
world's fault: bytes that are not what their specification says. A codec in `wire` *raises* `WireError`; a machine
never lets one out of `receive`, it turns it into an event and a counter.

Each error says what was found and what was wanted, and where, so that a person can act on the message alone.
"""


class NetfeedError(Exception):
    """Root of all errors that netfeed raises on purpose."""


class MisuseError(NetfeedError):
    """The caller broke the contract (wrong order of calls, a value out of range). Nothing has changed."""


class ConfigurationError(NetfeedError):
    """An option or a configuration file cannot be used as given. The command line exits with 4 or 2."""


class ConfigurationFileError(ConfigurationError):
    """A configuration file is wrong. The message has one line for each mistake; the command line exits with 4."""


class WireError(NetfeedError, ValueError):
    """Bytes from outside do not fit their specification.

    Units: `offset` in bytes from the start of the buffer that was handed to the codec.
    """

    def __init__(self, what: str, *, offset: int, found: object, wanted: object) -> None:
        super().__init__(what, offset, found, wanted)
        self.what = what
        self.offset = offset
        self.found = str(found)
        self.wanted = str(wanted)

    def __str__(self) -> str:
        return f"{self.what} at byte {self.offset}: found {self.found}, wanted {self.wanted}"
