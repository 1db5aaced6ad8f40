"""The secrets of a simulated venue's accounts: of a file that only its owner may read, of the environment, or made.

What is made follows from the seed and the name, so that a venue of the same seed has the same; it guards nothing but a
simulation. It is written to DIRECTORY/NAME with mode 0600, from where a client reads it, and what of it is the password
of SoupBinTCP to DIRECTORY/NAME.ouch. It stands in no log and in no argument.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from netfeed.app.sim_accounts import AccountConfig
from netfeed.errors import ConfigurationFileError
from netfeed.sim.ouch_gateway import PASSWORD
from netfeed.sim.session_gateway import Key

LENGTH: Final = 32
"""Characters of a secret that is made; Starbase has room for 48."""
MAX_SECRET: Final = 48


def keys(accounts: Iterable[AccountConfig], directory: str, seed: int) -> list[Key]:
    """Give the keys of accounts; what is made is written to `directory`, where there is one.

    Raises: ConfigurationFileError for a secret that is not there, or that others may read; OSError.
    """
    return [Key(one.name, _secret(one, directory, seed)) for one in accounts]


def made(seed: int, name: str) -> str:
    """Make the secret of an account from the seed."""
    return hmac.new(str(seed).encode(), name.encode(), hashlib.sha256).hexdigest()[:LENGTH]


def read(path: str, what: str) -> str:
    """Read a secret. Raises: ConfigurationFileError that says the remedy."""
    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationFileError(f"{what}: {path} cannot be read: {error}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationFileError(f"{what}: others may read {path}: chmod 600 {path}")
    return _checked(text, f"{what}: {path}")


def _secret(one: AccountConfig, directory: str, seed: int) -> str:
    if one.secret_env is not None:
        text = os.environ.get(one.secret_env, "")
        return _checked(text, f"accounts.{one.name}.secret_env: {one.secret_env}")
    if one.secret_file is not None:
        return read(one.secret_file, f"accounts.{one.name}.secret_file")
    secret = made(seed, one.name)
    if directory:
        _write(Path(directory), one.name, secret)
        _write(Path(directory), f"{one.name}.ouch", secret[:PASSWORD])
    return secret


def _checked(text: str, what: str) -> str:
    if not text or len(text) > MAX_SECRET or not text.isascii():
        raise ConfigurationFileError(f"{what} has no secret of 1 to {MAX_SECRET} ASCII characters")
    return text


def _write(directory: Path, name: str, secret: str) -> None:
    """Write a secret into a file that gets its name when it is complete, and that nobody else can read meanwhile."""
    if "/" in name or name in (".", ".."):
        raise ConfigurationFileError(f"accounts.{name}: a name with a secret that is made is the name of a file")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = directory / f".{name}.{os.getpid()}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(secret + "\n")
    os.replace(part, directory / name)
