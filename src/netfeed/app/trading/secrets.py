"""Secrets of order sessions: from a file that nobody else can read, or from the environment; never from arguments.

    secret = read_secret(file="/etc/netfeed/starbase.key", environment=os.environ)
    repr(secret)                 Secret(***)
    secret.reveal()              what is given to the machine that logs on, and to nobody else

A file belongs to us or to root, and nobody else may read or change it, else it is refused with what to do. The
environment is read once and told to nobody; whoever can read /proc of this process can read it, so a file is better.

Source: sshd's rule of private keys (StrictModes). Leaves out: key stores, agents, memory that cannot be swapped.
"""

import hmac
import os
import stat
from collections.abc import Mapping
from typing import Final, NoReturn, final

from netfeed.errors import ConfigurationError

MAX_BYTES: Final = 4096
"""A longer file is no secret."""


@final
class Secret:
    """A secret that says itself to nobody who did not ask: not in a repr, a log, an f-string or a pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give it, to whoever logs on."""
        return self._text

    def sign(self, data: bytes) -> str:
        """Give HMAC-SHA256 of data by it, in hexadecimal digits."""
        return hmac.new(self._text.encode(), data, "sha256").hexdigest()

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def read_secret(*, file: str | None, variable: str | None, environment: Mapping[str, str]) -> Secret:
    """Read a secret from its file, or from the variable of that name.

    Raises: ConfigurationError that says what to do; it never has any of the secret in it.
    """
    if file is not None:
        return Secret(_of_text(_file(file), file))
    if variable is None:
        raise ConfigurationError("nobody has said where the secret is: secret_file or secret_env")
    if not environment.get(variable):
        raise ConfigurationError(f"the variable {variable}, which should hold the secret, is not set")
    return Secret(_of_text(environment[variable].encode(errors="surrogateescape"), variable))


def _file(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hold us
    except OSError as error:
        raise ConfigurationError(f"the secret {path} cannot be read: {error.strerror or error}") from None
    try:
        wrong = _objection(path, os.fstat(descriptor))
        if wrong is not None:
            raise ConfigurationError(wrong)
        return os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _objection(path: str, found: os.stat_result) -> str | None:
    """Say why a file is not believed to keep a secret; it is judged when it is open, so that nobody can swap it."""
    if not stat.S_ISREG(found.st_mode):
        return f"the secret {path} is no file"
    if found.st_uid not in (0, os.geteuid()):
        return f"the secret {path} belongs to user {found.st_uid}, who can change it: `chown {os.geteuid()} {path}`"
    if found.st_mode & 0o077:
        return f"the secret {path} can be read by others (mode {found.st_mode & 0o777:04o}): `chmod 600 {path}`"
    return None


def _of_text(data: bytes, where: str) -> str:
    """Give the one line that a secret is."""
    text = data.decode("ascii", "replace").strip()
    if len(data) > MAX_BYTES or not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(f"{where} holds no secret: one line of ASCII without blanks is wanted")
    return text
